"""From a rule's text to its tree: OR binds less than AND, which is a space; a dash negates.

    alternatives = clauses ("OR" clauses)*
    clauses      = clause+
    clause       = "-"* ("(" alternatives ")" | phrase | operator | tag | word)

After X's pages "Build a rule" and "Filtered stream: operators". A token needs no space before or
behind a parenthesis or a quote.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from actors.systems.x_platform import entities
from actors.systems.x_platform.rules.operators import OPERATORS
from actors.systems.x_platform.rules.rule import All, Any, Not, Term, compile_node, troubles
from actors.systems.x_platform.rules.rule_lexer import (
    END,
    NO_CHARACTER,
    NO_INPUT,
    InvalidRule,
    tokenize,
)
from actors.systems.x_platform.rules.words import words

if TYPE_CHECKING:
    from actors.systems.x_platform.rules.rule import Node, Test, Weight
    from actors.systems.x_platform.rules.rule_lexer import Token
    from actors.systems.x_platform.rules.subject import Subject

# Parsed rules kept: X's bound for a project, and some tried in vain.
RULES_KEPT: Final = 1024
# Of groups in groups: far beyond what anybody writes, and within Python's stack.
NESTING_MAX: Final = 64

MISSING_PAREN: Final = "missing ')' at '{}' (at position {})"
MISSING_EOF: Final = "missing EOF at '{}' (at position {})"
NO_OPERATOR: Final = "Reference to invalid operator '{}' (at position {})"
NO_FIELD: Final = "Reference to invalid field '{}' (at position {})"
# Too common to be asked for alone (X, "Rule restrictions"); quoted, they are words as any.
_COMMON: Final = (
    "a an and at but by com from http https if in is it its me my or rt the this to too via we www"
    " you"
)
STOP_WORDS: Final = frozenset(_COMMON.split())


@lru_cache(RULES_KEPT)
def parse_rule(text: str) -> Test:
    """Return what says whether a tweet matches the rule. Raises InvalidRule.

    It depends on the text alone, so the last ones are kept over all incarnations: a thousand rules
    of a thousand characters take seconds, and one that restarts must not spend them again.
    """
    parser = _Parser(tokenize(text))
    node = parser.parse()
    details = parser.details or troubles(node)
    if details:
        raise InvalidRule(*details)
    return compile_node(node)


class _Parser:
    """One pass over the tokens. What is wrong with a single term is noted in `details`."""

    def __init__(self, tokens: list[Token]) -> None:
        self.details: list[str] = []
        self._tokens = tokens
        self._next = 0

    def parse(self) -> Node:
        """Return the whole rule. Raises InvalidRule."""
        node = self._alternatives(depth=0)
        if self._token.kind != "end":  # only a parenthesis can stand here
            raise InvalidRule(MISSING_EOF.format(self._token.text, self._token.position))
        return node

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _alternatives(self, depth: int) -> Node:
        nodes = [self._clauses(depth)]
        while self._token.kind == "OR":
            self._next += 1
            nodes.append(self._clauses(depth))
        return nodes[0] if len(nodes) == 1 else Any(nodes[0].position, tuple(nodes))

    def _clauses(self, depth: int) -> Node:
        nodes = [self._clause(depth)]
        while self._token.kind not in {"OR", ")", "end"}:
            nodes.append(self._clause(depth))
        return nodes[0] if len(nodes) == 1 else All(nodes[0].position, tuple(nodes))

    def _clause(self, depth: int) -> Node:
        first, dashes = self._token, 0
        while self._token.kind == "-":
            self._next += 1
            dashes += 1
        node = self._group(depth) if self._token.kind == "(" else self._term()
        # An even number of them says the same as two, which still makes no positive term of it.
        for _ in range(2 - dashes % 2 if dashes else 0):
            node = Not(first.position, node)
        return node

    def _group(self, depth: int) -> Node:
        if depth == NESTING_MAX:
            raise InvalidRule(NO_INPUT.format("(", self._token.position))
        self._next += 1
        node = self._alternatives(depth + 1)
        if self._token.kind != ")":
            raise InvalidRule(MISSING_PAREN.format(self._token.text, self._token.position))
        self._next += 1
        return node

    def _term(self) -> Term:
        token = self._token
        if token.kind in {"OR", ")", "end"}:
            raise InvalidRule(NO_INPUT.format(token.text, token.position))
        self._next += 1
        if token.kind == "operator":
            return self._operator(token)
        if token.kind == "tag":
            return self._tag(token)
        return self._words(token)

    def _words(self, token: Token) -> Term:
        wanted = words(token.text)
        if not wanted:
            text = f'"{token.text}"' if token.kind == "phrase" else token.text
            return self._wrong(token, NO_INPUT.format(text, token.position))
        if len(wanted) > 1:
            needle = f" {' '.join(wanted)} "
            return Term(token.position, "standalone", lambda subject: needle in subject.line)
        (word,) = wanted
        stops = token.kind == "word" and word in STOP_WORDS
        weight: Weight = "stopword" if stops else "standalone"
        return Term(token.position, weight, word=word)

    def _tag(self, token: Token) -> Term:
        sign, body = token.text[0], token.text[1:]
        if sign in "#\uff03" and entities.hashtag_body().fullmatch(body):
            tag = entities.fold(body)
            return Term(token.position, "standalone", lambda subject: tag in subject.hashtags)
        if sign in "@\uff20" and entities.USERNAME.fullmatch(body):
            name = body.lower()
            return Term(token.position, "standalone", lambda subject: name in subject.mentions)
        if sign == "$" and entities.CASHTAG_BODY.fullmatch(body):
            cash = body.lower()
            return Term(token.position, "standalone", lambda subject: cash in subject.cashtags)
        if not body:
            return self._wrong(token, NO_CHARACTER.format(sign, token.position))
        return self._wrong(token, NO_INPUT.format(token.text, token.position))

    def _operator(self, token: Token) -> Term:
        operator = OPERATORS.get(token.name)
        if operator is None:
            return self._wrong(
                token,
                NO_OPERATOR.format(token.name, token.position),
                NO_FIELD.format(token.name, token.position),
            )
        test = operator.read(token.text)
        if test is not None:
            only_negated = (token.name, token.text.lower()) == ("is", "nullcast")
            return Term(token.position, operator.weight, test, only_negated=only_negated)
        if operator.values and token.text:
            return self._wrong(
                token, NO_OPERATOR.format(f"{token.name}:{token.text}", token.position)
            )
        found = token.text or self._token.text or END
        return self._wrong(token, NO_INPUT.format(found, token.value_position))

    def _wrong(self, token: Token, *details: str) -> Term:
        self.details.extend(details)
        return Term(token.position, "standalone", _never)


def _never(_subject: Subject) -> bool:
    return False
