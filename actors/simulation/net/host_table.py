"""Hosts and their addresses: 10.0.0.1 is the first, and 127.0.0.1 is whoever asks."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Any

LOOPBACK = "127.0.0.1"
ANY = "0.0.0.0"  # noqa: S104 - any address of one simulated host
_FIRST = int(ipaddress.IPv4Address("10.0.0.1"))


class HostTable:
    """Gives every host an IPv4 address, in the order they are added."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._wired: dict[tuple[str, str], str] = {}

    def add(self, host: str) -> str:
        """Return the address of `host`, a new one if it has none."""
        if host not in self._addresses:
            address = str(ipaddress.IPv4Address(_FIRST + len(self._addresses)))
            self._addresses[host] = address
            self._hosts[address] = host
        return self._addresses[host]

    def host_of(self, address: str, *, asker: str) -> str:
        """Return the host at `address` as `asker` sees it. Raises OSError for nobody's."""
        wired = self._wired.get((asker, address))
        if wired is not None:
            return wired
        if address == ANY or address.startswith("127."):
            return asker
        try:
            return self._hosts[address]
        except KeyError:
            message = f"no simulated host has the address {address}"
            raise OSError(errno.EHOSTUNREACH, message) from None

    def wire(self, host: str, address: str, name: str) -> None:
        """Put a link between a host and a loopback address of its own, which becomes host `name`.

        What listens there is the host's, lives and dies with it; but what is sent there takes its
        time, and what breaks links can break that one.
        """
        self.add(name)
        self._wired[host, address] = name

    def wired(self, host: str, address: str) -> str | None:
        """Return the name of what `wire` has put at an address of a host."""
        return self._wired.get((host, address))

    def parts_of(self, host: str) -> list[str]:
        """Return a host and all that is wired to it."""
        return [host, *[name for (owner, _), name in self._wired.items() if owner == host]]

    def resolve(self, name: Any, *, passive: bool = False) -> str:
        """Return the IPv4 address for a name or an address. Raises socket.gaierror."""
        if isinstance(name, bytes):
            name = name.decode("ascii")
        if not name:
            return ANY if passive else LOOPBACK
        if name == "localhost":
            return LOOPBACK
        if name in self._addresses:
            return self._addresses[name]
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            message = f"no simulated host is called {name!r}; there are {', '.join(self.hosts())}"
            raise socket.gaierror(socket.EAI_NONAME, message) from None

    def hosts(self) -> list[str]:
        """Return all hosts, in the order they were added."""
        return list(self._addresses)
