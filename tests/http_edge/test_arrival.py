"""A request has its time from its arrival on, whatever it waits for; a client may shorten it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import structlog

from actors.kernel.clock import ManualClock
from tests.http_edge.answers import read_answer
from tests.http_edge.fake_system import FakeSystem
from tests.http_edge.serving import hang_up, is_problem, serving

if TYPE_CHECKING:
    from tests.http_edge.fake_system import Seen

DEADLINE_S = 5.0
BODY = b'{"author":"ada","text":"hi"}'
HEAD = b"POST /api/v1/tweets HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(BODY)
KINDS = [
    b"GET /api/v1/rooms/r1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    HEAD + BODY,
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


class Blocked(FakeSystem):
    """Its first ask keeps the loop busy for `blocked_s`: nothing else runs meanwhile."""

    def __init__(self, blocked_s: float) -> None:
        super().__init__()
        self.clock = self.hands = ManualClock()  # type: ignore[assignment]  # FakeSystem's is real
        self.on_ask = self._block
        self._blocked_s = blocked_s

    def _block(self, seen: Seen) -> None:
        del seen
        self.on_ask = None
        self.hands.advance(self._blocked_s)


@pytest.mark.parametrize("together", [True, False], ids=["one connection", "many"])
async def test_a_request_whose_time_is_up_is_never_run(together: bool) -> None:
    """What had arrived when a handler took longer than the deadline is a 504 as its turn comes."""
    system = Blocked(DEADLINE_S + 0.5)
    async with serving(system, deadline_s=DEADLINE_S) as served:
        sent = [KINDS[0], *KINDS]
        if together:
            connections = [await served.connect()]
            connections[0][1].write(b"".join(sent))
            readers = [connections[0][0]] * len(sent)
        else:
            connections = [await served.connect() for _ in sent]
            await asyncio.sleep(0.01)  # until all are accepted: then they are read together
            for (_, writer), request in zip(connections, sent, strict=True):
                writer.write(request)
            readers = [reader for reader, _ in connections]
        answers = [await read_answer(reader) for reader in readers]
        assert [answer and answer.status for answer in answers] == [404, 504, 504, 504]
        assert len(system.seen) == 1
        # Nobody is refused for what others waited.
        assert (await served.send("GET", "/api/v1/rooms/r1")).status == 404
        for _, writer in connections:
            await hang_up(writer)


async def test_what_a_request_has_waited_is_not_given_to_its_service() -> None:
    """Its service has what is left of its time, and a body that comes late no more than that."""
    system = Blocked(2.0)
    async with serving(system, deadline_s=DEADLINE_S) as served:
        reader, writer = await served.connect()
        writer.write(KINDS[0] + KINDS[0] + HEAD)
        for _ in range(2):
            assert await read_answer(reader) is not None
        system.hands.advance(1.5)
        writer.write(BODY)
        answer = await read_answer(reader)
        assert answer is not None
        assert answer.status == 201
        assert [seen.timeout_s for seen in system.seen] == [5.0, 3.0, 1.5]
        await hang_up(writer)


async def test_a_flood_of_late_requests_is_no_flood_of_lines() -> None:
    """Each is told; the log is not."""
    system = Blocked(DEADLINE_S + 0.5)
    async with serving(system, deadline_s=DEADLINE_S) as served:
        reader, writer = await served.connect()
        with structlog.testing.capture_logs() as logs:
            writer.write(KINDS[0] * 20)
            answers = [await read_answer(reader) for _ in range(20)]
        assert [answer and answer.status for answer in answers] == [404, *[504] * 19]
        assert logs == []
        await hang_up(writer)


@pytest.mark.parametrize(
    ("wished", "left_s"),
    [
        ("0.25", 0.25),
        ("3", 3.0),
        ("5.000", 5.0),
        ("60", DEADLINE_S),
        ("0.30000000000000004", 0.3),
        ("9" * 400, DEADLINE_S),
    ],
)
async def test_a_client_that_waits_for_less_says_so(wished: str, left_s: float) -> None:
    """X-Request-Timeout is the time of its request; nobody gets more than edge.deadline_s."""
    system = FakeSystem()
    system.clock = ManualClock()  # type: ignore[assignment]  # FakeSystem's is real
    async with serving(system, deadline_s=DEADLINE_S) as served:
        headers = {"X-Request-Timeout": wished}
        reply = await served.send("GET", "/api/v1/rooms/r1", headers=headers)
        assert reply.status == 404
        assert [seen.timeout_s for seen in system.seen] == [pytest.approx(left_s)]


async def test_a_shortened_time_begins_at_arrival_as_well() -> None:
    """What others held the loop for is taken off it, and what is left of a body's time, too."""
    system = Blocked(2.0)
    async with serving(system, deadline_s=DEADLINE_S) as served:
        reader, writer = await served.connect()
        mine = KINDS[0].replace(b"\r\n\r\n", b"\r\nX-Request-Timeout: %s\r\n\r\n")
        late = HEAD.replace(b"\r\n\r\n", b"\r\nX-Request-Timeout: 3\r\n\r\n")
        writer.write(KINDS[0] + mine % b"2.5" + mine % b"1.5" + late)
        answers = [await read_answer(reader) for _ in range(3)]
        assert [answer and answer.status for answer in answers] == [404, 404, 504]
        system.hands.advance(0.75)
        writer.write(BODY)
        answer = await read_answer(reader)
        assert answer is not None
        assert answer.status == 201
        assert [seen.timeout_s for seen in system.seen] == [5.0, 0.5, 0.25]
        await hang_up(writer)


@pytest.mark.parametrize("wished", ["", "0", "0.0", "-1", "1e3", "nan", "inf", "1_0", "1s", "1, 2"])
async def test_a_timeout_that_is_none_is_refused(wished: str) -> None:
    """It is named, and nothing is run: a client that meant something must not wait for five."""
    system = FakeSystem()
    async with serving(system) as served:
        headers = {"X-Request-Timeout": wished}
        reply = await served.send("GET", "/api/v1/rooms/r1", headers=headers)
        is_problem(reply, 422, "X-Request-Timeout")
        twice = b"X-Request-Timeout: 1\r\n" * 2
        said = KINDS[0].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n" + twice + b"\r\n")
        assert b" 422 " in await served.raw(said)
        assert system.seen == []
