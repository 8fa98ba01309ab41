"""The same two, by somebody who did not think of what is on its way."""

from __future__ import annotations

import msgspec

from actors.kernel.messages import Command, Event
from actors.service.service import Service, command, on
from actors.store.transaction import Transaction
from tests.service.desks import Desk, note
from tests.service.versions.first import do


class Paint(Command):
    label: str
    shade: int


class Told(Event):
    text: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    number: str


class Pay(Command):
    amount: int


class Till(Service):
    """Gives receipts of another kind."""

    schema = Desk.schema

    @command
    def pay(self, tx: Transaction, cmd: Pay) -> Receipt:
        note(tx, f"paid {cmd.amount}")
        return Receipt(number=str(cmd.amount))


class Late(Desk):
    """Subscribes to what is kept, and takes it for something else."""

    @on(Told, start="beginning")
    def told(self, tx: Transaction, event: Told) -> None:
        note(tx, event.text)


class Front(Desk):
    """Sends."""

    def __init__(self) -> None:
        super().__init__(do)


class Back(Desk):
    """Knows a Paint of another kind, and nothing of the rest."""

    def __init__(self) -> None:
        super().__init__(do)

    @command
    def paint(self, tx: Transaction, cmd: Paint) -> None:
        note(tx, f"paint {cmd.label} {cmd.shade}")


SERVICES = {"front": Front, "back": Back}
