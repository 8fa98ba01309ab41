"""An in-memory double of the kernel: HTTP needs no actors to be tested."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import ActorError, NoSuchActor
from actors.kernel.clock import SystemClock
from actors.kernel.messages import Command, Refusal
from actors.kernel.rng import Rng
from actors.systems.hotel import messages as hotel
from actors.systems.tweets import messages as tweets

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.messages import Message


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One ask, as it reached the kernel."""

    service: str
    message: Message
    timeout_s: float
    key: str | None


class FakeStats(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: str


class FakeSystem:
    """Stores what it is told. `on_ask` may return something else, raise, or make the ask wait."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.rng = Rng(1)
        self.seen: list[Seen] = []
        self.on_ask: Callable[[Seen], Any] | None = None
        self.down: list[str] = []
        self.signals: list[tuple[str, str]] = []
        self.items: dict[str, list[Any]] = {"customer": [], "room": [], "tweets": []}

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
        limit = getattr(message, "limit", None)
        if limit is None:
            return self._get(message, items)
        return self._page(message, items)

    def _store(self, message: Message, items: list[Any]) -> Any:
        fields = msgspec.structs.asdict(message)
        new_id = fields.pop("id", "") or f"id-{len(items) + 1}"
        if isinstance(message, tweets.StoreTweet):
            for tweet in items:
                if message.external_id and tweet.external_id == message.external_id:
                    return tweets.TweetStored(tweet=tweet, created=False)
            items.append(tweets.Tweet(id=new_id, **fields))
            return tweets.TweetStored(tweet=items[-1], created=True)
        replies: dict[type, Any] = {
            hotel.CreateCustomer: hotel.Customer,
            hotel.RegisterCustomer: hotel.TutorialCustomer,
            hotel.RegisterRoom: hotel.TutorialRoom,
        }
        if isinstance(message, hotel.CreateRoom):
            items.append(hotel.Room(id=new_id, status="available", **fields))
        else:
            items.append(replies[type(message)](id=new_id, **fields))
        return items[-1]

    def _get(self, message: Message, items: list[Any]) -> Any:
        (wanted,) = msgspec.structs.astuple(message)
        found = [item for item in items if item.id == wanted]
        return found[0] if found else Refusal.not_found(f"nothing has the id {wanted}")

    def _page(self, message: Any, items: list[Any]) -> Any:
        pages: dict[type, Any] = {
            hotel.ListCustomers: hotel.CustomerPage,
            hotel.ListRooms: hotel.RoomPage,
            tweets.ListTweets: tweets.TweetPage,
        }
        end = message.after + message.limit
        cursor = str(end) if end < len(items) else None
        return pages[type(message)](items=items[message.after : end], next=cursor)

    def actors(self) -> list[FakeStats]:
        return [FakeStats(name="root", state="running"), FakeStats(name="room", state="running")]

    def registry_snapshot(self) -> list[FakeStats]:
        return [FakeStats(name="room", state="running")]

    async def dead_letters(self, *, limit: int) -> list[FakeStats]:
        return [FakeStats(name=f"letter-{number}", state="dead") for number in range(limit)]

    def unhealthy(self) -> list[str]:
        return self.down

    def kill(self, name: str, /) -> None:
        self._signal("kill", name)

    def restart(self, name: str, /) -> None:
        self._signal("restart", name)

    def suspend(self, name: str, /) -> None:
        if name == "root":
            message = "root is a supervisor; suspended, nobody would restart its children"
            raise ActorError(message)
        self._signal("suspend", name)

    def resume(self, name: str, /) -> None:
        self._signal("resume", name)

    def _signal(self, signal: str, name: str) -> None:
        if name not in {"root", "room"}:
            message = f"no actor is called {name!r}"
            raise NoSuchActor(message)
        self.signals.append((signal, name))
