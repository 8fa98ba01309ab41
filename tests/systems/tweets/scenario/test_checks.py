"""What the scenario of the brand monitor takes for wrong, and what for explained."""

from __future__ import annotations

from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from actors.systems.tweets.scenario.moods import KEYWORD
from actors.systems.tweets.scenario.told import Lock, Told, Upset
from actors.systems.tweets.scenario.x_books import SAID_BY, XBooks


@pytest.mark.parametrize(
    ("locks", "locked"),
    [
        ([(1.0, 8.0, 1.1)], [(1.1, 9.0)]),
        ([(1.0, 8.0, 1.1), (5.0, 2.0, 5.1)], [(1.1, 5.0), (5.1, 7.0)]),  # the last one counts
        ([(1.0, 8.0, 1.1), (5.0, 2.0, inf)], [(1.1, 5.0)]),  # nobody knows whether it was done
        ([(1.0, 8.0, 1.2), (1.1, 2.0, 1.3)], []),  # nor here which was the last
        ([(1.1, 2.0, 1.3), (1.0, 8.0, 1.2)], []),
    ],
)
def test_of_locks_the_last_one_counts(
    locks: list[tuple[float, float, float]], locked: list[tuple[float, float]]
) -> None:
    """As X has it: each says when it was asked for, for how long, and when it was done."""
    assert list(Told(locks=[Lock(*each) for each in locks]).locked()) == locked


def test_what_was_stopped_excuses_nothing_before_or_after_and_nobody_else() -> None:
    """Of a run in which it was stopped."""
    told = Told(upsets=[Upset(frozenset(["reader"]), 10.0, 20.0)])
    spans_s = [(0.0, 9.0), (9.0, 11.0), (12.0, 13.0), (19.0, 30.0), (21.0, 30.0)]
    assert [told.is_upset(["reader", "x"], *each) for each in spans_s] == [
        False,
        *[True] * 3,
        False,
    ]
    assert not told.is_upset(["tweets"], 0.0, 30.0)


@pytest.mark.parametrize(("found", "wrong"), [(None, False), ([], True), ([1], False)])
def test_a_search_that_finds_nothing_was_a_search(found: list[int] | None, *, wrong: bool) -> None:
    """Where somebody has said something, and all has come to rest."""
    row = {"id": 1, "text": f"{KEYWORD} {SAID_BY}0)", "retweeted": None, "deleted_us": None}
    kept: Any = SimpleNamespace(x_tweets={"1": row})
    assert bool([*XBooks(kept).search_violations(found)]) is wrong
