"""How many requests came by which address and method, how they ended, and how long they took."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from actors.measures.histogram import SECONDS, Histogram

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

# Of what a client may send, what is told apart: a label must not have as many values as there are
# clients with ideas. Likewise the path of what no address is for, and of what is no request.
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "other"
NOWHERE: Final = "none"


class RequestCounts:
    """One listener's. Costs a request half a microsecond; what is done with it, a scrape pays."""

    def __init__(self) -> None:
        """Nobody has come yet."""
        self._paths: dict[Hashable, str] = {}
        self._streams: set[Hashable] = set()
        self._counts: dict[tuple[Hashable, str, str], Histogram] = {}

    def knows(self, handler: Hashable, path: str) -> None:
        """Call what this handler answers by its address's path, as it is written in a table."""
        self._paths[handler] = path

    def path_of(self, handler: Hashable) -> str:
        """Return what it is called by."""
        return self._paths.get(handler, NOWHERE)

    def streams(self, handler: Hashable) -> None:
        """What this handler answers lasts for as long as its client reads: that is no latency."""
        self._streams.add(handler)

    def note(self, handler: Hashable, method: str, status: str, took_s: float) -> None:
        """Count a request that was answered; without a `handler` its address was not found."""
        count = self._counts.get((handler, method, status))
        if count is None:
            count = self._first(handler, method, status)
        # As Histogram.note, whose call each request would pay for.
        count.counts[bisect_left(SECONDS, took_s)] += 1
        count.total += took_s

    def _first(self, handler: Hashable, method: str, status: str) -> Histogram:
        key = handler, method if method in METHODS else OTHER, status
        return self._counts.setdefault(key, Histogram(SECONDS))

    def items(self) -> Iterator[tuple[str, str, str, Histogram, bool]]:
        """Yield path, method, status, how often it took how long, and whether that is a latency."""
        for (handler, method, status), count in self._counts.items():
            path = self.path_of(handler)
            lasts = handler in self._streams and status[0] == "2"
            yield path, method, status, count, path != NOWHERE and not lasts
