"""What is known of a run afterwards: who asked for what, what was answered, what the files say."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.service.common_invariants import reading
from actors.systems.hotel.scenario.journal import NEVER, Exchange, possible
from actors.systems.hotel.scenario.rules import GOOD_CARD, SLOW_CARDS, local_days

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from actors.config import BackgroundConfig
    from actors.kernel.clock import Clock
    from actors.systems.hotel.scenario.journal import Journal

BOOKINGS, RENTS = "/api/v1/bookings", "/api/booking"
CUSTOMERS, GUESTS = "/api/v1/customers", "/api/customer"
ROOMS, CELLS = "/api/v1/rooms", "/api/room"
MAILS = "/api/v1/mails"

CREATED: Final = 201
# What a silent processor, or a service that was stopped, leaves behind: a breaker that is open.
AFTERMATH_US: Final = 40_000_000
# Of a booking's columns, what the addresses show.
STATES: Final[Mapping[str, str]] = dict.fromkeys(
    ("checking", "holding", "paying", "confirming"), "pending"
)
EVENTS: Final = "SELECT message_type, at_us, message FROM event ORDER BY seq"
SQL: Final[Mapping[str, Mapping[str, str]]] = {
    "customer": {"customer": "SELECT id, name, email FROM customer ORDER BY seq"},
    "room": {
        "room": "SELECT * FROM room ORDER BY seq",
        "night": "SELECT room_id, night, hold_id FROM night ORDER BY room_id, night",
        "held": EVENTS,
    },
    "booking": {"booking": "SELECT * FROM booking ORDER BY seq", "told": EVENTS},
    "payment": {"paid": EVENTS},
    "notification": {"mail": "SELECT * FROM mail ORDER BY seq"},
    "card_processor": {
        "charge": "SELECT * FROM charge",
        "refund": "SELECT * FROM refund",
        "void": "SELECT * FROM void",
    },
}


class Wish(msgspec.Struct, kw_only=True):
    """A booking that somebody asked for. `id` is known where the guest chose it, or was told."""

    exchange: Exchange
    customer: str
    room: str
    check_in: str
    check_out: str
    card: str
    id: str | None

    @property
    def stay(self) -> tuple[str, str]:
        return self.check_in, self.check_out

    @property
    def what(self) -> tuple[str, str, str, str]:
        return self.customer, self.room, self.check_in, self.check_out


class Books:
    """All of one run. `files` are rows as dictionaries, in the order of their creation."""

    def __init__(  # noqa: PLR0913 - all that is known of a run meets here
        self,
        journal: Journal,
        folder: Path,
        clock: Clock,
        hotel: Any,
        furnished: Mapping[str, Any],
        *,
        gates: Collection[BackgroundConfig],
        calm: bool,
        roomy: bool,
        was_disturbed: Callable[[float, float], bool],
    ) -> None:
        """`hotel` are its numbers, `furnished` what was there before the first request.

        `gates` are the limits of who gives way to clients, as they were in turn.
        It is `roomy` where nobody has to ask again for want of room.
        `was_disturbed` between two monotonic times, in seconds, as `Scenario` has it.
        """
        self.journal = journal
        self.hotel = hotel
        # How long after the last answer what gave way goes on; and how long it waits at most.
        self.opens_us = _us(max(each.quiet_s + each.slice_s / each.share_min for each in gates))
        self.lag_us_max = _us(max(each.lag_s_max for each in gates))
        self.calm = calm
        self.roomy = roomy
        self._was_disturbed = was_disturbed
        self.files = {
            name: rows
            for file, asked in SQL.items()
            for name, rows in _rows(folder / f"{file}.db", asked)
        }
        self._furnished = furnished
        # How long the run was, in all.
        self.lasted_us = round(clock.monotonic() * 1_000_000)
        self._wall_us = clock.now_us() - self.lasted_us
        # By how much the wall clock was set: what is certain about days and times ends there.
        self.stepped_us: int = getattr(clock, "set_forward_us", 0)
        self.wishes = [wish_of(each) for each in journal.asked("POST", BOOKINGS, RENTS)]
        self.by_id: dict[str, list[Wish]] = {}
        for wish in self.wishes:
            if wish.id is not None:
                self.by_id.setdefault(wish.id, []).append(wish)
        self.cancels: dict[str, list[Exchange]] = {}
        for each in journal.asked("DELETE", f"{BOOKINGS}/"):
            self.cancels.setdefault(each.path.rpartition("/")[2], []).append(each)
        stood = {
            message["booking_id"]
            for kind, _, message in self.events("told")
            if kind == "BookingConfirmed"
        }
        self.stood = stood | {
            wish.id for wish in self.wishes if wish.exchange.status == CREATED and wish.id
        }
        # As the addresses would show them in the end.
        self.bookings = {row["id"]: _shown(row) for row in self.files["booking"]}
        # By the files' clock.
        self.begun_us: dict[str, int] = {
            row["id"]: row["begun_us"] for row in self.files["booking"]
        }
        self.guests = {row["id"]: row for row in self.files["customer"]}

    # --- Of the files ------------------------------------------------------------------------

    def events(self, name: str) -> list[tuple[str, int, Any]]:
        """Return the events of a file: type, when, and what."""
        return [
            (row["message_type"], row["at_us"], msgspec.json.decode(row["message"]))
            for row in self.files[name]
        ]

    def wishes_for(self, booking: str) -> list[Wish]:
        """Return those that may have made this booking: of one that was refused nobody knows."""
        row = self.bookings.get(booking)
        if booking in self.by_id or row is None:
            return self.by_id.get(booking, [])
        what = (row["customer_id"], row["room_id"], row["check_in"], row["check_out"])
        return [wish for wish in self.wishes if wish.id is None and wish.what == what]

    def firsts(self) -> Mapping[str, Mapping[str, int]]:
        """Return, by booking, when each type of event was first published of it."""
        found: dict[str, dict[str, int]] = {}
        for name in ("told", "held", "paid"):
            for kind, at_us, message in self.events(name):
                id_ = message.get("booking_id", message.get("hold_id", message.get("payment_id")))
                if id_ is not None:
                    found.setdefault(id_, {}).setdefault(kind, at_us)
        return found

    # --- Of times ----------------------------------------------------------------------------

    def monotonic_us(self, at_us: int) -> int:
        """Return an instant of the files in the journal's time, if the clock was never set."""
        return at_us - self._wall_us

    def was_stopped(self, services: Collection[str], first_us: int, last_us: int) -> bool:
        """Whether one of them was stopped for a while between two moments of the journal's time."""
        return any(
            each.service in services and each.begun_us <= last_us and first_us <= each.ended_us
            for each in self.journal.stops
        )

    def idle_us(self, first_us: int, last_us: int) -> int:
        """Return for how long at a time nobody waited for an answer, between two moments."""
        idle_us, since_us = 0, first_us
        for each in sorted(self.journal.exchanges, key=lambda each: each.begun_us):
            if each.begun_us >= last_us:
                break
            idle_us = max(idle_us, each.begun_us - since_us)
            since_us = max(since_us, each.ended_us)
        return max(idle_us, last_us - since_us)

    def days(self, first: Exchange, last: Exchange | None = None) -> list[dt.date]:
        """Return the days that it may have been in the hotel while somebody waited for it."""
        ended_us = (last or first).ended_us
        if ended_us == NEVER:
            ended_us = first.begun_us + 3 * 86_400_000_000
        return [
            *local_days(
                self._wall_us + first.begun_us - 2 * self.stepped_us,
                self._wall_us + ended_us + self.stepped_us,
                self.hotel.time_zone,
            )
        ]

    def last_trouble_us(self, before_us: int, since_us: int) -> int:
        """Return when the last stop, or silence of the processor, ended by then; or `since_us`."""
        ends = [each.ended_us for each in self.journal.stops if each.begun_us <= before_us]
        silent = [wish.exchange for wish in self.wishes if wish.card in SLOW_CARDS]
        ends += [each.ended_us for each in silent if each.begun_us <= before_us]
        return max([since_us, *[min(each, before_us) for each in ends]])

    def is_disturbed(self, first_us: int, last_us: int) -> bool:
        """Whether a service was stopped, the processor silent, or anything, then or shortly before.

        What is done to the hotel at another time explains nothing.
        """
        if self._was_disturbed((first_us - AFTERMATH_US) / 1e6, last_us / 1e6):
            return True
        troubled = [(each.begun_us, each.ended_us) for each in self.journal.stops]
        troubled += [
            (wish.exchange.begun_us, wish.exchange.ended_us)
            for wish in self.wishes
            if wish.card in SLOW_CARDS
        ]
        return any(
            begun <= last_us and first_us <= ended + AFTERMATH_US for begun, ended in troubled
        )

    # --- Of rooms and guests -----------------------------------------------------------------

    def changes(self, room: str, name: str) -> list[tuple[int, int, Any]]:
        """Return what a room's rate, status or number was made, and when."""
        values = [
            (each.begun, each.ended, each.body[name])
            for each in self.journal.asked("PATCH", f"{ROOMS}/{room}")
            if name in each.body and each.status in {0, 200}
        ]
        begun, made = -1, self._furnished["room"].get(room)
        if made is None:
            type_ = next((row["type"] for row in self.files["room"] if row["id"] == room), None)
            # Each request names another type.
            for each in self.journal.asked("POST", ROOMS, CELLS):
                if type_ == each.body.get("type", each.body.get("Type")):
                    begun, made = each.begun, each.body
        rate = self.hotel.room_rate_default
        first = {
            "rate": {"amount": rate.amount, "currency": rate.currency},
            "status": (made or {}).get("Status", "available"),
            "number": None,
            **(made or {}),
        }
        return [(begun, begun, first[name]), *values]

    def rates(self, room: str, begun: int, ended: int) -> list[Any]:
        """Return what a night there may have cost."""
        return possible(self.changes(room, "rate"), begun, ended)

    def statuses(self, room: str, begun: int, ended: int) -> list[Any]:
        """Return what the room may have been."""
        return possible(self.changes(room, "status"), begun, ended)

    def numbers(self, room: str, begun: int, ended: int) -> list[Any]:
        """Return what may have stood on its door."""
        return possible(self.changes(room, "number"), begun, ended)

    def was_there(self, kind: str, id_: str, begun: int) -> bool:
        """Whether a customer, a room or a booking certainly was there before a moment."""
        if id_ in self._furnished[kind]:
            return True
        paths = {"customer": (CUSTOMERS, GUESTS), "room": (ROOMS, CELLS)}.get(kind)
        return any(
            each.status == CREATED and each.ended < begun and id_ == _id(each.reply)
            for each in self.journal.asked("POST", *(paths or (BOOKINGS, RENTS)))
        )

    def may_be_there(self, kind: str, id_: str, ended: int) -> bool:
        """Whether somebody had asked for a customer or a room of that id by then."""
        if id_ in self._furnished[kind]:
            return True
        paths = {"customer": (CUSTOMERS, GUESTS), "room": (ROOMS, CELLS)}[kind]
        return any(
            each.begun < ended and id_ in {_id(each.reply), (each.body or {}).get("ID")}
            for each in self.journal.asked("POST", *paths)
        )


def wish_of(exchange: Exchange) -> Wish:
    """Return what a POST asked for; an address of the tutorial's writes it in Go's way."""
    body = exchange.body
    told = _id(exchange.reply) if exchange.status == CREATED else None
    if exchange.path == RENTS:
        return Wish(
            exchange=exchange,
            customer=body["CustomerID"],
            room=body["RoomID"],
            check_in=day_of(body["CheckIn"]),
            check_out=day_of(body["CheckOut"]),
            card=GOOD_CARD,
            id=body["ID"],
        )
    return Wish(
        exchange=exchange,
        customer=body["customer_id"],
        room=body["room_id"],
        check_in=body["check_in"],
        check_out=body["check_out"],
        card=body["card_number"],
        id=told,
    )


def _us(s: float) -> int:
    return round(s * 1_000_000)


def day_of(text: str) -> str:
    """Return the day that is written in a day, or in a time as Go writes one."""
    return text[: len("2024-02-29")]


def _id(reply: Any) -> str | None:
    if not isinstance(reply, dict):
        return None
    found: str | None = reply.get("id", reply.get("ID"))
    return found


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    currency, refund = row["price_currency"], row["refund_amount"]
    return {
        "id": row["id"],
        "customer_id": row["customer_id"],
        "room_id": row["room_id"],
        "check_in": row["check_in"],
        "check_out": row["check_out"],
        "status": STATES.get(row["state"], row["state"]),
        "price": currency and {"amount": row["price_amount"], "currency": currency},
        "refund": None if refund is None else {"amount": refund, "currency": currency},
        "reason": row["reason"],
    }


def _rows(path: Path, asked: Mapping[str, str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    with reading(path) as connection:
        connection.row_factory = sqlite3.Row
        for name, sql in asked.items():
            yield name, [dict(row) for row in connection.execute(sql)]
