"""What became of the spans that were to leave for a collector."""

from __future__ import annotations


class ExportCounts:
    """A process's. `waiting` are of now, and those that are being sent are among them.

    A span was `sent`, and taken; it `failed`, as it was not taken after all attempts; or it was
    `dropped`, as there was no room for one more that waits.
    """

    __slots__ = ("dropped", "failed", "sent", "waiting")

    def __init__(self) -> None:
        """Nothing yet."""
        self.sent = self.failed = self.dropped = self.waiting = 0
