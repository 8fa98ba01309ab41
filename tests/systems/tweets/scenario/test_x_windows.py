"""An X that takes too much or too little, or counts for too long or too short, is found."""

from __future__ import annotations

from typing import Final

import pytest

from actors.systems.tweets.scenario.embedded_x import Counted
from actors.systems.tweets.scenario.x_windows import SECOND_US, taken_amiss

BEGUN_S: Final = 1_700_000_000
WINDOW_S: Final = 20.0


def asked(at_s: float, until_s: int, *, is_refused: bool = False) -> Counted:
    """Return a request of so many seconds after the first, which X counts for so many."""
    return Counted(
        by="a process",
        endpoint="POST /2/users/{id}/likes",
        account="ours",
        at_s=at_s,
        now_us=BEGUN_S * SECOND_US + round(at_s * SECOND_US),
        until_s=BEGUN_S + until_s,
        is_refused=is_refused,
    )


@pytest.mark.parametrize(
    ("refused", "amiss"),
    [
        ((False, False, False, True, True), 0),
        ((False, False, False, False, True), 1),
        ((False, False, True, True), 2),
    ],
)
def test_x_takes_as_many_as_it_says_and_no_more(refused: tuple[bool, ...], amiss: int) -> None:
    """Three of each kind in a window, and as many in the next one."""
    first = [asked(number, 20, is_refused=each) for number, each in enumerate(refused)]
    then = [asked(20.5 + number, 41) for number in range(3)]
    assert len([*taken_amiss([*first, *then], most=3, window_s=WINDOW_S)]) == amiss


@pytest.mark.parametrize(
    ("requests", "amiss"),
    [
        ([asked(0.0, 20), asked(19.9, 20), asked(20.0, 40)], 0),
        ([asked(0.3, 21), asked(20.2, 21)], 0),  # in whole seconds, and not too few
        ([asked(0.0, 20), asked(-60.0, -40)], 0),  # the clock was set back
        ([asked(0.3, 20)], 1),
        ([asked(0.0, 10)], 1),  # it counts for half as long
        ([asked(0.0, 900)], 1),
        ([asked(0.0, 20), asked(10.0, 30)], 1),  # each request begins a window
        ([asked(0.0, 20), asked(20.0, 20)], 1),  # and none does
    ],
)
def test_x_counts_for_as_long_as_its_plan_says(requests: list[Counted], amiss: int) -> None:
    """From the first request of a window on."""
    assert len([*taken_amiss(requests, most=3, window_s=WINDOW_S)]) == amiss
