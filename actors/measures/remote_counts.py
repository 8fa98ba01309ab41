"""What became of the requests to one remote service, and how long they took."""

from __future__ import annotations

from typing import Final

from actors.measures.histogram import SECONDS, Histogram

# Of each request: a refusal is an answer. One not made met an open breaker.
OUTCOMES: Final = ("answered", "refused", "failed", "timed_out", "withdrawn", "not_made")


class RemoteCounts:
    """One service's, over all incarnations.

    `retries` are requests that follow one that has failed; `retries_refused` were not made, as
    their budget was spent. What a channel offers again is neither.
    """

    __slots__ = ("outcomes", "request_s", "retries", "retries_refused")

    def __init__(self) -> None:
        """Nothing yet."""
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.request_s = Histogram(SECONDS)
        self.retries = self.retries_refused = 0
