"""Orders are kept here, and stock by a process of somebody's own: asked, and told once, by HTTP."""

from typing import Any

import msgspec

import actors


class PlaceOrder(actors.Command):
    sku: str


class FindOrder(actors.Query):
    order_id: int


class FindStock(actors.Query):
    sku: str


class TakeStock(actors.Command):
    sku: str
    order_id: int


class Stock(msgspec.Struct):
    left: int


class ShopConfig(actors.Section):
    stock_url: str = "http://127.0.0.1:8090"


class Orders(actors.Service):
    schema = "CREATE TABLE orders (id INTEGER PRIMARY KEY, sku TEXT, state TEXT) STRICT;"

    @actors.command
    def place(self, tx: actors.Transaction, cmd: PlaceOrder) -> int:
        sql = "INSERT INTO orders (sku, state) VALUES (?, 'ordered') RETURNING id"
        (row,) = tx.all(sql, cmd.sku)
        tx.send("stock", TakeStock(sku=cmd.sku, order_id=row["id"]))
        return int(row["id"])

    @actors.on(actors.Refused[TakeStock])
    def none_left(self, tx: actors.Transaction, event: actors.Refused[TakeStock]) -> None:
        sql = "UPDATE orders SET state = ? WHERE id = ?"
        tx.execute(sql, event.refusal.detail, event.command.order_id)

    @actors.query
    def find(self, tx: actors.ReadTransaction, question: FindOrder) -> str | actors.Refusal:
        row = tx.one("SELECT state FROM orders WHERE id = ?", question.order_id)
        return actors.Refusal.not_found("no such order") if row is None else str(row["state"])


def services(wiring: actors.Wiring) -> dict[str, Any]:
    """Where the stock is, the configuration says."""
    url = wiring.config.section(ShopConfig).stock_url
    stock = actors.Remote(
        url, {FindStock: ("GET /stock/{sku}", Stock), TakeStock: "POST /stock/{sku}/taken"}
    )
    return {"orders": Orders, "stock": stock}


SHOP = actors.System(
    name="shop",
    services=services,
    config={"shop": ShopConfig},
    addresses=[
        actors.Address("POST", "/orders", actors.service("orders", PlaceOrder, 201)),
        actors.Address("GET", "/orders/{order_id}", actors.service("orders", FindOrder)),
        actors.Address("GET", "/stock/{sku}", actors.service("stock", FindStock)),
    ],
)
