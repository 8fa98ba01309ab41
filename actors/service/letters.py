"""A service keeps a dead letter itself; an operator has one run again, or forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from actors.kernel.messages import Command, Refusal, type_name
from actors.store.messaging.dead_letter_table import COUNT, EXISTS, FORGET, REASON_CHARS_MAX
from actors.store.messaging.timers import REMOVE as REMOVE_TIMER

if TYPE_CHECKING:
    from actors.store.transaction import Transaction


KEEP: Final = (
    "INSERT INTO dead_letter (id, message_type, message, attempts, reason, at_us)"
    " VALUES (?, ?, ?, 1, ?, ?)"
)
KEEP_TIMER: Final = (
    "INSERT INTO dead_letter (id, message_type, message, attempts, reason, at_us, trace)"
    " SELECT ?, message_type, message, 0, ?, ?, trace FROM timer WHERE seq = ?"
)
FORGET_OLDEST: Final = (
    "DELETE FROM dead_letter WHERE message_type = ? AND seq <= (SELECT seq FROM dead_letter"
    " WHERE message_type = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)"
)


class DiscardLetter(Command):
    """Forget the dead letter; every service handles it."""

    letter_id: str


def discard_letter(tx: Transaction, cmd: DiscardLetter) -> Refusal | None:
    """Forget it, or say that it is not there."""
    if tx.execute(FORGET, cmd.letter_id) == 0:
        return Refusal.not_found(f"there is no dead letter {cmd.letter_id}")
    return None


class LetTimersGo(Command):
    """Make dead letters of these timers, which the code at hand cannot read; every service does."""

    seqs: tuple[int, ...]
    reason: str


def let_timers_go(tx: Transaction, cmd: LetTimersGo, *, letters_max: int) -> int:
    """Return of how many: no more than there is room for."""
    (letters,) = tx.all(COUNT)[0]
    room = max(0, letters_max - letters)
    gone = 0
    for seq in cmd.seqs[:room]:
        reason = cmd.reason[:REASON_CHARS_MAX]
        gone += tx.execute(KEEP_TIMER, tx.new_id(), reason, tx.now_us, seq)
        tx.execute(REMOVE_TIMER, seq)
    return gone


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter that was run again and is none any more; `detail` says why it was refused."""

    letter_id: str
    actor: str
    outcome: Literal["handled", "refused"]
    detail: str | None = None


def keep_letter(
    tx: Transaction, message: Command, *, letter_id: str, reason: str, kept_max: int
) -> bool:
    """Keep the message as a dead letter; return false where it is one already.

    The oldest of its type beyond `kept_max` go.
    """
    if tx.one(EXISTS, letter_id) is not None:
        return False
    name = type_name(type(message))
    blob = msgspec.json.encode(message)
    tx.execute(KEEP, letter_id, name, blob, reason[:REASON_CHARS_MAX], tx.now_us)
    tx.execute(FORGET_OLDEST, name, name, kept_max)
    return True


def forget_letter(tx: Transaction, letter_id: str) -> None:
    """Forget it, for it has become what it should have been."""
    tx.execute(FORGET, letter_id)
