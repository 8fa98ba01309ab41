"""A rule as a tree: what it matches, and whether X would have it.

X refuses a rule that would match nearly everything there is: one without a positive, standalone
term, and so one of which such a term is only an alternative ("Negated ORs are not allowed where the
rule would request everything in the firehose except the negation", X, "Building a rule"). Here:
a rule must be *narrow*. A standalone term is; a clause list is if any of its clauses is; a list of
alternatives only if each of them is; what is negated never is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from actors.systems.x_platform.rules.subject import Subject

Test = Callable[[Subject], bool]

# `conjunction` terms match too much alone: has:, is:, lang:. So do stop words, such as `the`.
Weight = Literal["standalone", "conjunction", "stopword"]

NEGATION_ONLY = "Rules must contain a non-negation term (at position {})"
TOO_BROAD = "Rules must contain at least one positive, non-stopword clause (at position {})"
CONJUNCTION_ONLY = "is/has/lang cannot be used as a standalone operator (at position {})"
NULLCAST = "is:nullcast can only be used as a negated operator (at position {})"


class Term(msgspec.Struct, frozen=True):
    """A leaf. `position` counts characters from 1, as X's error details do.

    A keyword of one word is that `word`, folded; everything else has a `test`.
    """

    position: int
    weight: Weight
    test: Test | None = None
    word: str = ""
    only_negated: bool = False


class Not(msgspec.Struct, frozen=True):
    position: int
    node: Node


class All(msgspec.Struct, frozen=True):
    """Clauses with spaces between: each must match."""

    position: int
    nodes: tuple[Node, ...]


class Any(msgspec.Struct, frozen=True):
    """Clauses with OR between: one must match."""

    position: int
    nodes: tuple[Node, ...]


Node = Term | Not | All | Any


def compile_node(node: Node) -> Test:
    """Return a function that says whether a tweet matches."""
    if isinstance(node, Term):
        return node.test or _word(node.word)
    if isinstance(node, Not):
        return _none(compile_node(node.node))
    # Keywords beside each other are compared as one set: most rules are lists of them.
    words = frozenset([each.word for each in node.nodes if isinstance(each, Term) and each.word])
    others = [compile_node(each) for each in node.nodes if not isinstance(each, Term) or each.test]
    if isinstance(node, All):
        return _all(tuple([_every_word(words), *others] if words else others))
    return _any(tuple([_any_word(words), *others] if words else others))


def troubles(node: Node) -> list[str]:
    """Return why X would refuse the rule, in its words; nothing if it would not."""
    return _misplaced(node, negated=False) + ([] if _is_narrow(node) else _blame(node))


def _word(word: str) -> Test:
    return lambda subject: word in subject.words


def _every_word(words: frozenset[str]) -> Test:
    return lambda subject: words <= subject.words


def _any_word(words: frozenset[str]) -> Test:
    return lambda subject: not words.isdisjoint(subject.words)


def _none(test: Test) -> Test:
    return lambda subject: not test(subject)


def _all(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def match(subject: Subject) -> bool:
        for test in tests:  # noqa: SIM110 - twice as fast as all() over a generator
            if not test(subject):
                return False
        return True

    return match


def _any(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def match(subject: Subject) -> bool:
        for test in tests:  # noqa: SIM110 - likewise
            if test(subject):
                return True
        return False

    return match


def _is_narrow(node: Node) -> bool:
    if isinstance(node, Term):
        return node.weight == "standalone"
    if isinstance(node, Not):
        return False
    narrow = [_is_narrow(each) for each in node.nodes]
    return any(narrow) if isinstance(node, All) else all(narrow)


def _blame(node: Node) -> list[str]:
    """Return what a node that is not narrow lacks."""
    if isinstance(node, Any):
        return [said for each in node.nodes if not _is_narrow(each) for said in _blame(each)]
    weights = _positive_weights(node)
    if "conjunction" in weights:
        return [CONJUNCTION_ONLY.format(node.position)]
    if weights:
        return [TOO_BROAD.format(node.position)]
    return [NEGATION_ONLY.format(node.position), TOO_BROAD.format(node.position)]


def _positive_weights(node: Node) -> set[Weight]:
    if isinstance(node, Term):
        return {node.weight}
    if isinstance(node, Not):
        return set()
    return {weight for each in node.nodes for weight in _positive_weights(each)}


def _misplaced(node: Node, *, negated: bool) -> list[str]:
    if isinstance(node, Term):
        return [NULLCAST.format(node.position)] if node.only_negated and not negated else []
    if isinstance(node, Not):
        return _misplaced(node.node, negated=not negated)
    return [said for each in node.nodes for said in _misplaced(each, negated=negated)]
