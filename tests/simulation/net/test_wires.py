"""A loopback address behind a wire: the same process, and as far away as another machine."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from actors.simulation.net.current_host import on_host
from actors.simulation.net.fault_rules import Garble, Garbling, Slow, Truncate
from actors.simulation.net.link import Link
from tests.simulation.simulated import on_network

if TYPE_CHECKING:
    from actors.simulation.net.network import Network

ADDRESS = "127.0.0.2"
SENT = b"so many words"


async def _greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(SENT)
    writer.close()


async def _listen(network: Network) -> int:
    network.names.wire("edge", ADDRESS, "x")
    with on_host("edge"):
        server = await asyncio.start_server(_greet, ADDRESS, 0)
    address, port = server.sockets[0].getsockname()
    assert address == ADDRESS
    return int(port)


async def _read(port: int) -> bytes:
    with on_host("edge"):
        reader, writer = await asyncio.open_connection(ADDRESS, port)
    try:
        return await reader.read()
    finally:
        writer.close()


def test_a_wire_can_be_slow() -> None:
    """A rule for the name strikes; on plain loopback there is none to be struck."""

    async def main(network: Network) -> float:
        port = await _listen(network)
        network.install(Slow(source="x", target="edge", seconds=5.0))
        assert await _read(port) == SENT
        return network.time()

    assert on_network(main) > 5.0


def test_a_line_can_be_cut_short_once() -> None:
    """Half of what is sent arrives, then a reset; the next connection is whole."""

    async def main(network: Network) -> None:
        port = await _listen(network)
        network.install(Truncate(source="x", target="edge"))
        with on_host("edge"):
            reader, writer = await asyncio.open_connection(ADDRESS, port)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(len(SENT))
        writer.close()
        arrived = bytes(reader._buffer)  # type: ignore[attr-defined]  # what is left of it
        assert SENT.startswith(arrived)
        assert len(arrived) < len(SENT)
        assert await _read(port) == SENT

    on_network(main)


@pytest.mark.parametrize("times", [1, 2])
def test_what_comes_can_be_garbled(times: int) -> None:
    """As long as it was, and as often as it says; what lacks one of its patterns is left alone."""

    async def main(network: Network) -> None:
        port = await _listen(network)
        half = SENT[: len(SENT) // 2]
        for pairs in (((re.escape(half), b"-"),), ((re.escape(half), b"+"), (b"no such", b""))):
            network.install(Garble(Garbling("x>edge", pairs, times)))
        for _ in range(times):
            assert await _read(port) == b"-".ljust(len(half)) + SENT[len(half) :]
        assert await _read(port) == SENT

    on_network(main, link=Link(cut_chance=0.0))


def test_nothing_is_garbled_into_more_than_it_was() -> None:
    """What comes behind it would come later, which is no garbling."""
    with pytest.raises(ValueError, match="longer"):
        Garbling("x>edge", ((b"a", b"aa"),)).of(b"bab")


def test_what_is_wired_dies_with_its_host() -> None:
    """After a crash nobody listens there; the address is free for the next process."""

    async def main(network: Network) -> None:
        port = await _listen(network)
        network.crash("edge")
        with pytest.raises(ConnectionRefusedError):
            await _read(port)
        with on_host("edge"):
            await asyncio.start_server(_greet, ADDRESS, port)
        assert await _read(port) == SENT

    on_network(main)


def test_others_do_not_see_it() -> None:
    """On another host the address is that host's own loopback."""

    async def main(network: Network) -> None:
        port = await _listen(network)
        with on_host("client"), pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(ADDRESS, port)

    on_network(main)
