"""Mail addresses: one validator for every way in, and no header but its own at the way out."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.kernel.messages import Refusal
from actors.systems.hotel.customer import CustomerService
from actors.systems.hotel.mail_address import refuse_address
from actors.systems.hotel.messages import (
    CreateCustomer,
    ListCustomers,
    ListMails,
    Money,
    RegisterCustomer,
)
from actors.systems.hotel.notification import NotificationService
from actors.systems.hotel.saga_messages import BookingCancelled, BookingConfirmed
from tests.systems.hotel.booking_stage import CREATE
from tests.systems.stage import stage

if TYPE_CHECKING:
    from pathlib import Path

NO_ADDRESSES = [
    "a@b.c\r\nBcc: z@z",
    "a@b.org\n",
    "<script>@x",
    "<script>alert(1)</script>@example.org",
    "a\x01@b",
    "a\x85b@example.org",
    "a\u202eb@example.org",
    "a@b",
    "@",
    "ada",
    " ada@example.org",
    "Ada <ada@example.org>",
    "ada@example.org, bob@example.org",
    "ada@localhost",
]
ADDRESSES = ["ada@example.org", "a+b@mail.example.com", "ada@hotel.test", "añá@exämple.org"]


@pytest.mark.parametrize("address", NO_ADDRESSES)
async def test_what_is_no_address_makes_no_customer(tmp_path: Path, address: str) -> None:
    """At the API's address as at the tutorial's; the field is named as it is spelt there."""
    async with stage(CustomerService(), tmp_path) as on:
        for wish, field in (
            (CreateCustomer(name="ada", email=address), "email"),
            (RegisterCustomer(id="1", name="ada", email=address), "Email"),
        ):
            refusal = await on.ask(wish)
            assert isinstance(refusal, Refusal)
            assert (refusal.kind, refusal.field) == ("invalid", field)
        assert (await on.ask(ListCustomers(limit=1))).items == []


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_address_is_kept_as_it_is_given(tmp_path: Path, address: str) -> None:
    """Whatever the validator would make of it."""
    async with stage(CustomerService(), tmp_path) as on:
        assert (await on.ask(CreateCustomer(name="ada", email=address))).email == address


async def test_only_the_tutorials_customers_may_have_none(tmp_path: Path) -> None:
    """There an empty one has always been taken."""
    async with stage(CustomerService(), tmp_path) as on:
        assert isinstance(await on.ask(CreateCustomer(name="ada", email="")), Refusal)
        assert (await on.ask(RegisterCustomer(id="1", name="ada"))).email == ""


async def test_a_customer_of_before_there_was_a_validator_is_known_again(tmp_path: Path) -> None:
    """Registered again, it is the one that stands."""
    async with stage(CustomerService(), tmp_path) as on:
        on.execute("INSERT INTO customer (id, name, email) VALUES ('1', 'ada', 'a@b')")
        reply = await on.ask(RegisterCustomer(id="1", name="ada", email="a@b"))
        assert reply.id == "1"


def test_nobodys_name_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether an address can be reached is for the mail to find out."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError(arguments, options)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    assert refuse_address("ada@no-such-host.org", field="email") is None


@pytest.mark.parametrize(
    "address", ["a@b.c\r\nBcc: z@z", "a@b.c\nx", "a@b.c\x85x", "a@b.c\u2028x", ""]
)
async def test_no_mail_has_a_header_of_its_recipients_making(tmp_path: Path, address: str) -> None:
    """Older files may hold such addresses: nothing is sent there."""
    price = Money(amount=1, currency="EUR")
    about: dict[str, Any] = {
        "booking_id": "1",
        "customer_id": "ada",
        "customer_name": "Ada",
        "customer_email": address,
        "room_id": "r",
        "check_in": CREATE.check_in,
        "check_out": CREATE.check_out,
        "price": price,
    }
    async with stage(NotificationService(), tmp_path) as on:
        confirmed = BookingConfirmed(**about)
        cancelled = BookingCancelled(**about, refund=None)
        await on.send(confirmed, cancelled)
        assert (await on.ask(ListMails(limit=10))).items == []
        good = "ada@example.org"
        await on.send(
            msgspec.structs.replace(confirmed, customer_email=good),
            msgspec.structs.replace(cancelled, customer_email=good),
        )
        mails = (await on.ask(ListMails(limit=10))).items
        assert [(mail.to, "\n" in mail.subject) for mail in mails] == [(good, False)] * 2
        assert "Nothing stays charged" in mails[1].body
