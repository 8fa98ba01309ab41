"""Histograms against arithmetic: what is corrected, and what leaves that out."""

from __future__ import annotations

import pytest

from actors.load.load_figures import Latencies, LoadFigures


def test_percentiles_are_within_a_thousandth() -> None:
    """Of 10,000 latencies, one a millisecond, each percentile is its own number."""
    latencies = Latencies()
    for number in range(1, 10_001):
        latencies.record(number / 1000)
    assert latencies.at(50.0) == pytest.approx(5.0, rel=0.001)
    assert latencies.at(99.9) == pytest.approx(9.99, rel=0.001)
    assert latencies.max_s == pytest.approx(10.0, rel=0.001)
    assert latencies.mean_s == pytest.approx(5.0005, rel=0.001)


def test_a_closed_loops_wait_is_as_many_requests() -> None:
    """One answer of 1 s among 99 of 1 ms, asked every 10 ms: 99 more would have waited.

    They would have waited 0.99, 0.98, ... 0.01 s: of 199 latencies two are longer than the 99th
    percentile, which is 0.98 s. Without a correction it is 1 ms. A bucket of three digits counts as
    its highest value, which may make one more, of less than a millisecond.
    """
    latencies = Latencies()
    for _ in range(99):
        latencies.record(0.001)
    latencies.record(1.0)
    corrected = latencies.corrected(0.01)
    assert len(corrected) in {199, 200}
    assert corrected.at(99.0) == pytest.approx(0.98, rel=0.002)
    assert latencies.at(99.0) == pytest.approx(0.001, rel=0.001)
    assert corrected.max_s == pytest.approx(1.0, rel=0.001)


def test_figures_add_up() -> None:
    """Of two requests' figures, with an empty one among them."""
    total = LoadFigures()
    for count, latency_s in ((3, 0.1), (0, 0.0), (1, 0.4)):
        one = LoadFigures()
        one.planned, one.well, one.late, one.failed = count + 1, count, 1, 1
        one.statuses[200] = count
        for _ in range(count):
            one.from_intended.record(latency_s)
            one.from_sent.record(latency_s / 2)
        total.add(one)
    assert (total.planned, total.well, total.late, total.failed) == (7, 4, 3, 3)
    assert total.statuses == {200: 4}
    assert total.late_share == pytest.approx(3 / 7)
    assert total.failed_share == pytest.approx(3 / 7)
    assert total.from_intended.at(50.0) == pytest.approx(0.1, rel=0.001)
    assert total.from_intended.max_s == pytest.approx(0.4, rel=0.001)
    assert total.from_sent.max_s == pytest.approx(0.2, rel=0.001)


def test_none_are_not_zero() -> None:
    """A phase in which nothing went well has counts, and no latency that would meet a target."""
    told = LoadFigures().as_json(interval_s=0.1)
    assert (told["planned"], told["late"], told["corrected_s"]["p99.9"]) == (0, 0, None)
    assert told["uncorrected_s"]["max"] is None


def test_what_is_out_of_range_counts() -> None:
    """At its end, so that no latency is left out."""
    latencies = Latencies()
    latencies.record(0.0)
    latencies.record(1e6)
    assert len(latencies) == 2
    assert latencies.max_s == pytest.approx(3600, rel=0.001)
