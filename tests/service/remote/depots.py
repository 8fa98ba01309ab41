"""A shop whose stock is kept by a process of somebody's own; here it answers as the test wants."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

from actors.kernel.messages import Command, Expired, Query, Refused
from actors.service.remote.remote import Remote
from actors.service.remote.transport import RemoteAnswer, RemoteRequest
from actors.service.service import on
from actors.store.transaction import Transaction
from tests.service.desks import Desk, Do, SteppingClock, note, office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.service.desks import Office

    Answers = Callable[[RemoteRequest], Awaitable[RemoteAnswer]]

URL = "http://127.0.0.1:8080/v1"


class FindStock(Query):
    sku: str
    at_most: int | None = None


class Reserve(Command):
    sku: str
    count: int = 1


class Stock(msgspec.Struct, frozen=True):
    sku: str
    count: int


DEPOT = Remote(
    URL, {FindStock: ("GET /stock/{sku}", Stock), Reserve: ("POST /stock/{sku}/reserved", Stock)}
)


class Shop(Desk):
    """Notes what of its own was refused, and what was too late."""

    @on(Refused[Reserve])
    def refused(self, tx: Transaction, event: Refused[Reserve]) -> None:
        note(tx, f"refused {event.command.sku}: {event.refusal.detail}")

    @on(Expired[Reserve])
    def late(self, tx: Transaction, event: Expired[Reserve]) -> None:
        note(tx, f"late {event.command.sku}")


def reserve(*skus: str, in_us: int | None = None) -> Do:
    """Have the shop send a command for each."""

    def do(tx: Transaction, _cmd: Do) -> None:
        for sku in skus:
            tx.send("depot", Reserve(sku=sku), by_us=None if in_us is None else tx.now_us + in_us)

    return Do(what=do)


def answer(status: int, body: Any = None, *, retry_after: str | None = None) -> RemoteAnswer:
    """Return an answer whose body is JSON, unless it is bytes."""
    blob = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return RemoteAnswer(status=status, retry_after=retry_after, body=blob)


class Outside:
    """The transport of every incarnation, and what it was asked."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.requests: list[RemoteRequest] = []
        self.open = 0

    def __call__(self, *, connections_max: int, body_bytes_max: int) -> Outside:
        assert connections_max > 0 < body_bytes_max
        self.open += 1
        return self

    async def send(self, request: RemoteRequest) -> RemoteAnswer:
        self.requests.append(request)
        return await self.answers(request)

    async def close(self) -> None:
        self.open -= 1

    @property
    def paths(self) -> list[str]:
        return [each.url.removeprefix(URL) for each in self.requests]

    @property
    def keys(self) -> list[str | None]:
        return [each.headers.get("Idempotency-Key") for each in self.requests]


@contextlib.asynccontextmanager
async def shop(
    folder: Path, outside: Outside, *settings: str, seed: int = 1, **options: Any
) -> AsyncIterator[Office]:
    """Run a shop, another one that has nothing to do with the depot, and the depot."""

    def obey(tx: Transaction, cmd: Do) -> Any:
        return cmd.what(tx, cmd)

    services: dict[str, Any] = {
        "shop": lambda: Shop(obey),
        "kiosk": lambda: Desk(obey),
        "depot": DEPOT,
    }
    async with office(
        folder,
        services,
        clock=SteppingClock(),
        settings=settings,
        seed=seed,
        transport=outside,
        **options,
    ) as run:
        yield run
    assert outside.open == 0
