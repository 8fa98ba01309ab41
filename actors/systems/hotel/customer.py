"""The customer service: who may book."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from actors.kernel.messages import Refusal
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.hotel.mail_address import refuse_address
from actors.systems.hotel.messages import (
    CreateCustomer,
    Customer,
    CustomerPage,
    GetCustomer,
    ListCustomers,
    RegisterCustomer,
    TutorialCustomer,
)
from actors.systems.hotel.saga_messages import CustomerIntroduced, IntroduceCustomer

if TYPE_CHECKING:
    import sqlite3

INSERT = "INSERT INTO customer (id, name, email) VALUES (?, ?, ?)"
BY_ID = "SELECT id, name, email FROM customer WHERE id = ?"
PAGE = "SELECT seq, id, name, email FROM customer WHERE seq > ? ORDER BY seq LIMIT ?"


class CustomerService(Service):
    """Creates and finds customers, and introduces each to whoever subscribes."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "customer"

    @command
    def create(self, tx: Transaction, cmd: CreateCustomer) -> Customer | Refusal:
        """Create a customer under a new id."""
        refusal = refuse_address(cmd.email, field="email")
        if refusal is not None:
            return refusal
        customer = Customer(id=tx.new_id(), name=cmd.name, email=cmd.email)
        tx.execute(INSERT, customer.id, customer.name, customer.email)
        _introduce(tx, customer)
        return customer

    @command
    def register(self, tx: Transaction, cmd: RegisterCustomer) -> TutorialCustomer | Refusal:
        """Create a customer as the tutorial does, under the caller's id if there is one."""
        registered = TutorialCustomer(id=cmd.id or tx.new_id(), name=cmd.name, email=cmd.email)
        row = tx.one(BY_ID, registered.id)
        if row is None:
            # The tutorial's customers need no address.
            refusal = refuse_address(cmd.email, field="Email") if cmd.email else None
            if refusal is not None:
                return refusal
            tx.execute(INSERT, registered.id, registered.name, registered.email)
            _introduce(
                tx,
                Customer(id=registered.id, name=registered.name, email=registered.email),
            )
        elif tuple(row) != (registered.id, registered.name, registered.email):
            return Refusal.conflict(f"customer {registered.id} exists, and is another")
        return registered

    @command
    def introduce(self, tx: Transaction, cmd: IntroduceCustomer) -> Refusal | None:
        """Introduce a customer again, to a service that has not heard of it."""
        row = tx.one(BY_ID, cmd.customer_id)
        if row is None:
            return Refusal.not_found(f"there is no customer {cmd.customer_id}")
        _introduce(tx, _customer(row))
        return None

    @query
    def get(self, tx: ReadTransaction, question: GetCustomer) -> Customer | Refusal:
        """Find one by id."""
        row = tx.one(BY_ID, question.customer_id)
        if row is None:
            return Refusal.not_found(f"there is no customer {question.customer_id}")
        return _customer(row)

    @query
    def list(self, tx: ReadTransaction, question: ListCustomers) -> CustomerPage:
        """List in order of creation."""
        rows, after = tx.page(PAGE, question.after, limit=question.limit)
        return CustomerPage(items=[_customer(row) for row in rows], next=after)


def _introduce(tx: Transaction, customer: Customer) -> None:
    tx.publish(
        CustomerIntroduced(customer_id=customer.id, name=customer.name, email=customer.email)
    )


def _customer(row: sqlite3.Row) -> Customer:
    return Customer(id=row["id"], name=row["name"], email=row["email"])
