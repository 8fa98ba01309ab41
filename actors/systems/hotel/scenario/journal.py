"""Everything that was asked of the hotel and answered, to be judged when all is known."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.simulation.stage.client import ClientReply
from actors.systems.hotel.card_processor.processor_messages import GetLedger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.simulation.stage.client import Client

# Of an answer that never came: it may have taken effect at any time.
NEVER: Final = 1 << 60
# A list that has not ended after so many pages goes round in circles.
PAGES_MAX: Final = 60
# How long a guest asks in vain: twelve times, ten seconds each, and as many pauses.
ASKED_US_MAX: Final = 140_000_000
OK: Final = 200
INVALID: Final = 422


class Exchange(msgspec.Struct, kw_only=True):
    """One request and its answer, which a client may have asked for several times, under one key.

    `begun` and `ended` are places in the order of all that clients did; the times are monotonic,
    in microseconds from the start. Without an answer its end is `NEVER`, and its status 0.
    """

    client: str
    method: str
    path: str
    query: dict[str, Any]
    body: Any
    key: str | None
    # Whether it makes no sense, on purpose: it asks for nothing.
    wrong: bool = False
    # Whether who asked did not wait for the answer.
    left: bool = False
    begun: int
    begun_us: int
    ended: int = NEVER
    ended_us: int = NEVER
    status: int = 0
    reply: Any = None
    # The first that was asked of this service under this key, where that was not free again.
    repeats: Exchange | None = None

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.query.items())
        return f"{self.client}: {self.method} {self.path}{query and f'?{query}'}"

    @property
    def request(self) -> tuple[Any, ...]:
        """What is asked for, whoever asks."""
        return self.method, self.path, self.query, self.body

    @property
    def service(self) -> str:
        """Whom it is for: each service knows keys of its own."""
        return self.path.split("/")[3 if "/v1/" in self.path else 2].removesuffix("s")

    def before(self, other: Exchange) -> bool:
        """Whether it was answered before the other was asked."""
        return self.ended < other.begun


class Walk(msgspec.Struct, kw_only=True):
    """One list read from its beginning on, page by page; `whole` where it came to its end."""

    pages: list[Exchange]
    whole: bool = False


class Stop(msgspec.Struct, kw_only=True):
    """An operator's suspension of a service, in monotonic microseconds."""

    service: str
    begun_us: int
    ended_us: int = NEVER


class Sum(msgspec.Struct, kw_only=True):
    """What the card processor said it had taken and given back, of one charge or of all."""

    key: str | None
    begun: int
    ended: int
    sums: list[tuple[str, int, int]]


class Journal:
    """Asks on behalf of the clients, and writes down what came of it."""

    def __init__(self, nights_max: int) -> None:
        """Nobody has asked for anything; a stay is `nights_max` long at most."""
        self.nights_max = nights_max
        self.sums: list[Sum] = []
        self.exchanges: list[Exchange] = []
        self.walks: list[Walk] = []
        self.stops: list[Stop] = []
        self._events = 0
        self._first: dict[tuple[str, str], Exchange] = {}

    async def ask(
        self,
        client: Client,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        query: dict[str, Any] | None = None,
        wrong: bool = False,
        patience_s: float | None = None,
    ) -> ClientReply:
        """Ask until there is an answer, or patience is at its end, and note both."""
        query = query or {}
        exchange = Exchange(
            client=client.name,
            method=method,
            path=path,
            query=query,
            body=body,
            key=key,
            wrong=wrong,
            begun=self._event(),
            begun_us=now_us(),
        )
        if key is not None:
            exchange.repeats = self._first.get((exchange.service, key))
            if exchange.repeats is None:
                self._first[exchange.service, key] = exchange
        self.exchanges.append(exchange)
        text = "&".join(f"{name}={value}" for name, value in query.items())
        reply = ClientReply(0)
        try:
            async with asyncio.timeout(patience_s):
                reply = await client.ask(method, f"{path}{text and f'?{text}'}", body, key=key)
        except TimeoutError:
            exchange.left = True
        if reply.status:
            exchange.status, exchange.reply = reply.status, reply.body
            exchange.ended, exchange.ended_us = self._event(), now_us()
        if reply.status == INVALID and exchange.repeats is None and key is not None:
            del self._first[exchange.service, key]  # nothing was done: it is free
        return reply

    async def walk(
        self, client: Client, path: str, query: dict[str, Any], *, pause_s: float
    ) -> Walk:
        """Read a list to its end, a page at a time, and wait a while before each but the first."""
        walk = Walk(pages=[])
        self.walks.append(walk)
        after: dict[str, Any] = {}
        while len(walk.pages) < PAGES_MAX:
            if walk.pages:
                await asyncio.sleep(pause_s)
            place = len(self.exchanges)
            reply = await self.ask(client, "GET", path, query={**query, **after})
            if reply.status != OK:
                return walk
            walk.pages.append(self.exchanges[place])
            if reply.body["next"] is None:
                walk.whole = True
                return walk
            after = {"after": reply.body["next"]}
        return walk

    async def sum_up(self, client: Client, key: str | None) -> None:
        """Ask the card processor itself what it has on its books."""
        begun = self._event()
        reply = await client.tell("card_processor", GetLedger(charge_key=key))
        if reply.status == OK:
            sums = [(each.currency, each.taken, each.refunded) for each in reply.body.sums]
            self.sums.append(Sum(key=key, begun=begun, ended=self._event(), sums=sums))

    def asked(self, method: str, *paths: str) -> list[Exchange]:
        """Return what was asked of these addresses, or below those that end with a slash; once."""
        return [
            each
            for each in self.exchanges
            if each.method == method
            and each.repeats is None
            and not each.wrong
            and any(
                each.path.startswith(path) if path.endswith("/") else each.path == path
                for path in paths
            )
        ]

    def _event(self) -> int:
        self._events += 1
        return self._events


def now_us() -> int:
    """Return the monotonic time, in microseconds."""
    return round(asyncio.get_running_loop().time() * 1_000_000)


def possible(values: Iterable[tuple[int, int, Any]], begun: int, ended: int) -> list[Any]:
    """Return what a register may have held at some moment between two.

    `values` are what was written, with begin and end of each writing. A value is gone where another
    was written entirely after it, and before the moments in question.
    """
    written = [each for each in values if each[0] < ended]
    return [
        value
        for first, last, value in written
        if not any(last < other and end < begun for other, end, _ in written)
    ]
