"""The bakery as it is: bread has a weight, cooling is called rest, and who orders gets a mail."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter as Counts
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from actors import (
    Command,
    Event,
    Service,
    System,
    Transaction,
    command,
    effect,
    on,
    outcome,
)
from actors.simulation.stage.scenario import Scenario
from tests.simulation.bakery.earlier import BEFORE, COOLS_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client

OLD: Final = ("old-0", "old-1")
# To some it is rested when it is cool.
BREAD: Final = "SELECT replace(state, 'rested', 'cool') || ' ' || label FROM bread"


class PlaceOrder(Command):
    label: str


class OrderPlaced(Event):
    label: str


class Bake(Command):
    label: str
    grams: int = 500


class Rest(Command):
    formerly = ("Cool",)
    label: str


class Deliver(Command):
    formerly = ("Bring",)
    label: str


class Counter(Service):
    schema = "CREATE TABLE ordered (label TEXT PRIMARY KEY) STRICT;"

    @command
    def place(self, tx: Transaction, cmd: PlaceOrder) -> None:
        tx.execute("INSERT INTO ordered (label) VALUES (?)", cmd.label)
        tx.publish(OrderPlaced(label=cmd.label))
        tx.send("oven", Bake(label=cmd.label))


class Oven(Service):
    schema = "CREATE TABLE bread (label TEXT NOT NULL, state TEXT NOT NULL) STRICT;"

    @command
    def bake(self, tx: Transaction, cmd: Bake) -> None:
        tx.execute("INSERT INTO bread VALUES (?, 'baked')", cmd.label)
        tx.after(COOLS_S, Rest(label=cmd.label))
        tx.after(COOLS_S, Deliver(label=cmd.label))

    @command
    def rest(self, tx: Transaction, cmd: Rest) -> None:
        tx.execute("INSERT INTO bread VALUES (?, 'cool')", cmd.label)

    @effect
    async def deliver(self, cmd: Deliver) -> str:
        return cmd.label

    @outcome(deliver)
    def delivered(self, tx: Transaction, _cmd: Deliver, label: str) -> None:
        tx.execute("INSERT INTO bread VALUES (?, 'brought')", label)


class Mailer(Service):
    """New: there was nobody who told customers."""

    schema = "CREATE TABLE mail (label TEXT NOT NULL) STRICT;"

    @on(OrderPlaced)
    def placed(self, tx: Transaction, event: OrderPlaced) -> None:
        tx.execute("INSERT INTO mail VALUES (?)", event.label)


SERVICES: Final[Mapping[str, Any]] = {"counter": Counter, "oven": Oven, "mailer": Mailer}


class Customers(Scenario):
    """Whatever version takes an order: its bread is baked and cools once."""

    call_type = int

    def earlier(self, own: System) -> System:
        del own
        return BEFORE

    async def furnish(self, system: ServiceSystem) -> None:
        """The last of them is still to cool when the files are copied."""
        for label in OLD:
            await system.ask("counter", PlaceOrder(label=label), timeout_s=60.0)
        await asyncio.sleep(COOLS_S / 2)

    def choose_call(self, choose: Chooser) -> int:
        return choose(2)

    async def perform(self, client: Client, number: int, call: int, history: History) -> None:
        label = f"order-{number}"
        with history.invoke(client.name, "order", label) as attempt:
            reply = await client.tell("counter", PlaceOrder(label=label), key=label)
            if reply.status == 200:
                attempt.ok()
        if call:
            await client.tell("counter", PlaceOrder(label=label), key=label)

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        del config, clock
        ordered = _rows(folder / "counter.db", "SELECT label FROM ordered")
        bread = Counts(_rows(folder / "oven.db", BREAD))
        mails = Counts(_rows(folder / "mailer.db", "SELECT label FROM mail"))
        wanted = [f"{state} {label}" for state in ("baked", "cool", "brought") for label in ordered]
        found = [f"{each}: {bread[each]} times" for each in wanted if bread[each] != 1]
        found += [
            f"{each.argument} was taken, and is not there"
            for each in history.operations
            if each.outcome == "ok" and each.argument not in ordered
        ]
        found += [f"{label} got {count} mails" for label, count in mails.items() if count > 1]
        return found + [f"{label} got a mail: it is of long ago" for label in OLD if mails[label]]


def _rows(path: Path, sql: str) -> list[str]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute(sql)]


def bakery(scenario: Callable[[], Scenario] = Customers, **services: Any) -> System:
    """Return it with some services replaced, as somebody might have written them."""
    return System(name="bakery", services={**SERVICES, **services}, scenario=lambda: scenario)


BAKERY: Final = bakery()
