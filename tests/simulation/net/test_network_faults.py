from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from actors.simulation.errors import Deadlock, Escape
from actors.simulation.net.current_host import on_host
from actors.simulation.net.fault_rules import (
    Chunk,
    ConnectAttempt,
    Delay,
    Partition,
    Reset,
    Slow,
)
from actors.simulation.net.link import Link
from tests.simulation import simulated
from tests.simulation.net.reset_rules import Refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.simulation.net.network import Network

OPENED: list[asyncio.StreamWriter] = []


def on_network(main: Callable[[Network], Awaitable[Any]], **options: Any) -> Any:
    """Run `main(network)`, then close what `connected` has opened."""

    async def closing(network: Network) -> Any:
        try:
            return await main(network)
        finally:
            for writer in OPENED:
                writer.close()
            OPENED.clear()
            # For servers to notice: asyncio 3.11 stumbles over a server's cancelled task.
            await asyncio.sleep(3_600)

    return simulated.on_network(closing, **options)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

STEADY = Link(latency_s=0.010, jitter_s=0.0, cut_chance=0.0)
BETWEEN = Partition(source=frozenset({"client"}), target=frozenset({"edge"}))


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send everything back, until the peer has no more."""
    try:
        while data := await reader.read(1_000):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def listening(
    network: Network, serve: Callable[..., Awaitable[None]] = echo
) -> asyncio.Server:
    network.add_host("edge")
    with on_host("edge"):
        return await asyncio.start_server(serve, "edge", 80)


async def connected(host: str = "client") -> Streams:
    with on_host(host):
        streams = await asyncio.open_connection("edge", 80)
    OPENED.append(streams[1])
    return streams


def now() -> float:
    return asyncio.get_running_loop().time()


async def ask(streams: Streams, text: bytes) -> bytes:
    reader, writer = streams
    writer.write(text)
    return await reader.readexactly(len(text))


def test_a_round_trip_takes_twice_the_latency() -> None:
    """A handshake takes one round trip, each question one more."""

    async def main(network: Network) -> None:
        await listening(network)
        streams = await connected()
        assert now() == pytest.approx(0.020)
        assert await ask(streams, b"hello") == b"hello"
        assert now() == pytest.approx(0.040)

    on_network(main, link=STEADY)


def test_bandwidth_is_shared_by_what_is_sent() -> None:
    """A megabyte at a megabyte a second takes a second."""

    async def main(network: Network) -> None:
        await listening(network)
        reader, writer = await connected()
        writer.write(bytes(1_000_000))
        writer.write_eof()
        assert len(await reader.read()) == 1_000_000
        assert now() == pytest.approx(1.0, rel=0.2)

    on_network(main, link=Link(bandwidth_bytes_s=1e6, window_bytes=10_000_000))


def test_a_peer_that_does_not_read_stops_the_writer() -> None:
    """The window and the writer's buffer fill, drain() waits, and goes on when the peer reads."""
    read = asyncio.Event()

    async def sleepy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(100)
        read.set()
        await reader.read()
        writer.close()

    async def main(network: Network) -> None:
        await listening(network, sleepy)
        _, writer = await connected()
        written = 0
        while not read.is_set():
            writer.write(bytes(10_000))
            written += 10_000
            await writer.drain()
        assert now() >= 100
        assert 128_000 < written < 600_000
        writer.close()
        await writer.wait_closed()

    on_network(main)


def test_stuck_bytes_are_named_by_a_deadlock() -> None:
    """A writer whose peer never reads is a deadlock that says where the bytes are."""

    async def deaf(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.get_running_loop().create_future()

    async def main(network: Network) -> None:
        await listening(network, deaf)
        _, writer = await connected()
        writer.write(bytes(1_000_000))
        await writer.drain()

    with pytest.raises(
        Deadlock, match=r"connection 1 from client to edge:80: \d{6} bytes wait at client"
    ):
        on_network(main)


def test_a_half_closed_connection_still_answers() -> None:
    """After write_eof the other direction goes on."""

    async def main(network: Network) -> None:
        await listening(network)
        reader, writer = await connected()
        writer.write(b"question")
        writer.write_eof()
        assert await reader.read() == b"question"
        writer.close()

    on_network(main)


def test_nobody_listens_is_refused() -> None:
    """As from a kernel, with its errno, after a round trip."""

    async def main(network: Network) -> None:
        network.add_host("edge")
        with pytest.raises(ConnectionRefusedError) as caught:
            await connected()
        assert caught.value.errno == errno.ECONNREFUSED
        assert now() == pytest.approx(0.020)
        server = await listening(network)
        await connected()
        server.close()
        with pytest.raises(ConnectionRefusedError):
            await connected()

    on_network(main, link=STEADY)


def test_rules_are_installed_and_removed() -> None:
    """A rule counts from when it is installed until it is removed; others are not touched."""

    async def main(network: Network) -> None:
        await listening(network)
        streams = await connected()
        remove = network.install(Refuse(target="edge"))
        also = network.install(Refuse(target="edge"))
        with pytest.raises(ConnectionRefusedError):
            await connected()
        assert await ask(streams, b"still here") == b"still here"
        remove()
        with pytest.raises(ConnectionRefusedError):
            await connected()
        also()
        await connected()

    on_network(main)


def test_a_partition_holds_bytes_until_it_heals() -> None:
    """What crosses is sent again and arrives after the partition, late but whole."""

    async def main(network: Network) -> None:
        await listening(network)
        streams = await connected()
        heal = network.install(BETWEEN)
        asking = asyncio.create_task(ask(streams, b"hello"))
        await asyncio.sleep(10)
        assert not asking.done()
        heal()
        assert await asking == b"hello"
        assert 10 < now() < 30

    on_network(main)


def test_a_partition_outlives_a_connection() -> None:
    """The sender gives up after a quarter of an hour; the other side hears nothing."""
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(7_200):
                await reader.read()
        except TimeoutError:
            heard.append("nothing")
        writer.close()

    async def main(network: Network) -> None:
        await listening(network, serve)
        reader, writer = await connected()
        await asyncio.sleep(1)
        network.install(BETWEEN)
        writer.write(b"hello")
        with pytest.raises(TimeoutError) as caught:
            await reader.read()
        assert caught.value.errno == errno.ETIMEDOUT
        assert 900 < now() < 950
        await asyncio.sleep(10_000)

    on_network(main)
    assert heard == ["nothing"]


def test_a_partition_stops_connecting() -> None:
    """A connection attempt is repeated for two minutes and then times out, or heals in time."""

    async def main(network: Network) -> None:
        await listening(network)
        heal = network.install(BETWEEN)
        with pytest.raises(TimeoutError):
            await connected()
        assert now() == pytest.approx(127, rel=0.01)
        asyncio.get_running_loop().call_later(5, heal)
        await connected()
        assert now() < 127 + 10

    on_network(main)


def test_a_partition_may_go_one_way() -> None:
    """Questions arrive, answers do not; other hosts are not concerned."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(100))
        await echo(reader, writer)

    async def main(network: Network) -> None:
        await listening(network, serve)
        (reader, writer), other = await connected(), await connected("other")
        await asyncio.sleep(1)
        network.install(
            Partition(source=frozenset({"edge"}), target=frozenset({"client"}), one_way=True)
        )
        writer.write(b"hello")
        other[1].write(b"first")
        await asyncio.sleep(1)
        assert await ask(other, b"second") == b"second"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await reader.read(1)
        # And who cannot be answered cannot connect.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await connected()

    on_network(main)
    assert sorted(asked) == [b"first", b"hello"]


def test_slow_delays_one_direction() -> None:
    """Each chunk of it comes so much later."""

    async def main(network: Network) -> None:
        await listening(network)
        streams = await connected()
        network.install(Slow(source="edge", target="client", seconds=7))
        begun = now()
        await ask(streams, b"hello")
        assert now() - begun == pytest.approx(7.020)

    on_network(main, link=STEADY)


def test_a_rule_sees_everything_that_arrives() -> None:
    """Both halves of the handshake, the opening, the bytes with their place, the end."""
    seen: list[ConnectAttempt | Chunk] = []

    async def main(network: Network) -> None:
        await listening(network)
        network.install(seen.append)
        reader, writer = await connected()
        await ask((reader, writer), b"hello")
        await ask((reader, writer), b"you")
        writer.close()
        assert await reader.read() == b""
        await asyncio.sleep(1)

    on_network(main, link=STEADY)
    assert seen[:2] == [
        ConnectAttempt(source="client", target="edge", port=80),
        ConnectAttempt(source="edge", target="client", port=80, answer=True),
    ]
    chunks = [(each.kind, each.source, each.first_byte, each.size) for each in seen[2:]]  # type: ignore[union-attr]
    assert chunks == [
        ("open", "client", 0, 0),
        ("data", "client", 0, 5),
        ("data", "edge", 0, 5),
        ("data", "client", 5, 3),
        ("data", "edge", 5, 3),
        ("eof", "client", 8, 0),
        ("eof", "edge", 8, 0),
    ]


def test_network_reset_breaks_what_there_is() -> None:
    """Both ends of the connections between two hosts are reset at once; new ones are not."""

    async def main(network: Network) -> None:
        await listening(network)
        (reader, _), other = await connected(), await connected("other")
        assert network.reset("client", "edge") == 1
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert await ask(other, b"hello") == b"hello"
        assert await ask(await connected(), b"hello") == b"hello"

    on_network(main)


def test_a_crashed_host_is_gone() -> None:
    """Its catalog are reset, its port is free; its own tasks hear nothing and are listed."""

    async def main(network: Network) -> None:
        loop: Any = asyncio.get_running_loop()
        await listening(network)
        reader, _ = await connected()
        await asyncio.sleep(1)
        network.crash("edge")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await asyncio.sleep(60)
        (left,) = loop.tasks("edge")
        left.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        loop.unhandled.clear()  # asyncio 3.11 stumbles over a server's cancelled task
        with pytest.raises(ConnectionRefusedError):
            await connected()
        await listening(network)
        await connected()

    on_network(main)


def test_a_close_over_unread_bytes_resets_the_peer() -> None:
    """As a kernel does: who hangs up without reading cannot say goodbye."""

    async def rude(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)
        writer.write(b"goodbye")
        writer.close()

    async def main(network: Network) -> None:
        await listening(network, rude)
        reader, writer = await connected()
        writer.write(bytes(1_000_000))
        assert await reader.readexactly(7) == b"goodbye"
        with pytest.raises(ConnectionResetError):
            await reader.read()

    on_network(main)


def test_an_aborted_connection_resets_the_peer() -> None:
    """abort() drops what was not sent."""

    async def main(network: Network) -> None:
        await listening(network)
        reader, writer = await connected()
        writer.transport.abort()
        assert await reader.read() == b""
        await asyncio.sleep(1)
        assert network._connections == {}

    on_network(main)


def test_hosts_have_names_and_addresses() -> None:
    """Connections know both ends; loopback is whoever asks; ports are the listener's."""

    async def main(network: Network) -> None:
        loop = asyncio.get_running_loop()
        assert network.add_host("edge") == "10.0.0.1"
        server = await listening(network)
        assert server.sockets[0].getsockname() == ("10.0.0.1", 80)
        _, writer = await connected()
        assert writer.get_extra_info("peername") == ("10.0.0.1", 80)
        assert writer.get_extra_info("sockname")[0] == "10.0.0.2"
        assert writer.get_extra_info("socket").family == socket.AF_INET
        assert writer.get_extra_info("sslcontext") is None
        assert await loop.getnameinfo(("10.0.0.2", 0)) == ("client", "0")
        with on_host("edge"):
            await asyncio.start_server(echo, "localhost", 81)
            _, writer = await asyncio.open_connection("127.0.0.1", 81)
            OPENED.append(writer)
            assert writer.get_extra_info("sockname")[0] == "127.0.0.1"
        with on_host("client"), pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("edge", 81)
        with on_host("client"), pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("localhost", 81)

    on_network(main)


@pytest.mark.parametrize(
    ("host", "port", "number"),
    [
        ("edge", 80, errno.EADDRINUSE),
        (None, 80, errno.EADDRINUSE),
        ("client", 1, errno.EADDRNOTAVAIL),
    ],
)
def test_an_address_is_bound_once_and_by_its_host(host: str, port: int, number: int) -> None:
    """As bind() says."""

    async def main(network: Network) -> None:
        network.add_host("client")
        await listening(network)
        with on_host("edge"), pytest.raises(OSError, match="edge") as caught:
            await asyncio.start_server(echo, host, port)
        assert caught.value.errno == number

    on_network(main)


def test_what_nobody_is_called_is_not_found() -> None:
    """As getaddrinfo says; and an address that nobody has is unreachable."""

    async def main(_network: Network) -> None:
        with pytest.raises(socket.gaierror, match="nowhere"):
            await asyncio.open_connection("nowhere", 80)
        with pytest.raises(OSError, match=r"10\.9\.9\.9") as caught:
            await asyncio.open_connection("10.9.9.9", 80)
        assert caught.value.errno == errno.EHOSTUNREACH

    on_network(main)


@pytest.mark.parametrize(
    "open_it",
    [
        lambda: asyncio.open_connection("edge", 443, ssl=True),
        lambda: asyncio.start_server(echo, "edge", 443, ssl=ssl.create_default_context()),
    ],
)
def test_there_is_no_tls(open_it: Callable[[], Any]) -> None:
    """It is not simulated, and says so."""

    async def main(_network: Network) -> None:
        with pytest.raises(Escape, match=r"TLS, which is not simulated, .*test_network_faults"):
            await open_it()

    on_network(main)


def test_real_sockets_are_not_taken() -> None:
    """A socket of the kernel's has no place here."""

    async def main(_network: Network) -> None:
        with socket.socket() as real:
            for attempt in (
                lambda: asyncio.get_running_loop().sock_connect(real, ("10.0.0.1", 80)),
                lambda: asyncio.open_connection(sock=real),
                lambda: asyncio.start_server(echo, sock=real),
            ):
                with pytest.raises(Escape, match="a real socket"):
                    await attempt()

    on_network(main)


def test_equal_seeds_give_equal_times(seed: int) -> None:
    """Latency and cuts come from the seed; one connection more does not change the others'."""

    def times(*, more: bool, seed: int) -> list[float]:
        async def main(network: Network) -> list[float]:
            await listening(network)
            if more:
                for _ in range(3):
                    await ask(await connected("other"), bytes(3_000))
            streams = await connected()
            begun = now()
            found = []
            for _ in range(20):
                await ask(streams, bytes(3_000))
                found.append(round(now() - begun, 9))
            return found

        found: list[float] = on_network(main, seed=seed)
        return found

    alone = times(more=False, seed=seed)
    assert alone == times(more=False, seed=seed)
    assert alone == times(more=True, seed=seed)
    assert alone != times(more=False, seed=seed + 1)


def test_ends_of_one_turn_come_in_order() -> None:
    """Whatever order a program closes in: a set's is that of addresses in memory."""

    def run(order: int) -> list[int]:
        seen: list[int] = []

        def rule(arrival: ConnectAttempt | Chunk) -> None:
            if isinstance(arrival, Chunk) and arrival.kind == "eof":
                seen.append(arrival.connection)

        async def main(network: Network) -> None:
            await listening(network)
            streams = [await connected() for _ in range(10)]
            network.install(rule)
            for _, writer in streams[::order]:
                writer.close()
            await asyncio.sleep(1)

        on_network(main, link=STEADY)
        return seen

    assert run(1) == run(-1)


def test_a_delayed_attempt_is_late_and_a_reset_one_refused() -> None:
    """Rules judge attempts as they judge chunks."""

    async def main(network: Network) -> None:
        await listening(network)
        remove = network.install(_late)
        await connected()
        assert now() == pytest.approx(4.020)
        remove()
        network.install(lambda _: Reset())
        with pytest.raises(ConnectionRefusedError):
            await connected()

    on_network(main, link=STEADY)


def _late(arrival: ConnectAttempt | Chunk) -> Delay | None:
    return Delay(seconds=4) if isinstance(arrival, ConnectAttempt) and not arrival.answer else None


def test_wait_closed_waits_for_connections() -> None:
    """A server is closed when its last connection is over."""

    async def main(network: Network) -> None:
        server = await listening(network)
        _, writer = await connected()
        await asyncio.sleep(1)
        server.close()
        waiting = asyncio.create_task(server.wait_closed())
        await asyncio.sleep(10)
        assert not waiting.done()
        writer.close()
        await waiting

    on_network(main)
