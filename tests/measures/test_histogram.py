"""What falls where."""

from __future__ import annotations

from types import SimpleNamespace

from actors.measures.histogram import MESSAGES, SECONDS, Histogram
from actors.measures.lane_measures import LaneMeasures


def test_a_bound_has_what_is_as_large_as_itself() -> None:
    """`le` is "at most"; what is beyond the last bound is counted, too, and all are summed."""
    seconds = Histogram((0.1, 1.0))
    for value in (0.0, 0.1, 0.11, 1.0, 7.0):
        seconds.note(value)
    assert seconds.counts == [2, 2, 1]
    assert seconds.total == 8.21
    more = Histogram((0.1, 1.0))
    more.note(0.5)
    seconds.add(more)
    assert (seconds.counts, seconds.total) == ([2, 3, 1], 8.71)
    assert more.counts == [0, 1, 0]


def test_bounds_rise() -> None:
    """Else a value would be counted where it does not belong."""
    for bounds in (SECONDS, MESSAGES):
        assert list(bounds) == sorted(set(bounds))


def test_each_message_has_waited_for_itself() -> None:
    """A batch is one value of its size, and as many waits as it has messages."""
    lane = LaneMeasures()
    lane.taken([SimpleNamespace(accepted_s=each) for each in (1.0, 1.5, 1.998)], 2.0)
    assert sum(lane.batches.counts) == 1
    assert lane.batches.total == 3
    waits = {
        bound: number for bound, number in zip(SECONDS, lane.wait_s.counts, strict=False) if number
    }
    assert waits == {0.0025: 1, 0.5: 1, 1.0: 1}
    assert lane.wait_s.total == 1.502
