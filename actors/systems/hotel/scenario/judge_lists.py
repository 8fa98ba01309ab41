"""Reads all lists of a hotel that has come to rest, page by page, and holds them against the files.

Nothing changes any more, so each list is just what the files say: whole, in order, and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.systems.hotel.messages import (
    ListBookings,
    ListCustomers,
    ListMails,
    ListRooms,
)
from actors.systems.hotel.scenario import rules

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Iterator

    from actors.kernel.messages import Query
    from actors.systems.hotel.scenario.books import Books

    Ask = Callable[[str, Query], Awaitable[Any]]

Row = dict[str, Any]

# Few enough for most lists to have several.
PAGE: Final = 2
PAGES_MAX: Final = 100
# Around so many stays free rooms are looked for.
STAYS_MAX: Final = 2


class ListRead(msgspec.Struct, frozen=True):
    """What a service has told, in all its pages."""

    service: str
    question: Any
    items: list[Row]

    def __str__(self) -> str:
        """Say what was asked, without what was not."""
        given = {
            name: value
            for name, value in msgspec.to_builtins(self.question).items()
            if value is not None and name not in {"limit", "after"}
        }
        return f"{self.service} at rest, {type(self.question).__name__} {given}"


async def bookings_without_end(ask: Ask) -> dict[str, str]:
    """Return, by their ids, which bookings still wait for something, as a sentence each."""
    return {
        each["id"]: f"booking {each['id']} is {each['status']}"
        for each in await _read(ask, "booking", ListBookings(limit=PAGES_MAX))
        if each["status"] in {"pending", "cancelling"}
    }


async def _read(ask: Ask, service: str, question: Any) -> list[Row]:
    items: list[Row] = []
    after = 0
    for _ in range(PAGES_MAX):
        page = await ask(service, msgspec.structs.replace(question, after=after))
        items += [msgspec.to_builtins(each) for each in page.items]
        if page.next is None:
            break
        after = int(page.next)
    return items


async def read_lists(ask: Ask) -> list[ListRead]:
    """Return every list, and of each filter those that what there is suggests."""

    async def read(service: str, question: Any) -> list[Row]:
        items = await _read(ask, service, question)
        found.append(ListRead(service, question, items))
        return items

    found: list[ListRead] = []
    bookings = await read("booking", ListBookings(limit=PAGE))
    for customer, room in sorted({(each["customer_id"], each["room_id"]) for each in bookings}):
        await read("booking", ListBookings(limit=PAGE, customer_id=customer, room_id=room))
    for customer in sorted({each["customer_id"] for each in bookings}):
        await read("booking", ListBookings(limit=PAGE, customer_id=customer))
        await read("notification", ListMails(limit=PAGE, customer_id=customer))
    for room in sorted({each["room_id"] for each in bookings}):
        await read("booking", ListBookings(limit=PAGE, room_id=room))
    await read("notification", ListMails(limit=PAGE))
    await read("customer", ListCustomers(limit=PAGE))
    types = sorted({each["type"] for each in await read("room", ListRooms(limit=PAGE))})
    stays = [
        (each["check_in"], each["check_out"]) for each in bookings if each["status"] == "confirmed"
    ]
    for type_ in types:
        await read("room", ListRooms(limit=PAGE, type=type_))
    for first, last in sorted({each for stay in stays[:STAYS_MAX] for each in _around(*stay)}):
        for type_ in (None, types[0], types[-1]):
            await read("room", ListRooms(limit=PAGE, check_in=first, check_out=last, type=type_))
    return found


def _around(check_in: str, check_out: str) -> Iterator[tuple[dt.date, dt.date]]:
    """Yield single nights: the one before a stay, its first, its last, and the one after it."""
    begin, end = rules.date(check_in), rules.date(check_out)
    for night in (begin - rules.DAY, begin, end - rules.DAY, end):
        yield night, night + rules.DAY


# --- Judging -------------------------------------------------------------------------------------


def judge_lists(books: Books, read: list[ListRead]) -> Iterator[str]:
    """Hold every list against the rows."""
    for each in read:
        should = _expected(books, each.question)
        items = each.items
        if each.service == "notification":
            items = [_with_instant(item) for item in items]
        if items != should:
            yield f"{each}: it has {items}, and there are {should}"


def _expected(books: Books, question: Any) -> list[Row]:
    files = books.files
    match question:
        case ListBookings():
            wanted = {"customer_id": question.customer_id, "room_id": question.room_id}
            return [books.bookings[row["id"]] for row in files["booking"] if _fits(row, wanted)]
        case ListMails():
            wanted = {"customer_id": question.customer_id}
            return [_mail(row) for row in files["mail"] if _fits(row, wanted)]
        case ListRooms():
            return [
                _room(row)
                for row in files["room"]
                if _fits(row, {"type": question.type}) and _is_free(books, row, question)
            ]
        case _:
            return files["customer"]


def _fits(row: Row, wanted: dict[str, str | None]) -> bool:
    return all(value in {None, row[name]} for name, value in wanted.items())


def _is_free(books: Books, room: Row, question: ListRooms) -> bool:
    """Whether it is free then; where no days are named, it is asked for all the same."""
    if question.check_in is None or question.check_out is None:
        return True
    taken = {row["night"] for row in books.files["night"] if row["room_id"] == room["id"]}
    wanted = rules.nights_slept(f"{question.check_in}", f"{question.check_out}")
    return rules.is_bookable(room["status"]) and taken.isdisjoint(wanted)


def _room(row: Row) -> Row:
    return {
        "id": row["id"],
        "type": row["type"],
        "rate": {"amount": row["rate_amount"], "currency": row["rate_currency"]},
        "number": row["number"],
        "status": row["status"] or "available",
    }


def _mail(row: Row) -> Row:
    names = ("id", "booking_id", "subject", "body", "kind")
    mail = {name: row[name] for name in names}
    return {**mail, "to": row["recipient"], "created_at": row["created_us"]}


def _with_instant(mail: Row) -> Row:
    return {**mail, "created_at": rules.instant_us(mail["created_at"])}
