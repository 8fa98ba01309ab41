"""An order that is placed, charged and confirmed, as a handler of a Restate object."""

from __future__ import annotations

import asyncio
import os

import restate
from hypercorn import Config
from hypercorn.asyncio import serve

from tests.comparison.dying import (
    AFTER_ITS_COMMIT,
    BEFORE_THE_REPLY,
    IN_THE_TRANSACTION,
    charge_card,
    die_at,
)

orders = restate.VirtualObject("orders")


@orders.handler()
async def order(ctx: restate.ObjectContext) -> str:
    ctx.set("state", "placed")
    die_at(IN_THE_TRANSACTION)
    await ctx.run_typed("charge", charge, order_id=ctx.key())
    ctx.set("state", "confirmed")
    die_at(BEFORE_THE_REPLY)
    return "confirmed"


@orders.handler(kind="shared")
async def state(ctx: restate.ObjectSharedContext) -> str | None:
    return await ctx.get("state", type_hint=str)


def charge(order_id: str) -> None:
    die_at(AFTER_ITS_COMMIT)
    charge_card(order_id)


app = restate.app([orders])

if __name__ == "__main__":
    config = Config()
    config.bind = [f"127.0.0.1:{os.environ['PORT']}"]
    asyncio.run(serve(app, config))
