"""Who listens where, on all hosts of a network."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from actors.simulation.net.host_table import ANY, LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.simulation.net.host_table import HostTable
    from actors.simulation.net.simulated_server import SimulatedServer


class PortTable:
    """Servers by host, address and port; one that listens at all addresses is found at each."""

    def __init__(self, names: HostTable, free_port: Callable[[str], int]) -> None:
        """`free_port(host)` is for who does not care."""
        self._names = names
        self._free_port = free_port
        self._servers: dict[tuple[str, str, int], SimulatedServer] = {}

    def bind(self, here: str, own: str, name: str | None, port: int) -> tuple[str, int]:
        """Return the address that `name` stands for on a host. Raises OSError as the kernel's."""
        address = self._names.resolve(name, passive=True)
        if address not in (ANY, LOOPBACK, own):
            message = f"{name!r} is no address of the host {here!r}, which is {own}"
            raise OSError(errno.EADDRNOTAVAIL, message)
        port = port or self._free_port(here)
        if self.find(here, address, port) is not None or (
            address == ANY and any(key[::2] == (here, port) for key in self._servers)
        ):
            message = f"{address}:{port} of the host {here!r} is in use"
            raise OSError(errno.EADDRINUSE, message)
        return address, port

    def add(self, server: SimulatedServer) -> None:
        """Let it be found at its addresses."""
        for address in server.addresses:
            self._servers[server.host, *address] = server

    def remove(self, server: SimulatedServer) -> None:
        """Refuse new connections to its addresses."""
        for address in server.addresses:
            if self._servers.get((server.host, *address)) is server:
                del self._servers[server.host, *address]

    def find(self, host: str, address: str, port: int) -> SimulatedServer | None:
        """Return who listens at that address of the host, if anybody."""
        exact = self._servers.get((host, address, port))
        return exact or self._servers.get((host, ANY, port))

    def of(self, host: str) -> list[SimulatedServer]:
        """Return each server of a host once, the oldest first."""
        return [each for each in dict.fromkeys(self._servers.values()) if each.host == host]
