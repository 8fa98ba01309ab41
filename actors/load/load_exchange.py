"""One request on its way, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class LoadExchange:
    """`data` is the whole request. Times are the clock's monotonic seconds.

    `ended` is called once: with `status` and `body` of the answer, or with `failure`: why there is
    none. `sent_s` is None as long as nothing was written.
    """

    __slots__ = ("body", "data", "due_s", "ended", "ended_s", "failure", "sent_s", "status")

    def __init__(self, data: bytes, due_s: float, ended: Callable[[LoadExchange], None]) -> None:
        """`due_s` is when it was meant to be sent."""
        self.data = data
        self.due_s = due_s
        self.ended = ended
        self.sent_s: float | None = None
        self.ended_s = due_s
        self.status = 0
        self.body = b""
        self.failure = ""

    def answer(self, status: int, body: bytes, now_s: float) -> None:
        """End with an answer."""
        self.status, self.body, self.ended_s = status, body, now_s
        self.ended(self)

    def fail(self, failure: str, now_s: float) -> None:
        """End without one."""
        self.failure, self.ended_s = failure, now_s
        self.ended(self)
