"""How many requests an account may still make of an endpoint; X counts in fixed windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from actors.systems.x_platform.config import XPlatformConfig

_US: Final = 1_000_000


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What is left after a request. `reset_s` is when the window ends, in epoch seconds."""

    limit: int
    remaining: int
    reset_s: int
    exceeded: bool

    def headers(self) -> tuple[tuple[str, str], ...]:
        """X's, which all of an account's answers carry."""
        return (
            ("x-rate-limit-limit", str(self.limit)),
            ("x-rate-limit-remaining", str(self.remaining)),
            ("x-rate-limit-reset", str(self.reset_s)),
        )


class RateLimiter:
    """Counts from an account's first request of an endpoint, for `window_s`; then anew.

    Kept in memory: a new process starts with full quotas. There are as many counts as there are
    endpoints and accounts, two dozen.
    """

    def __init__(self, config: XPlatformConfig) -> None:
        self._window_us = round(config.window_s * _US)
        self._limit = config.requests_max
        # Of each endpoint and account: the window's first moment and the requests in it.
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, endpoint: str, account: str, now_us: int) -> Quota:
        """Count a request, unless it is one too many: then the quota says so."""
        begun_us, count = self._windows.get((endpoint, account), (now_us, 0))
        # The wall clock may have been set back: a window that begins in the future is none.
        if not begun_us <= now_us < begun_us + self._window_us:
            begun_us, count = now_us, 0
        exceeded = count >= self._limit
        if not exceeded:
            count += 1
        self._windows[endpoint, account] = (begun_us, count)
        return Quota(
            limit=self._limit,
            remaining=self._limit - count,
            reset_s=math.ceil((begun_us + self._window_us) / _US),
            exceeded=exceeded,
        )
