"""A service that answers nothing: who asks it is told so at once; nobody else hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.errors import (
    ActorCrashed,
    ActorStopped,
    DeadLettered,
    DeadlineExceeded,
    DressRehearsalError,
    MailboxFull,
    MessageExpired,
    NotAnswering,
    ServiceUnavailable,
    Starting,
    StoreRefused,
)
from actors.kernel.clock import ManualClock
from actors.kernel.messages import Accepted, Refusal
from actors.systems.hotel.messages import ChangeRoom, GetRoom, ListRooms
from http_edge.ask_breakers import AskBreakers
from tests.http_edge.fake_system import FakeSystem
from tests.http_edge.serving import is_problem, serving

if TYPE_CHECKING:
    from tests.http_edge.fake_system import Seen

CONFIG = load_config().edge
PATIENCE_S = CONFIG.breaker.patience_s
ROOM = "/api/v1/rooms/r1"


class Answering(FakeSystem):
    """Every ask of the service `room` ends in `answer`: an exception is raised."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()  # type: ignore[assignment]
        self.answer: Any = None
        self.on_ask = self._end

    def _end(self, seen: Seen) -> Any:
        if seen.service == "room" and isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if seen.service == "room" else None


async def ask(breakers: AskBreakers, message: Any, *, timeout_s: float = PATIENCE_S) -> str:
    """Return how it ends."""
    try:
        await breakers.of("room", type(message)).ask(message, timeout_s=timeout_s)
    except (DressRehearsalError, RuntimeError) as error:
        return type(error).__name__
    return "answered"


@pytest.mark.parametrize(
    ("answer", "opens"),
    [
        (DeadlineExceeded("late"), True),
        (MessageExpired("late", place="command"), True),
        (ActorCrashed("over this"), True),
        # That message is to blame: the next proceeds.
        (DeadLettered("three times"), False),
        # An answer.
        (Refusal.not_found("no such room"), False),
        (Accepted(value=None), False),
        # These say at once what is.
        (MailboxFull("full", retry_after_s=1.0), False),
        (Starting("not yet", retry_after_s=1.0), False),
        (ServiceUnavailable("parked", retry_after_s=1.0), False),
        (ActorStopped("gone"), False),
        (StoreRefused("disk full"), False),
        (RuntimeError("a bug"), False),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_who_answers_nothing_is_left_alone_and_tried_with_care(
    answer: Any, opens: bool
) -> None:
    """From calls_min on, with nothing else in between; until one of probes_max has an answer."""
    system = Answering()
    breakers = AskBreakers(system, CONFIG)
    system.answer = answer
    message = GetRoom(room_id="r1")
    usual = type(answer).__name__ if isinstance(answer, Exception) else "answered"
    ended = [await ask(breakers, message) for _ in range(CONFIG.breaker.calls_min)]
    assert set(ended) == {usual}
    asked = len(system.seen)
    assert await ask(breakers, message) == ("NotAnswering" if opens else usual)
    assert len(system.seen) == asked + (not opens)
    if opens:
        with pytest.raises(NotAnswering, match="room") as told:
            await breakers.of("room", GetRoom).ask(message, timeout_s=5.0)
        assert told.value.retry_after_s == CONFIG.breaker.open_s
        system.clock.advance(CONFIG.breaker.open_s)  # type: ignore[attr-defined]
        system.answer = Refusal.not_found("no such room")
        assert await ask(breakers, message) == "answered"
        assert await ask(breakers, message) == "answered"


async def test_commands_and_queries_are_each_other_s_neighbours_alone() -> None:
    """A writer that hangs costs nobody who reads; what another service is asked, neither."""
    system = Answering()
    breakers = AskBreakers(system, CONFIG)
    system.answer = DeadlineExceeded("late")
    room = ChangeRoom(room_id="r1")
    for _ in range(CONFIG.breaker.calls_min):
        await ask(breakers, room)
    assert await ask(breakers, room) == "NotAnswering"
    system.answer = Refusal.not_found("none")
    assert await ask(breakers, ListRooms(limit=1)) == "answered"
    assert breakers.of("room", GetRoom) is breakers.of("room", ListRooms)
    assert breakers.of("customer", GetRoom) is not breakers.of("room", GetRoom)


async def test_who_has_no_patience_says_nothing_of_a_service() -> None:
    """However many there are; those that have count by themselves."""
    system = Answering()
    breakers = AskBreakers(system, CONFIG)
    system.answer = DeadlineExceeded("late")
    message = GetRoom(room_id="r1")
    for _ in range(10 * CONFIG.breaker.calls_min):
        assert await ask(breakers, message, timeout_s=PATIENCE_S / 2) == "DeadlineExceeded"
    assert await ask(breakers, message) == "DeadlineExceeded"


async def test_a_client_is_told_at_once_and_when_to_come_again() -> None:
    """503 with Retry-After; health, the operator and other services answer, and it is counted."""
    system = Answering()
    async with serving(system) as served:
        system.answer = DeadlineExceeded("late")
        for _ in range(CONFIG.breaker.calls_min):
            is_problem(await served.send("GET", ROOM), 504)
        asked = len(system.seen)
        reply = await served.send("GET", ROOM)
        is_problem(reply, 503)
        assert reply.json["type"] == "/problems/not-answering"
        assert reply.headers["Retry-After"] == "1"
        assert len(system.seen) == asked
        for path in ("/healthz", "/api/v1/customers/c1", "/api/v1/tweets"):
            assert (await served.send("GET", path)).status != 503, path
        metrics = (await served.admin("GET", "/metrics")).body.decode()
        labels = 'service="room",dependency="queries"'
        reverse = 'dependency="queries",service="room"'
        lines = [line for line in metrics.splitlines() if labels in line or reverse in line]
        states = [line for line in lines if 'state="open"' in line]
        assert [line.split()[-1] for line in states] == ["1.0"]
        listed = (await served.admin("GET", "/admin/breakers")).json["items"]
        assert "room.commands" in {each["name"] for each in listed}
        path = "/admin/breakers/room.queries"
        assert (await served.admin("GET", path)).json["state"] == "open"
        # An operator knows better.
        system.answer = None
        forced = await served.admin("POST", path, json={"state": "closed"})
        assert forced.json["forced"] == "closed"
        assert (await served.send("GET", ROOM)).status == 404


async def test_a_shard_that_answers_nothing_is_left_alone_and_no_other() -> None:
    """Each has a breaker of its own, and what is asked of all of them another."""
    system = Answering()
    system.places = {"room": ["room-1", "room-2"]}
    system.place = lambda message: getattr(message, "room_id", None)
    breakers = AskBreakers(system, CONFIG)
    system.answer = DeadlineExceeded("late")
    for _ in range(CONFIG.breaker.calls_min):
        assert await ask(breakers, GetRoom(room_id="room-1")) == "DeadlineExceeded"
    assert await ask(breakers, GetRoom(room_id="room-1")) == "NotAnswering"
    system.answer = None
    assert await ask(breakers, GetRoom(room_id="room-2")) == "answered"
    assert await ask(breakers, ListRooms(limit=1)) == "answered"
    assert {each.breaker.name for each in breakers} == {
        "room.queries", "room-1.queries", "room-2.queries"
    }  # fmt: skip
