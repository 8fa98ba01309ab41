"""Where the edge listens and what it answers there, as values; every address is taken first."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from actors.errors import ConfigError
from http_edge.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from http_edge.address import Address

    Sockets = Mapping[str, Sequence[socket.socket]]

# The listener that has the edge's own addresses: health, the operator's, and the front page.
GATEWAY = "gateway"

# What another port mends: somebody has it (0 is one of our own), or it is for root alone.
_PORTS = frozenset({0, errno.EADDRINUSE, errno.EACCES})
_HINTS = {"port": "port 0 is any that is free", "host": "a host is an address of this machine"}

_ANYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - who listens there has all addresses


@dataclass(frozen=True, slots=True)
class Listener:
    """`edge.NAME` of the configuration says where; `gateway` is the dialect that it speaks."""

    name: str
    host: str
    port: int
    addresses: Sequence[Address] = ()
    gateway: type[Gateway] = Gateway

    def also(self, addresses: Iterable[Address]) -> Listener:
        """Return it with these addresses besides its own."""
        return replace(self, addresses=(*self.addresses, *addresses))


class _Taken(NamedTuple):
    name: str
    family: int
    host: str
    port: int


def bind(listeners: Iterable[Listener]) -> dict[str, list[socket.socket]]:
    """Bind a socket to each address of each listener; none listens yet. Raises ConfigError.

    One error names all listeners that cannot have their address: who starts it mends them at once.
    """
    bound: dict[str, list[socket.socket]] = {}
    refused: list[str] = []
    keys: list[str] = []
    taken: list[_Taken] = []
    for listener in listeners:
        sockets = bound[listener.name] = []
        try:
            _bind(listener, sockets)
            _take(listener.name, sockets, taken)
        except (OSError, ValueError) as error:  # what cannot be a name is a ValueError
            refused.append(f"{listener.host}:{listener.port}: {_reason(error)}")
            number = error.errno if isinstance(error, OSError) else None
            keys.append(f"edge.{listener.name}.{'port' if number in _PORTS else 'host'}")
    if refused:
        for sockets in bound.values():
            for each in sockets:
                each.close()
        kinds = {key.rpartition(".")[2] for key in keys}
        hints = ", and ".join(_HINTS[kind] for kind in sorted(kinds, reverse=True))
        where = "; nor on ".join(refused)
        message = f"cannot listen on {where}; choose another {', '.join(keys)}: {hints}"
        raise ConfigError(message)
    return bound


def _reason(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return str(error)
    told = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return told or str(error)


def _bind(listener: Listener, sockets: list[socket.socket]) -> None:
    """Bind as asyncio would: to all the addresses that the host's name stands for."""
    found = socket.getaddrinfo(
        listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            each = socket.socket(family, kind, protocol)
        except OSError:  # a machine without IPv6 still has names that stand for both
            continue
        sockets.append(each)
        # The addresses of connections that a process before this one closed are free.
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        each.settimeout(0)
        each.bind(address)
    if not sockets:
        raise OSError(errno.EAFNOSUPPORT, "this machine has no such kind of address")


def _take(name: str, sockets: Iterable[socket.socket], taken: list[_Taken]) -> None:
    """Refuse an earlier listener's address: two can be bound to it, and one alone can listen."""
    for each in sockets:
        host, port, *_ = each.getsockname()
        for other in taken:
            met = other.host == host or _ANYWHERE & {other.host, host}
            if met and (other.family, other.port) == (each.family, port) and other.name != name:
                raise OSError(0, f"edge.{other.name} has it already")
        taken.append(_Taken(name, each.family, host, port))
