"""A line for a request that failed; of a flood of them, one a second for each kind of failure."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from http_edge.problems import Kind

if TYPE_CHECKING:
    from http_edge.http_request import HttpRequest

log = structlog.get_logger()

# A line costs as much as an answer, and more where its reader is slow: in a flood of requests
# whose time is up, the lines alone would make the next ones late.
FLOOD_S: Final = 1.0


class FailureLog:
    """One listener's: the first of a kind is told, those within a second of it are counted."""

    def __init__(self) -> None:
        # How many were not told, by the kinds that were within the last second.
        self._untold: dict[str, int] = {}

    def note(self, request: HttpRequest, kind: str, reason: str) -> None:
        """Tell of it, or count it."""
        if kind in self._untold:
            self._untold[kind] += 1
            return
        self._untold[kind] = 0
        asyncio.get_running_loop().call_later(FLOOD_S, self._sum_up, kind)
        # A probe that is told no has not failed: it was asked to say that.
        (log.debug if kind == Kind.NOT_READY.type else log.warning)(
            "request failed",
            method=request.method,
            path=request.path,
            problem=kind,
            reason=reason,
        )

    def _sum_up(self, kind: str) -> None:
        requests = self._untold.pop(kind)
        if requests and kind != Kind.NOT_READY.type:
            log.warning("more requests failed", problem=kind, requests=requests)
