"""Sends a phase's requests: by its times, or a client's one after the other; and takes figures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from actors.load.connection_pool import UNSENT
from actors.load.load_exchange import LoadExchange
from actors.load.load_figures import LoadFigures
from actors.load.load_phase import ClosedLoop

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.load.connection_pool import ConnectionPool
    from actors.load.load_phase import LoadPhase, OpenLoop, TraceLoop
    from actors.load.request_maker import MadeRequest, RequestMaker

# Sent so long after its time, a request is late: ten times what a loop's timers are off, and a
# tenth of what people notice.
LATE_S: Final = 0.01
# Who has fallen behind sends so many, and then looks at what was answered meanwhile.
BURST: Final = 32
# The longest of a closed loop's thoughts, in means (TPC-C 5.2.5.4).
THOUGHT_MAX: Final = 10.0
# Of an answer that is told: a problem's type and detail.
FAILURE_BYTES_TOLD: Final = 500
# Set-ups are sent by so many clients: as many as a browser opens connections.
SETUP_CLIENTS: Final = 6


class PhaseResult:
    """A phase's figures so far: of each request by name, and of all."""

    def __init__(self, phase: LoadPhase, began_s: float) -> None:
        """`began_s` is the clock's."""
        self.phase = phase
        self.began_s = began_s
        self.ended_s: float | None = None
        self.by_request: dict[str, LoadFigures] = {}

    @property
    def total(self) -> LoadFigures:
        """Those of all requests together."""
        total = LoadFigures()
        for each in self.by_request.values():
            total.add(each)
        return total

    @property
    def interval_s(self) -> float | None:
        """How often a closed loop's client asks when nothing is slow; None in an open loop."""
        if not isinstance(self.phase, ClosedLoop):
            return None
        return self.phase.think_s + self.total.from_sent.at(50.0)

    def of(self, name: str) -> LoadFigures:
        """Return the figures of the requests of that name, to add to."""
        found = self.by_request.get(name)
        if found is None:
            found = self.by_request[name] = LoadFigures()
        return found


class LoadSender:
    """Runs phases, one after the other, over the listeners' `pools`."""

    def __init__(
        self,
        maker: RequestMaker,
        pools: Mapping[str, ConnectionPool],
        clock: Clock,
        rng: Rng,
        *,
        timeout_s: float,
    ) -> None:
        """`rng` draws times, the maker's own what is sent; `timeout_s` is the pools'."""
        self._maker = maker
        self._pools = pools
        self._clock = clock
        self._rng = rng
        self._timeout_s = timeout_s
        self._under_way = 0
        self._all_ended = asyncio.Event()
        self._stopping = asyncio.Event()
        self.result: PhaseResult | None = None
        # What came instead of an answer that goes well, for a message.
        self.last_failure = ""

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Send nothing more; the phase in hand ends when what is under way has."""
        self._stopping.set()

    async def run(self, phase: LoadPhase) -> PhaseResult:
        """Run a phase until the last of its requests has ended. Raises LoadError."""
        self.result = result = PhaseResult(phase, self._clock.monotonic())
        if isinstance(phase, ClosedLoop):
            until_s = result.began_s + phase.duration_s
            await self._gather(self._client(phase, until_s, result) for _ in range(phase.clients))
        else:
            await self._offer(phase, result)
        await self._rest()
        result.ended_s = self._clock.monotonic()
        return result

    async def set_up(self, name: str, count: int) -> PhaseResult:
        """Send a request so many times, a few at a time, each behind the answer to another."""
        phase = ClosedLoop(clients=min(count, SETUP_CLIENTS), duration_s=0.0)
        result = PhaseResult(phase, self._clock.monotonic())
        left = iter(range(count))

        async def client() -> None:
            for _ in left:
                if not self.stopped:
                    await self._ask(name, result)

        await self._gather(client() for _ in range(phase.clients))
        return result

    # --- Open loop ---------------------------------------------------------------------------

    async def _offer(self, phase: OpenLoop | TraceLoop, result: PhaseResult) -> None:
        began_s, monotonic = result.began_s, self._clock.monotonic
        burst = 0
        for arrival in phase.arrivals(self._rng):
            due_s = began_s + arrival.at_s
            ahead_s = due_s - monotonic()
            if ahead_s > 0:
                burst = 0
                await self._pause(ahead_s)
            elif (burst := burst + 1) % BURST == 0:
                await asyncio.sleep(0)
            if self._stopping.is_set():
                return
            if -ahead_s > self._timeout_s:
                self._leave_out(arrival.request, result)
            else:
                self._send(arrival.request, due_s, result, None)

    def _leave_out(self, name: str | None, result: PhaseResult) -> None:
        """Count one that a pool would not send any more.

        What this machine cannot send in a phase's time must not take it many times that.
        """
        figures = result.of(self._maker.choose(name).name)
        figures.planned += 1
        figures.late += 1
        figures.failed += 1
        figures.failures[UNSENT] += 1

    async def _pause(self, seconds: float) -> None:
        if seconds < 1.0:  # until it is stopped no more than that passes
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    # --- Closed loop -------------------------------------------------------------------------

    async def _client(self, phase: ClosedLoop, until_s: float, result: PhaseResult) -> None:
        while not self._is_over(until_s):
            if phase.think_s:
                thought_s = self._rng.expovariate(1 / phase.think_s)
                await self._pause(min(thought_s, THOUGHT_MAX * phase.think_s))
            if not self._is_over(until_s):
                await self._ask(None, result)

    def _is_over(self, until_s: float) -> bool:
        return self.stopped or self._clock.monotonic() >= until_s

    async def _ask(self, name: str | None, result: PhaseResult) -> None:
        answered = asyncio.Event()
        self._send(name, self._clock.monotonic(), result, answered)
        await answered.wait()

    async def _gather(self, clients: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Run them together; where one raises, the others end with it."""
        tasks = [asyncio.ensure_future(each) for each in clients]
        try:
            await asyncio.gather(*tasks)
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- Both --------------------------------------------------------------------------------

    def _send(
        self, name: str | None, due_s: float, result: PhaseResult, answered: asyncio.Event | None
    ) -> None:
        made = self._maker.make(self._maker.choose(name))
        figures = result.of(made.request.name)
        figures.planned += 1
        self._under_way += 1

        def ended(exchange: LoadExchange) -> None:
            self._under_way -= 1
            self._take(made, exchange, figures)
            if answered is not None:
                answered.set()
            if not self._under_way:
                self._all_ended.set()

        self._pools[made.request.listener].send(LoadExchange(made.data, due_s, ended))

    def _take(self, made: MadeRequest, exchange: LoadExchange, figures: LoadFigures) -> None:
        sent_s = exchange.sent_s
        # Of what was never sent: when that was known. Who refuses a connection at once is not late.
        if (exchange.ended_s if sent_s is None else sent_s) - exchange.due_s > LATE_S:
            figures.late += 1
        if exchange.failure:
            figures.failed += 1
            figures.failures[exchange.failure] += 1
            self.last_failure = exchange.failure
            if made.entry is not None:
                made.entry.failure = exchange.failure
            return
        figures.statuses[exchange.status] += 1
        self._maker.learn(made, exchange.status, exchange.body)
        if made.request.went_well(exchange.status):
            assert sent_s is not None, "it was answered"
            figures.well += 1
            figures.from_intended.record(exchange.ended_s - exchange.due_s)
            figures.from_sent.record(exchange.ended_s - sent_s)
        else:
            figures.failed += 1
            said = exchange.body[:FAILURE_BYTES_TOLD].decode("utf-8", "replace")
            self.last_failure = f"{exchange.status} {said}"

    async def _rest(self) -> None:
        """Wait until nothing is under way: each request has a time-out."""
        while self._under_way:
            self._all_ended.clear()
            await self._all_ended.wait()
