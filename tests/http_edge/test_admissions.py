"""More of one kind than can be answered in time is refused at once, and nothing else is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.config import load_config
from actors.errors import DeadlineExceeded
from actors.kernel.clock import ManualClock
from http_edge.http_connection import HttpConnection
from tests.http_edge.answers import read_answer
from tests.http_edge.fake_system import FakeSystem
from tests.http_edge.serving import hang_up, is_problem, serving

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from actors.resilience.admission_control import AdmissionControl
    from tests.http_edge.fake_system import Seen
    from tests.http_edge.serving import Served

ROOM = "/api/v1/rooms/r1"
GET = f"GET {ROOM} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
POST = b"POST /api/v1/tweets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 28\r\n\r\n"
BODY = b'{"author":"ada","text":"hi"}'
SHIPPED = load_config(None, [], ()).edge.admission
FEW = msgspec.structs.replace(SHIPPED, in_progress_min=2, in_progress_begin=3, rest_s=0.05)


def control_of(served: Served, kind: str) -> AdmissionControl:
    (found,) = (each for each in served.edge._context.admissions.controls() if each.name == kind)
    return found


class Holding(FakeSystem):
    """Every ask of these services waits until it is let go."""

    def __init__(self, *services: str) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.on_ask = self._hold
        self._services = services
        self._held = asyncio.Semaphore(0)

    def _hold(self, seen: Seen) -> Coroutine[None, None, bool] | None:
        if seen.service not in self._services:
            return None
        self._held.release()
        return self.go.wait()

    async def holds(self, count: int) -> None:
        """Wait until so many more wait."""
        for _ in range(count):
            await self._held.acquire()


@pytest.mark.parametrize("path", [ROOM, "/api/v1/rooms"])
async def test_one_too_many_of_a_kind_is_refused_and_other_kinds_are_not(path: str) -> None:
    """503 with Retry-After, before anything of it is done; when one has left, the next comes in."""
    system = Holding("room")
    async with serving(system, admission=FEW) as served:
        held = [asyncio.ensure_future(served.send("GET", path)) for _ in range(3)]
        await system.holds(3)
        reply = await served.send("GET", path)
        is_problem(reply, 503)
        assert reply.json["type"] == "/problems/overloaded"
        assert reply.headers["Retry-After"] == "1"
        assert len(system.seen) == 3
        for other in ("/api/v1/customers/c1", "/api/v1/tweets", "/healthz", "/admin/actors"):
            assert (await served.send("GET", other)).status != 503, other
        system.go.set()
        await asyncio.gather(*held)
        assert (await served.send("GET", path)).status == 200


# An address without parameters is refused as soon as it is read, but for what needs a look.
LOOKED_AT = "GET /api/v1/rooms HTTP/1.1\r\nHost: localhost\r\nX-Request-Timeout: 5\r\n"
AT_ONCE = "GET /api/v1/rooms HTTP/1.1\r\nHost: localhost\r\n"


async def test_whoever_is_refused_is_told_the_same_however_soon() -> None:
    """Before a task is begun for him or after; he is counted, and his connection kept or not."""
    system = Holding("room")
    async with serving(system, admission=FEW) as served:
        held = [asyncio.ensure_future(served.send("GET", "/api/v1/rooms")) for _ in range(3)]
        await system.holds(3)
        factory = served.edge._factories["gateway"]
        told: list[object] = []
        tasks: list[int] = []
        for head in (LOOKED_AT, AT_ONCE):
            before = factory.requests_count
            reader, writer = await served.connect()
            for connection in ("", "Connection: close\r\n"):
                writer.write(f"{head}X-Request-ID: mine\r\n{connection}\r\n".encode())
                answer = await read_answer(reader)
                assert answer is not None
                assert answer.headers.pop("date")
                told.append((answer.status, answer.body, answer.headers))
            assert await reader.read() == b""
            await hang_up(writer)
            tasks.append(factory.requests_count - before)
        assert tasks == [2, 0]
        assert told[:2] == told[2:]
        # Who wants to know what became of him is told, of this as well.
        reader, writer = await served.connect()
        writer.write(f"{AT_ONCE}traceparent: 00-{'1' * 32}-{'2' * 16}-01\r\n\r\n".encode())
        answer = await read_answer(reader)
        assert answer is not None
        assert answer.status == 503
        assert "traceresponse" in answer.headers
        await hang_up(writer)
        counts = served.edge._context.counts.listeners["gateway"]
        answered = {
            (path, status): sum(took.counts) for path, _, status, took, _ in counts.requests.items()
        }
        control = control_of(served, "ListRooms of room")
        assert counts.sheds["overloaded"] == control.refusals.count == 5
        assert answered["/api/v1/rooms", "503"] == 5
        assert control.in_progress == 3
        system.go.set()
        assert {reply.status for reply in await asyncio.gather(*held)} == {200}
        assert control.in_progress == 0


WRONG = {
    "GET /api/v1/rooms HTTP/1.1\r\nHost: elsewhere\r\n": 421,
    "GET /api/v1/rooms HTTP/1.1\r\n": 400,
    "PUT /api/v1/rooms HTTP/1.1\r\nHost: localhost\r\n": 405,
    f"{AT_ONCE}X-Request-Timeout: soon\r\n": 422,
    f"{AT_ONCE}Expect: all\r\n": 417,
    f"{AT_ONCE}X: {'x' * 20_000}\r\n": 400,
    "POST /api/v1/rooms HTTP/1.1\r\nHost: localhost\r\nOrigin: http://elsewhere\r\n": 403,
}


async def test_what_is_wrong_is_said_though_there_is_no_room() -> None:
    """Refused as one too many he would come again, in vain."""
    system = Holding("room")
    async with serving(system, admission=FEW) as served:
        room = {"type": "suite", "rate": {"amount": 1, "currency": "EUR"}}
        held = [asyncio.ensure_future(served.send("GET", "/api/v1/rooms")) for _ in range(3)]
        held += [
            asyncio.ensure_future(served.send("POST", "/api/v1/rooms", json=room)) for _ in range(3)
        ]
        await system.holds(6)
        found: dict[str, int] = {}
        for head in WRONG:
            reader, writer = await served.connect()
            writer.write(f"{head}\r\n".encode())
            answer = await read_answer(reader)
            found[head] = 0 if answer is None else answer.status
            await hang_up(writer)
        assert found == WRONG
        system.go.set()
        await asyncio.gather(*held)


async def test_one_too_many_of_a_service_is_refused_whatever_its_kind() -> None:
    """503 of its own name; another service's are let in, and when one has left, so is the next."""
    system = Holding("room")
    few = msgspec.structs.replace(FEW, service_max=4)
    async with serving(system, admission=few) as served:
        kinds = (ROOM, "/api/v1/rooms", ROOM, "/api/v1/rooms?limit=1")
        held = [asyncio.ensure_future(served.send("GET", kind)) for kind in kinds]
        await system.holds(4)
        reply = await served.send("GET", "/api/v1/rooms?limit=2")
        is_problem(reply, 503)
        assert reply.json["type"] == "/problems/service-overloaded"
        assert reply.headers["Retry-After"] == "1"
        assert served.edge._context.counts.listeners["gateway"].sheds["service_overloaded"] == 1
        assert (await served.send("GET", "/api/v1/tweets")).status == 200
        system.go.set()
        await asyncio.gather(*held)
        assert (await served.send("GET", ROOM)).status == 200
        assert all(not each.in_progress for each in served.edge._context.admissions.bulkheads())


async def test_sagas_whose_clients_were_told_to_look_later_count_as_well() -> None:
    """What would begin another is refused; whoever looks how one has ended is not, nor an admin."""
    system = FakeSystem()
    few = msgspec.structs.replace(FEW, service_max=3)
    room = {"type": "suite", "rate": {"amount": 1, "currency": "EUR"}}
    async with serving(system, admission=few) as served:
        for sagas, status in ((2, 201), (3, 503), (2, 201)):
            system.sagas["room"] = sagas
            assert (await served.send("POST", "/api/v1/rooms", json=room)).status == status
            assert (await served.send("GET", "/api/v1/rooms")).status == 200
        system.sagas["favouriter"] = 3
        system.on_ask = lambda seen: True if seen.service == "favouriter" else None
        assert (await served.admin("POST", "/admin/likes/requeue")).status == 200


async def test_a_kind_is_counted_at_all_its_addresses_and_whoever_leaves() -> None:
    """A client that hangs up gives its place back once its request has ended."""
    system = Holding("room")
    async with serving(system, admission=FEW, deadline_s=0.3) as served:
        for _ in range(3):
            _, writer = await served.connect()
            writer.write(GET)
            await writer.drain()
            await hang_up(writer)
        await system.holds(3)
        system.go.set()
        assert (await served.send("GET", ROOM)).status == 200


@pytest.mark.parametrize("path", [ROOM, "/api/v1/rooms"])
async def test_a_connection_that_was_refused_is_not_read_until_it_may_come_again(path: str) -> None:
    """Its next request waits outside, and is answered then; nobody else's waits."""
    system = Holding("room")
    rest = msgspec.structs.replace(FEW, rest_s=0.3)
    async with serving(system, admission=rest) as served:
        loop = asyncio.get_running_loop()
        held = [asyncio.ensure_future(served.send("GET", path)) for _ in range(3)]
        await system.holds(3)
        reader, writer = await served.connect()
        writer.write(GET.replace(ROOM.encode(), path.encode()))
        answer = await read_answer(reader)
        assert answer is not None
        assert answer.status == 503
        began_s = loop.time()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await served.send("GET", "/healthz")).status == 200
        assert loop.time() - began_s < 0.3
        answer = await read_answer(reader)
        assert answer is not None
        assert answer.status == 200
        assert loop.time() - began_s > 0.25
        await hang_up(writer)
        system.go.set()
        await asyncio.gather(*held)


async def test_whoever_is_refused_is_told_how_long_his_connection_rests() -> None:
    """And not what the shortest rest is: before that time nothing that he sends is read."""
    system = Holding("room")
    rest = msgspec.structs.replace(FEW, rest_s=8.0, returns_per_s=1.0)
    async with serving(system, admission=rest) as served:
        loop = asyncio.get_running_loop()
        held = [asyncio.ensure_future(served.send("GET", ROOM)) for _ in range(3)]
        await system.holds(3)
        told: list[int] = []
        rests: list[float] = []
        for _ in range(8):
            before = set(served.edge._factories["gateway"].connections)
            reader, writer = await served.connect()
            writer.write(GET)
            answer = await read_answer(reader)
            assert answer is not None
            told.append(int(answer.headers["retry-after"]))
            (connection,) = set(served.edge._factories["gateway"].connections) - before
            assert isinstance(connection, HttpConnection)
            assert connection._rests is not None
            rests.append(connection._rests.when() - loop.time())
            await hang_up(writer)
        assert [0 <= said - rest_s < 2 for said, rest_s in zip(told, rests, strict=True)] == (
            [True] * 8
        )
        assert len(set(told)) > 1
        system.go.set()
        await asyncio.gather(*held)


async def test_what_is_parked_is_asked_within_its_bound() -> None:
    """An address that says of a service that it is parked is bounded as any other."""
    system = Holding("reader")
    async with serving(system, admission=FEW) as served:
        path = "/api/v1/reader"
        held = [asyncio.ensure_future(served.send("GET", path)) for _ in range(3)]
        await system.holds(3)
        is_problem(await served.send("GET", path), 503)
        system.go.set()
        await asyncio.gather(*held)


async def test_nobody_rests_who_has_gone() -> None:
    """A client may hang up before its refusal: then a timer would outlive the edge."""
    async with serving() as served:
        reader, writer = await served.connect()
        writer.write(GET)
        assert await read_answer(reader) is not None
        (connection,) = served.edge._factories["gateway"].connections
        await hang_up(writer)
        for _ in range(10_000):
            if connection.transport is None:
                break
            await asyncio.sleep(0.001)
        assert isinstance(connection, HttpConnection)
        connection.rest(60.0)
        assert connection._rests is None


async def test_a_refused_body_that_is_on_its_way_is_read() -> None:
    """A client that sends all of it first reads its 503 then."""
    system = Holding("tweets")
    async with serving(system, admission=FEW) as served:
        body = {"author": "ada", "text": "hi"}
        held = [
            asyncio.ensure_future(served.send("POST", "/api/v1/tweets", json=body))
            for _ in range(3)
        ]
        await system.holds(3)
        reader, writer = await served.connect()
        writer.write(POST)
        answer = await read_answer(reader)
        assert answer is not None
        assert answer.status == 503
        writer.write(BODY)
        await hang_up(writer)
        system.go.set()
        await asyncio.gather(*held)


async def test_whoever_holds_his_body_back_has_no_place_before_it_is_there() -> None:
    """He keeps out nobody, and is let in, or refused, when it has come."""
    system = Holding("tweets")
    async with serving(system, admission=FEW) as served:
        clients = [await served.connect() for _ in range(4)]
        for _, writer in clients:
            writer.write(POST)
        factory = served.edge._factories["gateway"]
        for _ in range(10_000):
            if factory.in_progress() == 4:
                break
            await asyncio.sleep(0.001)
        control = control_of(served, "StoreTweet of tweets")
        (bulkhead,) = (
            each for each in served.edge._context.admissions.bulkheads() if each.name == "tweets"
        )
        assert (control.in_progress, bulkhead.in_progress) == (0, 0)
        for _, writer in clients[:3]:
            writer.write(BODY)
        await system.holds(3)
        assert (control.in_progress, bulkhead.in_progress) == (3, 3)
        clients[3][1].write(BODY)
        answer = await read_answer(clients[3][0])
        assert answer is not None
        assert answer.status == 503
        system.go.set()
        for reader, _ in clients[:3]:
            answer = await read_answer(reader)
            assert answer is not None
            assert answer.status != 503
        assert (control.in_progress, bulkhead.in_progress) == (0, 0)
        for _, writer in clients:
            await hang_up(writer)


class Ticking(ManualClock):
    """Each look at it takes a hundredth of a second: what comes later is later."""

    def monotonic(self) -> float:
        self.advance(0.01)
        return super().monotonic()


@pytest.mark.parametrize(("found", "status"), [(True, 200), (False, 404)])
async def test_one_request_at_a_time_is_never_late(found: bool, status: int) -> None:
    """It begins its own sample, a moment after it arrived: its answer counts in that."""
    system = Holding(*(["room"] if found else []))
    system.go.set()
    clock = system.clock = Ticking()  # type: ignore[assignment]  # FakeSystem's is real
    async with serving(system) as served:
        for _ in range(20):
            assert (await served.send("GET", ROOM)).status == status
            clock.advance(1.0)
        control = control_of(served, "GetRoom of room")
        assert control.late_s == SHIPPED.target_s


async def test_answers_that_come_late_lower_the_bound() -> None:
    """What the edge tells of each answer: when it was let in, and whether it was in time."""
    system = Holding("room")
    clock = system.clock = ManualClock()  # type: ignore[assignment]  # FakeSystem's is real
    changed = msgspec.structs.replace(FEW, in_progress_begin=8)
    async with serving(system, admission=changed) as served:
        held = [asyncio.ensure_future(served.send("GET", ROOM)) for _ in range(8)]
        await system.holds(8)
        clock.advance(3.0)
        system.go.set()
        await asyncio.gather(*held)
        control = control_of(served, "GetRoom of room")
        assert control.in_progress == 0
        assert control.in_progress_max == 4


@pytest.mark.parametrize(
    ("headers", "rounds", "bound"),
    [({"X-Request-Timeout": "0.25"}, 4, 8), ({"X-Request-Timeout": "60"}, 1, 4), ({}, 1, 4)],
)
async def test_who_waits_for_less_than_others_lowers_no_bound(
    headers: dict[str, str], rounds: int, bound: int
) -> None:
    """That it came too late for him says nothing of what it is for others, unless it is late."""
    system = Holding("room")
    clock = system.clock = ManualClock()  # type: ignore[assignment]  # FakeSystem's is real
    hold = system._hold

    async def come_too_late(seen: Seen) -> None:
        held = hold(seen)
        assert held is not None
        await held
        raise DeadlineExceeded(seen.service)

    system.on_ask = come_too_late
    changed = msgspec.structs.replace(FEW, in_progress_begin=8)
    async with serving(system, admission=changed) as served:
        for _ in range(rounds):
            replies = asyncio.gather(*(served.send("GET", ROOM, headers=headers) for _ in range(8)))
            await system.holds(8)
            clock.advance(2.0 / rounds)
            system.go.set()
            assert [reply.status for reply in await replies] == [504] * 8
            system.go.clear()
        control = control_of(served, "GetRoom of room")
        assert control.in_progress_max == bound
