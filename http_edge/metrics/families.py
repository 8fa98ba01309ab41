"""Families of Prometheus' library, made as our numbers are kept."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.measures.histogram import Histogram

# Before each name that is not of a standard: whose it is.
OURS: Final = "dress_rehearsal_"


def counter(name: str, about: str, labels: Sequence[str] = ()) -> CounterMetricFamily:
    """Return one without samples; `_total` is appended to its name."""
    return CounterMetricFamily(OURS + name, about, labels=labels)


def gauge(name: str, about: str, labels: Sequence[str] = ()) -> GaugeMetricFamily:
    """Return one without samples."""
    return GaugeMetricFamily(OURS + name, about, labels=labels)


def histogram(name: str, about: str, labels: Sequence[str] = ()) -> HistogramMetricFamily:
    """Return one without samples."""
    return HistogramMetricFamily(OURS + name, about, labels=labels)


def observe(family: HistogramMetricFamily, labels: Sequence[str], counted: Histogram) -> None:
    """Add what was counted: how many up to each bound, all those below it among them."""
    bounds = [*(f"{float(bound)}" for bound in counted.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(counted.counts), strict=True))
    family.add_metric(labels, buckets=buckets, sum_value=counted.total)
