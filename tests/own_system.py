"""A system of one service in one file, as somebody writes it who only has Dress Rehearsal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SHOP = '''
"""A shop: orders are counted."""

from __future__ import annotations

from pathlib import Path

from actors import (
    Address,
    Command,
    Query,
    ReadTransaction,
    Service,
    System,
    Transaction,
    command,
    query,
    service,
)


class Order(Command):
    cups: int


class CountOrders(Query):
    pass


class Counter(Service):
    schema = Path("schema")

    @command
    def order(self, tx: Transaction, cmd: Order) -> int:
        tx.execute("INSERT INTO orders (cups) VALUES (?)", cmd.cups)
        return cmd.cups

    @query
    def count(self, tx: ReadTransaction, question: CountOrders) -> int:
        row = tx.one("SELECT count(*) FROM orders")
        return 0 if row is None else int(row[0])


def scenario() -> type:
    from scenario import ShopScenario

    return ShopScenario


SHOP = System(
    name="shop",
    services={"counter": Counter},
    addresses=[
        Address("POST", "/orders", service("counter", Order, 201)),
        Address("GET", "/orders", service("counter", CountOrders)),
    ],
    scenario=scenario,
)
'''
# Finds fault where it is told to, by a setting.
SCENARIO = '''
"""Clients order."""

from actors import Scenario


class ShopScenario(Scenario):
    call_type = int

    def choose_call(self, choose):
        return choose(3)

    async def perform(self, client, number, cups, history):
        with history.invoke(client.name, f"order {cups} cups") as attempt:
            reply = await client.ask("POST", "/orders", {"cups": cups}, key=f"k{number}")
            if reply.status:
                attempt.ok(reply.status)

    def violations(self, folder, config, clock, history):
        return ["too quiet"] if config.log.level == "error" else []
'''
SCHEMA = "CREATE TABLE orders (seq INTEGER PRIMARY KEY, cups INTEGER NOT NULL) STRICT;\n"


def write_shop(folder: Path) -> Path:
    """Write the shop's files into a folder; return the one to name."""
    (folder / "schema").mkdir(parents=True)
    (folder / "schema" / "0001_shop.sql").write_text(SCHEMA, encoding="utf-8")
    (folder / "scenario.py").write_text(SCENARIO, encoding="utf-8")
    file = folder / "shop.py"
    file.write_text(SHOP, encoding="utf-8")
    return file
