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
SCHEMA = """
CREATE TABLE IF NOT EXISTS room (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
    rate_amount INTEGER NOT NULL CHECK (rate_amount >= 0), rate_currency TEXT NOT NULL,
    number TEXT, status TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS room_by_type ON room (type, seq);
"""
INSERT = (
    "INSERT INTO room (id, type, rate_amount, rate_currency, number, status)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


class Rate(BaseModel):
    """Of a night, in minor units."""

    model_config = ConfigDict(extra="forbid")

    amount: int = Field(ge=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class NewRoom(BaseModel):
    """Much the same limits as `CreateRoom`."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(min_length=1, max_length=100)
    rate: Rate
    number: str | None = Field(default=None, max_length=20)


class StoredRoom(BaseModel):
    id: str
    type: str
    rate: Rate
    number: str | None
    status: str


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
        ):
            await database.execute(statement)
        await database.executescript(SCHEMA)
        await database.commit()
        yield
        await database.close()

    app = FastAPI(lifespan=lifespan)

    async def insert(room: StoredRoom) -> None:
        rate = room.rate
        columns = (room.id, room.type, rate.amount, rate.currency, room.number, room.status)
        await database.execute(INSERT, columns)
        if mode != "autocommit":
            await database.commit()

    @app.post("/api/v1/rooms", status_code=201)
    async def create(new: NewRoom) -> StoredRoom:
        room = StoredRoom(
            id=str(uuid.uuid4()),
            type=new.type,
            rate=new.rate,
            number=new.number,
            status="available",
        )
        if mode == "locked":
            async with lock:
                await insert(room)
        else:
            await insert(room)
        return room

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
