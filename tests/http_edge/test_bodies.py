"""Bodies that come slowly, in pieces, too large, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from actors.systems.tweets.messages import ListTweets, StoreTweet
from http_edge.endpoints.admin_endpoint import GuardedEndpoint
from http_edge.endpoints.service_endpoint import ServiceEndpoint
from tests.http_edge.bad_input import valid_path
from tests.http_edge.rows import rows
from tests.http_edge.serving import READ_S_MAX, hang_up, is_problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Addresses of these kinds may have a use for a body.
READERS = (ServiceEndpoint, GuardedEndpoint)
BODY = b'{"name":"Ada","email":"a@b"}'
HEAD = b"POST /api/v1/customers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
LENGTH = HEAD + b"Content-Length: %d\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def problem_of(reply: bytes) -> tuple[int, str]:
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in head, reply
    assert b"Connection: close" in head
    problem = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % problem["status"])
    return problem["status"], problem["type"]


async def test_a_body_in_pieces_is_one_body() -> None:
    """Chunks, and writes that split anywhere, make no difference."""
    async with serving() as served:
        reader, writer = await served.connect()
        whole = CHUNKED + b"".join(chunk(BODY[at : at + 1]) for at in range(len(BODY)))
        for at in range(0, len(whole), 7):
            writer.write(whole[at : at + 7])
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        assert b" 201 Created" in await reader.read()
        await hang_up(writer)
        timeout_s = served.system.seen[0].timeout_s
        assert 0 < timeout_s < served.config.deadline_s


async def test_the_largest_body_is_read_and_one_byte_more_is_not() -> None:
    """413 exactly above body_bytes_max, with and without Content-Length."""
    async with serving(body_bytes_max=1000) as served:
        for size, status in [(1000, 201), (1001, 413)]:
            body = BODY.ljust(size)
            reply = await served.send("POST", "/api/v1/customers", data=body)
            assert reply.status == status
            raw = await served.raw(CHUNKED + chunk(body) + b"0\r\n\r\n")
            assert raw.startswith(b"HTTP/1.1 %d " % status)


async def test_a_body_that_says_it_is_too_large_is_not_awaited() -> None:
    """The Content-Length alone decides; none of the body has to be sent."""
    async with serving() as served:
        reply = await served.raw(LENGTH % 10**12 + b"\r\n")
        assert problem_of(reply) == (413, "/problems/body-too-large")


async def test_an_endless_body_is_cut_off() -> None:
    """A client that never stops sending gets a 413, and then the connection ends."""
    async with serving() as served:
        reader, writer = await served.connect()
        writer.write(CHUNKED)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof() and sent < 100_000_000:
                writer.write(chunk(b" " * 50_000))
                sent += 50_000
                await writer.drain()
                if sent > 200_000:
                    break
        reply = await reader.readuntil(b"\r\n\r\n")
        assert b" 413 " in reply
        await hang_up(writer)
        assert served.system.seen == []


@pytest.mark.real_time
async def test_a_slow_body_is_a_408() -> None:
    """A body that stops, or trickles, ends at body_s_max however often it says something."""
    async with serving(body_s_max=0.05) as served:
        reader, writer = await served.connect()
        writer.write(LENGTH % 100 + b"\r\n{")
        assert problem_of(await reader.read()) == (408, "/problems/body-too-slow")
        await hang_up(writer)
        reader, writer = await served.connect()
        writer.write(CHUNKED)
        # Who goes on writing is reset after the answer, so the answer is read as it comes.
        answer = asyncio.create_task(reader.readuntil(b"}"))
        while not answer.done():
            writer.write(chunk(b" "))
            await asyncio.sleep(0.01)
        assert problem_of(await answer) == (408, "/problems/body-too-slow")
        await hang_up(writer)


async def test_a_client_that_waits_to_be_asked_is_asked() -> None:
    """Expect: 100-continue gets its 100 before the body, and a refusal instead where one is due."""
    async with serving() as served:
        reader, writer = await served.connect()
        writer.write(LENGTH % len(BODY) + b"Expect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(BODY)
        assert b" 201 Created" in await reader.read()
        await hang_up(writer)
        refused = await served.raw(LENGTH % 10**9 + b"Expect: 100-continue\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 413 ")
        odd = await served.raw(LENGTH % 10 + b"Expect: the-unexpected\r\n\r\n")
        assert problem_of(odd) == (417, "/problems/expectation-failed")


@pytest.mark.parametrize(
    "rest",
    [b"zz\r\n", b"5\r\nabcdefgh\r\n", b"-1\r\n\r\n", b"\r\n", b"fffffffffffffffff\r\n"],
)
async def test_a_wrongly_framed_body_is_a_4xx_or_a_closed_connection(rest: bytes) -> None:
    """Bad chunk sizes and early ends never reach a service, and never crash a handler."""
    async with serving() as served:
        reply = await served.raw(CHUNKED + rest)
        assert reply == b"" or reply.startswith(b"HTTP/1.1 400 ")
        assert served.system.seen == []


async def test_a_client_that_leaves_in_the_middle_is_forgotten() -> None:
    """Nothing is asked, nothing is logged as a bug, and the next client is served."""
    async with serving() as served:
        _, writer = await served.connect()
        writer.write(LENGTH % 100 + b"\r\n{")
        await writer.drain()
        await asyncio.sleep(0)
        writer.transport.abort()
        reply = await served.send("POST", "/api/v1/customers", data=BODY)
        assert reply.status == 201
        assert len(served.system.seen) == 1


async def test_a_body_that_nobody_reads_is_refused_but_where_the_tutorials_are() -> None:
    """Its sender meant something by it: 422 at every address that reads none, and nothing is done.

    Chunked or not; an empty one is none. The tutorials' programs look at no body.
    """
    async with serving() as served:
        token = {"Authorization": f"Bearer {served.token}"}
        for listener in ("gateway", "hotel", "tweets"):
            for row in rows(listener):
                reads = getattr(row.endpoint, "reads_body", isinstance(row.endpoint, READERS))
                if reads and row.method not in {"GET", "DELETE"}:
                    continue
                path = valid_path(row)
                for data in (b"\xff{", b'{"for_s": 5}', chunks(b"{}")):
                    reply = await served.send(row.method, path, listener, data=data, headers=token)
                    if listener == "gateway":
                        is_problem(reply, 422, "body")
                        assert reply.json["type"] == "/problems/unread-body"
                    else:
                        assert reply.status == 200, (row.path, reply.body)
        assert {type(seen.message) for seen in served.system.seen} == {StoreTweet, ListTweets}
        assert served.system.signals == []
        for data in (b"", chunks(b"")):
            assert (await served.send("GET", "/healthz", data=data)).status == 200


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_requests_on_one_connection_are_answered_in_order() -> None:
    """Pipelined or one by one, each gets its own answer."""
    async with serving() as served:
        one = b"GET /api/v1/rooms/%d HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        reply = await served.raw(b"".join(one % number for number in range(20)) + last)
        order = [reply.index(b"the id %d" % number) for number in range(20)]
        assert order == sorted(order)
        assert reply.endswith(b'{"status":"ok"}')


ASKED_MAX = 1_000_000


@pytest.mark.real_time
@pytest.mark.parametrize("text_chars", [100, 10_000])
async def test_a_client_that_reads_nothing_is_not_served_for_ever(text_chars: int) -> None:
    """Its requests wait for it to read, whatever the answers' size; then it is cut off."""
    async with serving(send_s_max=0.05) as served:
        for _ in range(20):
            body = {"author": "a", "text": "x" * text_chars}
            await served.send("POST", "/api/v1/tweets", json=body)
        served.system.seen.clear()
        _, writer = await served.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport can
        asked = 0
        with contextlib.suppress(ConnectionError):
            while asked < ASKED_MAX:
                writer.write(b"GET /api/v1/tweets HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
                asked += 100
                await writer.drain()
                await asyncio.sleep(0)  # the kernel may take megabytes before that lets go
        assert len(served.system.seen) < asked < ASKED_MAX
        await hang_up(writer)


async def test_a_client_that_has_said_all_gets_its_answer() -> None:
    """One that closes its sending side after its request is answered, then the connection ends."""
    async with serving() as served:
        reader, writer = await served.connect()
        body = b'{"author":"a","text":"t"}'
        head = b"POST /api/v1/tweets HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), READ_S_MAX)
        assert answer.startswith(b"HTTP/1.1 201 ")
        await hang_up(writer)


async def test_a_connection_ends_with_an_upgrade_that_is_not_made() -> None:
    """Nobody waits for an answer to what followed it: the connection is closed, and says so."""
    async with serving() as served:
        upgrade = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        answer = await served.raw(upgrade + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"Connection: close" in answer


async def test_http_1_0_is_served() -> None:
    """Closed after the answer unless the client asks to keep it."""
    async with serving() as served:
        reply = await served.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b"Connection: close" in reply
        reader, writer = await served.connect()
        writer.write(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"Connection: keep-alive" in await reader.readuntil(b"\r\n\r\n")
        await hang_up(writer)
