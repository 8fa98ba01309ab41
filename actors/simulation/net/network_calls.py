"""The methods of a loop that lead to other hosts: to those of a network in memory, or nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from actors.simulation.net.refused_calls import RefusedCalls
from actors.simulation.sealed.watch import escape

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable


class HostNetwork(Protocol):
    """A network of hosts, as a loop asks it."""

    def socket(self, *arguments: Any, **options: Any) -> Any: ...

    def look_up(self, *arguments: Any, **options: Any) -> Any: ...

    def name_of(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]: ...

    def listen(self, *arguments: Any, **options: Any) -> asyncio.AbstractServer: ...

    async def connect(self, *arguments: Any, **options: Any) -> Any: ...

    async def connect_socket(self, sock: Any, address: Any) -> None: ...

    def describe(self) -> Iterable[str]: ...

    def close(self) -> None: ...


class NetworkCalls(RefusedCalls):
    """Without a network, each of these is an Escape. `network` is set by the one made for it."""

    network: HostNetwork | None = None

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Look a host of the network up: IPv4 and TCP alone. Raises socket.gaierror."""
        return self._reachable().look_up(host, port, **options)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """Return the host's name, or its address where `flags` ask for numbers."""
        return self._reachable().name_of(sockaddr, flags)

    async def create_server(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        """Listen on the host of the running context; see `Network.listen`."""
        return self._reachable().listen(protocol_factory, *args, **options)

    async def create_connection(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        """Connect from the host of the running context; see `Network.connect`."""
        return await self._reachable().connect(protocol_factory, *args, **options)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Connect a simulated socket. Raises OSError as the kernel would, Escape for a real one."""
        await self._reachable().connect_socket(sock, address)

    def _reachable(self) -> HostNetwork:
        if self.network is None:
            raise escape("a network, and the simulation has none,")
        return self.network
