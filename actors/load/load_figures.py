"""What requests took, as HDR histograms: corrected, from when each was meant to be sent; and not.

Who measures from the actual send leaves out what a late or waiting request had waited already:
coordinated omission (Gil Tene, "How NOT to Measure Latency"). In an open loop the correction is
measured, for the intended time is known. In a closed loop a client that waits sends nothing, so it
is estimated, by HdrHistogram's rule: to every latency longer than the client's interval are added
those of the requests that it would have sent meanwhile, one each interval.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from hdrh.histogram import HdrHistogram

# A microsecond to an hour in three digits: within 0.1 % of each value, in 180 KB.
VALUE_US_MAX: Final = 3_600_000_000
DIGITS: Final = 3
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 99.99)


class Latencies:
    """One histogram; latencies go in, and come out, in seconds."""

    __slots__ = ("_histogram",)

    def __init__(self) -> None:
        self._histogram: Any = HdrHistogram(1, VALUE_US_MAX, DIGITS)

    def __len__(self) -> int:
        return int(self._histogram.get_total_count())

    def record(self, latency_s: float) -> None:
        """Add one; below a microsecond it counts as one, above an hour as that."""
        self._histogram.record_value(min(max(int(latency_s * 1e6), 1), VALUE_US_MAX))

    def add(self, other: Latencies) -> None:
        """Add all of another's."""
        if len(other):  # the library would take an empty one's least value for one of its own
            self._histogram.add(other._histogram)

    def at(self, percentile: float) -> float:
        """Return the latency that so many in a hundred do not exceed; 0 of none."""
        if not len(self):
            return 0.0
        return float(self._histogram.get_value_at_percentile(percentile)) / 1e6

    @property
    def max_s(self) -> float:
        """The longest; 0 of none."""
        return float(self._histogram.get_max_value()) / 1e6 if len(self) else 0.0

    @property
    def mean_s(self) -> float:
        """The mean; 0 of none."""
        return float(self._histogram.get_mean_value()) / 1e6 if len(self) else 0.0

    def corrected(self, interval_s: float) -> Latencies:
        """Return them with those that a client would have sent every `interval_s` meanwhile."""
        made, interval_us = Latencies(), max(int(interval_s * 1e6), 1)
        for each in self._histogram.get_recorded_iterator():
            value, count = each.value_iterated_to, each.count_at_value_iterated_to
            made._histogram.record_corrected_value(value, interval_us, count)
        return made

    def as_json(self) -> dict[str, float | None]:
        """Return the percentiles by name ("p99.9"), the mean and the longest, in seconds.

        Each is None of no latencies: 0 would meet every target.
        """
        found = {f"p{each:g}": self.at(each) for each in PERCENTILES}
        found |= {"mean": self.mean_s, "max": self.max_s}
        return dict(found) if len(self) else dict.fromkeys(found)


class LoadFigures:
    """What became of a phase's requests, or of those of one name.

    Latencies are of what went well: a refusal that comes at once would flatter them. What did not
    is counted by status, or by what happened instead of one.
    """

    def __init__(self) -> None:
        """Nothing has been sent."""
        self.planned = 0
        self.late = 0
        self.well = 0
        self.failed = 0
        self.statuses: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        self.from_intended = Latencies()
        self.from_sent = Latencies()

    @property
    def ended(self) -> int:
        """How many were answered, or failed."""
        return self.well + self.failed

    @property
    def late_share(self) -> float:
        """Which part of what was to be sent was not sent when it was to be."""
        return self.late / self.planned if self.planned else 0.0

    @property
    def failed_share(self) -> float:
        """Which part of what has ended did not go well."""
        return self.failed / self.ended if self.ended else 0.0

    def add(self, other: LoadFigures) -> None:
        """Add all of another's."""
        for name in ("planned", "late", "well", "failed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.statuses += other.statuses
        self.failures += other.failures
        self.from_intended.add(other.from_intended)
        self.from_sent.add(other.from_sent)

    def as_json(self, *, interval_s: float | None = None) -> dict[str, Any]:
        """Return all of it; `interval_s` is by which a closed loop's are corrected."""
        corrected = self.corrected(interval_s)
        return {
            "planned": self.planned,
            "late": self.late,
            "well": self.well,
            "failed": self.failed,
            "statuses": {str(status): self.statuses[status] for status in sorted(self.statuses)},
            "failures": dict(sorted(self.failures.items())),
            "corrected_s": corrected.as_json(),
            "uncorrected_s": self.from_sent.as_json(),
        }

    def corrected(self, interval_s: float | None = None) -> Latencies:
        """Return the latencies from the intended time; of a closed loop those estimated ones."""
        if interval_s is None:
            return self.from_intended
        return self.from_sent.corrected(interval_s)
