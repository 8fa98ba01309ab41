"""Whom a fault strikes follows from its seed, and how often from its share."""

from __future__ import annotations

import math
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

import pytest

from actors.faults.lab.active_fault import ActiveFault
from actors.faults.lab.fault_order import FaultOrder
from actors.faults.lab.waits import wait_s
from actors.kernel.rng import Rng

if TYPE_CHECKING:
    from actors.faults.lab.fault_order import Distribution

COME_BY = 10_000


def fault(seed: int = 7, **said: Any) -> ActiveFault:
    order = FaultOrder(**{"kind": "latency", "service": "b", "latency_ms": 1, **said})
    return ActiveFault("f1", order, seed=seed, begun_us=0, latency_s_max=60.0, spent=lambda _: None)


def struck(of: ActiveFault, come_by: int = COME_BY) -> list[int]:
    return [number for number in range(1, come_by + 1) if of.strikes()]


def test_a_fifth_is_a_fifth(seed: int) -> None:
    """Of 10,000, within three standard deviations; of a hundred seeds."""
    deviation = math.sqrt(COME_BY * 0.2 * 0.8)
    hits = [len(struck(fault(seed + number, percent=20))) for number in range(10)]
    assert all(abs(each - COME_BY * 0.2) < 5 * deviation for each in hits)
    assert abs(fmean(hits) - COME_BY * 0.2) < 3 * deviation / math.sqrt(len(hits)) * 1.5
    assert abs(len(struck(fault(percent=20))) - COME_BY * 0.2) < 3 * deviation


def test_the_same_seed_strikes_the_same() -> None:
    """However long those wait that are struck; another seed strikes others."""
    waiting = fault(percent=20, jitter_ms=1, distribution="normal")
    seen = []
    for number in range(1, 1001):
        if waiting.strikes():
            seen.append(number)
            waiting.wait_s()
    assert seen == struck(fault(percent=20), 1000)
    assert seen != struck(fault(8, percent=20), 1000)


def test_it_counts_from_where_it_is_told() -> None:
    """After so many, each so many-th, the first so many."""
    assert struck(fault(first=2), 10) == [1, 2]
    assert struck(fault(after=3), 6) == [4, 5, 6]
    assert struck(fault(every=3), 10) == [3, 6, 9]
    assert struck(fault(after=2, every=2, first=3), 20) == [4, 6, 8]
    none = fault(percent=0)
    assert (struck(none), none.hits, none.seen) == ([], 0, COME_BY)
    ended = fault()
    ended.end()
    assert struck(ended, 3) == []


@pytest.mark.parametrize("distribution", ["uniform", "normal", "lognormal", "pareto"])
def test_waits_have_their_mean_and_deviation(distribution: Distribution) -> None:
    """A uniform one has its half width; all are waits, and none is longer than may be."""
    order = FaultOrder(
        kind="latency", service="b", latency_ms=200, jitter_ms=20, distribution=distribution
    )
    rng = Rng(5)
    waits = [wait_s(order, rng) for _ in range(COME_BY)]
    deviation = 0.02 / math.sqrt(3) if distribution == "uniform" else 0.02
    assert fmean(waits) == pytest.approx(0.2, rel=0.02)
    assert pstdev(waits) == pytest.approx(deviation, rel=0.15)
    assert wait_s(FaultOrder(kind="latency", service="b", latency_ms=5), rng) == 0.005
    wide = FaultOrder(
        kind="latency", service="b", latency_ms=1, jitter_ms=100, distribution="normal"
    )
    assert min(wait_s(wide, rng) for _ in range(100)) == 0
    assert fault(latency_ms=1e6).wait_s() == 60.0
