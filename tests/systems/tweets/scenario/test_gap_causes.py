"""A gap on the reader's books has a cause, or is found; each cause explains what it can make."""

from __future__ import annotations

from typing import Final

import pytest

from actors.systems.tweets.scenario.gap_causes import OF_LINE, SECOND_US, unexplained, without_cause
from actors.systems.tweets.scenario.garblings import NOT_AGAIN

HOUR_S: Final = 3_600
LASTED_S: Final = 60
LATE_S: Final = 50
BROKEN: Final = "a line that is no JSON"
ODD: Final = "a line that is no tweet"
OUTAGE: Final = "the outage was longer than X sends again"
REFUSED: Final = "X does not send again for this account"


@pytest.mark.parametrize(
    ("gap", "garbled", "explained"),
    [
        ((90, 100, OF_LINE), [], False),
        ((90, 92, OF_LINE), [(ODD, 100)], True),
        ((90, 92, OUTAGE), [(ODD, 100)], False),  # that is not what it makes
        ((200, 202, OF_LINE), [(ODD, 100)], False),  # nor what came after it
        ((90, 100, OF_LINE), [(BROKEN, 100)], False),  # it is asked for again
        ((90, 130, OF_LINE), [(BROKEN, 100), (BROKEN, 120)], True),  # and then kept
        ((90, 130, OF_LINE), [(BROKEN, 100), (ODD, 120)], True),
        ((490, 510, OF_LINE), [(BROKEN, 100), (BROKEN, 500)], False),  # so long after it is another
        ((90, 110, REFUSED), [(NOT_AGAIN, 80)], False),  # one no is damage
        ((70, 110, REFUSED), [(NOT_AGAIN, 80), (NOT_AGAIN, 90)], True),
        (
            (70, 85, OUTAGE),
            [(NOT_AGAIN, 80), (NOT_AGAIN, 90)],
            False,
        ),  # X sent all again until then
    ],
)
def test_what_came_garbled_explains_the_gap_that_it_makes(
    gap: tuple[int, int, str], garbled: list[tuple[str, int]], *, explained: bool
) -> None:
    """Of its reason, and when it came, in seconds."""
    since_s, until_s, reason = gap
    span = since_s * SECOND_US, until_s * SECOND_US
    came = [(what, at_s * SECOND_US) for what, at_s in garbled]
    found = without_cause([(*span, reason)], came, late_us=LATE_S * SECOND_US)
    assert found == ([] if explained else [span])


def test_a_line_explains_one_gap_wherever_another_is() -> None:
    """Of three the last one can be no line's; the parts of one are one."""
    gaps = [(10, 12, OF_LINE), (12, 14, OF_LINE), (90, 92, OF_LINE), (400, 402, OF_LINE)]
    assert without_cause(gaps, [(ODD, 20), (ODD, 100)], late_us=LATE_S) == [(400, 402)]
    assert without_cause(gaps, [(ODD, 400)], late_us=LATE_S) == [(90, 92), (10, 14)]


def test_by_a_clock_that_was_set_a_cause_may_be_later() -> None:
    """Its number and its reason count all the same."""
    gaps = [(200, 202, OF_LINE), (300, 302, OUTAGE)]
    assert without_cause(gaps, [(ODD, 100)], late_us=0, is_set=True) == [(300, 302)]
    noes = [(NOT_AGAIN, 400), (NOT_AGAIN, 410)]
    assert without_cause(gaps, noes, late_us=0, is_set=True) == []


@pytest.mark.parametrize(
    ("gap_s", "explained"),
    [
        ((990, 990 + HOUR_S), True),  # it was set between a plan and its connection
        ((1_030, 1_020 + HOUR_S), True),  # and back again since
        ((990, 991 + HOUR_S), False),  # longer than the step
        ((1_100 + HOUR_S, 1_110 + HOUR_S), False),  # behind it
        ((990, 990), False),
    ],
)
def test_a_gap_is_explained_by_a_step_that_it_began_before(
    gap_s: tuple[int, int], explained: bool
) -> None:
    """At a thousand seconds, by an hour, in a run of a minute."""
    since_s, until_s = gap_s
    gap = since_s * 1_000_000, until_s * 1_000_000
    steps = [(1_000 * 1_000_000, HOUR_S * 1_000_000)]
    found = unexplained([gap], steps, lasted_us=LASTED_S * 1_000_000)
    assert found == ([] if explained else [gap])
    assert unexplained([gap], [], lasted_us=LASTED_S * 1_000_000) == [gap]


def test_the_parts_of_a_gap_are_explained_as_one() -> None:
    """What is lost of it ends long after the step, and the rest begins there."""
    parts = [(2_000, 3_000), (990, 2_000)]
    assert unexplained(parts, [(1_000, 2_500)], lasted_us=100) == []
    assert unexplained(parts, [(1_000, 2_000)], lasted_us=100) == [(990, 3_000)]
