"""Sends to a client that may take its time, in bounded memory and never for ever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiohttp import web


class Outlet:
    """The body of one response that has begun.

    What waits for the client is the transport's buffer, 64 KB, and what went beyond it at once.
    aiohttp's own wait must not be cancelled, as a time limit would: all later ones would end in its
    cancellation. So it runs in a task, and what is limited is the waiting for that.
    """

    def __init__(
        self, request: web.BaseRequest, response: web.StreamResponse, s_max: float
    ) -> None:
        """`s_max` is how long the client may take nothing, in seconds."""
        self._request = request
        self._response = response
        self._s_max = s_max
        self._waiting: set[asyncio.Task[None]] = set()

    async def send(self, data: bytes) -> bool:
        """Send, and wait while the buffer is full; false if it was for too long.

        Raises ConnectionError where the client has gone.
        """
        await self._write(data)
        if not self._request.protocol.writing_paused:
            return True
        return await self._wait(self._request.writer.drain())

    async def finish(self, data: bytes) -> None:
        """Send this last, and wait until the client has taken everything, or cut it off."""
        transport = self._request.transport
        if transport is None:
            return
        transport.set_write_buffer_limits(high=0)
        await self._write(data)
        if not await self._wait(self._response.write_eof()):
            self.cut()

    def cut(self) -> None:
        """Close, and forget what the client has not taken."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()

    def close(self) -> None:
        """Wait no more; nothing may be sent after this."""
        for task in self._waiting:
            task.cancel()

    async def _write(self, data: bytes) -> None:
        """Leave it to the transport, which takes it at once."""
        # The server's own writer has the option; its abstract base does not say so.
        await self._request.writer.write(data, drain=False)  # type: ignore[call-arg]

    async def _wait(self, sending: Coroutine[object, object, None]) -> bool:
        task = asyncio.create_task(sending)
        self._waiting.add(task)
        task.add_done_callback(self._forget)
        done, _ = await asyncio.wait((task,), timeout=self._s_max)
        if done:
            task.result()
        return bool(done)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._waiting.discard(task)
        if not task.cancelled():
            task.exception()  # looked at by whoever still waits for it
