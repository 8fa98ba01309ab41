"""Whether what guests were told of bookings is true, and why they were refused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from actors.systems.hotel.scenario import rules
from actors.systems.hotel.scenario.books import BOOKINGS, CREATED, RENTS, day_of
from actors.systems.hotel.scenario.journal import ASKED_US_MAX, NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.systems.hotel.scenario.books import Books, Wish
    from actors.systems.hotel.scenario.journal import Exchange

FIELDS: Final = {
    "id", "customer_id", "room_id", "check_in", "check_out", "status", "price", "refund", "reason",
}  # fmt: skip
# In a calm hotel: several times what a booking's way through all services takes.
ANSWER_US_MAX: Final = 1_000_000

# How soon the nights of what was rejected are given back, where nothing is in the way.
GIVEN_BACK_US: Final = 5_000_000
# What a booking may be refused for before there is anything to undo.
UNTOUCHED: Final = (
    "there is no ", "taken for one of", "cannot be booked", "a payment takes",
    "exists, and is another",
)  # fmt: skip

Sight = tuple[int, int, str, str]  # begun, ended, status, who saw it


def judge_bookings(books: Books) -> Iterator[str]:
    """Judge every answer and every row."""
    sights: dict[str, list[Sight]] = {}
    for exchange in books.journal.exchanges:
        for row in rows_of(exchange):
            yield from _of_row(books, row, exchange.ended, str(exchange))
            sight = (exchange.begun, exchange.ended, row["status"], str(exchange))
            sights.setdefault(row["id"], []).append(sight)
    for wish in books.wishes:
        yield from _of_wish(books, wish)
        if wish.id is not None and wish.exchange.path == RENTS and wish.exchange.status == CREATED:
            each = wish.exchange
            sights.setdefault(wish.id, []).append((each.begun, each.ended, "confirmed", str(each)))
    for row in books.bookings.values():
        yield from _of_row(books, row, NEVER, "in the end")
        sights.setdefault(row["id"], []).append((NEVER, NEVER, row["status"], "in the end"))
    yield from _nobody_booked_more_than_was_asked(books)
    for booking, seen in sights.items():
        yield from _order(books, booking, seen)
    yield from _cancellations(books)
    yield from _nights(books)


def rows_of(exchange: Exchange) -> list[dict[str, Any]]:
    """Return the bookings that an answer shows; one that is a repetition shows an old one."""
    if exchange.repeats is not None:
        return []
    if exchange.status not in {200, CREATED} or not exchange.path.startswith(BOOKINGS):
        return []
    if exchange.method == "GET" and exchange.path == BOOKINGS:
        return list(exchange.reply["items"])
    return [] if isinstance(exchange.reply, list) else [exchange.reply]


# --- One row -----------------------------------------------------------------------------------


def _of_row(books: Books, row: dict[str, Any], ended: int, who: str) -> Iterator[str]:
    if set(row) != FIELDS:
        yield f"{who}: a booking is {row}"
        return
    what = (row["customer_id"], row["room_id"], row["check_in"], row["check_out"])
    asked = [
        wish
        for wish in books.by_id.get(row["id"], books.wishes)
        if wish.what == what and wish.exchange.begun < ended
    ]
    if not asked:
        yield f"{who}: nobody asked for {row}"
        return
    status, cost = row["status"], row["price"]
    rates = [
        rate
        for wish in asked
        for rate in books.rates(row["room_id"], wish.exchange.begun, wish.exchange.ended)
    ]
    right = [rules.price(rate, row["check_in"], row["check_out"]) for rate in rates]
    if cost is not None and cost not in right:
        yield f"{who}: {row['id']} costs {cost}, and should cost one of {right}"
    if cost is None and status in {"confirmed", "cancelling"}:
        yield f"{who}: {row['id']} is {status} and has no price"
    if (row["reason"] is None) != (status != "rejected"):
        yield f"{who}: {row['id']} is {status}, and its reason is {row['reason']!r}"
    elif status == "rejected" and not any(
        is_reason(books, wish, None, row["reason"]) for wish in asked
    ):
        yield f"{who}: {row['id']} was rejected for no reason: {row['reason']}"
    yield from _of_refund(books, row, who)
    final = books.bookings.get(row["id"])
    if cost is not None and final is not None and final["price"] != cost:
        yield f"{who}: {row['id']} cost {cost}, and in the end {final['price']}"


def _of_refund(books: Books, row: dict[str, Any], who: str) -> Iterator[str]:
    status, cost, refund = row["status"], row["price"], row["refund"]
    if status in {"pending", "confirmed"}:
        if refund is not None:
            yield f"{who}: {row['id']} is {status}, and {refund} come back"
        return
    if status == "rejected" or row["id"] not in books.stood:
        # What had been charged by then comes back, all of it.
        if refund is not None and refund != cost:
            yield f"{who}: {row['id']} never stood, and {refund} of {cost} come back"
        return
    if refund is None or cost is None:
        yield f"{who}: {row['id']} is {status}, and {refund} of {cost} come back"
        return
    hotel = books.hotel
    right: set[int] = set()
    for each in books.cancels.get(row["id"], []):
        days = books.days(each)
        right |= rules.refunds(
            cost["amount"], row["check_in"], days,
            full_days=hotel.refund_full_days, late_percent=hotel.refund_late_percent,
        )  # fmt: skip
    if refund["currency"] != cost["currency"] or refund["amount"] not in right:
        yield f"{who}: of {cost} for {row['id']}, {refund} come back, and should {sorted(right)}"


def _order(books: Books, booking: str, seen: list[Sight]) -> Iterator[str]:  # noqa: C901 - a rule after the other
    """No booking goes back, and none is cancelled that nobody cancelled."""
    begun_anew = len(books.by_id.get(booking, [])) > 1
    seen.sort()
    for begun, ended, status, who in seen:
        cancels = books.cancels.get(booking, [])
        if status.startswith("cancel") and not any(each.begun < ended for each in cancels):
            yield f"{who}: {booking} is {status}, and nobody wanted that"
        for first, last, before, whom in seen:
            if first > begun or (before == "rejected" and begun_anew):
                continue
            if last < begun and status not in rules.LATER[before]:
                yield f"{who}: {booking} is {status}, and was {before}: {whom}"
        if begun == NEVER and status not in {"confirmed", "rejected", "cancelled"}:
            yield f"in the end {booking} is {status}"
        if begun == ended == NEVER:
            for each in cancels:
                if each.status == 200 and status != "cancelled":  # noqa: PLR2004 - OK
                    yield f"{each}: it was cancelled, and in the end {booking} is {status}"
    if seen and seen[-1][0] != NEVER and not begun_anew:
        yield f"{booking} was seen ({seen[-1][3]}), and in the end there is none"


# --- One answer --------------------------------------------------------------------------------


def _of_wish(books: Books, wish: Wish) -> Iterator[str]:  # noqa: C901 - a rule after the other
    exchange = wish.exchange
    status, reply = exchange.status, exchange.reply
    tutorial = exchange.path == RENTS
    count = len(rules.nights_slept(*wish.stay))
    days = [f"{day}" for day in books.days(exchange)]
    wrong_field = None
    if not 1 <= count <= books.hotel.nights_max:
        wrong_field = "CheckOut" if tutorial else "check_out"
    if not tutorial and wish.check_in < min(days):
        wrong_field = "check_in"
    may_be_past = not tutorial and wish.check_in < max(days)
    if status == 0:
        return  # judged with the keys
    if status == 422:  # noqa: PLR2004 - the body is at fault
        if reply.get("field") == "Idempotency-Key":
            return  # judged with the keys
        if reply.get("field") != wrong_field and not (
            may_be_past and reply.get("field") == "check_in"
        ):
            yield f"{exchange}: {wish.what} was answered {reply}"
        return
    if wrong_field is not None:
        yield f"{exchange}: {wrong_field} is wrong, and it was answered {status} {reply}"
    if status == CREATED:
        yield from _of_success(books, wish)
    elif not is_reason(books, wish, status, str(reply.get("detail"))):
        yield f"{exchange}: {wish.what} was refused for no reason: {status} {reply.get('detail')}"
    took_us = exchange.ended_us - exchange.begun_us
    late = books.roomy and took_us > ANSWER_US_MAX
    if late and not books.is_disturbed(exchange.begun_us, exchange.ended_us):
        yield f"{exchange}: it took {took_us} us"


def _of_success(books: Books, wish: Wish) -> Iterator[str]:
    exchange, reply = wish.exchange, wish.exchange.reply
    if exchange.path == RENTS:
        body = exchange.body
        days = {name: day_of(body[name]) for name in ("CheckIn", "CheckOut")}
        if reply != {**body, **days}:
            yield f"{exchange}: {exchange.body} was answered {reply}"
    elif reply.get("status") != "confirmed":
        yield f"{exchange}: a 201, and {reply}"
    if rules.CARD_ENDS[wish.card] is not None:
        yield f"{exchange}: the card {wish.card} paid"
    for kind, id_ in (("customer", wish.customer), ("room", wish.room)):
        if not books.may_be_there(kind, id_, exchange.ended):
            yield f"{exchange}: there is no {kind} {id_}, and it was booked"
    statuses = books.statuses(wish.room, _first(books, wish).begun, exchange.ended)
    if not any(map(rules.is_bookable, statuses)):
        yield f"{exchange}: room {wish.room} cannot be booked, and was"


def _first(books: Books, wish: Wish) -> Exchange:
    """Return which it may be the answer of: who asks again under its id is told what came of that.

    What was refused untouched was none.
    """
    asked = [
        each.exchange
        for each in books.by_id.get(wish.id or "", [])
        if each.what == wish.what
        and not (_is_untouched(each) and each.exchange.before(wish.exchange))
    ]
    return min([wish.exchange, *asked], key=lambda each: each.begun)


def is_reason(books: Books, wish: Wish, status: int | None, detail: str) -> bool:  # noqa: C901, PLR0911 - one for each reason
    """Whether this may be why a booking was not made; `status` is None where only rows tell."""
    exchange = wish.exchange
    begun_us = _first(books, wish).begun_us
    took_us = exchange.ended_us - begun_us + books.stepped_us
    disturbed = books.is_disturbed(begun_us, exchange.ended_us)
    if detail == f"there is no customer {wish.customer}":
        gone = not books.was_there("customer", wish.customer, exchange.begun)
        return status in {None, 404} and gone
    if detail == f"there is no room {wish.room}":
        return status in {None, 404} and not books.was_there("room", wish.room, exchange.begun)
    if status not in {None, 409}:
        return False
    if detail == f"room {wish.room} is taken for one of these nights":
        return any(_may_be_in_the_way(books, other, wish) for other in books.wishes)
    statuses = books.statuses(wish.room, exchange.begun, exchange.ended)
    closed = [each for each in statuses if not rules.is_bookable(each)]
    if detail in {f"room {wish.room} cannot be booked: its status is {each}" for each in closed}:
        return True
    if detail in {
        rules.too_dear(rate, *wish.stay)
        for rate in books.rates(wish.room, exchange.begun, exchange.ended)
    }:
        return True
    said = rules.CARD_ENDS[wish.card]
    if detail.startswith("the card was declined: "):
        return said not in {None, rules.SILENT} and detail.endswith(f": {said}")
    if detail.endswith(f"nothing stays charged: {rules.SILENT}"):
        return said == rules.SILENT or disturbed
    if detail in {
        "the room's hold was over before the booking was paid",
        "the room was held for a while, and not paid for in time",
    }:
        return disturbed and took_us >= books.hotel.hold_s * 1_000_000
    if detail == "the booking could not be completed in time":
        return disturbed and took_us >= books.hotel.booking_s_max * 1_000_000
    if wish.id is not None and detail == f"booking {wish.id} exists, and is another":
        others = books.by_id[wish.id]
        return any(
            other.what != wish.what
            and other.exchange.begun < exchange.ended
            and not (_is_untouched(other) and other.exchange.ended < exchange.begun)
            for other in others
        )
    booking = detail.removeprefix("booking ").split(" ")[0]
    if detail == f"booking {booking} was cancelled; book anew, under another id":
        cancels = books.cancels.get(booking, [])
        mine = wish.id in {None, booking}
        return mine and any(each.begun < exchange.ended for each in cancels)
    return False


def _may_be_in_the_way(books: Books, other: Wish, wish: Wish) -> bool:
    """Whether another's nights may have been taken when this one asked for them."""
    if other is wish or other.room != wish.room or other.exchange.begun >= wish.exchange.ended:
        return False
    return rules.share_a_night(other.stay, wish.stay) and not is_surely_over(
        books, other, wish.exchange, behind=True
    )


def is_surely_over(books: Books, wish: Wish, looks: Exchange, *, behind: bool = False) -> bool:
    """Whether its nights were certainly free when another request came: never taken, or given back.

    For who asks by the same way, `behind` it, they are free with the answer; who looks only may see
    them for a while.
    """
    exchange, begun = wish.exchange, looks.begun
    if behind and exchange.status not in {0, CREATED} and exchange.ended < begun:
        return True
    if exchange.status == 422 and exchange.ended < begun:  # noqa: PLR2004 - nothing was done
        return True
    if _is_untouched(wish):
        return exchange.ended < begun
    # Nothing was undone on the way: what was cancelled after it stood gave its nights back first.
    stood = exchange.status == CREATED
    return (
        stood
        and any(
            each.status == 200 and each.ended < begun and exchange.ended < each.begun  # noqa: PLR2004 - OK
            for each in books.cancels.get(wish.id or "", [])
        )
    ) or _is_long_over(books, wish, looks.begun_us)


def _is_long_over(books: Books, wish: Wish, begun_us: int) -> bool:
    """Whether it came to nothing, and whatever was in the way of its end was so long before."""
    exchange = wish.exchange
    ended_us = exchange.ended_us
    if exchange.status == CREATED:
        return False
    if exchange.status == 0:
        if any(
            (row["customer_id"], row["room_id"], row["check_in"], row["check_out"]) == wish.what
            and row["status"] != "rejected"
            for row in books.bookings.values()
        ):
            return False
        ended_us = exchange.begun_us + ASKED_US_MAX + books.hotel.booking_s_max * 1_000_000
    given_back_us = begun_us - GIVEN_BACK_US
    return ended_us < given_back_us and not books.is_disturbed(given_back_us, begun_us)


def _is_untouched(wish: Wish) -> bool:
    """Whether it was refused before anything was held or paid for it: its id is free again."""
    detail = str((wish.exchange.reply or {}).get("detail", ""))
    return wish.exchange.status in {404, 409} and any(each in detail for each in UNTOUCHED)


def _cancellations(books: Books) -> Iterator[str]:
    for booking, asked in books.cancels.items():
        wishes = books.by_id.get(booking, [])
        made = [wish.exchange for wish in wishes if wish.exchange.status == CREATED]
        for each in asked:
            stood = any(wish.before(each) for wish in made)
            detail = str((each.reply or {}).get("detail", ""))
            if each.status == 200:  # noqa: PLR2004 - OK
                if each.reply.get("status") != "cancelled" or each.reply.get("id") != booking:
                    yield f"{each}: it was answered {each.reply}"
            elif stood and each.status != 0:
                yield f"{each}: there was such a booking, and the answer is {each.status} {detail}"
            elif each.status not in {0, 404, 409} or (
                (each.status == 404 and detail != f"there is no booking {booking}")  # noqa: PLR2004 - not found
                or (
                    each.status == 409  # noqa: PLR2004 - conflict
                    and detail != f"booking {booking} is rejected: there is nothing to end"
                )
            ):
                yield f"{each}: it was answered {each.status} {each.reply}"


# --- The files ---------------------------------------------------------------------------------


def _nobody_booked_more_than_was_asked(books: Books) -> Iterator[str]:
    asked = Counter(wish.what for wish in books.wishes)
    there = Counter(
        (row["customer_id"], row["room_id"], row["check_in"], row["check_out"])
        for row in books.bookings.values()
    )
    for what, count in (there - asked).items():
        yield f"there are {count} more bookings of {what} than anybody asked for"


def _nights(books: Books) -> Iterator[str]:
    """Every night of every stay that stands is its room's, and no other."""
    wanted = Counter(
        (row["room_id"], night, row["id"])
        for row in books.bookings.values()
        if row["status"] == "confirmed"
        for night in rules.nights_slept(row["check_in"], row["check_out"])
    )
    taken = Counter((row["room_id"], row["night"], row["hold_id"]) for row in books.files["night"])
    for room, night, booking in wanted - taken:
        yield f"{booking} stands, and its night of {night} in {room} is free"
    for room, night, booking in taken - wanted:
        yield f"the night of {night} in {room} is taken for {booking}, which has no right to it"
    if any(count > 1 for count in Counter(key[:2] for key in wanted.elements()).values()):
        yield f"a night is sold twice: {wanted}"
