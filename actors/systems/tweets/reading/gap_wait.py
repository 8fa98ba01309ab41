"""Which gap may be asked for: X's search lags, so one is left alone for a while after it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.systems.tweets.reading.reader_messages import OpenGap


class GapWait:
    """A gap has its turn once it has stood as it is for `wait_s`, by a clock that nobody sets."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        # Since when each is known as it is: by its number, and how often it has grown.
        self._since_s: dict[tuple[int, int], float] = {}

    def choose(self, gaps: Iterable[OpenGap], now_s: float) -> tuple[OpenGap | None, float | None]:
        """Return the first that may be asked for; else in how many seconds there is one."""
        known = {(gap.seq, gap.grown): gap for gap in gaps}
        self._since_s = {each: self._since_s.get(each, now_s) for each in known}
        for each, gap in known.items():
            if now_s >= self._since_s[each] + self._wait_s:
                return gap, None
        waits = [since_s + self._wait_s - now_s for since_s in self._since_s.values()]
        return None, min(waits, default=None)
