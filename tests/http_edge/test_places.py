"""A listener's places: who waits longest makes room, and who looks after the system gets in."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING

import pytest

from tests.http_edge.answers import read_answer
from tests.http_edge.serving import hang_up, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.http_edge.fake_system import Seen
    from tests.http_edge.serving import Served

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = HEAD + b"Connection: close\r\n\r\n"
ADMIN = (
    b"GET /admin/actors HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    b"Authorization: Bearer %b\r\n\r\n"
)
ROOM = b"GET /api/v1/rooms/r1 HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Client:
    """One connection, that has not been closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def status(self) -> int | None:
        """Return that of the next answer; None where the connection has ended."""
        async with asyncio.timeout(5):
            answer = await read_answer(self._reader)
        return None if answer is None else answer.status

    async def close(self) -> None:
        await hang_up(self._writer)


class Clients:
    """Connections to the gateway, each of which the edge has seen before the next is made."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._made: list[Client] = []

    async def connect(self, data: bytes = b"") -> Client:
        client = Client(*await self._served.connect())
        self._made.append(client)
        client.send(data)
        await turns()
        return client

    async def close(self) -> None:
        for client in self._made:
            await client.close()


async def turns() -> None:
    """Wait until what was sent has been read: loopback takes a turn or two."""
    for _ in range(5):
        await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def clients(served: Served) -> AsyncIterator[Clients]:
    made = Clients(served)
    try:
        yield made
    finally:
        await made.close()


class Gate:
    """Holds every ask until it is opened."""

    def __init__(self) -> None:
        self.waiting = 0
        self.open = asyncio.Event()

    async def _hold(self) -> None:
        self.waiting += 1
        await self.open.wait()

    def __call__(self, seen: Seen) -> object:
        del seen
        return self._hold()


@pytest.mark.real_time
async def test_half_sent_requests_lock_nobody_out() -> None:
    """Twice as many as there are places: health, admin and ordinary requests answer meanwhile."""
    async with (
        serving(connections_max=40, connections_reserved=4) as served,
        clients(served) as made,
    ):
        actors = ADMIN % served.token.encode()
        for number in range(80):
            await made.connect(HEAD)
            if number % 8 == 0:
                asked = [await made.connect(sent) for sent in (CLOSE, actors, ROOM)]
                assert [await client.status() for client in asked] == [200, 200, 404]


@pytest.mark.real_time
async def test_the_slowest_go_first() -> None:
    """Half a head before an idle connection, and of each kind the one that has waited longest."""
    async with serving(connections_max=4) as served, clients(served) as made:
        idle = [await made.connect(HEAD + b"\r\n") for _ in range(2)]
        assert [await client.status() for client in idle] == [200, 200]
        halves = [await made.connect(HEAD) for _ in range(2)]
        # One whose head is whole takes a place each time; it is then idle, and the youngest.
        orders = [*halves, *idle]
        for slowest, status in zip(orders, (503, 503, None, None), strict=True):
            newcomer = await made.connect(HEAD + b"\r\n")
            assert await newcomer.status() == 200
            assert await slowest.status() == status


@pytest.mark.real_time
async def test_a_client_that_holds_back_its_body_makes_room() -> None:
    """It is answered 503; nobody else is."""
    async with serving(connections_max=1) as served, clients(served) as made:
        post = b"POST /api/v1/tweets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n{"
        slow = await made.connect(post)
        assert await (await made.connect(CLOSE)).status() == 200
        assert await slow.status() == 503
        assert served.system.seen == []


@pytest.mark.real_time
async def test_one_more_than_can_be_served_is_told_so() -> None:
    """Where all others are at work it is a 503; they go on, and one that leaves makes room."""
    async with serving(connections_max=2, connections_reserved=2) as served:
        served.system.on_ask = gate = Gate()
        async with clients(served) as made:
            busy = [await made.connect(ROOM) for _ in range(2)]
            assert gate.waiting == 2
            refused = await made.connect(ROOM)
            assert await refused.status() == 503
            assert await refused.status() is None
            gate.open.set()
            assert [await client.status() for client in busy] == [404, 404]
            assert await (await made.connect(ROOM)).status() == 404


@pytest.mark.real_time
async def test_health_and_admin_have_places_of_their_own() -> None:
    """When all places are at work, and slow heads hold the reserved ones as well."""
    async with serving(connections_max=2, connections_reserved=2) as served:
        served.system.on_ask = gate = Gate()
        async with clients(served) as made:
            busy = [await made.connect(ROOM) for _ in range(2)]
            for _ in range(6):
                await made.connect(HEAD)
                assert await (await made.connect(HEAD + b"\r\n")).status() == 200
                assert (await served.admin("GET", "/admin/actors")).status == 200
            gate.open.set()
            assert [await client.status() for client in busy] == [404, 404]


@pytest.mark.real_time
async def test_a_listener_without_health_reserves_nothing() -> None:
    """There, one too many is told so before it has said what it wants."""
    async with serving(connections_max=1) as served:
        served.system.on_ask = gate = Gate()
        _, writer = await served.connect("hotel")
        body = b'{"ID":"c1","Name":"Ada","Email":"ada@example.com"}'
        head = b"POST /customer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await turns()
        assert gate.waiting == 1
        reader, other = await served.connect("hotel")
        answer = await read_answer(reader)
        assert answer is not None
        assert answer.status == 503
        gate.open.set()
        await hang_up(other)
        await hang_up(writer)


@pytest.mark.real_time
async def test_where_descriptors_run_out_a_newcomer_is_told_so() -> None:
    """An idle connection makes room; where there is none it is a 503, and not a reset."""
    async with serving() as served, clients(served) as made:
        idle = await made.connect(HEAD + b"\r\n")
        assert await idle.status() == 200
        # Every descriptor is now one of those that are kept.
        served.edge._factories["gateway"]._descriptors_max = 0
        served.system.on_ask = gate = Gate()
        newcomer = await made.connect(ROOM)
        assert await idle.status() is None
        assert gate.waiting == 1
        assert await (await made.connect(ROOM)).status() == 503
        gate.open.set()
        assert await newcomer.status() == 404


@pytest.mark.real_time
async def test_a_slow_head_ends_at_its_time() -> None:
    """However it drips: a 408 after head_s_max; one that is idle has keepalive_s all the same."""
    async with serving(head_s_max=0.2) as served, clients(served) as made:
        idle = await made.connect(HEAD + b"\r\n")
        assert await idle.status() == 200
        silent = await made.connect()
        drips = await made.connect(HEAD + b"A: ")
        used = await made.connect(HEAD + b"\r\n")
        assert await used.status() == 200
        used.send(HEAD)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answer = asyncio.ensure_future(drips.status())
        while not answer.done():
            drips.send(b"b")
            await asyncio.sleep(0.02)
        assert await answer == 408
        assert loop.time() - begun < 2
        assert await used.status() == 408
        idle.send(HEAD + b"\r\n")
        silent.send(HEAD + b"\r\n")
        assert [await idle.status(), await silent.status()] == [200, 200]


POST = b"POST /api/v1/tweets HTTP/1.1\r\nHost: localhost\r\n"
BODY = b'{"author":"ada","text":"hi"}'
LENGTH = POST + b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
# What is sent at once; None: once all that was asked has been answered.
BEHIND: dict[str, tuple[bytes | None, ...]] = {
    "an answered body": (LENGTH + BODY, None),
    "an answered body in chunks": (CHUNKED + CHUNKS, None),
    "a body, in its packet": (LENGTH + BODY,),
    "chunks, in their packet": (CHUNKED + CHUNKS,),
    "a body's end, in its packet": (LENGTH + BODY[:5], None, BODY[5:]),
    "the last chunk, in its packet": (CHUNKED + CHUNKS[:9], None, CHUNKS[9:]),
    "a body and a request, in their packet": (LENGTH + BODY[:5], None, BODY[5:] + ROOM),
    "a hundred requests": (ROOM * 100,),
}


async def send_all(client: Client, parts: tuple[bytes | None, ...], last: bytes) -> None:
    """Send `last` with the last part, and read all answers."""
    for part in (*parts[:-1], (parts[-1] or b"") + last):
        if part is None:
            await asyncio.sleep(0.02)
        else:
            client.send(part)
    for _ in range(b"".join(part or b"" for part in parts).count(b" HTTP/1.1\r\n")):
        assert await client.status() in {201, 404}


@pytest.mark.real_time
@pytest.mark.parametrize("behind", BEHIND)
async def test_half_a_head_ends_at_its_time_whatever_it_follows(behind: str) -> None:
    """Whole ones, and blank lines between requests, are no half a head."""
    async with serving(head_s_max=0.2) as served, clients(served) as made:
        idle, blank, half = [await made.connect() for _ in range(3)]
        for client, last in ((idle, b""), (blank, b"\r\n"), (half, HEAD)):
            await send_all(client, BEHIND[behind], last)
        assert await half.status() == 408
        await asyncio.sleep(0.3)
        for client in (idle, blank):
            client.send(ROOM)
            assert await client.status() == 404


@pytest.mark.real_time
async def test_half_a_head_ends_at_its_time_where_a_request_was_worked_on() -> None:
    """The request has its answer first; a blank line is no half a head."""
    async with serving(head_s_max=0.2) as served, clients(served) as made:
        served.system.on_ask = gate = Gate()
        made_so_far = [await made.connect(ROOM) for _ in range(2)]
        while gate.waiting < len(made_so_far):  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.001)
        half, blank = made_so_far
        half.send(HEAD)
        blank.send(b"\r\n")
        await asyncio.sleep(0.3)
        gate.open.set()
        assert [await client.status() for client in made_so_far] == [404, 404]
        assert await half.status() == 408
        blank.send(ROOM)
        assert await blank.status() == 404


@pytest.mark.real_time
async def test_places_are_neither_lost_nor_invented(seed: int) -> None:
    """After any mixture of clients, all places can be taken again, and no more than these."""
    rng = random.Random(seed)
    shapes = [b"", HEAD, CLOSE, HEAD + b"\r\n", b"\0\r\n\r\n", b"\r\n" * 50, HEAD + b"\r\n" + HEAD]
    async with serving(connections_max=5, connections_reserved=2) as served:
        async with clients(served) as made:
            for _ in range(60):
                client = await made.connect(rng.choice(shapes))
                if rng.random() < 0.3:
                    await client.close()
        places = served.edge._factories["gateway"]._places
        async with asyncio.timeout(5):
            while len(places):  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.001)
