"""An in-memory double of the kernel: HTTP needs no actors to be tested."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec

from actors.config import load_config
from actors.errors import (
    ActorError,
    BackupRefused,
    DeadLettered,
    LetterNotReplayable,
    LettersFull,
    NoSuchActor,
    NoSuchBreaker,
    NoSuchLetter,
    NothingWaits,
    NotScalable,
)
from actors.faults.lab.fault_lab import FaultLab
from actors.kernel.clock import SystemClock
from actors.kernel.messages import Command, Refusal
from actors.kernel.rng import Rng
from actors.measures.measured import Measured
from actors.resilience.breaker import Breaker
from actors.systems.hotel import messages as hotel
from actors.systems.hotel.system import HOTEL
from actors.systems.tweets import messages as tweets
from actors.systems.tweets.system import TWEETS
from actors.tracing.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from actors.kernel.messages import Message
    from actors.resilience.breaker import BreakerStats, Forced


# What a command makes, and what of it the command does not say.
REPLIES: dict[type, tuple[type, dict[str, Any]]] = {
    hotel.CreateCustomer: (hotel.Customer, {}),
    hotel.RegisterCustomer: (hotel.TutorialCustomer, {}),
    hotel.CreateRoom: (hotel.Room, {"status": "available"}),
    hotel.RegisterRoom: (hotel.TutorialRoom, {}),
    hotel.CreateBooking: (hotel.Booking, {"status": "confirmed"}),
    hotel.RegisterBooking: (hotel.Booking, {"status": "confirmed"}),
}
PAGES: dict[type, Any] = {
    hotel.ListCustomers: hotel.CustomerPage,
    hotel.ListRooms: hotel.RoomPage,
    hotel.ListBookings: hotel.BookingPage,
    hotel.ListMails: hotel.MailPage,
    tweets.ListTweets: tweets.TweetPage,
    tweets.ListFlags: tweets.FlagPage,
    tweets.ListActions: tweets.ActionPage,
}
# The systems whose services it has.
SERVED = (HOTEL, TWEETS)
SERVICES = (
    *("customer", "room", "booking", "notification"),
    *("tweets", "flagger", "favouriter", "responder", "reader"),
)
FLAG = tweets.Flag(
    id="id-1",
    status="open",
    assignee=None,
    note=None,
    tweet_id="t-1",
    author="ada",
    text="awful",
    score=-0.5,
)
READER = tweets.ReaderState(
    status="connected",
    last_tweet_id=None,
    alive_at=None,
    read_to=None,
    tweets=0,
    duplicates=0,
    unreadable=0,
    reconnects=0,
    gaps=0,
    latest_gaps=[],
)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One ask, as it reached the kernel."""

    service: str
    message: Message
    timeout_s: float
    key: str | None


class FakeStats(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    state: str
    last_error: str | None = None


class FakeChannel(msgspec.Struct, frozen=True, kw_only=True):
    sender: str
    receiver: str
    depth: int


class FakeTimers(msgspec.Struct, frozen=True, kw_only=True):
    service: str
    pending: int
    next_due_us: int | None


class FakeBackground(msgspec.Struct, frozen=True, kw_only=True):
    state: str


class FakeReplayed(msgspec.Struct, frozen=True, kw_only=True):
    letter_id: str
    outcome: str


_INBOX = SimpleNamespace(arrivals=None, signal=lambda *_: None)


class FakeRegistry:
    """Every service has one replica, called as it is, that nobody can tell anything."""

    def replicas(self, service: str) -> list[Any]:
        return [SimpleNamespace(name=service, actor_inbox=_INBOX)]

    def actors(self) -> list[Any]:
        return [SimpleNamespace(name="root")]


def fake_lab(clock: Any) -> FaultLab:
    """A lab over services that are not there: what it refuses, it refuses all the same."""
    loop = SimpleNamespace(call_later=lambda *_, **__: SimpleNamespace(cancel=lambda: None))
    context: Any = SimpleNamespace(
        clock=clock,
        rng=Rng(3),
        ambient=None,
        loop=loop,
        lifecycle=SimpleNamespace(subscribe=lambda _: None),
    )
    lab = FaultLab(load_config().faults, context)
    registry: Any = FakeRegistry()
    lab.connect(registry)
    for service in SERVICES:
        lab.seam(service, "handlers", "commits", "effects")
    return lab


class FakeSystem:
    """Stores what it is told. `on_ask` may return something else, raise, or make the ask wait."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.rng = Rng(1)
        self.tracing = Tracing(load_config().trace, clock=self.clock, rng=Rng(2))
        self.faults = fake_lab(self.clock)
        self.seen: list[Seen] = []
        self.on_ask: Callable[[Seen], Any] | None = None
        self.down: list[str] = []
        # Sagas that go on of each service.
        self.sagas: dict[str, int] = {}
        config = load_config().breaker
        self.the_breaker = Breaker("room.CallGuest", config=config, clock=self.clock)
        self.signals: list[tuple[str, str]] = []
        # What replaying each dead letter ends in: an outcome, or an error that keeps it.
        self.letters: dict[str, str | Exception] = {
            "letter-0": "handled",
            "letter-1": DeadLettered("room crashed 3 times", letter_id="letter-1"),
            "memory-1": LetterNotReplayable("memory-1 is kept in memory only, as text"),
            "spaced/é": "refused",
        }
        self.replies: dict[type[Message], Any] = {}
        self.unhandled: set[tuple[str, type[Message]]] = set()
        self.items: dict[str, list[Any]] = {service: [] for service in SERVICES}
        # Of a sharded service: its shards, and which one each message goes to.
        self.places: dict[str, list[str]] = {}
        self.place: Callable[[Message], str | None] = lambda _: None

    def shards(self, service: str, /) -> list[str]:
        return self.places.get(service, [])

    def shard_of(self, _service: str, message: Message, _key: str | None, /) -> str | None:
        return self.place(message)

    def handles(self, service: str, message_type: type[Message], /) -> bool:
        if service not in self.items:
            message = f"no service is called {service!r}"
            raise NoSuchActor(message)
        return (service, message_type) not in self.unhandled

    def reply_type(self, _service: str, message_type: type[Message], /) -> Any:
        return self.replies.get(message_type, Any)

    def left_behind(self, service: str, /) -> int:
        return self.sagas.get(service, 0)

    async def backup(self, target: Path) -> FakeReplayed:
        raise BackupRefused(f"{target} is not empty")

    async def ask(
        self, service: str, message: Message, *, timeout_s: float, key: str | None = None
    ) -> Any:
        seen = Seen(service=service, message=message, timeout_s=timeout_s, key=key)
        self.seen.append(seen)
        if self.on_ask is not None:
            special = self.on_ask(seen)
            if asyncio.iscoroutine(special):
                special = await special
            if special is not None:
                return special
        items = self.items[service]
        if isinstance(message, Command):
            return self._store(message, items)
        if isinstance(message, tweets.GetReader):
            return READER
        limit = getattr(message, "limit", None)
        if limit is None:
            return self._get(message, items)
        return self._page(message, items)

    def _store(self, message: Message, items: list[Any]) -> Any:
        if isinstance(message, tweets.StoreTweet):
            return self._store_tweet(message, items)
        if isinstance(message, (tweets.RequeueAction, hotel.CancelBooking)):
            return self._cancel(message, items)
        if isinstance(message, tweets.ChangeFlag):
            return self._change(message, message.flag_id, items)
        if isinstance(message, hotel.ChangeRoom):
            return self._change(message, message.room_id, items)
        fields = msgspec.structs.asdict(message)
        new_id = fields.pop("id", "") or f"id-{len(items) + 1}"
        fields.pop("card_number", None)
        make, extra = REPLIES[type(message)]
        items.append(make(id=new_id, **extra, **fields))
        return items[-1]

    def _store_tweet(self, message: tweets.StoreTweet, items: list[Any]) -> Any:
        for tweet in items:
            if message.external_id and tweet.external_id == message.external_id:
                return tweets.TweetStored(tweet=tweet, created=False)
        fields = msgspec.structs.asdict(message)
        if message.lang is None:
            del fields["lang"]
        items.append(tweets.Tweet(id=f"id-{len(items) + 1}", **fields))
        return tweets.TweetStored(tweet=items[-1], created=True)

    def _cancel(self, message: Message, items: list[Any]) -> Any:
        found = self._get(message, items)
        if isinstance(found, Refusal):
            return found
        at = items.index(found)
        items[at] = msgspec.structs.replace(found, status="cancelled")
        return items[at]

    def _change(self, message: Message, wanted: str, items: list[Any]) -> Any:
        found = self._get(tweets.GetFlag(flag_id=wanted), items)
        if isinstance(found, Refusal):
            return found
        _, *names = message.__struct_fields__
        given = {name: getattr(message, name) for name in names}
        changes = {name: value for name, value in given.items() if value is not msgspec.UNSET}
        at = items.index(found)
        items[at] = msgspec.structs.replace(found, **changes)
        return items[at]

    def _get(self, message: Message, items: list[Any]) -> Any:
        (wanted,) = msgspec.structs.astuple(message)
        found = [item for item in items if item.id == wanted]
        return found[0] if found else Refusal.not_found(f"nothing has the id {wanted}")

    def _page(self, message: Any, items: list[Any]) -> Any:
        end = message.after + message.limit
        cursor = str(end) if end < len(items) else None
        return PAGES[type(message)](items=items[message.after : end], next=cursor)

    def actors(self) -> list[FakeStats]:
        return [FakeStats(name="root", state="running"), FakeStats(name="room", state="running")]

    def registry_snapshot(self) -> list[FakeStats]:
        return [FakeStats(name="room", state="running")]

    def registry_version(self) -> int:
        return 7

    async def registry_changed(self, after: int, wait_s: float, /) -> int:
        self.signals.append(("changed", f"{after} {wait_s:g}"))
        return 7

    async def scale(self, service: str, replicas: int, /) -> int:
        if replicas > 64:
            message = f"{service} can have from 1 to 64 replicas"
            raise NotScalable(message)
        self._signal(f"scale to {replicas}", service)
        return 2

    async def restart_in_turn(self, service: str | None, /) -> list[str]:
        self._signal("restart in turn", service or "room")
        return [service or "room"]

    async def dead_letters(self, *, limit: int) -> list[FakeStats]:
        return [FakeStats(name=f"letter-{number}", state="dead") for number in range(limit)]

    async def channels(self) -> list[FakeChannel]:
        return [FakeChannel(sender="booking", receiver="room", depth=3)]

    async def timers(self) -> list[FakeTimers]:
        return [FakeTimers(service="room", pending=2, next_due_us=None)]

    async def measured(self, *, look_s_max: float) -> Measured:
        return Measured(actors=[], services=[], asks=0, background_share=1.0)

    async def trace(self, trace_id: str, /, *, spans_max: int) -> FakeStats | None:
        known = spans_max and trace_id == "1" * 32
        return FakeStats(name=trace_id, state="answered") if known else None

    async def slowest_requests(self, limit: int, /) -> list[FakeStats]:
        return [FakeStats(name=f"request-{number}", state="answered") for number in range(limit)]

    def background(self) -> FakeBackground:
        return FakeBackground(state="open")

    def breakers(self) -> list[BreakerStats]:
        return [self.the_breaker.stats()]

    def breaker(self, name: str, /) -> BreakerStats:
        if name != self.the_breaker.name:
            message = f"there is no breaker {name}"
            raise NoSuchBreaker(message)
        return self.the_breaker.stats()

    def force_breaker(self, name: str, forced: Forced | None, /) -> BreakerStats:
        self.breaker(name)
        self.the_breaker.force(forced)
        return self.the_breaker.stats()

    async def let_messages_go(self, sender: str, receiver: str, message_type: str, /) -> None:
        self._let_go(f"let go to {receiver}: {message_type}", sender)

    async def let_timers_go(self, service: str, message_type: str, /) -> int:
        self._let_go(f"let timers go: {message_type}", service)
        return 2

    def _let_go(self, signal: str, service: str) -> None:
        self._signal(signal, service)
        if signal.endswith("Readable"):
            message = "no Readable waits unreadable"
            raise NothingWaits(message)
        if signal.endswith("TooMany"):
            message = "there is no room for more dead letters"
            raise LettersFull(message)

    async def committed(self, service: str, /) -> None:
        self.items[service]

    async def replay(self, letter_id: str, /) -> FakeReplayed:
        outcome = self._letter(letter_id)
        if isinstance(outcome, Exception):
            raise outcome
        del self.letters[letter_id]
        return FakeReplayed(letter_id=letter_id, outcome=outcome)

    async def discard(self, letter_id: str, /) -> None:
        self._letter(letter_id)
        del self.letters[letter_id]

    def _letter(self, letter_id: str) -> str | Exception:
        if letter_id not in self.letters:
            message = f"there is no dead letter {letter_id}"
            raise NoSuchLetter(message)
        return self.letters[letter_id]

    def unhealthy(self) -> list[str]:
        return self.down

    def state_of(self, service: str, /) -> str:
        return "parked" if service in self.down else "running"

    def kill(self, name: str, /) -> None:
        self._signal("kill", name)

    def restart(self, name: str, /) -> None:
        self._signal("restart", name)

    def suspend(self, name: str, for_s: float | None = None, /) -> None:
        if name == "root":
            message = "root is a supervisor; suspended, nobody would restart its children"
            raise ActorError(message)
        self._signal("suspend" if for_s is None else f"suspend for {for_s:g} s", name)

    def resume(self, name: str, /) -> None:
        self._signal("resume", name)

    def _signal(self, signal: str, name: str) -> None:
        if name not in {"root", "room"}:
            message = f"no actor is called {name!r}"
            raise NoSuchActor(message)
        self.signals.append((signal, name))
