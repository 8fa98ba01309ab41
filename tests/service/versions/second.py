"""The same two, by somebody who did not think of what is on its way."""

from __future__ import annotations

from actors.kernel.messages import Command
from actors.service.service import command
from actors.store.transaction import Transaction
from tests.service.desks import Desk, note
from tests.service.versions.first import do


class Paint(Command, frozen=True, kw_only=True):
    label: str
    shade: int


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
