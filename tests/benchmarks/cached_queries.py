"""What a question costs: read, found among the answers that are kept, or read and kept in vain.

Run as a program by `run_probe`; prints of each question and way a list of microseconds: p50 and
CPU one at a time, and CPU with as many under way as wrk keeps. And CPU of searches for free rooms
while some are booked, half of them for a quarter of the dates, with the share that was known.
"""

from __future__ import annotations

import datetime as dt
import itertools
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.config import load_config
from actors.kernel.messages import Refusal
from actors.kernel.rng import Rng
from actors.service.service import query
from actors.store.transaction import ReadTransaction
from actors.systems.hotel.messages import CreateRoom, GetRoom, ListRooms, Money, Room, RoomPage
from actors.systems.hotel.room import RoomService
from actors.systems.hotel.saga_messages import ConfirmHold, HoldRoom, RoomHeld
from tests.benchmarks.probe import probed
from tests.benchmarks.server_process import ROOT
from tests.booting import app_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from actors.service.assembly import ServiceSystem

WINDOW: Final = 64
ROOMS: Final = 200
# Every third is taken, for each of the nights that somebody asks about.
TAKEN: Final = 3
FIRST: Final = dt.date(2027, 1, 1)
DAY: Final = dt.timedelta(days=1)
EURO: Final = Money(amount=10_000, currency="EUR")
ASK_S_MAX: Final = 100.0
ONE: Final = "a room by its id"
PAGES: Final = "a page of 50 free rooms"
# To a booking, which is two commits of the room's service.
SEARCHES: Final = (10, 100, 1_000)
UNDER_WAY: Final = 5


class KeptRooms(RoomService):
    """Keeps what it has answered."""

    @query(cache_s=600.0)
    def get(self, tx: ReadTransaction, question: GetRoom) -> Room | Refusal:
        """As there."""
        return super().get(tx, question)

    @query(cache_s=600.0)
    def list(self, tx: ReadTransaction, question: ListRooms) -> RoomPage | Refusal:
        """As there."""
        return super().list(tx, question)


class VainRooms(RoomService):
    """Keeps it for nobody."""

    @query(cache_s=1e-9)
    def get(self, tx: ReadTransaction, question: GetRoom) -> Room | Refusal:
        """As there."""
        return super().get(tx, question)

    @query(cache_s=1e-9)
    def list(self, tx: ReadTransaction, question: ListRooms) -> RoomPage | Refusal:
        """As there."""
        return super().list(tx, question)


# By the way to the answer.
WAYS: Final[dict[str, Callable[[], RoomService]]] = {
    "read": lambda: RoomService(EURO, nights_max=30),
    "kept": lambda: KeptRooms(EURO, nights_max=30),
    "kept_in_vain": lambda: VainRooms(EURO, nights_max=30),
}


async def measure(rounds: int, count: int) -> dict[str, dict[str, list[tuple[float, ...]]]]:
    """Ask each question so often a round, each way in turns; a round before does not count."""
    place = ROOT / "data"
    place.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="cached-", dir=place))
    system = app_of(WAYS, folder, load_config()).tree
    samples: dict[str, dict[str, list[tuple[float, ...]]]] = {}
    rng, nights = Rng(1), itertools.count(1_000)
    try:
        await system.start()
        questions = {way: await _furnish(system, way) for way in WAYS}
        for number in range(rounds + 1):
            for way, asked in questions.items():
                for what, each in asked.items():
                    sample = await _ask(system, way, each, count)
                    if number:
                        samples.setdefault(what, {}).setdefault(way, []).append(sample)
            for searches in SEARCHES:
                for way in ("read", "kept"):
                    mixed = await _search(
                        system, way, questions[way], count, searches, rng=rng, nights=nights
                    )
                    if number:
                        what = f"{PAGES}, {searches} to a booking"
                        samples.setdefault(what, {}).setdefault(way, []).append(mixed)
    finally:
        await system.stop()
        shutil.rmtree(folder)
    return samples


async def _furnish(system: ServiceSystem, way: str) -> dict[str, Sequence[Any]]:
    """Make rooms, take some, and return so many questions of each kind, all different."""
    made: list[str] = []
    for number in range(ROOMS):
        room = await system.ask(way, CreateRoom(type="double", rate=EURO), timeout_s=ASK_S_MAX)
        made.append(room.id)
        if number % TAKEN == 0:
            held = HoldRoom(
                hold_id=f"h{number}",
                room_id=room.id,
                check_in=FIRST,
                check_out=FIRST + 20 * DAY,
                hold_s=86_400.0,
            )
            assert isinstance(await system.ask(way, held, timeout_s=ASK_S_MAX), RoomHeld)
    nights = [(first, last) for first in range(16) for last in range(first + 1, first + 5)]
    return {
        ONE: [GetRoom(room_id=each) for each in made[:WINDOW]],
        PAGES: [
            ListRooms(limit=50, check_in=FIRST + first * DAY, check_out=FIRST + last * DAY)
            for first, last in nights
        ],
    }


async def _ask(
    system: ServiceSystem, way: str, questions: Sequence[Any], count: int
) -> tuple[float, float, float]:
    took_s: list[float] = []
    cpu_s = time.process_time()
    for number in range(count):
        began_s = time.perf_counter()
        await system.ask(way, questions[number % WINDOW], timeout_s=ASK_S_MAX)
        took_s.append(time.perf_counter() - began_s)
    one_s = time.process_time() - cpu_s
    cpu_s = time.process_time()
    for _ in range(count // WINDOW):
        waiting = [system.ask(way, each, timeout_s=ASK_S_MAX) for each in questions]
        for reply in waiting:
            await reply
    many_s = time.process_time() - cpu_s
    many = count // WINDOW * WINDOW
    return 1e6 * statistics.median(took_s), 1e6 * one_s / count, 1e6 * many_s / many


async def _search(
    system: ServiceSystem,
    way: str,
    questions: dict[str, Sequence[Any]],
    count: int,
    searches: int,
    *,
    rng: Rng,
    nights: Iterator[int],
) -> tuple[float, ...]:
    """Search for free rooms, while others book some of another year; return CPU and what is known.

    Of the last the share, which is 0 where nothing is kept.
    """
    pages, room_id = questions[PAGES], questions[ONE][0].room_id
    counts = system._hosted[way].cache_counts.get("ListRooms")
    before = 0 if counts is None else counts.misses
    bookings: list[ConfirmHold] = []
    cpu_s = time.process_time()
    for number in range(0, count, UNDER_WAY):
        # The square of an even draw: the most asked for dates are asked for by many.
        chosen = [pages[int(rng.random() ** 2 * len(pages))] for _ in range(UNDER_WAY)]
        waiting = [system.ask(way, each, timeout_s=ASK_S_MAX) for each in chosen]
        for reply in waiting:
            await reply
        if number % searches == 0:
            bookings = [await _book(system, way, room_id, next(nights))]
        elif bookings and number % searches >= searches // 2:
            await system.ask(way, bookings.pop(), timeout_s=ASK_S_MAX)
    cpu_us = 1e6 * (time.process_time() - cpu_s) / count
    return cpu_us, 0.0 if counts is None else 1.0 - (counts.misses - before) / count


async def _book(system: ServiceSystem, way: str, room_id: str, night: int) -> ConfirmHold:
    """Hold a night that nobody searches for; return what confirms it."""
    first = FIRST + night * DAY
    held = HoldRoom(
        hold_id=f"n{night}", room_id=room_id, check_in=first, check_out=first + DAY, hold_s=86_400.0
    )
    assert isinstance(await system.ask(way, held, timeout_s=ASK_S_MAX), RoomHeld)
    return ConfirmHold(hold_id=held.hold_id)


if __name__ == "__main__":
    probed(measure)
