"""The hotel: few rooms, few nights, every sandbox card: guests get in each other's way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.simulation.check.exactly_once import check_exactly_once
from actors.simulation.check.linearizability import check_linearizability
from actors.simulation.check.standard_models import Register
from actors.simulation.stage.scenario import Scenario
from actors.systems.hotel.config import HotelConfig, MoneyConfig
from actors.systems.hotel.messages import ChangeRoom, RegisterCustomer, RegisterRoom
from actors.systems.hotel.scenario import rules
from actors.systems.hotel.scenario.books import Books
from actors.systems.hotel.scenario.call import ROOMS, HotelCall, choose_hotel_call
from actors.systems.hotel.scenario.guests import NAME, HotelGuests
from actors.systems.hotel.scenario.judge_bookings import judge_bookings
from actors.systems.hotel.scenario.judge_events import judge_events
from actors.systems.hotel.scenario.judge_keys import judge_keys
from actors.systems.hotel.scenario.judge_lists import (
    ListRead,
    bookings_without_end,
    judge_lists,
    read_lists,
)
from actors.systems.hotel.scenario.judge_money import judge_money
from actors.systems.hotel.scenario.judge_reads import judge_reads
from actors.systems.hotel.scenario.reading import TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.kernel.messages import Query
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History, Operation
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client
    from actors.systems.hotel.scenario.judge_lists import Ask

# There it is tomorrow already when a simulation begins; it is so for an hour and three quarters,
# and where it begins in summer time, for an hour more.
TIME_ZONE: Final = "Europe/Helsinki"
# When one does, each time a quarter past midnight there: in winter; on the leap day; on the days of
# 23 and of 25 hours; and in the summer between them.
BEGINS: Final = (
    "2023-11-14T22:13:20Z",
    "2024-02-28T22:13:20Z",
    "2024-03-30T22:13:20Z",
    "2024-06-30T21:13:20Z",
    "2024-10-26T21:13:20Z",
)
EMAILS: Final = {"guest": "ada@example.org", "twin": "ada.twin@example.org"}
# Each room has another currency, and all a rate of which no share is a whole number.
RATE: Final = MoneyConfig(amount=10_001, currency="EUR")
CHANGED: Final[dict[str, Any]] = {"rate": {"amount": 7_777, "currency": "JPY"}, "number": "1"}
FURNISHED: Final[dict[str, Any]] = {
    "customer": tuple(EMAILS),
    "room": {f"room-{room}": {"status": "", **(CHANGED if room else {})} for room in range(ROOMS)},
    "booking": (),
}

# Times are short enough for a run to see their ends: a hold lasts about as long as a payment that
# takes long, which in a hotel's own configuration hardly ever happens.
HOLD_S: Final = 0.3
BOOKING_S_MAX: Final = 20.0
SETTLE_RETRY_S: Final = 5.0
# So few that a guest can ask for one too many; and a share that is rounded one way or the other.
NIGHTS_MAX: Final = 20
LATE_PERCENT: Final = 25
# What ends a booking whose answers do not come: where that was given up, an operator has to.
ENDS: Final = frozenset({"AbandonBooking", "PursueCancellation"})
LETTERS_MAX: Final = 1_000
# So many rooms, in the order of their making, are counted together where free ones are looked for.
BLOCK_ROOMS: Final = 64

# More than ask in one run, with what they set off.
CROWD: Final = 20


class HotelScenario(Scenario):
    """Clients book, cancel and register; in the end all books agree, with each other and them."""

    call_type = HotelCall
    # A booking that has begun keeps the times it was begun with.
    settings = MappingProxyType(
        {
            "hotel.hold_s": (30.0, 0.1),
            "hotel.booking_s_max": (10.0, 0.5),
            "hotel.settle_retry_s": (1.0, 20.0),
        }
    )
    begins_us = tuple(map(rules.instant_us, BEGINS))
    # Every timer of a booking has run out by then.
    rest_s = 3 * BOOKING_S_MAX

    def __init__(self) -> None:
        """Nothing has been read yet."""
        self._lists: list[ListRead] = []

    @cached_property
    def _guests(self) -> HotelGuests:
        (today,) = rules.local_days(self.begun_us, self.begun_us, TIME_ZONE)
        return HotelGuests(NIGHTS_MAX, today)

    def configure(self, config: Config) -> Config:
        """Shorten the times until a run sees their ends."""
        return config.changed(
            HotelConfig,
            time_zone=TIME_ZONE,
            hold_s=HOLD_S,
            booking_s_max=BOOKING_S_MAX,
            settle_retry_s=SETTLE_RETRY_S,
            nights_max=NIGHTS_MAX,
            refund_late_percent=LATE_PERCENT,
            room_rate_default=RATE,
        )

    async def furnish(self, system: ServiceSystem) -> None:
        """Put in the rooms, and two guests."""
        for room in FURNISHED["room"]:
            await system.ask("room", RegisterRoom(id=room, type=TYPE), timeout_s=60.0)
        change = msgspec.convert({"room_id": room, **CHANGED}, ChangeRoom)
        await system.ask("room", change, timeout_s=60.0)
        for guest, email in EMAILS.items():
            register = RegisterCustomer(id=guest, name=NAME, email=email)
            await system.ask("customer", register, timeout_s=60.0)

    def age(self, folder: Path) -> None:
        """Make it an old house: its rooms are the last of one block, and the first of another."""
        with closing(sqlite3.connect(folder / "room.db")) as connection, connection:
            connection.execute("UPDATE room SET seq = seq + ?", (BLOCK_ROOMS - 1,))

    async def unwell(self, system: ServiceSystem) -> list[str]:
        """Return the bookings that have no end, though whatever never came has a timer for it."""
        endless = await bookings_without_end(_asking(system))
        letters = await system.dead_letters(limit=LETTERS_MAX) if endless else []
        given_up = {
            msgspec.json.decode(each.message)["booking_id"]
            for each in letters
            if each.message_type in ENDS
        }
        return [said for booking_id, said in endless.items() if booking_id not in given_up]

    async def busy(self, system: ServiceSystem) -> list[str]:
        """Read all that there is, now that nothing else is under way."""
        self._lists = await read_lists(_asking(system))
        return []

    def choose_call(self, choose: Chooser) -> HotelCall:
        """Choose what a guest does, or an operator."""
        return choose_hotel_call(choose)

    async def perform(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        """Do it, and where the call says so, a second time under the same key."""
        await self._guests.act(client, number, call, history)

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Compare all answers and all files with what the hotel's rules make of the requests."""
        hotel, guests = config.section(HotelConfig), self._guests
        # A refusal for want of time may be of the shortest that was in force.
        known = [each.section(HotelConfig) for each in self.configs]
        hotel = msgspec.structs.replace(
            hotel,
            hold_s=min(each.hold_s for each in known),
            booking_s_max=min(each.booking_s_max for each in known),
        )
        books = Books(
            guests.journal, folder, clock, hotel, FURNISHED,
            gates=[each.background for each in self.configs],
            calm=self.is_calm, roomy=is_roomy(self.configs), was_disturbed=self.was_disturbed,
        )  # fmt: skip
        found = [
            *guests.troubles,
            *judge_bookings(books),
            *judge_money(books),
            *judge_events(books),
            *judge_reads(books),
            *judge_lists(books, self._lists),
            *judge_keys(books, guests.expected),
        ]
        registered = [each for each in history.operations if each.key]
        verdict = check_linearizability(registered, Register())
        if not verdict.linearizable:
            found.append(str(verdict))
        found += check_exactly_once(history.operations, _made(books), effect_of=_created)
        return found


def _asking(system: ServiceSystem) -> Ask:
    async def ask(service: str, question: Query) -> Any:
        return await system.ask(service, question, timeout_s=60.0)

    return ask


def _made(books: Books) -> list[str]:
    """Return the guests and rooms that were created, by what is theirs alone."""
    names = [row["email"].removesuffix("@example.org") for row in books.files["customer"]]
    names += [row["type"] for row in books.files["room"]]
    return [name for name in names if name.startswith("new-")]


def _created(operation: Operation) -> str | None:
    return operation.argument if operation.name == "create" else None


def is_roomy(configs: Iterable[Config]) -> bool:
    """Whether no limit was ever so small that a run's requests reach it, and are put off."""
    return all(
        min(
            each.store.outbox_messages_max,
            each.mailbox.capacity,
            each.edge.connections_max,
            each.edge.admission.in_progress_max,
        )
        > CROWD
        for each in configs
    )
