"""Order, charge, confirm: two services that forget nothing and charge once, whatever is killed."""

from actors import (
    Address,
    Command,
    Query,
    ReadTransaction,
    Refusal,
    Service,
    System,
    Transaction,
    command,
    query,
    service,
)


class PlaceOrder(Command):
    item: str
    cents: int


class ChargeCard(Command):
    order_id: str
    cents: int


class ConfirmOrder(Command):
    order_id: str
    receipt: str


class FindOrder(Query):
    order_id: str


class Orders(Service):
    schema = "CREATE TABLE ordered (id TEXT PRIMARY KEY, item TEXT NOT NULL, receipt TEXT) STRICT;"

    @command
    def place(self, tx: Transaction, cmd: PlaceOrder) -> str:
        order_id = tx.new_id()
        tx.execute("INSERT INTO ordered (id, item) VALUES (?, ?)", order_id, cmd.item)
        tx.send("payments", ChargeCard(order_id=order_id, cents=cmd.cents))
        return order_id

    @command
    def confirm(self, tx: Transaction, cmd: ConfirmOrder) -> None:
        tx.execute("UPDATE ordered SET receipt = ? WHERE id = ?", cmd.receipt, cmd.order_id)

    @query
    def find(self, tx: ReadTransaction, question: FindOrder) -> str | Refusal:
        row = tx.one("SELECT receipt FROM ordered WHERE id = ?", question.order_id)
        if row is None:
            return Refusal.not_found(f"there is no order {question.order_id}")
        return row["receipt"] or "not charged yet"


class Payments(Service):
    schema = "CREATE TABLE charge (order_id TEXT PRIMARY KEY, cents INTEGER NOT NULL) STRICT;"

    @command
    def charge(self, tx: Transaction, cmd: ChargeCard) -> None:
        tx.execute("INSERT INTO charge (order_id, cents) VALUES (?, ?)", cmd.order_id, cmd.cents)
        tx.send("orders", ConfirmOrder(order_id=cmd.order_id, receipt=f"paid {cmd.cents}"))


PLACE = Address("POST", "/orders", service("orders", PlaceOrder, 201))
FIND = Address("GET", "/orders/{order_id}", service("orders", FindOrder))
SHOP = System(
    name="shop", services={"orders": Orders, "payments": Payments}, addresses=[PLACE, FIND]
)
