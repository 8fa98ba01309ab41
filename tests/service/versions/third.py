"""The same two: renamed, and with a field more, by somebody who did think of it."""

from __future__ import annotations

from actors.errors import DressRehearsalError
from actors.kernel.messages import Command, Event, GaveUp, Refusal, Refused
from actors.service.service import command, effect, on
from actors.store.transaction import Transaction
from tests.service.desks import Desk, note
from tests.service.versions.first import do


class Place(Command):
    formerly = ("Put",)
    label: str


class Paint(Command):
    label: str
    shade: str
    coats: int = 1


class Chime(Command):
    formerly = ("Bell", "Ring")
    label: str


class Phone(Command):
    formerly = ("Call",)
    label: str


class Phoned(Command):
    label: str


class Heard(Event):
    formerly = ("Told",)
    label: str


class Front(Desk):
    """Sends, and hears of what is refused."""

    def __init__(self) -> None:
        super().__init__(do)

    @on(Refused[Place])
    def refused(self, tx: Transaction, event: Refused[Place]) -> None:
        note(tx, f"refused {event.command.label}")


class Back(Desk):
    """Gets, and notes what it got."""

    def __init__(self) -> None:
        super().__init__(do)

    @command
    def place(self, tx: Transaction, cmd: Place) -> Refusal | None:
        if cmd.label.startswith("not"):
            return Refusal.conflict(cmd.label)
        note(tx, f"put {cmd.label}")
        return None

    @command
    def paint(self, tx: Transaction, cmd: Paint) -> None:
        note(tx, f"paint {cmd.label} {cmd.shade} {cmd.coats}")

    @on(Heard, start="beginning")
    def heard(self, tx: Transaction, event: Heard) -> None:
        note(tx, f"told {event.label}")

    @command
    def chime(self, tx: Transaction, cmd: Chime) -> None:
        note(tx, f"ring {cmd.label}")

    @effect
    async def phone(self, cmd: Phone) -> Phoned:
        if cmd.label.startswith("not"):
            raise DressRehearsalError(cmd.label)
        return Phoned(label=cmd.label)

    @command
    def phoned(self, tx: Transaction, cmd: Phoned) -> None:
        note(tx, f"called {cmd.label}")

    @on(GaveUp[Phone])
    def gave_up(self, tx: Transaction, event: GaveUp[Phone]) -> None:
        note(tx, f"gave up {event.command.label}")


SERVICES = {"front": Front, "back": Back}
