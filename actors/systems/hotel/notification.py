"""The notification service: writes the hotel's mails, for which the API is the mailbox."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from actors.service.service import Service, on, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.hotel.mail_address import fits_a_header
from actors.systems.hotel.messages import ListMails, Mail, MailKind, MailPage
from actors.systems.hotel.saga_messages import BookingCancelled, BookingConfirmed

if TYPE_CHECKING:
    import sqlite3

INSERT = (
    "INSERT INTO mail (id, booking_id, customer_id, recipient, subject, body, kind, created_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (booking_id, kind) DO NOTHING"
)
PAGE = "SELECT * FROM mail WHERE seq > ? ORDER BY seq LIMIT ?"
PAGE_OF_CUSTOMER = "SELECT * FROM mail WHERE customer_id = ? AND seq > ? ORDER BY seq LIMIT ?"


class NotificationService(Service):
    """Tells a guest once of each thing that became of a booking."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "notification"

    @on(BookingConfirmed)
    def confirmed(self, tx: Transaction, event: BookingConfirmed) -> None:
        """Write that the room is theirs."""
        price = event.price
        body = (
            f"Dear {event.customer_name},\n\nroom {event.room_id} is yours from {event.check_in} "
            f"to {event.check_out}. We have charged {_money(price.amount, price.currency)}.\n"
        )
        subject = f"Your booking {event.booking_id} is confirmed"
        _write(tx, event, "booking_confirmed", subject, body)

    @on(BookingCancelled)
    def cancelled(self, tx: Transaction, event: BookingCancelled) -> None:
        """Write that it is not any more, and what goes back."""
        refund = event.refund
        money = "Nothing stays charged"
        if refund is not None:
            money = f"We refund {_money(refund.amount, refund.currency)}"
        body = (
            f"Dear {event.customer_name},\n\nyour stay from {event.check_in} to {event.check_out} "
            f"is cancelled. {money}.\n"
        )
        subject = f"Your booking {event.booking_id} is cancelled"
        _write(tx, event, "booking_cancelled", subject, body)

    @query
    def list(self, tx: ReadTransaction, question: ListMails) -> MailPage:
        """List in order of writing, to one customer if one is given."""
        if question.customer_id is None:
            rows, after = tx.page(PAGE, question.after, limit=question.limit)
        else:
            rows, after = tx.page(
                PAGE_OF_CUSTOMER, question.customer_id, question.after, limit=question.limit
            )
        return MailPage(items=[_mail(row) for row in rows], next=after)


def _write(
    tx: Transaction,
    event: BookingConfirmed | BookingCancelled,
    kind: MailKind,
    subject: str,
    body: str,
) -> None:
    # The tutorial's customers may have no address; a mail to nobody would never arrive. And an old
    # file's may have one that holds a header of its own.
    if event.customer_email and fits_a_header(event.customer_email):
        tx.execute(
            INSERT,
            tx.new_id(),
            event.booking_id,
            event.customer_id,
            event.customer_email,
            subject,
            body,
            kind,
            tx.now_us,
        )


def _money(amount: int, currency: str) -> str:
    # How many decimals a currency has is ISO 4217's to say; minor units are true for all.
    return f"{amount} minor units of {currency}"


def _mail(row: sqlite3.Row) -> Mail:
    return Mail(
        id=row["id"],
        booking_id=row["booking_id"],
        to=row["recipient"],
        subject=row["subject"],
        body=row["body"],
        kind=row["kind"],
        created_at=dt.datetime.fromtimestamp(row["created_us"] / 1_000_000, tz=dt.UTC),
    )
