"""A stay is the half-open range of days [check_in, check_out), and is priced by its nights."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from actors.kernel.messages import Refusal
from actors.systems.hotel.messages import MINOR_UNITS_MAX, Money

if TYPE_CHECKING:
    from collections.abc import Iterator


def refuse_stay(
    check_in: dt.date, check_out: dt.date, *, nights_max: int, field: str = "check_out"
) -> Refusal | None:
    """Return why nobody can stay so, naming `field`; None for a stay of 1 to `nights_max` nights.

    It may lie in the past, see `refuse_past`: a rehearsal has data of any age.
    """
    count = (check_out - check_in).days
    if count < 1:
        detail = f"{field}: {check_out} is not after {check_in}, the day of arrival"
        return Refusal.invalid(detail, field=field)
    if count > nights_max:
        detail = f"{field}: a stay is at most {nights_max} nights, and this one is {count}"
        return Refusal.invalid(detail, field=field)
    return None


def refuse_past(check_in: dt.date, *, today: dt.date) -> Refusal | None:
    """Return why nobody arrives on a day that is over; `today` is the hotel's own."""
    if check_in >= today:
        return None
    detail = f"check_in: {check_in} is over, by the hotel's own calendar; arrive today or later"
    return Refusal.invalid(detail, field="check_in")


def nights(check_in: dt.date, check_out: dt.date) -> Iterator[str]:
    """Yield the ISO date of each night's first day."""
    for day in range(check_in.toordinal(), check_out.toordinal()):
        yield dt.date.fromordinal(day).isoformat()


def price_of_stay(rate: Money, check_in: dt.date, check_out: dt.date) -> Money | Refusal:
    """Return the nights at the room's rate, in minor units; more than a payment takes is refused.

    The rate decides that, not the request: its answer comes late, and keeps its key.
    """
    amount = rate.amount * (check_out - check_in).days
    if amount > MINOR_UNITS_MAX:
        return Refusal.conflict(
            f"the stay costs {amount} minor units; a payment takes {MINOR_UNITS_MAX} at most"
        )
    return Money(amount=amount, currency=rate.currency)


def zone(name: str) -> dt.tzinfo:
    """Return the time zone; UTC is there even where no time zone data is installed."""
    return dt.UTC if name == "UTC" else ZoneInfo(name)
