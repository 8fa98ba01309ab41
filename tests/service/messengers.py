"""Services that send each other messages, each noting what it gets in the order it gets it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from actors.kernel.messages import Command, Event, Refusal, Refused
from actors.service.service import Service, command, on
from actors.store.transaction import Transaction
from tests.service.books import TIMEOUT_S, Shelf, configured, started
from tests.store.ledger import ADD, query_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from actors.service.channel import Channel

    Take = Callable[[Transaction, str], Any]


Services = dict[str, "Callable[[], Service]"]

SCHEMA = Path(__file__).parent / "schema"


class Parcel(Command):
    label: str


class Post(Command):
    """Send a parcel for each label."""

    to: str
    labels: tuple[str, ...]


class News(Event):
    label: str


class Gossip(Event):
    label: str


class Publish(Command):
    """Publish news for each label."""

    labels: tuple[str, ...]


class Spread(Command):
    """Publish gossip for each label."""

    labels: tuple[str, ...]


class Sender(Service):
    """Sends and publishes, and does not hear of refusals."""

    schema: ClassVar[Path] = SCHEMA

    @command
    def post(self, tx: Transaction, cmd: Post) -> None:
        for label in cmd.labels:
            tx.send(cmd.to, Parcel(label=label))

    @command
    def publish(self, tx: Transaction, cmd: Publish) -> None:
        for label in cmd.labels:
            tx.publish(News(label=label))

    @command
    def spread(self, tx: Transaction, cmd: Spread) -> None:
        for label in cmd.labels:
            tx.publish(Gossip(label=label))


class Listener(Sender):
    """Notes which of its parcels were refused."""

    @on(Refused[Parcel])
    def refused(self, tx: Transaction, event: Refused[Parcel]) -> None:
        tx.execute(ADD, f"{event.command.label}: {event.refusal.detail}")


def keep(tx: Transaction, label: str) -> None:
    """Note the parcel."""
    tx.execute(ADD, label)


class Receiver(Service):
    """Takes parcels as the test wants."""

    schema: ClassVar[Path] = SCHEMA

    def __init__(self, take: Take = keep) -> None:
        self._take = take

    @command
    def parcel(self, tx: Transaction, cmd: Parcel) -> Refusal | None:
        refusal: Refusal | None = self._take(tx, cmd.label)
        return refusal


class Subscriber(Receiver):
    """Hears the news from when it was first here."""

    @on(News)
    def news(self, tx: Transaction, event: News) -> None:
        self._take(tx, event.label)


class Historian(Receiver):
    """Hears all the news that is kept, and all gossip."""

    @on(News, start="beginning")
    def news(self, tx: Transaction, event: News) -> None:
        self._take(tx, event.label)

    @on(Gossip, start="beginning")
    def gossip(self, tx: Transaction, event: Gossip) -> None:
        self._take(tx, event.label)


class Town(Shelf):
    """The services at work."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stores = {name: each.make_store for name, each in self.hosted.items()}

    async def post(self, labels: Iterable[str], *, to: str = "b") -> None:
        """Have `a` send parcels; returns once they are committed."""
        assert await self.ask("a", Post(to=to, labels=tuple(labels))) is None

    async def until_true(self, condition: Callable[[], bool]) -> None:
        """Wait until a look from outside says so."""
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():  # noqa: ASYNC110 - as an operator would look
                await asyncio.sleep(0.002)

    async def until_restarted(self, name: str, restarts: int) -> None:
        """Wait until the service has been restarted more often than that."""
        await self.until_true(lambda: self.stats(name).restarts > restarts)

    async def until_noted(self, name: str, how_many: int) -> list[str]:
        """Wait until the service has noted that many; return them."""
        await self.until_true(lambda: self._count(name) >= how_many)
        return self.labels(name)

    async def until_delivered(self) -> None:
        """Wait until every service is up and nothing is on its way between them."""
        await asyncio.sleep(0.01)  # for a kill to be heard: a signal needs a turn of the loop
        await self.until_true(lambda: None not in [each.current for each in self.hosted.values()])
        async with asyncio.timeout(TIMEOUT_S):
            while await self._on_the_way():  # noqa: ASYNC110 - as an operator would look
                await asyncio.sleep(0.002)

    def channel(self, sender: str, receiver: str) -> Channel:
        running = self.hosted[sender].current
        assert running is not None
        return running.dispatcher.channels[receiver]

    def in_memory(self, sender: str, receiver: str) -> int:
        """How many messages the channel's own end holds, those with the receiver not counted."""
        return len(self.channel(sender, receiver)._memory)

    def depth(self, name: str) -> int:
        """How many messages are in the service's mailbox or in hand."""
        return self.system.registry.actor(name).actor_inbox.depth

    def outbox(self, name: str) -> int:
        rows: int = query_file(self.file(name), "SELECT count(*) FROM outbox")[0][0]
        return rows

    async def break_down(self, name: str) -> None:
        """Let no incarnation start any more; returns when the service is parked."""

        def broken() -> Any:
            raise OSError("broken down")

        self.hosted[name].make_store = broken
        self.system.kill(name)
        await self.until(name, "parked")

    async def repair(self, name: str) -> None:
        """Let it start again."""
        self.hosted[name].make_store = self._stores[name]
        self.system.restart(name)
        await self.until(name, "running")

    async def _on_the_way(self) -> int:
        return sum([each.depth for each in await self.system.channels()])

    def _count(self, name: str) -> int:
        rows: int = query_file(self.file(name), "SELECT count(*) FROM entry")[0][0]
        return rows


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    services: Services,
    *,
    settings: Sequence[str] = (),
    seed: int = 1,
) -> AsyncIterator[Town]:
    """Run the services on the files in the folder, as one run of the program; leave no thread.

    No restart is allowed, so that `break_down` parks at once; a kill costs none.
    """
    quick = ["supervisor.intensity=0", "channel.retry_s=0.02", *settings]
    town = Town(folder, services, configured(quick), seed=seed)
    async with started(town):
        yield town
