"""The hotel's rules as a guest would tell them: nights, prices, refunds, mails, cards, refusals.

Written from the contract alone: nothing here is the services' own code, which is what it judges, as
the audit does by the same rules.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# In minor units.
PAYMENT_MAX: Final = 1_000_000_000_000
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
DAY: Final = dt.timedelta(days=1)

# What each test card's processor says; None is a yes, and SILENT nobody's word.
SILENT: Final = "the card processor does not answer"
CARD_ENDS: Final[Mapping[str, str | None]] = {
    "4242424242424242": None,
    "4000000000000002": "the card's issuer refuses it",
    "4000000000009995": "insufficient funds",
    "4000000000001000": None,
    "4000000000002008": SILENT,
    "4000000000003006": SILENT,
}
GOOD_CARD: Final = "4242424242424242"
# At these the processor is asked again, or in vain: the breaker, the others' delays, tell of it.
SLOW_CARDS: Final = frozenset({"4000000000001000", "4000000000002008", "4000000000003006"})

# Of a booking's states, which may follow which.
LATER: Final[Mapping[str, frozenset[str]]] = {
    "pending": frozenset({"pending", "confirmed", "rejected", "cancelling", "cancelled"}),
    "confirmed": frozenset({"confirmed", "cancelling", "cancelled"}),
    "cancelling": frozenset({"cancelling", "cancelled"}),
    "cancelled": frozenset({"cancelled"}),
    "rejected": frozenset({"rejected"}),
}


def date(text: str) -> dt.date:
    """Return the day that `2024-02-29` names."""
    year, month, day = (int(part) for part in text.split("-"))
    return dt.date(year, month, day)


def instant_us(text: str) -> int:
    """Return the microseconds since the epoch that `2024-02-29T12:00:00Z` names."""
    return (dt.datetime.fromisoformat(text) - EPOCH) // dt.timedelta(microseconds=1)


def nights_slept(check_in: str, check_out: str) -> list[str]:
    """Return the nights slept, by the day they begin: that of departure is not one."""
    found, day = [], date(check_in)
    while day < date(check_out):
        found.append(day.isoformat())
        day += DAY
    return found


def share_a_night(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two stays cannot be in one room."""
    return bool({*nights_slept(*one)} & {*nights_slept(*other)})


def price(rate: Mapping[str, Any], check_in: str, check_out: str) -> dict[str, Any]:
    """Return what a stay costs."""
    amount = sum(rate["amount"] for _ in nights_slept(check_in, check_out))
    return {"amount": amount, "currency": rate["currency"]}


def too_dear(rate: Mapping[str, Any], check_in: str, check_out: str) -> str | None:
    """Return why no payment takes what a stay costs; None where it does."""
    amount = price(rate, check_in, check_out)["amount"]
    if amount <= PAYMENT_MAX:
        return None
    return f"the stay costs {amount} minor units; a payment takes {PAYMENT_MAX} at most"


def is_bookable(status: str) -> bool:
    """Whether a room of this status can be booked; one that says nothing can."""
    return status.strip(" ").lower() in {"available", ""}


def local_days(first_us: int, last_us: int, time_zone: str) -> Iterator[dt.date]:
    """Yield the days that it is in the hotel from one instant to another."""
    # The one that needs no data, which a small image may lack.
    zone = dt.UTC if time_zone == "UTC" else ZoneInfo(time_zone)
    day, end = (
        dt.datetime.fromtimestamp(at_us / 1_000_000, tz=zone).date()
        for at_us in (first_us, last_us)
    )
    while day <= end:
        yield day
        day += DAY


def refunds(
    amount: int, check_in: str, days: Iterable[dt.date], *, full_days: int, late_percent: int
) -> set[int]:
    """Return what may come back of `amount`, cancelled on one of `days`.

    All of it early enough; then a share, half a unit being the guest's; nothing from arrival on.
    """
    found = set()
    for day in days:
        left = date(check_in).toordinal() - day.toordinal()
        if left >= full_days:
            found.add(amount)
        elif left <= 0:
            found.add(0)
        else:
            whole, rest = divmod(amount * late_percent, 100)
            found.add(whole + (rest >= 50))  # noqa: PLR2004 - half a hundred
    return found


def confirmation(booking: Mapping[str, Any], guest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mail that a guest has of a booking that stands."""
    cost = booking["price"]
    return {
        "booking_id": booking["id"],
        "to": guest["email"],
        "kind": "booking_confirmed",
        "subject": f"Your booking {booking['id']} is confirmed",
        "body": f"Dear {guest['name']},\n\n"
        f"room {booking['room_id']} is yours from {booking['check_in']} to {booking['check_out']}. "
        f"We have charged {cost['amount']} minor units of {cost['currency']}.\n",
    }


def cancellation(
    booking: Mapping[str, Any], guest: Mapping[str, Any], *, stood: bool
) -> dict[str, Any]:
    """Return the mail of its end: one that never stood has cost nothing."""
    back = booking["refund"]
    money = "Nothing stays charged"
    if stood and back is not None:
        money = f"We refund {back['amount']} minor units of {back['currency']}"
    return {
        "booking_id": booking["id"],
        "to": guest["email"],
        "kind": "booking_cancelled",
        "subject": f"Your booking {booking['id']} is cancelled",
        "body": f"Dear {guest['name']},\n\n"
        f"your stay from {booking['check_in']} to {booking['check_out']} is cancelled. {money}.\n",
    }
