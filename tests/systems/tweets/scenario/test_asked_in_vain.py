"""Whoever asks X although it has said when to come again is found, and nobody else."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from actors.systems.tweets.scenario.asked_in_vain import SECOND_US, asked_in_vain, asked_too_soon
from actors.systems.tweets.scenario.embedded_x import Counted

LIKES: Final = "POST /2/users/{id}/likes"
BEGUN_S: Final = 1_700_000_000
# X says so at ten seconds, and counts anew at thirty.
REFUSED: Final = Counted(
    by="a process",
    endpoint=LIKES,
    account="ours",
    at_s=10.0,
    now_us=(BEGUN_S + 10) * SECOND_US,
    until_s=BEGUN_S + 30,
    is_refused=True,
)


def later(by_s: float, **changed: Any) -> Counted:
    """Return the same, asked for so much later."""
    asked = {"at_s": REFUSED.at_s + by_s, "now_us": REFUSED.now_us + round(by_s * SECOND_US)}
    return replace(REFUSED, **{**asked, **changed})


@pytest.mark.parametrize(
    ("asked", "is_in_vain"),
    [
        (later(5.0), True),
        (later(0.5), False),  # it was on its way
        (later(20.0), False),  # X counts anew
        (later(5.0, by="another"), False),  # which has not heard of it
        (later(5.0, endpoint="POST /2/tweets"), False),
        (later(5.0, account="the app"), False),
        (later(5.0, now_us=REFUSED.now_us), False),  # X's clock was set back
        (later(7.0), False),  # other programs care for nothing
        (later(12.0), False),  # what was done to it then may have cost it its memory
    ],
)
def test_who_is_told_to_wait_waits(asked: Counted, *, is_in_vain: bool) -> None:
    """But for what was on its way, or could not know."""

    def was_disturbed(first_s: float, last_s: float) -> bool:
        return first_s <= 21.0 <= last_s

    assert bool([*asked_in_vain([REFUSED, asked], [(16.5, 17.5)], was_disturbed)]) is is_in_vain


def test_who_looks_after_the_rules_asks_whatever_x_says() -> None:
    """Where they stand is what the stream brings."""
    rules = replace(REFUSED, endpoint="GET /2/tweets/search/stream/rules")
    again = later(5.0, endpoint=rules.endpoint)
    assert [*asked_in_vain([rules, again], [], lambda *_: False)] == []


def test_an_answer_that_was_no_refusal_says_nothing() -> None:
    """What X has taken it may have counted as the last: who does not know comes once more."""
    taken = replace(REFUSED, is_refused=False)
    assert [*asked_in_vain([taken, later(5.0)], [], lambda *_: False)] == []


@pytest.mark.parametrize(
    ("after_s", "too_soon"),
    [
        ((5.0, 10.0, 15.0), 0),  # up to ten
        ((5.0, 0.5, 9.5), 0),  # on their way together
        ((2.0, 10.0), 1),
        ((5.0, 5.0, 5.0), 2),
        ((5.0, 36.0, 2.0), 0),  # it is locked no more
    ],
)
def test_who_is_not_told_until_when_waits_longer_each_time(
    after_s: tuple[float, ...], too_soon: int
) -> None:
    """From five seconds on, each as long after the one before; the account is locked for forty."""
    asked = [replace(REFUSED, is_refused=False)]
    for each_s in after_s:
        asked.append(replace(asked[-1], at_s=asked[-1].at_s + each_s))
    found = asked_too_soon(asked, [], [(9.0, 49.0)], least_s=5.0, most_s=10.0)
    assert len([*found]) == too_soon


def test_what_x_counts_no_more_of_ends_the_pause() -> None:
    """It says that before it says who is locked; and whoever else asks is no matter."""
    asked = [replace(REFUSED, is_refused=False, at_s=at_s) for at_s in (10.0, 15.0, 20.0, 22.0)]
    asked[2] = replace(asked[2], is_refused=True)
    for others in ([], [(14.0, 16.0)]):
        found = asked_too_soon(asked, others, [(9.0, 49.0)], least_s=5.0, most_s=10.0)
        assert [*found] == []
