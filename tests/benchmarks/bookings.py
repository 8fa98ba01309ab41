"""Bookings of free nights by wrk, run after run, none of them twice."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.benchmarks.client import Client
from tests.benchmarks.wrk import run_wrk

if TYPE_CHECKING:
    from tests.benchmarks.load_rounds import Loading
    from tests.benchmarks.wrk import Load

SCRIPT = Path(__file__).parent / "bookings.lua"
CUSTOMERS = 100
# With the script's 365 nights more bookings than a whole run makes.
ROOMS = 2_000
CUSTOMER = {"name": "Ada Lovelace", "email": "ada@example.com"}
ROOM = {"type": "suite", "rate": {"amount": 12900, "currency": "EUR"}}


class Catalogue(msgspec.Struct, frozen=True):
    """Two files of ids, a line each: who books, and what."""

    customers: Path
    rooms: Path

    @classmethod
    def create(cls, url: str, folder: Path) -> Catalogue:
        """Create them all in the system at `url`; the files go into `folder`."""
        catalogue = cls(folder / "customers.txt", folder / "rooms.txt")
        client = Client(url)
        for path, where, what, count in (
            (catalogue.customers, "/api/v1/customers", CUSTOMER, CUSTOMERS),
            (catalogue.rooms, "/api/v1/rooms", ROOM, ROOMS),
        ):
            ids = [client.create(where, what)["id"] for _ in range(count)]
            path.write_text("".join(f"{found}\n" for found in ids))
        client.close()
        return catalogue


class Bookings:
    """All that is ever booked at one server: it remembers which nights are still free."""

    def __init__(self, url: str, catalogue: Catalogue) -> None:
        """Nothing in the catalogue may be booked yet."""
        self._url = url
        self._catalogue = catalogue
        self._first = 0

    def at(self, connections: int) -> Loading:
        """Return a load of so many clients, each with the next booking when one is answered."""
        return partial(self._run, connections)

    def _run(self, connections: int, *, seconds: int, cores: frozenset[int]) -> Load:
        load = run_wrk(
            self._url,
            str(self._catalogue.customers),
            str(self._catalogue.rooms),
            str(self._first),
            script=SCRIPT,
            connections=connections,
            seconds=seconds,
            cores=cores,
        )
        self._first += load.sent
        return load
