"""Customers: made, found, listed in the order they came, and registered as the tutorial does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.kernel.messages import Refusal
from actors.systems.hotel.booking import BookingService
from actors.systems.hotel.customer import CustomerService
from actors.systems.hotel.messages import (
    CreateCustomer,
    Customer,
    GetCustomer,
    ListCustomers,
    RegisterCustomer,
    TutorialCustomer,
)
from actors.systems.hotel.saga_messages import CustomerIntroduced, IntroduceCustomer
from tests.systems.stage import Stage, stage

if TYPE_CHECKING:
    from pathlib import Path


async def create(on: Stage, *names: str) -> list[Customer]:
    messages = [CreateCustomer(name=name, email=f"{name}@example.org") for name in names]
    replies: list[Customer] = await on.send(*messages)
    return replies


async def test_created_customer_is_found_by_its_id(tmp_path: Path) -> None:
    """The reply is the customer; so is what a query returns."""
    async with stage(CustomerService(), tmp_path) as on:
        ada, bob = await create(on, "ada", "bob")
        assert (ada.name, ada.email) == ("ada", "ada@example.org")
        assert ada.id != bob.id
        for customer in (ada, bob):
            assert await on.ask(GetCustomer(customer_id=customer.id)) == customer


@pytest.mark.parametrize("customer_id", ["nobody", "", "'; DROP TABLE customer; --", "a\0b", "é"])
async def test_unknown_customer_is_not_found(tmp_path: Path, customer_id: str) -> None:
    """Whatever text is asked for, the answer is a refusal that repeats it."""
    async with stage(CustomerService(), tmp_path) as on:
        reply = await on.ask(GetCustomer(customer_id=customer_id))
        assert reply == Refusal.not_found(f"there is no customer {customer_id}")


async def test_same_customer_may_come_twice_but_a_retry_may_not(tmp_path: Path) -> None:
    """Two requests make two customers; one request sent twice, by its key, makes one."""
    async with stage(CustomerService(), tmp_path) as on:
        message = CreateCustomer(name="ada", email="ada@example.org")
        first, second = await on.send(message, message)
        assert first.id != second.id
        third = await on.ask(message, key="k")
        assert await on.ask(message, key="k") == third
        (page,) = await on.pages(ListCustomers(limit=10))
        assert [customer.id for customer in page] == [first.id, second.id, third.id]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
async def test_list_shows_each_once_in_order_of_creation(tmp_path: Path, limit: int) -> None:
    """Pages are full but for the last, and only the last has no cursor."""
    async with stage(CustomerService(), tmp_path) as on:
        assert await on.pages(ListCustomers(limit=limit)) == [[]]
        made = await create(on, *"abcdefg")
        pages = await on.pages(ListCustomers(limit=limit))
        assert [customer for page in pages for customer in page] == made
        assert {len(page) for page in pages[:-1]} <= {limit}
        assert 1 <= len(pages[-1]) <= limit


async def test_cursor_holds_while_customers_come(tmp_path: Path) -> None:
    """What is created between two pages appears at the end, and shifts nothing."""
    async with stage(CustomerService(), tmp_path) as on:
        first = await create(on, *"abc")
        page = await on.ask(ListCustomers(limit=2))
        late = await create(on, *"de")
        rest = await on.pages(ListCustomers(limit=2, after=int(page.next)))
        assert page.items + [c for items in rest for c in items] == first + late
        assert (await on.ask(ListCustomers(limit=2, after=2**63 - 1))).items == []


async def test_registered_customer_keeps_the_id_it_brings(tmp_path: Path) -> None:
    """An empty id gets a new one; either way the customer is there for everyone."""
    async with stage(CustomerService(), tmp_path) as on:
        own = await on.ask(RegisterCustomer(id="1", name="ada", email="ada@example.org"))
        assert own == TutorialCustomer(id="1", name="ada", email="ada@example.org")
        new = await on.ask(RegisterCustomer(name="bob"))
        assert new.id
        assert await on.ask(GetCustomer(customer_id="1")) == Customer(
            id="1", name="ada", email="ada@example.org"
        )
        assert await on.ask(GetCustomer(customer_id=new.id)) == Customer(
            id=new.id, name="bob", email=""
        )


async def test_registering_again_is_harmless_and_another_is_a_conflict(tmp_path: Path) -> None:
    """The same customer under a known id is that customer; a different one is refused."""
    async with stage(CustomerService(), tmp_path) as on:
        ada = RegisterCustomer(id="1", name="ada", email="ada@example.org")
        others = [
            RegisterCustomer(id="1", name="bob", email="ada@example.org"),
            RegisterCustomer(id="1", name="ada", email="other@example.org"),
        ]
        first, *refused, again = await on.send(ada, *others, ada)
        assert first == again
        for reply in refused:
            assert isinstance(reply, Refusal)
            assert reply.kind == "conflict"
        (page,) = await on.pages(ListCustomers(limit=10))
        assert page == [Customer(id="1", name="ada", email="ada@example.org")]


# --- Introductions ---------------------------------------------------------------------------

ADA = CustomerIntroduced(customer_id="1", name="ada", email="ada@example.org")


async def test_a_new_customer_is_introduced_once(tmp_path: Path) -> None:
    """Created or registered; registering again, or as another, tells nobody anything."""
    others = {"booking": BookingService}
    async with stage(CustomerService(), tmp_path, name="customer", others=others) as on:
        (bob,) = await create(on, "bob")
        told = CustomerIntroduced(customer_id=bob.id, name="bob", email="bob@example.org")
        assert on.sent == [("booking", told)]
        register = RegisterCustomer(id="1", name="ada", email="ada@example.org")
        await on.ask(register)
        assert on.sent == [("booking", ADA)]
        for again in (register, RegisterCustomer(id="1", name="bob")):
            await on.ask(again)
            assert on.sent == []


async def test_a_customer_is_introduced_again_to_whoever_asks(tmp_path: Path) -> None:
    """One that there is not is refused."""
    others = {"booking": BookingService}
    async with stage(CustomerService(), tmp_path, name="customer", others=others) as on:
        await on.ask(RegisterCustomer(id="1", name="ada", email="ada@example.org"))
        assert await on.ask(IntroduceCustomer(customer_id="1", booking_id="b")) is None
        assert on.sent == [("booking", ADA)]
        reply = await on.ask(IntroduceCustomer(customer_id="2", booking_id="b"))
        assert reply == Refusal.not_found("there is no customer 2")
        assert on.sent == []
