"""Connections to one listener: as many as needed, up to a bound, and a queue behind that."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from actors.load.load_connection import LoadConnection

if TYPE_CHECKING:
    from actors.kernel.clock import Clock
    from actors.load.load_exchange import LoadExchange

# How often it is looked at what has waited too long: a timer a request would cost as much as it.
SWEEP_S: Final = 0.1
TIMED_OUT: Final = "timed out"
UNSENT: Final = "not sent in time"
STOPPED: Final = "stopped"


class ConnectionPool:
    """Sends exchanges to one address, each on a connection of its own while it lasts.

    At most `connections_max` are open: further exchanges wait here, and are sent late. Whatever is
    not answered `timeout_s` after it was sent, or not sent so long after it was due, has failed: so
    neither the queue nor a silent server holds anything for ever.
    """

    def __init__(
        self, host: str, port: int, clock: Clock, *, connections_max: int, timeout_s: float
    ) -> None:
        """Nothing is opened before it is needed."""
        self._address = host, port
        self._clock = clock
        self._connections_max = connections_max
        self._timeout_s = timeout_s
        self._idle: list[LoadConnection] = []
        self._open: set[LoadConnection] = set()
        self._waiting: deque[LoadExchange] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._all_gone: asyncio.Future[None] | None = None

    def send(self, exchange: LoadExchange) -> None:
        """Send it now if there is, or may be, a connection; else when one is free."""
        if self._sweeping is None:
            self._sweep_later()
        if self._idle:
            self._idle.pop().send(exchange)
            return
        self._waiting.append(exchange)
        self._open_more()

    async def close(self) -> None:
        """End everything: what is on its way has failed."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        now_s = self._clock.monotonic()
        while self._waiting:
            self._waiting.popleft().fail(STOPPED, now_s)
        for each in list(self._open):
            each.close(STOPPED)
        # Each says so in the loop's next turns, when its socket is closed.
        if self._open:
            self._all_gone = asyncio.get_running_loop().create_future()
            await self._all_gone

    # --- Inside ------------------------------------------------------------------------------

    def _open_more(self) -> None:
        connections = len(self._open) + len(self._opening)
        if connections < self._connections_max and len(self._opening) < len(self._waiting):
            task = asyncio.ensure_future(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, made = await loop.create_connection(self._new, *self._address)
        except OSError as error:
            failure, now_s = f"no connection: {error.strerror or error}", self._clock.monotonic()
            # One for each that was tried, unless another connection took it meanwhile; but where
            # there are none, nobody else's turn comes.
            for _ in range(min(1, len(self._waiting)) if self._open else len(self._waiting)):
                self._waiting.popleft().fail(failure, now_s)
            return
        self._open.add(made)
        self._freed(made)

    def _new(self) -> LoadConnection:
        return LoadConnection(self._clock, free=self._freed, gone=self._lost)

    def _freed(self, connection: LoadConnection) -> None:
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._idle.append(connection)

    def _lost(self, connection: LoadConnection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._open_more()
        if self._all_gone is not None and not self._open and not self._all_gone.done():
            self._all_gone.set_result(None)

    def _sweep_later(self) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        now_s = self._clock.monotonic()
        too_old_s = now_s - self._timeout_s
        # In the order of their times, but for those that closed-loop clients added.
        while self._waiting and self._waiting[0].due_s < too_old_s:
            self._waiting.popleft().fail(UNSENT, now_s)
        for each in list(self._open):
            exchange = each.exchange
            if exchange is not None and exchange.sent_s is not None and exchange.sent_s < too_old_s:
                each.close(TIMED_OUT)
        self._sweep_later()
