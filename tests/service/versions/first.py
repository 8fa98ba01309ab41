"""Two services as they were written first."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.kernel.messages import Command, Event, GaveUp, Query, Refusal, Refused
from actors.service.service import Service, StatelessService, command, effect, on, query
from actors.store.transaction import Transaction
from tests.service.desks import Desk, Do, note


class Put(Command):
    label: str


class Paint(Command):
    label: str
    shade: str


class Ring(Command):
    label: str


class Call(Command):
    label: str


class Called(Command):
    label: str


class Told(Event):
    label: str


def do(tx: Transaction, cmd: Do) -> Any:
    """Do what the test wants."""
    return cmd.what(tx)


class Front(Desk):
    """Sends, and hears of what is refused."""

    def __init__(self) -> None:
        super().__init__(do)

    @on(Refused[Put])
    def refused(self, tx: Transaction, event: Refused[Put]) -> None:
        note(tx, f"refused {event.command.label}")


class Back(Desk):
    """Gets, and notes what it got."""

    def __init__(self) -> None:
        super().__init__(do)

    @command
    def put(self, tx: Transaction, cmd: Put) -> Refusal | None:
        if cmd.label.startswith("not"):
            return Refusal.conflict(cmd.label)
        note(tx, f"put {cmd.label}")
        return None

    @command
    def paint(self, tx: Transaction, cmd: Paint) -> None:
        note(tx, f"paint {cmd.label} {cmd.shade}")

    @on(Told)
    def told(self, tx: Transaction, event: Told) -> None:
        note(tx, f"told {event.label}")

    @command
    def ring(self, tx: Transaction, cmd: Ring) -> None:
        note(tx, f"ring {cmd.label}")

    @effect
    async def call(self, cmd: Call) -> Called:
        return Called(label=cmd.label)

    @command
    def called(self, tx: Transaction, cmd: Called) -> None:
        note(tx, f"called {cmd.label}")

    @on(GaveUp[Call])
    def gave_up(self, tx: Transaction, event: GaveUp[Call]) -> None:
        note(tx, f"gave up {event.command.label}")


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    number: int


class Pay(Command):
    amount: int


class Till(Service):
    """Gives receipts."""

    schema = Desk.schema

    @command
    def pay(self, tx: Transaction, cmd: Pay) -> Receipt | Refusal:
        note(tx, f"paid {cmd.amount}")
        if cmd.amount < 1:
            return Refusal.conflict("too little")
        return Receipt(number=cmd.amount)


class Ask(Query):
    pass


class Taster(StatelessService):
    """Keeps nothing."""

    @query
    def ask(self, question: Ask) -> int:
        return 1


SERVICES = {"front": Front, "back": Back}
