"""A stall whose orders are in shards, a till that sends it some, and a board that hears of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from actors.kernel.messages import Command, Event, Query, Refusal, Refused
from actors.service.service import Service, command, on, query
from actors.service.sharded.sharded import Cursor, Sharded, found
from actors.store.transaction import ReadTransaction, Transaction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.service.assembly import AnyService

SHARDS = 4


class PlaceOrder(Command):
    order_id: str
    cups: int


class OpenOrder(Command):
    """An order whose id is made where it is kept."""

    cups: int


class PayOrder(Command):
    order_id: str


class MoveCups(Command):
    """Take cups from one order to another, which may be in another shard."""

    order_id: str
    to: str
    cups: int


class AddCups(Command):
    order_id: str
    cups: int


class PayLater(Command):
    order_id: str
    whose: str
    delay_s: float = 1.0


class GetOrder(Query):
    order_id: str


class Order(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    cups: int
    paid: bool
    at_us: int


class OrderPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Order]
    next: str | None


class ListOrders(Query):
    limit: int = 3
    after: Cursor = "0"


class LargestOrders(Query):
    """Largest first, and all of them."""


class CountCups(Query):
    """Of one order, or of all."""

    order_id: str | None = None


class FindByCups(Query):
    cups: int


class OrderPlaced(Event):
    order_id: str
    cups: int


class OrderPaid(Event):
    order_id: str


class Orders(Service):
    schema: ClassVar[str] = """
        CREATE TABLE orders (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            cups INTEGER NOT NULL,
            paid INTEGER NOT NULL DEFAULT 0,
            at_us INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE refusal (order_id TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
        """

    @command
    def place(self, tx: Transaction, cmd: PlaceOrder) -> str | Refusal:
        if tx.one("SELECT 1 FROM orders WHERE id = ?", cmd.order_id):
            return Refusal.conflict("there is one")
        return self._put(tx, cmd.order_id, cmd.cups)

    @command
    def open(self, tx: Transaction, cmd: OpenOrder) -> str:
        return self._put(tx, tx.new_id(), cmd.cups)

    def _put(self, tx: Transaction, order_id: str, cups: int) -> str:
        tx.execute(
            "INSERT INTO orders (id, cups, at_us) VALUES (?, ?, ?)", order_id, cups, tx.now_us
        )
        tx.publish(OrderPlaced(order_id=order_id, cups=cups))
        return order_id

    @command
    def pay(self, tx: Transaction, cmd: PayOrder) -> Refusal | None:
        if not tx.execute("UPDATE orders SET paid = 1 WHERE id = ?", cmd.order_id):
            return Refusal.not_found("there is none")
        tx.publish(OrderPaid(order_id=cmd.order_id))
        return None

    @command
    def move(self, tx: Transaction, cmd: MoveCups) -> None:
        tx.execute("UPDATE orders SET cups = cups - ? WHERE id = ?", cmd.cups, cmd.order_id)
        tx.send("orders", AddCups(order_id=cmd.to, cups=cmd.cups))

    @command
    def add(self, tx: Transaction, cmd: AddCups) -> Refusal | None:
        sql = "UPDATE orders SET cups = cups + ? WHERE id = ?"
        if not tx.execute(sql, cmd.cups, cmd.order_id):
            return Refusal.not_found("there is none")
        return None

    @on(Refused[AddCups])
    def not_added(self, tx: Transaction, event: Refused[AddCups]) -> None:
        tx.execute(
            "INSERT INTO refusal VALUES (?, ?)", event.command.order_id, event.refusal.detail
        )

    @command
    def pay_later(self, tx: Transaction, cmd: PayLater) -> None:
        tx.after(cmd.delay_s, PayOrder(order_id=cmd.whose))

    @query
    def get(self, tx: ReadTransaction, question: GetOrder) -> Order | Refusal:
        row = tx.one("SELECT * FROM orders WHERE id = ?", question.order_id)
        return Refusal.not_found("there is none") if row is None else _order(row)

    @query
    def page(self, tx: ReadTransaction, question: ListOrders) -> OrderPage:
        sql = "SELECT * FROM orders WHERE seq > ? ORDER BY seq LIMIT ?"
        rows, following = tx.page(sql, question.after, limit=question.limit)
        return OrderPage(items=[_order(row) for row in rows], next=following)

    @query
    def largest(self, tx: ReadTransaction, question: LargestOrders) -> list[Order]:
        del question
        return [_order(row) for row in tx.all("SELECT * FROM orders ORDER BY cups DESC, seq")]

    @query
    def count(self, tx: ReadTransaction, question: CountCups) -> int:
        sql = "SELECT coalesce(sum(cups), 0) FROM orders WHERE ? IS NULL OR id = ?1"
        row = tx.one(sql, question.order_id)
        assert row is not None, "a sum is a row"
        return int(row[0])

    @query
    def find(self, tx: ReadTransaction, question: FindByCups) -> Order | Refusal:
        row = tx.one("SELECT * FROM orders WHERE cups = ?", question.cups)
        return Refusal.not_found("there is none") if row is None else _order(row)


def _order(row: Any) -> Order:
    return Order(id=row["id"], cups=row["cups"], paid=bool(row["paid"]), at_us=row["at_us"])


class Sell(Command):
    order_id: str
    cups: int = 1


class OpenSome(Command):
    cups: int


class Told(Query):
    pass


class Till(Service):
    """Sends orders, and notes what it hears of them."""

    schema: ClassVar[str] = "CREATE TABLE heard (order_id TEXT, what TEXT) STRICT;"

    @command
    def sell(self, tx: Transaction, cmd: Sell) -> None:
        tx.send("orders", PlaceOrder(order_id=cmd.order_id, cups=cmd.cups))
        tx.send("orders", PayOrder(order_id=cmd.order_id))

    @command
    def open_some(self, tx: Transaction, cmd: OpenSome) -> None:
        tx.send("orders", OpenOrder(cups=cmd.cups))

    @on(OrderPlaced)
    def placed(self, tx: Transaction, event: OrderPlaced) -> None:
        tx.execute("INSERT INTO heard VALUES (?, 'placed')", event.order_id)

    @on(OrderPaid)
    def paid(self, tx: Transaction, event: OrderPaid) -> None:
        tx.execute("INSERT INTO heard VALUES (?, 'paid')", event.order_id)

    @on(Refused[PlaceOrder])
    def refused(self, tx: Transaction, event: Refused[PlaceOrder]) -> None:
        tx.execute("INSERT INTO heard VALUES (?, 'refused')", event.command.order_id)

    @query
    def told(self, tx: ReadTransaction, question: Told) -> list[list[str]]:
        del question
        return [list(row) for row in tx.all("SELECT order_id, what FROM heard ORDER BY rowid")]


class Board(Service):
    """A sharded subscriber of a sharded publisher."""

    schema: ClassVar[str] = "CREATE TABLE shown (order_id TEXT PRIMARY KEY) STRICT;"

    @on(OrderPlaced, start="beginning")
    def placed(self, tx: Transaction, event: OrderPlaced) -> None:
        tx.execute("INSERT INTO shown VALUES (?)", event.order_id)


def orders(shards: int = SHARDS, **changed: Any) -> Sharded:
    """Return the stall's orders in shards; some of what is declared may be `changed`."""
    declared: dict[str, Any] = {
        "key": "order_id",
        "shards": shards,
        "creates": (OpenOrder,),
        "columns": {"orders": "id"},
        "merge": {
            ListOrders: "at_us",
            LargestOrders: "-cups",
            CountCups: sum,
            FindByCups: found,
        },
    }
    return Sharded(Orders, **(declared | changed))


def stall(shards: int = SHARDS) -> Mapping[str, AnyService]:
    return {"orders": orders(shards), "till": Till}
