"""Mails: one for each thing that became of a booking, and none twice."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.systems.hotel.messages import ListMails, Mail, Money
from actors.systems.hotel.notification import NotificationService
from actors.systems.hotel.saga_messages import BookingCancelled, BookingConfirmed
from tests.systems.stage import Stage, stage

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

CONFIRMED = BookingConfirmed(
    booking_id="b",
    customer_id="ada",
    customer_name="Ada",
    customer_email="ada@example.org",
    room_id="r",
    check_in=dt.date(2030, 3, 1),
    check_out=dt.date(2030, 3, 3),
    price=Money(amount=20_001, currency="EUR"),
)
CANCELLED = BookingCancelled(
    booking_id="b",
    customer_id="ada",
    customer_name="Ada",
    customer_email="ada@example.org",
    room_id="r",
    check_in=dt.date(2030, 3, 1),
    check_out=dt.date(2030, 3, 3),
    price=Money(amount=20_001, currency="EUR"),
    refund=Money(amount=10_001, currency="EUR"),
)


def mailing(folder: Path) -> AbstractAsyncContextManager[Stage]:
    return stage(NotificationService(), folder)


async def mails(on: Stage, **fields: str) -> list[Mail]:
    return [mail for page in await on.pages(ListMails(limit=2, **fields)) for mail in page]  # type: ignore[arg-type]


async def test_each_event_is_one_mail_however_often_it_comes(tmp_path: Path) -> None:
    """To the guest, with what it is about, at the time of writing."""
    async with mailing(tmp_path) as on:
        await on.send(CONFIRMED, CONFIRMED)
        await on.send(CANCELLED, CONFIRMED, CANCELLED)
        first, second = await mails(on)
        assert (first.kind, second.kind) == ("booking_confirmed", "booking_cancelled")
        for mail in (first, second):
            assert (mail.booking_id, mail.to) == ("b", "ada@example.org")
            assert mail.created_at == dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)
            assert "Ada" in mail.body
            assert "2030-03-01" in mail.body
        assert "20001 minor units of EUR" in first.body
        assert "10001 minor units of EUR" in second.body
        assert first.id != second.id


async def test_lists_are_in_order_and_by_customer(tmp_path: Path) -> None:
    """Page by page."""
    async with mailing(tmp_path) as on:
        pairs = [("1", "ada"), ("2", "bob"), ("3", "ada"), ("4", "ada")]
        for booking_id, customer_id in pairs:
            await on.ask(
                msgspec.structs.replace(CONFIRMED, booking_id=booking_id, customer_id=customer_id)
            )
        assert [mail.booking_id for mail in await mails(on)] == ["1", "2", "3", "4"]
        assert [mail.booking_id for mail in await mails(on, customer_id="ada")] == ["1", "3", "4"]
        assert await mails(on, customer_id="nobody") == []


@pytest.mark.parametrize("event", [CONFIRMED, CANCELLED])
async def test_a_guest_without_an_address_gets_no_mail(
    tmp_path: Path, event: BookingConfirmed | BookingCancelled
) -> None:
    """The tutorial's customers may have none."""
    async with mailing(tmp_path) as on:
        await on.ask(msgspec.structs.replace(event, customer_email=""))
        assert await mails(on) == []
