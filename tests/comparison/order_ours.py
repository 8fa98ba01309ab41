"""An order that is placed, charged and confirmed, as a service of ours."""

from __future__ import annotations

from actors import (
    Address,
    Command,
    Later,
    Query,
    ReadTransaction,
    Service,
    System,
    Transaction,
    command,
    effect,
    outcome,
    query,
    service,
)
from actors.store.messaging.output_buffer import OutputBuffer
from tests.comparison.dying import (
    AFTER_ITS_COMMIT,
    BEFORE_THE_REPLY,
    IN_THE_TRANSACTION,
    charge_card,
    die_at,
)


class Place(Command):
    order_id: str


class Charge(Command):
    order_id: str


class Look(Query):
    order_id: str


class Orders(Service):
    schema = "CREATE TABLE orders (id TEXT NOT NULL, state TEXT NOT NULL) STRICT;"

    @command
    def place(self, tx: Transaction, cmd: Place) -> str | Later:
        tx.execute("INSERT INTO orders (id, state) VALUES (?, 'placed')", cmd.order_id)
        tx.run(Charge(order_id=cmd.order_id))
        die_at(IN_THE_TRANSACTION)
        return Later(request=cmd.order_id, so_far="placed")

    @effect
    async def charge(self, cmd: Charge) -> None:
        die_at(AFTER_ITS_COMMIT)
        charge_card(cmd.order_id)

    @outcome(charge)
    def charged(self, tx: Transaction, cmd: Charge, _: None) -> None:
        tx.execute("UPDATE orders SET state = 'confirmed' WHERE id = ?", cmd.order_id)
        tx.reply(cmd.order_id, "confirmed")

    @query
    def look(self, tx: ReadTransaction, question: Look) -> str | None:
        row = tx.one("SELECT state FROM orders WHERE id = ?", question.order_id)
        return None if row is None else row["state"]


def committed(self: OutputBuffer) -> None:
    """A commit with an answer in it has returned, and nobody has been told."""
    if self.output.replies:
        die_at(BEFORE_THE_REPLY)


OutputBuffer.committed = committed
ORDERS = System(
    name="orders",
    services={"orders": Orders},
    addresses=[
        Address("POST", "/orders/{order_id}", service("orders", Place)),
        Address("GET", "/orders/{order_id}", service("orders", Look)),
    ],
)
