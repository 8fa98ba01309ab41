"""Listening, readiness, and the drain."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from actors.errors import ConfigError
from http_edge.edge import Edge
from http_edge.listener import Listener, bind
from tests.http_edge.fake_system import FakeSystem
from tests.http_edge.serving import hang_up, is_problem, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.http_edge.fake_system import Seen

GET = b"GET /api/v1/customers/c1 HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_each_listener_says_where_it_really_is() -> None:
    """Port 0 becomes a port, and each listener has its own addresses."""
    async with serving() as served:
        assert list(served.addresses) == ["gateway", "hotel", "tweets"]
        for url in served.addresses.values():
            assert re.fullmatch(r"http://127\.0\.0\.1:[1-9][0-9]*", url)
        is_problem(await served.send("GET", "/healthz", "tweets"), 404)


@pytest.mark.parametrize("listener", ["gateway", "hotel", "tweets"])
async def test_each_listener_answers_options_for_all_of_it(listener: str) -> None:
    """Asked of the server, not of an address (RFC 9110 section 9.3.7); nothing is done for it."""
    async with serving() as served:
        asked = b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        head = (await served.raw(asked, listener)).decode()
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert {"GET", "HEAD", "OPTIONS"} <= set(re.findall(r"[A-Z]+", head.split("Allow: ")[1]))
        assert served.system.seen == []


async def test_a_port_that_is_taken_is_named_and_nothing_stays_open(tmp_path: Path) -> None:
    """All listeners or none; the error says which one and what to change."""
    async with serving() as served:
        taken = int(served.addresses["tweets"].rpartition(":")[2])
        there = [Listener("gateway", "127.0.0.1", 0), Listener("tweets", "127.0.0.1", taken)]
        edge = Edge(FakeSystem(), served.config, there, data_dir=tmp_path)
        with pytest.raises(ConfigError, match=rf"{taken}.*edge\.tweets\.port"):
            await edge.start()
        assert edge.addresses == {}


@pytest.mark.parametrize("hosts", [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])  # noqa: S104
def test_two_listeners_do_not_share_a_port(hosts: tuple[str, str]) -> None:
    """Both could be bound, but only one could listen: the later one is named, and the other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    there = [Listener(f"l{number}", host, port) for number, host in enumerate(hosts)]
    said = rf"{hosts[1]}:{port}: edge\.l0 has it already; choose another edge\.l1\.port"
    with pytest.raises(ConfigError, match=said):
        bind(there)


async def test_ready_means_every_service_is_up() -> None:
    """/readyz names those that are not; /healthz does not mind."""
    async with serving() as served:
        assert (await served.send("GET", "/readyz")).status == 200
        served.system.down = ["room", "tweets"]
        with structlog.testing.capture_logs() as logs:
            reply = await served.send("GET", "/readyz")
        assert [line["log_level"] for line in logs] == ["debug"], "a probe is no failed request"
        is_problem(reply, 503)
        assert reply.json["services"] == ["room", "tweets"]
        assert "room (parked), tweets (parked)" in reply.json["detail"]
        assert (await served.send("GET", "/healthz")).status == 200


class Gate:
    """Holds every ask until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    def __call__(self, seen: Seen) -> Any:
        del seen
        return self._wait()

    async def _wait(self) -> None:
        self.reached.set()
        await self.open.wait()


async def test_a_drain_ends_what_is_in_flight_and_accepts_nothing_more() -> None:
    """The request under way gets its answer, marked as the connection's last."""
    async with serving() as served:
        served.system.on_ask = gate = Gate()
        reader, writer = await served.connect()
        idle_reader, idle_writer = await served.connect()
        writer.write(GET)
        await gate.reached.wait()
        addresses = served.addresses
        draining = asyncio.create_task(served.edge.drain(5))
        assert await idle_reader.read() == b""
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", int(addresses["hotel"].rpartition(":")[2]))
        assert not draining.done()
        gate.open.set()
        reply = await reader.read()
        assert reply.startswith(b"HTTP/1.1 404 ")
        assert b"Connection: close" in reply
        await draining
        await hang_up(writer)
        await hang_up(idle_writer)


async def test_a_draining_edge_is_not_ready() -> None:
    """A request that still gets in, behind another on its connection, hears it."""
    async with serving() as served:
        # What a load balancer asks on a connection that it opened before.
        served.edge._context.draining = True
        is_problem(await served.send("GET", "/readyz"), 503)
        assert (await served.send("GET", "/healthz")).headers["Connection"] == "close"


@pytest.mark.real_time
async def test_a_drain_ends_at_its_limit() -> None:
    """What does not end is cut, and the cut is logged."""
    async with serving() as served:
        served.system.on_ask = gate = Gate()
        reader, writer = await served.connect()
        writer.write(GET)
        await gate.reached.wait()
        with structlog.testing.capture_logs() as logs:
            await served.edge.drain(0.05)
        assert [line["connections_cut"] for line in logs] == [1]
        assert await reader.read() == b""
        await hang_up(writer)


async def test_a_request_that_arrives_with_the_drain_is_answered_or_refused_cleanly() -> None:
    """A whole answer, or none at all: never half of one."""
    async with serving() as served:
        for turns in range(6):
            async with serving(served.system) as again:
                reader, writer = await again.connect()
                writer.write(GET)
                for _ in range(turns):
                    await asyncio.sleep(0)
                await again.edge.drain(1)
                try:
                    reply = await reader.read()
                except ConnectionError:
                    reply = b""
                if reply:
                    assert json.loads(reply.partition(b"\r\n\r\n")[2])["status"] == 404
                await hang_up(writer)
