"""Order, charge, confirm: two services that forget nothing, whatever is killed, and whenever."""

import actors


class PlaceOrder(actors.Command):
    item: str
    cents: int


class FindOrder(actors.Query):
    order_id: str


class TakePayment(actors.Command):
    order_id: str
    cents: int


class ChargeCard(TakePayment):
    """What payments asks of the world outside."""


class ConfirmOrder(actors.Command):
    order_id: str
    receipt: str


class Orders(actors.Service):
    schema = "CREATE TABLE ordered (id TEXT PRIMARY KEY, item TEXT NOT NULL, receipt TEXT) STRICT;"

    @actors.command
    def place(self, tx: actors.Transaction, cmd: PlaceOrder) -> str:
        order_id = tx.new_id()
        tx.execute("INSERT INTO ordered (id, item) VALUES (?, ?)", order_id, cmd.item)
        tx.send("payments", TakePayment(order_id=order_id, cents=cmd.cents))
        return order_id

    @actors.command
    def confirm(self, tx: actors.Transaction, cmd: ConfirmOrder) -> None:
        tx.execute("UPDATE ordered SET receipt = ? WHERE id = ?", cmd.receipt, cmd.order_id)

    @actors.query
    def find(self, tx: actors.ReadTransaction, question: FindOrder) -> str | actors.Refusal:
        row = tx.one("SELECT receipt FROM ordered WHERE id = ?", question.order_id)
        if row is None:
            return actors.Refusal.not_found(f"there is no order {question.order_id}")
        return row["receipt"] or "not charged yet"


class Payments(actors.Service):
    schema = ""  # what it has to do is in the messages

    @actors.command
    def take(self, tx: actors.Transaction, cmd: TakePayment) -> None:
        tx.run(ChargeCard(order_id=cmd.order_id, cents=cmd.cents))

    @actors.effect(again_s=60.0)
    async def charge(self, cmd: ChargeCard) -> str:
        # Await a card processor here: it is asked at least once, and charges an order id once.
        return f"{cmd.cents} cents for {cmd.order_id}"

    @actors.outcome(charge)
    def charged(self, tx: actors.Transaction, cmd: ChargeCard, receipt: str) -> None:
        tx.send("orders", ConfirmOrder(order_id=cmd.order_id, receipt=receipt))


PLACE = actors.Address("POST", "/orders", actors.service("orders", PlaceOrder, 201))
FIND = actors.Address("GET", "/orders/{order_id}", actors.service("orders", FindOrder))
SERVICES = {"orders": Orders, "payments": Payments}
SHOP = actors.System(name="shop", services=SERVICES, addresses=[PLACE, FIND])
