"""When an open loop sends: the statistics of its arrivals, and what a trace may say."""

from __future__ import annotations

import itertools
import statistics

import pytest

from actors.kernel.rng import Rng
from actors.load.arrivals import (
    Arrival,
    constant_arrivals,
    poisson_arrivals,
    trace_arrivals,
)
from actors.load.errors import LoadError
from actors.load.load_phase import OpenLoop, stepped


@pytest.mark.parametrize("number", range(3))
def test_poisson_gaps_are_exponential(number: int) -> None:
    """Their mean is 1 / rate, and so is their deviation; each bound is four standard errors."""
    times = [each.at_s for each in poisson_arrivals(100.0, 100.0, Rng(number))]
    assert abs(len(times) - 10_000) < 4 * 100  # a Poisson count's deviation is its root
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert abs(statistics.fmean(gaps) * 100 - 1) < 4 / 100
    assert abs(statistics.stdev(gaps) * 100 - 1) < 4 * 2**0.5 / 100
    # Memoryless: a gap is longer than its mean once in e times.
    longer = sum(gap > 0.01 for gap in gaps) / len(gaps)
    assert abs(longer - 0.3679) < 4 * 0.0048


def test_equal_seeds_arrive_equally() -> None:
    """And others otherwise."""
    first, again, other = (list(poisson_arrivals(50.0, 2.0, Rng(seed))) for seed in (1, 1, 2))
    assert first == again != other


def test_constant_arrivals_do_not_drift() -> None:
    """The thirty-thousandth comes when it should, to the microsecond."""
    times = [each.at_s for each in constant_arrivals(300.0, 100.0)]
    assert len(times) == 30_000
    assert times[0] == 0.0
    assert times[-1] == pytest.approx(29_999 / 300, abs=1e-6)
    assert max(after - before for before, after in itertools.pairwise(times)) < 0.00334


def test_steps_are_phases_of_their_own() -> None:
    """Each has its figures: a knee between two of them can be seen."""
    phases = stepped([10.0, 20.0], 3.0, "constant")
    assert phases == [
        OpenLoop(rate=10.0, duration_s=3.0, pace="constant"),
        OpenLoop(rate=20.0, duration_s=3.0, pace="constant"),
    ]
    assert [len(list(each.arrivals(Rng(1)))) for each in phases] == [30, 60]


def test_a_trace_says_when_and_what() -> None:
    """A line each; blank ones and comments say nothing."""
    lines = ["# recorded", "0", "0.5 book", "", "0.5  # twice at once"]
    assert list(trace_arrivals(lines)) == [Arrival(0.0), Arrival(0.5, "book"), Arrival(0.5)]


@pytest.mark.parametrize("line", ["soon", "-1", "0.4", "nan", "inf", "1 book now"])
def test_a_trace_that_is_none_is_refused(line: str) -> None:
    """With the line's number, and what to write."""
    with pytest.raises(LoadError, match=r"line 2 of the trace is .*: write SECONDS \[REQUEST\]"):
        list(trace_arrivals(["0.5", line]))
