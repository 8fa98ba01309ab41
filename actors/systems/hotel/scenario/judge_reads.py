"""Whether every list is whole and in order, and every room, guest and mail as it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from actors.systems.hotel.scenario import rules
from actors.systems.hotel.scenario.books import (
    BOOKINGS,
    CELLS,
    CREATED,
    CUSTOMERS,
    GUESTS,
    MAILS,
    ROOMS,
)
from actors.systems.hotel.scenario.journal import NEVER, OK, possible
from actors.systems.hotel.scenario.judge_bookings import is_surely_over

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from actors.systems.hotel.scenario.books import Books, Wish
    from actors.systems.hotel.scenario.journal import Exchange, Walk

# A list's address, its things in the files, and by which of a thing's columns it can be filtered.
LISTS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    BOOKINGS: ("booking", {"customer_id": "customer_id", "room_id": "room_id"}),
    CUSTOMERS: ("customer", {}),
    ROOMS: ("room", {"type": "type"}),
    MAILS: ("mail", {"customer_id": "customer_id"}),
}

# Of what a mail tells.
EVENTS: Final = {"booking_confirmed": "BookingConfirmed", "booking_cancelled": "BookingCancelled"}
# In a calm hotel: what a mail takes from its event to its commit, where no client comes before it.
WRITTEN_US_MAX: Final = 100_000


def judge_reads(books: Books) -> Iterator[str]:
    """Judge what was read, and what there is in the end."""
    for walk in books.journal.walks:
        yield from _of_walk(books, walk)
    for exchange in books.journal.exchanges:
        if exchange.method == "GET" and not exchange.wrong:
            yield from _of_one(books, exchange)
        if exchange.method == "GET" and exchange.status == OK and exchange.path == ROOMS:
            for row in exchange.reply["items"]:
                yield from _of_room(books, row, exchange)
    yield from _guests(books)
    yield from _rooms(books)
    yield from _mails(books)


# --- Lists -------------------------------------------------------------------------------------


def _of_walk(books: Books, walk: Walk) -> Iterator[str]:  # noqa: C901 - a rule after the other
    if not walk.pages:
        return
    first, last = walk.pages[0], walk.pages[-1]
    kind, filters = LISTS[first.path]
    limit = first.query["limit"]
    for page in walk.pages:
        items, more = page.reply["items"], page.reply["next"]
        if len(items) > limit or (more is not None and len(items) < limit):
            yield f"{page}: {len(items)} on a page of {limit}, and behind it {more}"
    if last.reply["next"] is not None and walk.whole:
        yield f"{first}: it does not end"
    seen = [row["id"] for page in walk.pages for row in page.reply["items"]]
    order = [
        row["id"]
        for row in books.files[kind]
        if all(
            row[column] == first.query[name]
            for name, column in filters.items()
            if name in first.query
        )
    ]
    if kind == "booking":  # one that was refused, and asked for again, moves to the end
        moved = {id_ for id_, wishes in books.by_id.items() if len(wishes) > 1}
        seen, order = ([each for each in ids if each not in moved] for ids in (seen, order))
    if "check_in" in first.query:
        yield from _of_free_rooms(books, walk, seen, order)
    elif seen != order[: len(seen)]:
        yield f"{first}: it has {seen}, and there are {order}"
    elif walk.whole:
        for id_ in order[len(seen) :]:
            if _was_written(books, kind, id_, last):
                yield f"{first}: {id_} is missing among {seen}"


def _was_written(books: Books, kind: str, id_: str, last: Exchange) -> bool:
    """Whether a thing was there when a list's last page was asked for."""
    if kind != "mail":
        return books.was_there(kind, id_, last.begun)
    if not books.calm or books.stepped_us:
        return False
    at_us = next(row["created_us"] for row in books.files["mail"] if row["id"] == id_)
    return books.monotonic_us(at_us) + WRITTEN_US_MAX < last.begun_us


def _of_free_rooms(  # noqa: C901 - a rule after the other
    books: Books, walk: Walk, seen: list[str], order: list[str]
) -> Iterator[str]:
    first, last = walk.pages[0], walk.pages[-1]
    if seen != [each for each in order if each in {*seen}]:
        yield f"{first}: it has {seen}, and they are made as {order}"
    stay = (first.query["check_in"], first.query["check_out"])
    for page in walk.pages:
        for row in page.reply["items"]:
            for wish in books.wishes:
                if _surely_takes(books, wish, row["id"], stay, page.begun, page.ended):
                    yield f"{page}: {row['id']} is free, and is taken by {wish.exchange}"
            statuses = books.statuses(row["id"], page.begun, page.ended)
            if not any(map(rules.is_bookable, statuses)):
                yield f"{page}: {row['id']} is free, and cannot be booked"
    if not walk.whole:
        return
    for id_ in order:
        if id_ in seen or not books.was_there("room", id_, first.begun):
            continue
        statuses = books.statuses(id_, first.begun, last.ended)
        in_the_way = [
            wish
            for wish in books.wishes
            if wish.room == id_
            and wish.exchange.begun < last.ended
            and rules.share_a_night(wish.stay, stay)
            and not is_surely_over(books, wish, first)
        ]
        if all(map(rules.is_bookable, statuses)) and not in_the_way:
            yield f"{first}: {id_} is free from {stay[0]} to {stay[1]}, and missing among {seen}"


def _surely_takes(
    books: Books, wish: Wish, room: str, stay: tuple[str, str], begun: int, ended: int
) -> bool:
    """Whether a booking had the room for one of these nights all the time between two moments."""
    stood = wish.exchange.status == CREATED and wish.exchange.ended < begun
    if not stood or wish.room != room or not rules.share_a_night(wish.stay, stay):
        return False
    return not any(each.begun < ended for each in books.cancels.get(wish.id or "", []))


# --- Single things -----------------------------------------------------------------------------


def _of_one(books: Books, exchange: Exchange) -> Iterator[str]:  # noqa: C901 - a rule after the other
    path, status = exchange.path, exchange.status
    base, _, id_ = path.rpartition("/")
    if path in LISTS:
        wrong = exchange.query.get("check_out", "9") <= exchange.query.get("check_in", "")
        bad = wrong or exchange.query.get("limit") == 0
        if status not in ({0, 422} if bad else {0, OK}):
            yield f"{exchange}: it was answered {status} {exchange.reply}"
        return
    kind = LISTS[base][0]
    if status == 0:
        return
    if status not in {OK, 404}:
        yield f"{exchange}: it was answered {status} {exchange.reply}"
    elif status != OK:
        if exchange.reply.get("detail") != f"there is no {kind} {id_}":
            yield f"{exchange}: it was answered {exchange.reply}"
        if books.was_there(kind, id_, exchange.begun):
            yield f"{exchange}: there is one, and the answer is {exchange.reply}"
    elif exchange.reply.get("id") != id_:
        yield f"{exchange}: it was answered {exchange.reply}"
    elif kind == "customer" and exchange.reply != books.guests.get(id_):
        yield f"{exchange}: it is {exchange.reply}, and in the end {books.guests.get(id_)}"
    elif kind == "room":
        yield from _of_room(books, exchange.reply, exchange)


def _of_room(books: Books, row: dict[str, Any], exchange: Exchange) -> Iterator[str]:
    id_ = row["id"]
    final = next((each for each in books.files["room"] if each["id"] == id_), None)
    if final is None or row["type"] != final["type"]:
        yield f"{exchange}: {row} is in the end {final}"
    for name, right in (
        ("rate", books.rates(id_, exchange.begun, exchange.ended)),
        # One that says nothing is shown as what it means.
        ("status", [e or "available" for e in books.statuses(id_, exchange.begun, exchange.ended)]),
        ("number", books.numbers(id_, exchange.begun, exchange.ended)),
    ):
        if row[name] not in right:
            yield f"{exchange}: {id_}'s {name} is {row[name]}, and should be one of {right}"


def _guests(books: Books) -> Iterator[str]:
    """Every guest is as somebody introduced them, and who was welcomed is there."""
    asked = books.journal.asked("POST", CUSTOMERS, GUESTS)
    introduced = {
        (body.get("id", body.get("ID")), body.get("name", body.get("Name")),
         body.get("email", body.get("Email")))
        for body in [each.reply or each.body for each in asked if each.status in {0, CREATED}]
    }  # fmt: skip
    for id_, row in books.guests.items():
        known = {(id_, row["name"], row["email"]), (None, row["name"], row["email"])}
        if not known & introduced and not books.was_there("customer", id_, 0):
            yield f"nobody introduced {row}"
    for each in asked:
        if each.status == CREATED:
            body = {name.lower(): value for name, value in each.reply.items()}
            if body != books.guests.get(body.get("id", "")):
                yield f"{each}: it was answered {each.reply}, and there is no such guest"
        if each.status == CREATED and each.body != {
            name: each.reply.get(name) for name in each.body
        }:
            yield f"{each}: {each.body} was answered {each.reply}"


def _rooms(books: Books) -> Iterator[str]:
    """Every room is in the end what it was made, or last made to be."""
    for each in books.journal.asked("POST", ROOMS, CELLS):
        if each.status == CREATED and not each.body.items() <= each.reply.items():
            yield f"{each}: {each.body} was answered {each.reply}"
    for row in books.files["room"]:
        shown = {
            "rate": {"amount": row["rate_amount"], "currency": row["rate_currency"]},
            "status": row["status"],
            "number": row["number"],
        }
        for name, value in shown.items():
            right = possible(books.changes(row["id"], name), NEVER, NEVER)
            if value not in right:
                yield f"{row['id']}'s {name} is {value} in the end, and should be one of {right}"


# --- Mails -------------------------------------------------------------------------------------


def _mails(books: Books) -> Iterator[str]:  # noqa: C901 - a rule after the other
    """Whoever has an address has one mail of each thing, and nobody has another."""
    may: dict[tuple[str, str], dict[str, Any]] = {}
    must = set()
    for row in books.bookings.values():
        guest = books.guests.get(row["customer_id"])
        stood = row["id"] in books.stood
        if guest is None or not guest["email"]:
            continue
        if stood and row["price"] is not None:
            may[row["id"], "booking_confirmed"] = rules.confirmation(row, guest)
        if row["status"] == "cancelled":
            may[row["id"], "booking_cancelled"] = rules.cancellation(row, guest, stood=stood)
        if stood or row["price"] is not None:
            must |= {key for key in may if key[0] == row["id"]}
    there = {(row["booking_id"], row["kind"]): row for row in books.files["mail"]}
    for key, row in there.items():
        sent = {name: row[name] for name in ("booking_id", "kind", "subject", "body")}
        sent["to"] = row["recipient"]
        if sent != may.get(key):
            yield f"a mail is {sent}, and should be {may.get(key)}"
    for key in sorted(must - set(there)):
        yield f"there is no mail of {key[1]} for {key[0]}"
    yield from _dates(books)
    by_id = {row["id"]: row for row in books.files["mail"]}
    for exchange in books.journal.exchanges:
        if exchange.path == MAILS and exchange.status == OK:
            for mail in exchange.reply["items"]:
                final = by_id.get(mail["id"], {})
                same = ("booking_id", "subject", "body", "kind")
                if (
                    mail["to"] != final.get("recipient")
                    or rules.instant_us(mail["created_at"]) != final["created_us"]
                    or any(mail[name] != final.get(name) for name in same)
                ):
                    yield f"{exchange}: it has {mail}, and in the end it is {final}"


def _dates(books: Books) -> Iterator[str]:
    """A mail is written when its booking is told of, and no sooner; in a calm hotel at once.

    It gives way to clients that wait for answers, and to nobody for longer than the gate's limit.
    """
    if books.stepped_us:
        return
    told = {
        (message["booking_id"], kind): at_us
        for kind, at_us, message in books.events("told")
        if "booking_id" in message
    }
    for row in books.files["mail"]:
        at_us = told.get((row["booking_id"], EVENTS[row["kind"]]), row["created_us"])
        late_us = row["created_us"] - at_us
        first_us, last_us = books.monotonic_us(at_us), books.monotonic_us(row["created_us"])
        if late_us < 0 or (
            _is_late(books, first_us, last_us)
            and not books.was_stopped({"notification"}, first_us, last_us)
        ):
            what = f"{row['kind']} for {row['booking_id']}"
            yield f"the mail of {what} is written {late_us} us after that"


def _is_late(books: Books, first_us: int, last_us: int) -> bool:
    """Whether what was told at the first moment should have been written before the last."""
    if not books.calm:
        return last_us - first_us > books.lasted_us
    # Once nobody waits any more: until the gate is open, and who waits there is told.
    after_us = WRITTEN_US_MAX + books.opens_us
    return (
        last_us - first_us > after_us + books.lag_us_max
        or books.idle_us(first_us, last_us) > after_us
    )
