"""A network in memory, behind the loop's own methods: aiohttp talks over it and does not know."""

from __future__ import annotations

import contextvars
import socket
from typing import TYPE_CHECKING, Any, Protocol

from actors.kernel.rng import Rng
from actors.simulation.net.current_host import CURRENT_HOST
from actors.simulation.net.handshakes import Handshakes
from actors.simulation.net.host_table import LOOPBACK, HostTable
from actors.simulation.net.link import Link
from actors.simulation.net.port_table import PortTable
from actors.simulation.net.simulated_connection import SimulatedConnection
from actors.simulation.net.simulated_server import SimulatedServer
from actors.simulation.net.simulated_socket import SimulatedSocket
from actors.simulation.net.simulated_transport import SimulatedTransport
from actors.simulation.sealed.watch import escape

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from actors.simulation.net.fault_rules import Chunk, ConnectAttempt, Rule, Verdict
    from actors.simulation.net.network_calls import NetworkCalls

    class Recorder(Protocol):
        """Writes down what happens, in the order it happens."""

        def __call__(self, event: str, /, **fields: str | int) -> None: ...


# Within one host. Bytes are cut there too: loopback promises no more than a wire does.
_WITHIN = Link(latency_s=0.000_02, jitter_s=0.0)
_PORTS = range(32_768, 61_000)  # Linux's for connections that ask for none


class Network:
    """Hosts, what lies between them, who listens where. A host is where a context says it runs.

    `record` is called for every arrival, refusal and end. Equal seeds, equal networks: each
    connection draws from a generator of its own, so that one more does not change the others.
    """

    def __init__(
        self,
        loop: NetworkCalls,
        *,
        seed: int | str = 0,
        link: Link | None = None,
        record: Recorder | None = None,
    ) -> None:
        """Become the network of `loop`; `link` lies between any two hosts."""
        self.loop: asyncio.AbstractEventLoop = loop
        self.names = HostTable()
        self.rules: list[Rule] = []
        self._seed = seed
        self._between = link or Link()
        self._record = record
        self._listeners = PortTable(self.names, self._free_port)
        self._handshakes = Handshakes(self, self._listeners.find, seed=seed)
        self._connections: dict[int, SimulatedConnection] = {}
        self._numbers = 0
        self._ports: dict[str, int] = {}
        self._endings: list[tuple[int, int, Callable[[], None]]] = []
        loop.network = self

    def time(self) -> float:
        """Return the loop's time, in seconds."""
        return self.loop.time()

    def listens(self, host: str) -> bool:
        """Whether anybody does, on that host."""
        return bool(self._listeners.of(host))

    @property
    def connected(self) -> int:
        """How many connections there have been; they are numbered from 1."""
        return self._numbers

    # --- Faults ------------------------------------------------------------------------------

    def install(self, rule: Rule) -> Callable[[], None]:
        """Ask `rule` about everything that arrives from now on; return what removes it again."""
        self.rules.append(rule)

        def remove() -> None:
            # By identity: two equal rules are two.
            self.rules[:] = [each for each in self.rules if each is not rule]

        return remove

    def judge(self, arrival: ConnectAttempt | Chunk) -> Verdict:
        """Return the first verdict that is not to let it pass."""
        for rule in self.rules:
            if (verdict := rule(arrival)) is not None:
                return verdict
        return None

    def reset(self, source: str, target: str) -> int:
        """Reset all connections from `source` to `target`; return how many there were."""
        found = [
            each
            for each in self._connections.values()
            if (each.source, each.target) == (source, target)
        ]
        for connection in found:
            connection.break_off("reset")
        return len(found)

    def crash(self, host: str) -> None:
        """Let the process on `host` be gone: its listeners, and its ends without a word to them.

        Its peers are reset. The tasks of the host (`loop.tasks(host)`) are the caller's to end.
        """
        for part in self.names.parts_of(host):
            for server in self._listeners.of(part):
                server.close()
            for connection in list(self._connections.values()):
                if part in (connection.source, connection.target):
                    connection.crash(part)
        self.record("crash", host=host)

    def link(self, source: str, target: str) -> Link:
        """Return what lies between two hosts in this direction."""
        return _WITHIN if source == target else self._between

    def close(self) -> None:
        """End everything without telling anybody: the simulation is over."""
        for connection in list(self._connections.values()):
            connection.vanish()

    # --- Names -------------------------------------------------------------------------------

    def add_host(self, name: str) -> str:
        """Give a host its address and return it; one that listens or connects has one anyway."""
        return self.names.add(name)

    def look_up(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002, ARG002 - getaddrinfo's own
        proto: int = 0,  # noqa: ARG002
        flags: int = 0,
    ) -> list[tuple[Any, Any, int, str, tuple[str, int]]]:
        """As `socket.getaddrinfo`, for IPv4 and TCP. Raises socket.gaierror."""
        if family not in (0, socket.AF_INET):
            message = "the simulated network has IPv4 alone"
            raise socket.gaierror(socket.EAI_FAMILY, message)
        address = self.names.resolve(host, passive=bool(flags & socket.AI_PASSIVE))
        try:
            number = int(port or 0)
        except ValueError:
            message = f"port {port!r} is no number"
            raise socket.gaierror(socket.EAI_SERVICE, message) from None
        end = (address, number)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", end)]

    def name_of(self, sockaddr: tuple[str, int], flags: int = 0) -> tuple[str, str]:
        """As `socket.getnameinfo`."""
        address, port = sockaddr[:2]
        numeric = flags & socket.NI_NUMERICHOST
        host = address if numeric else self.names.host_of(address, asker=CURRENT_HOST.get())
        return host, str(port)

    # --- Listening ---------------------------------------------------------------------------

    def listen(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | Iterable[str] | None = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        start_serving: bool = True,
        **_options: Any,
    ) -> SimulatedServer:
        """Accept connections to the host of the running context. Raises OSError as bind() does.

        `host` is its name, its address, "localhost", or nothing for all. The backlog and the
        socket's options make no difference.
        """
        _refuse_tls(ssl)
        if sock is not None:
            raise escape("a real socket")
        here = CURRENT_HOST.get()
        own = self.names.add(here)
        hosts = [host] if host is None or isinstance(host, str) else list(host)
        first = hosts[0] or ""
        wired = self.names.wired(here, first)
        if wired is not None:
            here, own = wired, first
        server = SimulatedServer(
            self.loop,
            protocol_factory,
            host=here,
            addresses=[self._listeners.bind(here, own, name, port or 0) for name in hosts],
            context=contextvars.copy_context(),
            closed=self._listeners.remove,
        )
        self._listeners.add(server)
        if start_serving:
            server.begin()
        return server

    # --- Connecting --------------------------------------------------------------------------

    def socket(self, *_arguments: Any, **_options: Any) -> SimulatedSocket:
        """Stands for `socket.socket` where aiohttp makes one."""
        return SimulatedSocket()

    async def connect(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        family: int = 0,
        flags: int = 0,
        **_options: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect from the host of the running context, or take over a connected socket."""
        _refuse_tls(ssl)
        if sock is None:
            sock = SimulatedSocket()
            info = self.look_up(host, port, family=family, flags=flags)
            await self.connect_socket(sock, info[0][4])
        end = _connected(sock)
        sock.end = None
        protocol = protocol_factory()
        end.attach(protocol)
        return end, protocol

    async def connect_socket(self, sock: Any, address: tuple[str, int]) -> None:
        """Shake hands. Raises ConnectionRefusedError, TimeoutError and OSError as connect()."""
        if not isinstance(sock, SimulatedSocket):
            raise escape("a real socket")
        source = CURRENT_HOST.get()
        own = self.names.add(source)
        ip, port = address
        target = self.names.host_of(ip, asker=source)
        server = await self._handshakes.shake(source, target, ip, port)
        self._numbers += 1
        number = self._numbers
        client = (LOOPBACK if target == source else own, self._free_port(source))
        connection = self._connections[number] = SimulatedConnection(
            self,
            number,
            source=source,
            target=target,
            server=server,
            addresses=(client, (LOOPBACK if target == source else ip, port)),
            rng=Rng(f"{self._seed}:{source}>{target}:{client[1]}"),
        )
        self.record("connect", connection=number, source=source, target=target, port=port)
        sock.end = connection.begin(contextvars.copy_context())

    def _free_port(self, host: str) -> int:
        count = self._ports[host] = self._ports.get(host, -1) + 1
        return _PORTS[count % len(_PORTS)]

    # --- For connections ---------------------------------------------------------------------

    def record(self, event: str, **fields: str | int) -> None:
        """Write down what happened, if anybody wants to know."""
        if self._record is not None:
            self._record(event, **fields)

    def forget(self, number: int) -> None:
        """Keep no connection whose both ends are over."""
        self._connections.pop(number, None)

    def at_turns_end(self, number: int, side: int, action: Callable[[], None]) -> None:
        """End one side of a connection, in the order of numbers among all that end this turn.

        A client that closes a set of connections, as aiohttp's does, closes them in the order of
        their addresses in memory; what follows from it must not depend on that.
        """
        if not self._endings:
            # On nobody's host: who is paused holds up no others.
            self.loop.call_soon(self._end_all, context=contextvars.Context())
        self._endings.append((number, side, action))

    def _end_all(self) -> None:
        endings, self._endings = self._endings, []
        for _, _, action in sorted(endings, key=lambda ending: ending[:2]):
            action()

    def describe(self) -> list[str]:
        """Return a line a connection: where its bytes are stuck, if any are."""
        return [connection.describe() for connection in self._connections.values()]


def _refuse_tls(ssl: Any) -> None:
    if ssl:
        raise escape("TLS, which is not simulated,")


def _connected(sock: Any) -> SimulatedTransport:
    if not isinstance(sock, SimulatedSocket) or not isinstance(sock.end, SimulatedTransport):
        raise escape("a real socket")
    return sock.end
