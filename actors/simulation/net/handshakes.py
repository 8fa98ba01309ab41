"""How a connection comes about: a request, an answer, and patience where either is lost."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

from actors.kernel.rng import Rng
from actors.simulation.net.fault_rules import ConnectAttempt, Delay, Drop, Reset
from actors.simulation.net.link import CONNECT_RETRIES_MAX, CONNECT_RETRY_S_MIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.simulation.net.medium import Medium
    from actors.simulation.net.simulated_server import SimulatedServer


class Handshakes:
    """Asks listeners on behalf of clients; each pair of hosts has its own source of chance."""

    def __init__(
        self,
        medium: Medium,
        find: Callable[[str, str, int], SimulatedServer | None],
        *,
        seed: int | str,
    ) -> None:
        """`find(host, address, port)` returns who listens there, if anybody."""
        self._medium = medium
        self._find = find
        self._seed = seed
        self._rngs: dict[tuple[str, str], Rng] = {}

    async def shake(self, source: str, target: str, ip: str, port: int) -> SimulatedServer:
        """Return who answers, after the way there and back; asks again as TCP does.

        Raises ConnectionRefusedError, and TimeoutError after two minutes without an answer.
        """
        for retry in range(CONNECT_RETRIES_MAX + 1):
            begun_s = self._medium.time()
            server = await self._ask(source, target, ip, port)
            if server is not None:
                return server
            wait_s = CONNECT_RETRY_S_MIN * 2**retry
            await asyncio.sleep(max(0.0, begun_s + wait_s - self._medium.time()))
        message = f"connect to {target}:{port} timed out"
        raise TimeoutError(errno.ETIMEDOUT, message)

    async def _ask(self, source: str, target: str, ip: str, port: int) -> SimulatedServer | None:
        """Return nothing if request or answer is lost."""
        there = ConnectAttempt(source=source, target=target, port=port)
        if not await self._arrives(there):
            return None
        server = self._find(target, ip, port)
        serves = server is not None and server.is_serving()
        back = ConnectAttempt(source=target, target=source, port=port, answer=True)
        if not await self._arrives(back):
            return None
        if server is None or not serves:
            raise self._refused(there)
        return server

    async def _arrives(self, attempt: ConnectAttempt) -> bool:
        link = self._medium.link(attempt.source, attempt.target)
        rng = self._rng(attempt.source, attempt.target)
        await asyncio.sleep(link.latency_s + rng.random() * link.jitter_s)
        verdict = self._medium.judge(attempt)
        if isinstance(verdict, Delay):
            await asyncio.sleep(verdict.seconds)
        elif isinstance(verdict, Reset):
            raise self._refused(attempt)
        return not isinstance(verdict, Drop)

    def _rng(self, source: str, target: str) -> Rng:
        if (source, target) not in self._rngs:
            self._rngs[source, target] = Rng(f"{self._seed}:{source}>{target}")
        return self._rngs[source, target]

    def _refused(self, attempt: ConnectAttempt) -> ConnectionRefusedError:
        self._medium.record(
            "refuse", source=attempt.source, target=attempt.target, port=attempt.port
        )
        message = f"{attempt.target}:{attempt.port} refused the connection"
        return ConnectionRefusedError(errno.ECONNREFUSED, message)
