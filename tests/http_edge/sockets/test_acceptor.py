"""A crowd at a socket is let in in parts: neither one by one, nor all of it at once."""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket
from typing import TYPE_CHECKING

import structlog

from http_edge.sockets.acceptor import PASS_CONNECTIONS_MAX, Acceptor

if TYPE_CHECKING:
    from collections.abc import Iterator

CROWD = 2 * PASS_CONNECTIONS_MAX + 3


class Taken(asyncio.Protocol):
    """A connection that was made; `all` are all of them."""

    all: list[Taken]
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.all.append(self)


def bound() -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.setblocking(False)
    return found


def crowd(at: socket.socket, number: int) -> Iterator[socket.socket]:
    """Connect so many, which nobody has let in yet: the kernel keeps them."""
    for _ in range(number):
        yield socket.create_connection(at.getsockname(), timeout=10.0)


async def turns_until(taken: list[Taken], number: int) -> list[int]:
    """How many there were after each pass of the loop, until there are so many."""
    found = [0]
    while found[-1] < number:
        await asyncio.sleep(0)
        found.append(len(taken))
    return found


async def test_a_crowd_is_let_in_in_parts() -> None:
    """In each pass of the loop as many as are a part, until all are in."""
    taken: list[Taken] = []
    Taken.all = taken
    at = bound()
    acceptor = Acceptor(at, Taken, backlog=CROWD)
    clients = list(crowd(at, CROWD))
    found = await turns_until(taken, CROWD)
    parts = [after - before for before, after in itertools.pairwise(found)]
    assert [each for each in parts if each] == [PASS_CONNECTIONS_MAX, PASS_CONNECTIONS_MAX, 3]
    acceptor.close()
    for each in taken:
        each.transport.close()
    for client in clients:
        client.close()


async def test_nobody_is_let_in_after_the_close() -> None:
    """Who waits then is told so by the kernel; who was let in before stays."""
    taken: list[Taken] = []
    Taken.all = taken
    at = bound()
    acceptor = Acceptor(at, Taken, backlog=8)
    address = at.getsockname()
    (client,) = crowd(at, 1)
    await turns_until(taken, 1)
    acceptor.close()
    with socket.socket() as late:
        assert late.connect_ex(address) == errno.ECONNREFUSED
    assert not taken[0].transport.is_closing()
    taken[0].transport.close()
    client.close()


class Short:
    """A socket of a kernel that has no descriptor left, `times` times."""

    def __init__(self, inner: socket.socket, times: int) -> None:
        self._inner = inner
        self._times = times
        self.asked = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.asked += 1
        if self.asked <= self._times:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._inner.accept()

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


async def test_a_kernel_without_descriptors_is_asked_again_later() -> None:
    """Whoever waits meanwhile is let in then: the loop does not spin on what it cannot take."""
    taken: list[Taken] = []
    Taken.all = taken
    at = bound()
    short = Short(at, times=2)
    with structlog.testing.capture_logs() as logs:
        acceptor = Acceptor(short, Taken, backlog=8)  # type: ignore[arg-type]  # it stands for one
        (client,) = crowd(at, 1)
        await turns_until(taken, 1)
    assert [each["event"] for each in logs] == ["no room to accept a connection"] * 2
    acceptor.close()
    taken[0].transport.close()
    client.close()
