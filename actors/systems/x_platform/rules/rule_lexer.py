"""A rule's text as tokens.

The details of what is wrong are X's own, which are those of an ANTLR grammar, as customers have
reported them. Positions count characters from 1.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from actors.systems.x_platform.rules.words import begins_word

Kind = Literal["(", ")", "-", "OR", "phrase", "operator", "tag", "word", "end"]

NO_CHARACTER: Final = "no viable alternative at character '{}' (at position {})"
NO_INPUT: Final = "no viable alternative at input '{}' (at position {})"
NO_QUOTE: Final = "mismatched character '<EOF>' expecting '\"' (at position {})"
AMBIGUOUS_AND: Final = (
    "Ambiguous use of and as a keyword. Use a space to logically join two clauses, or"
    ' "and" to find occurrences of and in text (at position {})'
)
AMBIGUOUS_OR: Final = (
    "Ambiguous use of or as a keyword. Use an upper-case OR to logically join two clauses, or"
    ' "or" to find occurrences of or in text (at position {})'
)
END: Final = "<EOF>"

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
# Between tokens is space. In this order: a value may be quoted; if not, it holds neither quotes nor
# parentheses.
_TOKEN: Final = re.compile(
    rf"""
      (?P<left>\()
    | (?P<right>\))
    | (?P<phrase>{_QUOTED})
    | (?P<open>")
    | (?P<minus>-(?=[^\s)]))
    | (?P<tag>[#@$\uff03\uff20][^\s()":]*)
    | (?P<name>[^\s()":]+):(?P<value>{_QUOTED}|[^\s()"]*)
    | (?P<word>[^\s()":]+)
    | (?P<other>\S)
    """,
    re.VERBOSE | re.DOTALL,
)
_SIMPLE: Final[dict[str, Kind]] = {
    "left": "(",
    "right": ")",
    "minus": "-",
    "phrase": "phrase",
    "tag": "tag",
}
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


class InvalidRule(Exception):
    """X would not have this rule; `details` say why, in its words."""

    def __init__(self, *details: str) -> None:
        """At least one detail."""
        super().__init__(*details)
        self.details = details


class Token(msgspec.Struct, frozen=True):
    """`text` is unquoted; of an operator it is the value, which begins at `value_position`."""

    kind: Kind
    text: str
    position: int
    name: str = ""
    value_position: int = 0


def tokenize(rule: str) -> list[Token]:
    """Return the tokens, and an `end` behind them. Raises InvalidRule with all that is no token."""
    tokens: list[Token] = []
    details: list[str] = []
    end = len(rule) + 1
    for found in _TOKEN.finditer(rule):
        if found.lastgroup == "open":  # nothing behind it can be told apart
            details.append(NO_QUOTE.format(end))
            break
        token = _token(found, details)
        if token is not None:
            tokens.append(token)
    if details:
        raise InvalidRule(*details)
    tokens.append(Token("end", END, end))
    return tokens


def _token(found: re.Match[str], details: list[str]) -> Token | None:
    position, text, group = found.start() + 1, found.group(), found.lastgroup
    simple = _SIMPLE.get(group or "")
    if simple is not None:
        return Token(simple, unquote(text), position)
    if group == "value" and begins_word(text[0]):
        value_position = found.start("value") + 1
        value = unquote(found["value"])
        return Token("operator", value, position, found["name"].lower(), value_position)
    if group == "word" and begins_word(text[0]):
        return _word(text, position, details)
    said = NO_INPUT if text[0] in "[]" else NO_CHARACTER
    details.append(said.format(text[0], position))
    return None


def _word(text: str, position: int, details: list[str]) -> Token | None:
    if text == "OR":
        return Token("OR", text, position)
    ambiguous = {"and": AMBIGUOUS_AND, "or": AMBIGUOUS_OR}.get(text.lower())
    if ambiguous is not None:
        details.append(ambiguous.format(position))
        return None
    return Token("word", text, position)


def unquote(text: str) -> str:
    """Return what stands between the quotes, its escapes undone; other text as it is."""
    return _ESCAPED.sub(r"\1", text[1:-1]) if text.startswith('"') else text
