"""An operator's two: a dead letter is run again, or forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from actors.kernel.messages import Command, Refusal
from actors.store.messaging.dead_letter_table import FORGET

if TYPE_CHECKING:
    from actors.store.transaction import Transaction


class DiscardLetter(Command, frozen=True, kw_only=True):
    """Forget the dead letter; every service handles it."""

    letter_id: str


def discard_letter(tx: Transaction, cmd: DiscardLetter) -> Refusal | None:
    """Forget it, or say that it is not there."""
    if tx.execute(FORGET, cmd.letter_id) == 0:
        return Refusal.not_found(f"there is no dead letter {cmd.letter_id}")
    return None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter that was run again and is none any more; `detail` says why it was refused."""

    letter_id: str
    actor: str
    outcome: Literal["handled", "refused"]
    detail: str | None = None
