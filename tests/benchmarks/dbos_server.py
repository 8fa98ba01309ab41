"""The rival of the booking saga: DBOS on SQLite, behind a door as thin as an HTTP one can be.

    python -m tests.benchmarks.dbos_server MODE FOLDER CUSTOMERS ROOMS

MODE is one of dbos_hotel's; the last two are files of ids to know. A workflow has a thread to
itself, as the documentation's synchronous endpoints have. The saga is measured over HTTP too, and
the door's 50 µs are not what makes the difference.

What is set here is what was fastest. Two threads: while one waits for the disk the other computes;
16 or 64 only take the interpreter from each other, which costs 5 to 15 % of the rate. Pools of 1,
2, 4 or 20 connections, no ping before a connection is used, and switch intervals from 0.5 to 100 ms
changed it by less than 5 %: a booking is 11 ms of DBOS's and SQLAlchemy's own Python.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy
import uvloop
from aiohttp import web
from dbos import DBOS, SetWorkflowID

from tests.benchmarks.dbos_hotel import (
    MODES,
    POOL_SIZE,
    SCHEMA,
    NewBooking,
    Steps,
    Transactions,
    make_workflow,
)
from tests.benchmarks.dbos_pragmas import engine_pragmas, in_words, set_pragmas

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 2
RATE = 12900

decode = msgspec.json.Decoder(NewBooking).decode


class Hotel:
    """The application, launched: what was under way when it was killed is going on by itself."""

    def __init__(self, mode: str, folder: Path) -> None:
        """Open both databases in `folder`."""
        # Whoever makes the connection, DBOS or the datasource, it commits as ours do.
        sqlalchemy.event.listen(sqlalchemy.Engine, "connect", set_pragmas)
        self._database = (Steps if mode == "steps" else Transactions)(folder / "hotel.db")
        self._book: Callable[[str, NewBooking], int] = make_workflow(self._database)
        system = f"sqlite:///{folder / 'system.db'}"
        self._dbos = DBOS(
            config={
                "name": f"hotel-{mode}",
                "system_database_url": system,
                "sys_db_pool_size": POOL_SIZE,
                "log_level": "WARNING",
            }
        )
        DBOS.launch()
        self._threads = ThreadPoolExecutor(THREADS)
        self._mode = mode

    async def create(self, request: web.Request) -> web.Response:
        """Answer when the workflow has ended."""
        new = decode(await request.read())
        booking_id = str(uuid.uuid4())
        loop = asyncio.get_running_loop()
        price = await loop.run_in_executor(self._threads, self._run, booking_id, new)
        body = {"id": booking_id, **msgspec.structs.asdict(new), "price": price}
        return web.json_response(body | {"status": "confirmed"}, status=201)

    def _run(self, booking_id: str, new: NewBooking) -> int:
        with SetWorkflowID(booking_id):
            return self._book(booking_id, new)

    async def health(self, request: web.Request) -> web.Response:
        """Say that it is up."""
        return web.Response()

    async def configuration(self, request: web.Request) -> web.Response:
        """Look at DBOS's own connections and say how they commit. A wrong pragma is a 500."""
        engine_pragmas(self._dbos._sys_db.engine, POOL_SIZE)
        self._database.check()
        libraries = ", ".join(f"{name} {version(name)}" for name in ("dbos", "sqlalchemy"))
        sizes = f"pools of {POOL_SIZE} connections, {THREADS} threads"
        found = f"{libraries}; {self._mode}; both databases {in_words()}; {sizes}"
        return web.json_response({"configuration": found})

    async def unfinished(self, request: web.Request) -> web.Response:
        """Count the workflows that have not ended."""
        # What a killed process left goes through a queue first.
        found = await DBOS.list_workflows_async(status=["PENDING", "ENQUEUED"])
        return web.json_response({"unfinished": len(found)})

    def close(self) -> None:
        """Let what is under way end."""
        self._threads.shutdown()
        DBOS.destroy()


def fill(path: Path, customers: Path, rooms: Path) -> None:
    """Create the tables, the customers and the rooms."""
    with closing(sqlite3.connect(path)) as connection, connection:
        set_pragmas(connection)
        connection.executescript(SCHEMA)
        connection.executemany(
            "INSERT OR IGNORE INTO customer VALUES (?)",
            [(line,) for line in customers.read_text().split()],
        )
        connection.executemany(
            "INSERT OR IGNORE INTO room VALUES (?, ?)",
            [(line, RATE) for line in rooms.read_text().split()],
        )


async def serve(hotel: Hotel) -> None:
    """Serve until SIGTERM."""
    app = web.Application()
    app.router.add_post("/api/v1/bookings", hotel.create)
    app.router.add_get("/readyz", hotel.health)
    app.router.add_get("/configuration", hotel.configuration)
    app.router.add_get("/unfinished", hotel.unfinished)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ready = {"event": "ready", "listeners": {"gateway": f"http://{host}:{port}"}}
    print(json.dumps(ready), flush=True)
    await stop.wait()
    await runner.cleanup()


def main() -> None:
    """Open, launch, serve, close."""
    mode, *paths = sys.argv[1:]
    assert mode in MODES, f"{mode} is none of {MODES}"
    folder, customers, rooms = map(Path, paths)
    folder.mkdir(exist_ok=True)
    fill(folder / "hotel.db", customers, rooms)
    hotel = Hotel(mode, folder)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(serve(hotel))
    finally:
        hotel.close()


if __name__ == "__main__":
    main()
