"""What the reader asks its own books, whose mailbox may be full."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from actors.errors import MailboxFull

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.kernel.messages import Message

log = structlog.get_logger()

ADVICE: Final = (
    "tweets wait with it, and none is lost; where it lasts, see in /admin/actors what the reader "
    "does, and raise mailbox.capacity where that is little"
)


class PatientAsk:
    """Where the mailbox is full of our own, that is done first.

    To end a connection for that would have X send all of it again, as much at once.
    """

    def __init__(self, ask: Callable[[Message], Awaitable[Any]]) -> None:
        """`ask` raises MailboxFull where there is no room."""
        self._ask = ask
        # How many of ours have found none: while there are any, it has been said.
        self._waiting = 0

    async def __call__(self, message: Message) -> Any:
        """Return the reply, once there was room."""
        try:
            return await self._ask(message)
        except MailboxFull as full:
            if not self._waiting:
                log.warning(
                    "reader waits for room",
                    reason=str(full),
                    retry_s=full.retry_after_s,
                    advice=ADVICE,
                )
            retry_s = full.retry_after_s
        self._waiting += 1
        try:
            while True:
                await asyncio.sleep(retry_s)
                try:
                    return await self._ask(message)
                except MailboxFull as full:
                    retry_s = full.retry_after_s
        finally:
            self._waiting -= 1
