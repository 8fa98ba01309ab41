from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from actors.simulation.net.current_host import on_host
from actors.simulation.net.fault_rules import Delay, Drop, Reset
from actors.simulation.net.link import Link
from tests.simulation.net.reset_rules import Break
from tests.simulation.simulated import on_network

if TYPE_CHECKING:
    from actors.simulation.net.fault_rules import Chunk, ConnectAttempt, Rule, Verdict
    from actors.simulation.net.network import Network

LINKS = st.builds(
    Link,
    latency_s=st.sampled_from([0.0, 0.001, 0.2]),
    jitter_s=st.sampled_from([0.0, 0.005, 1.0]),
    bandwidth_bytes_s=st.sampled_from([None, 1_000.0, 1e6]),
    chunk_bytes_max=st.sampled_from([1, 7, 1_460, 65_536]),
    cut_chance=st.sampled_from([0.0, 0.1, 1.0]),
    window_bytes=st.sampled_from([1, 100, 65_536]),
)
# Sizes of writes, in one direction.
WRITES = st.lists(st.integers(0, 400), max_size=6)


class Peer(asyncio.Protocol):
    """Keeps what it is told; pauses reading for a while after each of the first arrivals."""

    def __init__(self, pauses_s: list[float], *, half_open: bool) -> None:
        self.received = bytearray()
        self.events: list[str] = []
        self.over = asyncio.get_running_loop().create_future()
        self.error: Exception | None = None
        self.transport: asyncio.Transport
        self.may_write = asyncio.Event()
        self.may_write.set()
        self._pauses_s = list(pauses_s)
        self._half_open = half_open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        # Small enough for small writes to be held up.
        transport.set_write_buffer_limits(high=200)
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        assert data
        assert self.transport.is_reading()
        assert "eof" not in self.events
        self.received += data
        if self._pauses_s:
            self.transport.pause_reading()
            loop = asyncio.get_running_loop()
            loop.call_later(self._pauses_s.pop(0), self.transport.resume_reading)

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def eof_received(self) -> bool:
        self.events.append("eof")
        return self._half_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")
        self.error = exc
        self.may_write.set()
        self.over.set_result(None)

    async def send(self, sizes: list[int], first: int) -> bytes:
        """Write so many bytes at a time, waiting where a writer has to; then half-close."""
        sent = bytearray()
        for size in sizes:
            data = bytes((first + len(sent) + at) % 251 for at in range(size))
            await self.may_write.wait()
            if self.transport.is_closing():
                break
            self.transport.write(data)
            sent += data
        if not self.transport.is_closing():
            self.transport.write_eof()
        return bytes(sent)


async def converse(
    network: Network,
    there: list[int],
    back: list[int],
    pauses_s: tuple[list[float], list[float]],
    rule: Rule | None = None,
) -> tuple[Peer, Peer, bytes, bytes]:
    """Let both sides send, half-close and read to the end; return them and what they sent."""
    accepted: asyncio.Future[Peer] = asyncio.get_running_loop().create_future()

    def accept() -> Peer:
        peer = Peer(pauses_s[1], half_open=True)
        accepted.set_result(peer)
        return peer

    loop = asyncio.get_running_loop()
    network.add_host("edge")
    with on_host("edge"):
        server = await loop.create_server(accept, "edge", 80)
    with on_host("client"):
        _, client = await loop.create_connection(
            lambda: Peer(pauses_s[0], half_open=True), "edge", 80
        )
    if rule is not None:
        network.install(rule)
    sending = asyncio.create_task(client.send(there, 0))
    # If it breaks before it is accepted, the server never hears of it.
    await asyncio.wait([accepted, client.over], return_when=asyncio.FIRST_COMPLETED)
    other = accepted.result() if accepted.done() else Peer([], half_open=True)
    if not accepted.done():
        return client, other, await sending, b""
    sent_back = await other.send(back, 100)
    sent = await sending
    with contextlib.suppress(TimeoutError):
        # Two half-closed sides are nobody's to close but theirs.
        async with asyncio.timeout(3_600_000):
            while not all(  # noqa: ASYNC110 - polling costs no time here
                "eof" in each.events or each.over.done() for each in (client, other)
            ):
                await asyncio.sleep(1)
    for each in (client, other):
        each.transport.close()
    await client.over
    await other.over
    server.close()
    await server.wait_closed()
    return client, other, sent, sent_back


@given(
    link=LINKS,
    there=WRITES,
    back=WRITES,
    pauses=st.tuples(st.lists(st.just(0.5), max_size=3), st.lists(st.just(2.0), max_size=3)),
    seed=st.integers(0, 1_000),
)
@example(link=Link(), there=[300_000] * 3, back=[70_000], pauses=([0.5], [2.0]), seed=0)
def test_bytes_arrive_once_and_in_order(
    link: Link,
    there: list[int],
    back: list[int],
    pauses: tuple[list[float], list[float]],
    seed: int,
) -> None:
    """However they are cut, held up and paused: all that is written is read, both ways."""
    client, other, sent, sent_back = on_network(
        lambda network: converse(network, there, back, pauses), seed=seed, link=link
    )
    assert bytes(other.received) == sent
    assert bytes(client.received) == sent_back
    assert client.events == other.events == ["made", "eof", "lost"]
    assert client.error is other.error is None


@given(
    link=LINKS,
    there=WRITES,
    back=WRITES,
    seed=st.integers(0, 1_000),
    faults=st.lists(st.sampled_from([None, None, Drop(), Delay(seconds=3.0)]), max_size=12),
)
def test_lost_and_late_chunks_change_nothing_but_the_time(
    link: Link, there: list[int], back: list[int], seed: int, faults: list[Verdict]
) -> None:
    """TCP sends again what was dropped: the catalog see the same bytes."""
    verdicts = iter(faults)
    client, other, sent, sent_back = on_network(
        lambda network: converse(network, there, back, ([], []), lambda _: next(verdicts, None)),
        seed=seed,
        link=link,
    )
    assert bytes(other.received) == sent
    assert bytes(client.received) == sent_back
    assert client.error is other.error is None


@given(link=LINKS, there=WRITES, back=WRITES, at=st.integers(0, 2_000), seed=st.integers(0, 1_000))
def test_a_reset_loses_a_suffix_only(
    link: Link, there: list[int], back: list[int], at: int, seed: int
) -> None:
    """Cut at a given byte, each side has read a beginning of what the other wrote."""
    at = min(at, sum(there))
    broken = Break(source="client", target="edge", after_bytes=at)
    client, other, sent, sent_back = on_network(
        lambda network: converse(network, there, back, ([], []), broken), seed=seed, link=link
    )
    assert sent.startswith(bytes(other.received))
    assert sent_back.startswith(bytes(client.received))
    assert len(other.received) <= at
    assert isinstance(client.error, ConnectionResetError)
    if other.events:
        assert len(other.received) == min(at, len(sent))
        assert isinstance(other.error, ConnectionResetError)


@given(link=LINKS, there=WRITES, back=WRITES, nth=st.integers(0, 20), seed=st.integers(0, 1_000))
def test_a_reset_at_any_arrival_loses_a_suffix_only(
    link: Link, there: list[int], back: list[int], nth: int, seed: int
) -> None:
    """Whichever chunk, or sign, of either direction breaks the connection."""
    seen = 0

    def rule(_arrival: ConnectAttempt | Chunk) -> Verdict:
        nonlocal seen
        seen += 1
        return Reset() if seen == nth + 1 else None

    client, other, sent, sent_back = on_network(
        lambda network: converse(network, there, back, ([], []), rule), seed=seed, link=link
    )
    assert sent.startswith(bytes(other.received))
    assert sent_back.startswith(bytes(client.received))
