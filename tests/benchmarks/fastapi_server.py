"""The rival: FastAPI on uvicorn, aiosqlite committing in every request, WAL, synchronous=FULL.

Three ways to commit per request, told apart by the first argument:
  autocommit  one INSERT, which is its own transaction: one hop to aiosqlite's thread a request
  locked      execute() and commit() under a lock: what any longer transaction needs; two hops
  shared      execute() and commit() without a lock: requests commit each other's statements, so a
              rollback would take a neighbour's row with it. No isolation, and the fastest
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiosqlite
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from actors.config import load_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODES = ("autocommit", "locked", "shared")
SCHEMA = """CREATE TABLE IF NOT EXISTS customer (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, email TEXT NOT NULL
) STRICT"""
INSERT = "INSERT INTO customer (id, name, email) VALUES (?, ?, ?)"


class NewCustomer(BaseModel):
    """The same limits as `CreateCustomer`."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    email: str = Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")


class StoredCustomer(BaseModel):
    id: str
    name: str
    email: str


def make_app(mode: str, path: str) -> FastAPI:
    """Build the application over the database at `path`."""
    database: aiosqlite.Connection
    lock = asyncio.Lock()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal database
        store = load_config().store
        database = await aiosqlite.connect(
            path, isolation_level=None if mode == "autocommit" else ""
        )
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            f"PRAGMA cache_size = {-store.cache_kib}",
            f"PRAGMA wal_autocheckpoint = {store.wal_checkpoint_pages}",
            SCHEMA,
        ):
            await database.execute(statement)
        await database.commit()
        yield
        await database.close()

    app = FastAPI(lifespan=lifespan)

    async def insert(customer: StoredCustomer) -> None:
        await database.execute(INSERT, (customer.id, customer.name, customer.email))
        if mode != "autocommit":
            await database.commit()

    @app.post("/api/v1/customers", status_code=201)
    async def create(new: NewCustomer) -> StoredCustomer:
        customer = StoredCustomer(id=str(uuid.uuid4()), name=new.name, email=new.email)
        if mode == "locked":
            async with lock:
                await insert(customer)
        else:
            await insert(customer)
        return customer

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main() -> None:
    """Serve until SIGTERM. uvicorn takes uvloop, and httptools where it is installed."""
    mode, path = sys.argv[1:]
    assert mode in MODES, f"{mode} is none of {MODES}"
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    host, port = listener.getsockname()
    config = uvicorn.Config(
        make_app(mode, path), loop="uvloop", http="auto", access_log=False, log_level="warning"
    )
    ready = {"event": "ready", "listeners": {"gateway": f"http://{host}:{port}"}}
    print(json.dumps(ready), flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
