"""Any number of requests may wait for what becomes of one booking, each under a name of its own.

The one that began it is not among them: its name is the booking's id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.kernel.messages import Later

if TYPE_CHECKING:
    from actors.kernel.messages import Refusal
    from actors.store.transaction import Transaction
    from actors.systems.hotel.messages import Booking

WAIT = "INSERT INTO waiting (booking_id, request) VALUES (?, ?)"
ANSWERED = "DELETE FROM waiting WHERE booking_id = ? RETURNING request"


def wait(tx: Transaction, booking: Booking) -> Later:
    """Let one more request wait."""
    request = tx.new_id()
    tx.execute(WAIT, booking.id, request)
    return Later(request=request, so_far=booking)


def answer(tx: Transaction, booking_id: str, value: Booking | Refusal) -> None:
    """Answer all that wait."""
    for row in tx.all(ANSWERED, booking_id):
        tx.reply(row["request"], value)


def end_waiting(tx: Transaction, booking_id: str, value: Booking | Refusal) -> None:
    """Answer the request that began the booking, and all that have waited since."""
    tx.reply(booking_id, value)
    answer(tx, booking_id, value)
