"""Tells whether a connection was read empty before something more came of it."""

from __future__ import annotations

import asyncio
from typing import Final

# Turns of the loop from bytes in the socket to the reader's next step: the poll that finds them,
# the callback that takes them, the reader's own. Twice that, for loops differ in their order.
TURNS: Final = 6


class IdleWatch:
    """The time between two lines, on the loop's clock.

    A line that is looked at now may have come long ago, and stood behind others or behind a commit;
    then it says nothing about the time since. One before which the loop has looked at the socket
    and found nothing came after that look.
    """

    def __init__(self) -> None:
        self._begun_s: float | None = None
        self._turns = 0
        self._handle: asyncio.Handle | None = None

    def begin(self) -> None:
        """Everything that has been read is handled."""
        loop = asyncio.get_running_loop()
        self._begun_s = loop.time()
        self._turns = 0
        self._handle = loop.call_soon(self._turn)

    def end(self) -> float | None:
        """Something has come: return until when all that was there was read, if that is known."""
        is_known = self._handle is None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        begun_s, self._begun_s = self._begun_s, None
        return begun_s if is_known else None

    def _turn(self) -> None:
        self._turns += 1
        is_over = self._turns == TURNS
        self._handle = None if is_over else asyncio.get_running_loop().call_soon(self._turn)
