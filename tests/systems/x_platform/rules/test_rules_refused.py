"""Rules that X would not have: why, where, and that nothing else ever comes of any text."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.systems.x_platform.rules.rule_lexer import InvalidRule
from actors.systems.x_platform.rules.rule_parser import NESTING_MAX, parse_rule
from tests.systems.x_platform.tweets import matches

AND = (
    "Ambiguous use of and as a keyword. Use a space to logically join two clauses, or"
    ' "and" to find occurrences of and in text (at position {})'
)
NEGATION_ONLY = "Rules must contain a non-negation term (at position {})"
TOO_BROAD = "Rules must contain at least one positive, non-stopword clause (at position {})"
CONJUNCTION = "is/has/lang cannot be used as a standalone operator (at position {})"
INPUT = "no viable alternative at input '{}' (at position {})"
CHARACTER = "no viable alternative at character '{}' (at position {})"

REFUSED = [
    # As customers of X have reported them.
    ("streaming AND lang:en", [AND.format(11)]),
    ("abc and 123", [AND.format(5)]),
    ("-follow", [NEGATION_ONLY.format(1), TOO_BROAD.format(1)]),
    ("--b", [NEGATION_ONLY.format(1), TOO_BROAD.format(1)]),
    ("a", [TOO_BROAD.format(1)]),
    ("h:m", [f"Reference to invalid {each} 'h' (at position 1)" for each in ("operator", "field")]),
    ("(pepsi OR cola OR 'coca cola')", [CHARACTER.format("'", 19)]),
    ("has:media", [CONJUNCTION.format(1)]),
    # By their model.
    ("has:polls cat", ["Reference to invalid operator 'has:polls' (at position 1)"]),
    ("cat is:x", ["Reference to invalid operator 'is:x' (at position 5)"]),
    ("has:links OR is:retweet", [CONJUNCTION.format(1), CONJUNCTION.format(14)]),
    ("cat OR -dog", [NEGATION_ONLY.format(8), TOO_BROAD.format(8)]),
    ("-dog OR cat", [NEGATION_ONLY.format(1), TOO_BROAD.format(1)]),
    ("apple OR -lang:en", [NEGATION_ONLY.format(10), TOO_BROAD.format(10)]),
    ("cat OR (lang:en -dog)", [CONJUNCTION.format(9)]),
    ("the OR this", [TOO_BROAD.format(1), TOO_BROAD.format(8)]),
    ("-(cat dog)", [NEGATION_ONLY.format(1), TOO_BROAD.format(1)]),
    ("", [INPUT.format("<EOF>", 1)]),
    ("  ", [INPUT.format("<EOF>", 3)]),
    ('""', [INPUT.format('""', 1)]),
    ('cat "!"', [INPUT.format('"!"', 5)]),
    ('cat "dog', ["mismatched character '<EOF>' expecting '\"' (at position 9)"]),
    ("(cat", ["missing ')' at '<EOF>' (at position 5)"]),
    ("cat)", ["missing EOF at ')' (at position 4)"]),
    ("()", [INPUT.format(")", 2)]),
    ("OR cat", [INPUT.format("OR", 1)]),
    ("cat OR", [INPUT.format("<EOF>", 7)]),
    ("cat OR OR dog", [INPUT.format("OR", 8)]),
    ("cat -", [CHARACTER.format("-", 5)]),
    ("cat -OR dog", [INPUT.format("OR", 6)]),
    ("cat - dog", [CHARACTER.format("-", 5)]),
    ("cat or dog", [r'Ambiguous use of or as a keyword.*"or".*\(at position 5\)']),
    ("[cat]", [INPUT.format("[", 1)]),
    ("cat :)", [CHARACTER.format(":", 5)]),
    (
        "https://x.com",
        ["Reference to invalid operator 'https' (at position 1)", ".*field 'https'.*"],
    ),
    ("#", [CHARACTER.format("#", 1)]),
    ("#123", [INPUT.format("#123", 1)]),
    ("@way_too_long_to_be_one", [INPUT.format("@way_too_long_to_be_one", 1)]),
    ("from:", [INPUT.format("<EOF>", 6)]),
    ("from:@ada", [INPUT.format("@ada", 6)]),
    ("cat lang:xx", [INPUT.format("xx", 10)]),
    ("cat is:nullcast", ["is:nullcast can only be used as a negated operator (at position 5)"]),
    ('"a b"~3', [CHARACTER.format("~", 6)]),
    (
        "f:1 g:2",
        [
            f"Reference to invalid {kind} '{name}' (at position {at})"
            for name, at in (("f", 1), ("g", 5))
            for kind in ("operator", "field")
        ],
    ),
]


@pytest.mark.parametrize(("rule", "details"), REFUSED, ids=[each[0] for each in REFUSED])
def test_a_bad_rule_is_refused_with_the_position(rule: str, details: list[str]) -> None:
    """Each detail is a sentence of X's; positions count characters from 1."""
    with pytest.raises(InvalidRule) as refused:
        parse_rule(rule)
    said = list(refused.value.details)
    assert len(said) == len(details)
    for each, wanted in zip(said, details, strict=True):
        assert each == wanted or re.fullmatch(wanted, each), said


def test_groups_nest_so_deep_and_no_deeper() -> None:
    """What nobody would write is refused, and does not exhaust the stack."""
    deep = "(" * NESTING_MAX + "cat" + ")" * NESTING_MAX
    assert matches(deep, "cat")
    assert matches("-(dog " * (NESTING_MAX - 1) + "x" + ")" * (NESTING_MAX - 1) + " cat", "cat")
    with pytest.raises(InvalidRule) as refused:
        parse_rule(f"({deep})")
    assert refused.value.details == (INPUT.format("(", NESTING_MAX + 1),)


PIECES = (*"()\"\\-#@$: \tORab1_'[]~*.", "OR ", "from:", "has:", "é", "猫", "\0")
SYNTAX = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(st.one_of(st.text(max_size=60), SYNTAX))
@example("\ud800")
@example("#\u0301")
@example("\ufe0f")
@example('"\ufe0f"')
@example("\u0301a")
@example("ﷺ")
def test_any_text_is_a_rule_or_says_why_not(text: str) -> None:
    """Nothing but InvalidRule comes of it, and each detail names a place in the text."""
    details = details_of(text)
    assert details is None or details
    for detail in details or ():
        at = re.search(r"\(at position (\d+)\)$", detail)
        assert at is not None, detail
        assert 1 <= int(at[1]) <= len(text) + 1


def details_of(text: str) -> tuple[str, ...] | None:
    """Return why the text is no rule; None if it is one."""
    try:
        parse_rule(text)
    except InvalidRule as refused:
        return refused.details
    return None


@pytest.mark.parametrize(
    "piece",
    ["(", ")", '"', "-", "\\", '"\\', "a ", "a OR ", "(a ", "-(", "a:", "#1", "@", "'", "((a) ",
     '"a" ', "a", "1", "https://", ":", "a\u0301", "\U0001f355"],
)  # fmt: skip
def test_a_rule_of_any_length_is_read_in_time(piece: str) -> None:
    """Processor time, not the wall's: ten thousand characters of the worst kinds."""
    text = (piece * 10_000)[:10_000]
    began = time.process_time()
    details_of(text)
    assert time.process_time() - began < 1.0
