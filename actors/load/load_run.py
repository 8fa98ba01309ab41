"""A whole load on a running system: set up, phases, audit. What tests and the command line call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from actors.load.connection_pool import ConnectionPool
from actors.load.errors import LoadError
from actors.load.load_audit import LoadAudit
from actors.load.load_figures import Latencies, LoadFigures
from actors.load.load_ledger import LoadLedger
from actors.load.load_sender import LoadSender
from actors.load.request_maker import RequestMaker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.load.load_audit import AuditReport
    from actors.load.load_phase import LoadPhase
    from actors.load.load_plan import LoadPlan
    from actors.load.load_sender import PhaseResult

# What is on its way when a load is stopped has so long to end.
STOP_S: Final = 0.5


class LoadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of this machine a load may take."""

    # Open to a listener at once. As many as there may be under way before a send waits for an
    # answer, which is what an open loop must not do: what is beyond is sent late, and counted.
    connections_max: int = 1024
    # For an answer; and for a place among those. Longer than any deadline of an edge.
    timeout_s: float = 30.0


class Watcher(Protocol):
    """Who is told how a load gets on."""

    def began(self, what: str, sender: LoadSender, duration_s: float) -> None:
        """A phase begins, or the set-up or the audit: `sender` has the figures so far."""
        ...

    def ended(self, result: PhaseResult) -> None:
        """A phase has ended."""
        ...


class Unwatched:
    """Nobody is told."""

    def began(self, what: str, sender: LoadSender, duration_s: float) -> None:
        """Say nothing."""

    def ended(self, result: PhaseResult) -> None:
        """Say nothing."""


class LoadOutcome:
    """What came of a load, as far as it went."""

    def __init__(self, ledger: LoadLedger) -> None:
        """Nothing has been sent."""
        self.ledger = ledger
        self.phases: list[PhaseResult] = []
        self.audit: AuditReport | None = None
        self.stopped = False

    @property
    def total(self) -> LoadFigures:
        """The figures of all phases together."""
        total = LoadFigures()
        for each in self.phases:
            total.add(each.total)
        return total

    @property
    def corrected(self) -> Latencies:
        """The corrected latencies of all phases together."""
        found = Latencies()
        for each in self.phases:
            found.add(each.total.corrected(each.interval_s))
        return found


class LoadRun:
    """One run of a plan. `outcome` has what there is so far, also after an error or a stop."""

    def __init__(
        self,
        plan: LoadPlan,
        urls: Mapping[str, str],
        *,
        clock: Clock,
        rng: Rng,
        limits: LoadLimits | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        """`urls` has each listener's: http://127.0.0.1:9000. Raises LoadError without one."""
        limits = limits or LoadLimits()
        hosts = {name: _host_and_port(name, urls) for name in sorted(plan.listeners)}
        self._plan = plan
        self._timeout_s = limits.timeout_s
        self._hosts = hosts
        self._clock = clock
        self._pools = {
            name: ConnectionPool(
                *host,
                clock,
                connections_max=limits.connections_max,
                timeout_s=limits.timeout_s,
            )
            for name, host in hosts.items()
        }
        self._names = names = {
            name: f"{f'[{host}]' if ':' in host else host}:{port}"
            for name, (host, port) in hosts.items()
        }
        self.outcome = LoadOutcome(LoadLedger())
        run_id = f"{clock.now_us():x}"
        maker = RequestMaker(plan, names, self.outcome.ledger, rng.fork("requests"), run_id)
        self._sender = LoadSender(
            maker, self._pools, clock, rng.fork("times"), timeout_s=limits.timeout_s
        )
        self._audit = LoadAudit(self._pools, names, clock)
        self._watcher: Watcher = watcher or Unwatched()
        self._closing: asyncio.Task[None] | None = None
        self._auditing: asyncio.Task[AuditReport] | None = None

    def stop(self) -> None:
        """End with the figures so far, from the loop's own thread; the writes are not audited."""
        if self._closing is None:
            self.outcome.stopped = True
            self._sender.stop()
            if self._auditing is not None:
                self._auditing.cancel()
            self._closing = asyncio.ensure_future(self._close_soon())

    async def run(self, phases: Sequence[LoadPhase], *, audit: bool = True) -> LoadOutcome:
        """Set up, run the phases, and audit what was written. Raises LoadError.

        It is raised where nobody listens, a set-up is refused, or a value cannot be drawn.
        """
        outcome = self.outcome
        try:
            await self._look()
            await self._set_up()
            for phase in phases:
                if outcome.stopped:
                    break
                self._watcher.began(str(phase), self._sender, phase.duration_s)
                try:
                    result = await self._sender.run(phase)
                finally:
                    if self._sender.result is not None:
                        outcome.phases.append(self._sender.result)
                self._watcher.ended(result)
            if audit and not outcome.stopped:
                self._watcher.began("audit", self._sender, 0.0)
                outcome.audit = await self._audited()
        finally:
            if self._closing is not None:
                await self._closing
            for pool in self._pools.values():
                await pool.close()
        return outcome

    async def _audited(self) -> AuditReport | None:
        """Return what the audit found; None where it was stopped."""
        entries = self.outcome.ledger.entries
        self._auditing = asyncio.ensure_future(self._audit.audit(entries))
        await asyncio.wait((self._auditing,))
        return None if self._auditing.cancelled() else self._auditing.result()

    async def _close_soon(self) -> None:
        await asyncio.sleep(STOP_S)
        for pool in self._pools.values():
            await pool.close()

    async def _look(self) -> None:
        """Raise LoadError where nobody listens: a load of refused connections says nothing."""
        for name, (host, port) in self._hosts.items():
            try:
                async with asyncio.timeout(self._timeout_s):
                    _, writer = await asyncio.open_connection(host, port)
            except OSError as error:
                why = error.strerror or str(error) or f"not within {self._timeout_s:g} s"
                raise LoadError(
                    f"nobody answers at http://{self._names[name]}, the listener {name}: boot the "
                    f"system in another terminal, or say where it is with --url "
                    f"{name}=http://HOST:PORT ({why})"
                ) from error
            writer.close()

    async def _set_up(self) -> None:
        """Raise LoadError where less than all of it went well: the phases would find nothing."""
        for each in self._plan.setup:
            if self.outcome.stopped:
                return
            self._watcher.began(f"set up {each.count} {each.request}", self._sender, 0.0)
            total = (await self._sender.set_up(each.request, each.count)).total
            if total.failed and not self.outcome.stopped:
                raise LoadError(
                    f"{total.failed} of the set-up's {each.count} {each.request} did not go well, "
                    f"the last with {self._sender.last_failure}: mend its path or body in the "
                    "plan, or look into the system's log"
                )


def _host_and_port(listener: str, urls: Mapping[str, str]) -> tuple[str, int]:
    if listener not in urls:
        known = ", ".join(urls)
        message = (
            f"the plan asks a listener {listener!r}, and there are {known}: say where it is with "
            f"--url {listener}=http://HOST:PORT"
        )
        raise LoadError(message)
    url = urls[listener]
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # as its look-up does, which says no more of what is no name
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme != "http" or host is None or parts.path not in {"", "/"} or parts.query:
        raise LoadError(f"{url!r} is no listener's URL: write http://HOST:PORT")
    return host, 80 if port is None else port
