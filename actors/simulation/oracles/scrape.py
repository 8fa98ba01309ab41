"""What `/metrics` has said once, as its text format has it: by a reader of our own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# Before each name that is not Python's or the process's.
OURS: Final = "dress_rehearsal_"
# What only grows: of a histogram the buckets do as well, but they are most of the text.
GROWING: Final = ("_total", "_count", "_sum")
SAMPLE: Final = re.compile(rf"{OURS}(\w+)(?:\{{(.*)\}})? (\S+)")
LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Series(NamedTuple):
    """One number, its name without what is before all of ours."""

    name: str
    labels: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return self.name + "".join(f" {value}" for _, value in self.labels)


class Scrape:
    """All samples but the buckets of histograms."""

    def __init__(self, text: str) -> None:
        """Read a scrape. Raises ValueError for a line that is none of one."""
        self.samples: dict[Series, float] = {}
        for line in text.splitlines():
            if line.startswith("#") or "_bucket{" in line:
                continue
            found = SAMPLE.fullmatch(line)
            if found is None:
                raise ValueError(f"no sample: {line}")
            name, labels, value = found.groups()
            self.samples[Series(name, tuple(LABEL.findall(labels or "")))] = float(value)

    def of(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """Yield the labels and the value of each sample of that name."""
        for sample, value in self.samples.items():
            if sample.name == name:
                yield dict(sample.labels), value

    def fallen(self, earlier: Scrape) -> Iterator[str]:
        """Yield what is less than it was, or gone, of what only grows."""
        for sample, before in earlier.samples.items():
            if not sample.name.endswith(GROWING):
                continue
            now = self.samples.get(sample)
            if now is None:
                yield f"{sample} was {before:g}, and is gone"
            elif now < before:
                yield f"{sample} was {before:g}, and is {now:g}"
