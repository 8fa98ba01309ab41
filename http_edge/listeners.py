"""Every address is taken before anything else is done, or all that are in the way are named."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from actors.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.config import EdgeConfig, ListenerConfig

    Sockets = Mapping[str, Sequence[socket.socket]]


def listeners(config: EdgeConfig, *, embedded_x: bool) -> dict[str, ListenerConfig]:
    """Return the listeners there are, by name."""
    return {
        name: listener
        for name, listener in config.listeners()
        if embedded_x or name != "x_platform"
    }


def bind(config: EdgeConfig, *, embedded_x: bool) -> dict[str, list[socket.socket]]:
    """Bind a socket to each address of each listener; none listens yet. Raises ConfigError.

    One error names all listeners that cannot have their address: who starts it mends them at once.
    """
    bound: dict[str, list[socket.socket]] = {}
    refused: dict[str, str] = {}
    for name, listener in listeners(config, embedded_x=embedded_x).items():
        sockets = bound[name] = []
        try:
            _bind(listener, sockets)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            refused[name] = f"{listener.host}:{listener.port}: {reason or error}"
    if refused:
        for sockets in bound.values():
            for each in sockets:
                each.close()
        message = (
            f"cannot listen on {'; nor on '.join(refused.values())}; choose another "
            f"{', '.join(f'edge.{name}.port' for name in refused)}, or 0 for any that is free"
        )
        raise ConfigError(message)
    return bound


def _bind(listener: ListenerConfig, sockets: list[socket.socket]) -> None:
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
        raise OSError(0, "this machine has no such kind of address")
