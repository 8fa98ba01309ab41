"""An order that is placed, charged and confirmed, as a DBOS workflow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import uvicorn
from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource
from fastapi import FastAPI, Header
from sqlalchemy import text

from tests.comparison.dying import (
    AFTER_ITS_COMMIT,
    BEFORE_THE_REPLY,
    FOLDER,
    IN_THE_TRANSACTION,
    charge_card,
    die_at,
)

folder = Path(os.environ[FOLDER])
orders = SQLAlchemyDatasource.create(f"sqlite:///{folder / 'orders.db'}")
app = FastAPI()


@orders.transaction()
def place(order_id: str) -> None:
    orders.sql_session().execute(
        text("INSERT INTO orders (id, state) VALUES (:id, 'placed')"), {"id": order_id}
    )
    die_at(IN_THE_TRANSACTION)


@DBOS.step()
def charge(order_id: str) -> None:
    die_at(AFTER_ITS_COMMIT)
    charge_card(order_id)


@orders.transaction()
def confirm(order_id: str) -> None:
    orders.sql_session().execute(
        text("UPDATE orders SET state = 'confirmed' WHERE id = :id"), {"id": order_id}
    )


@DBOS.workflow()
def order(order_id: str) -> str:
    place(order_id)
    charge(order_id)
    confirm(order_id)
    die_at(BEFORE_THE_REPLY)
    return "confirmed"


@app.post("/orders/{order_id}")
def post(order_id: str, idempotency_key: Annotated[str, Header()]) -> str:
    with SetWorkflowID(idempotency_key):
        return order(order_id)


if __name__ == "__main__":
    with orders.engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS orders (id TEXT, state TEXT)"))
    system = f"sqlite:///{folder / 'system.db'}"
    DBOS(config={"name": "orders", "system_database_url": system, "log_level": "WARNING"})
    DBOS.launch()
    uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning")
