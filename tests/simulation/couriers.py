"""A system whose work is of use for a time: what is too late is not done, and somebody knows.

A booking sends the van, sets a reminder and pages a courier, all until a time of its own or until
its client waits no longer. Each of the three is done, or said not to be; never both, nor neither.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors import (
    Address,
    Command,
    Dependency,
    Expired,
    GaveUp,
    Scenario,
    Service,
    System,
    Transaction,
    Wiring,
    command,
    effect,
    on,
    outcome,
    service,
)
from actors.kernel.messages import type_name, type_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client

# For how long a booking is of use, in milliseconds; 0: for as long as its client waits.
TIMES_MS: Final = (0, 1, 60, 400, 1_500, 4_000)
# How often a page fails before somebody hears it.
FAILS: Final = (0, 0, 1, 3, 9)
# What never answers.
SILENT: Final = 9
PAGE_S_MAX: Final = 0.4
REMIND_S: Final = 0.2


class BookCourier(Command):
    label: str
    for_ms: int
    fails: int


class Deliver(Command):
    label: str


class SignFor(Command):
    label: str


class RemindCourier(Command):
    label: str


class PageCourier(Command):
    label: str
    fails: int


class Pager:
    """Fails `fails` times for each label, and is silent where it is told to be."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    async def page(self, label: str, fails: int) -> int:
        self._asked[label] += 1
        await asyncio.sleep(0.02 if fails < SILENT else PAGE_S_MAX * 5)
        if self._asked[label] <= fails:
            raise ConnectionError(f"nobody hears of {label}")
        return len(label)


class CourierDesk(Service):
    schema = """
        CREATE TABLE booked (label TEXT NOT NULL) STRICT;
        CREATE TABLE said (label TEXT NOT NULL, what TEXT NOT NULL) STRICT;
    """

    def __init__(self, pager: Pager) -> None:
        self._pager = pager

    @command
    def book(self, tx: Transaction, cmd: BookCourier) -> str:
        by_us = tx.now_us + cmd.for_ms * 1_000 if cmd.for_ms else tx.deadline_us
        tx.execute("INSERT INTO booked VALUES (?)", cmd.label)
        tx.send("van", Deliver(label=cmd.label), by_us=by_us)
        tx.after(REMIND_S, RemindCourier(label=cmd.label), by_us=by_us)
        tx.run(PageCourier(label=cmd.label, fails=cmd.fails), by_us=by_us)
        return cmd.label

    @on(Expired[Deliver])
    def not_delivered(self, tx: Transaction, event: Expired[Deliver]) -> None:
        _say(tx, event.command.label, "not delivered")

    @command
    def sign(self, tx: Transaction, cmd: SignFor) -> None:
        _say(tx, cmd.label, "signed")

    @command
    def remind(self, tx: Transaction, cmd: RemindCourier) -> None:
        _say(tx, cmd.label, "reminded")

    @on(Expired[RemindCourier])
    def not_reminded(self, tx: Transaction, event: Expired[RemindCourier]) -> None:
        _say(tx, event.command.label, "not reminded")

    @effect(limit_s=PAGE_S_MAX, attempts_max=2, again_s=0.7)
    async def page(self, cmd: PageCourier) -> int:
        return await self._pager.page(cmd.label, cmd.fails)

    @outcome(page)
    def paged(self, tx: Transaction, cmd: PageCourier, value: int) -> None:
        _say(tx, cmd.label, "paged")

    @on(GaveUp[PageCourier])
    def not_paged(self, tx: Transaction, event: GaveUp[PageCourier]) -> None:
        _say(tx, event.command.label, "not paged")


class CourierVan(Service):
    schema = "CREATE TABLE said (label TEXT NOT NULL, what TEXT NOT NULL) STRICT;"

    @command
    def deliver(self, tx: Transaction, cmd: Deliver) -> None:
        _say(tx, cmd.label, "delivered")
        # Longer than there is: nobody is to sign for what is of no use any more.
        tx.send("desk", SignFor(label=cmd.label), by_us=tx.now_us + 60_000_000)

    @on(Expired[SignFor])
    def not_signed(self, tx: Transaction, event: Expired[SignFor]) -> None:
        _say(tx, event.command.label, "not signed")


def _say(tx: Transaction, label: str, what: str) -> None:
    tx.execute("INSERT INTO said VALUES (?, ?)", label, what)


class CourierCall(msgspec.Struct, frozen=True):
    """A booking of use for a time, whose page fails so often."""

    for_ms: int = 0
    fails: int = 0

    def __str__(self) -> str:
        return f"book for {self.for_ms} ms, a page fails {self.fails} times"


class CourierScenario(Scenario):
    """Clients book; what became of each booking is said once of each of its parts."""

    name = "couriers"
    call_type = CourierCall
    rest_s = 30.0

    async def furnish(self, system: ServiceSystem) -> None:
        pass

    def choose_call(self, choose: Chooser) -> CourierCall:
        return CourierCall(TIMES_MS[choose(len(TIMES_MS))], FAILS[choose(len(FAILS))])

    async def perform(
        self, client: Client, number: int, call: CourierCall, history: History
    ) -> None:
        label = f"b{number}"
        body = {"label": label, "for_ms": call.for_ms, "fails": call.fails}
        with history.invoke(client.name, "book", label) as attempt:
            reply = await client.ask("POST", "/bookings", body, key=label)
            if reply.status == 201:
                attempt.ok()

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        del config, clock
        booked = [label for (label,) in _rows(folder / "desk.db", "SELECT label FROM booked")]
        said = Counter(_rows(folder / "desk.db", "SELECT label, what FROM said"))
        said += Counter(_rows(folder / "van.db", "SELECT label, what FROM said"))
        told = [each.argument for each in history.operations if each.outcome == "ok"]
        gone = Counter(_about(each.message) for each in self.let_go)
        found = [f"{label} was booked, and is not there" for label in {*told} - {*booked}]
        for label in booked:
            parts = {
                "delivered": ("Deliver", "Expired[Deliver]"),
                "reminded": ("RemindCourier", "Expired[RemindCourier]"),
                "paged": ("EffectOutcome[PageCourier]", "GaveUp[PageCourier]"),
                "signed": ("SignFor", "Expired[SignFor]"),
            }
            for what, types in parts.items():
                often = said[label, what] + said[label, f"not {what}"]
                often += sum(gone[label, each] for each in types)
                wanted = said[label, "delivered"] if what == "signed" else 1
                if often != wanted:
                    found.append(f"{label} is {what}, or not, {often} times, and not {wanted}")
        return found


def _about(message: Any) -> tuple[str, str]:
    return getattr(getattr(message, "command", message), "label", ""), type_name(type_of(message))


def _rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def _services(wiring: Wiring) -> Mapping[str, Any]:
    pager = wiring.outside["pager"]
    return {"desk": lambda: CourierDesk(pager), "van": CourierVan}


COURIERS: Final = System(
    name="couriers",
    services=_services,
    addresses=[Address("POST", "/bookings", service("desk", BookCourier, 201))],
    outside={"pager": Dependency(live=lambda _: Pager(), simulated=lambda _: Pager())},
    scenario=lambda: CourierScenario,
)
