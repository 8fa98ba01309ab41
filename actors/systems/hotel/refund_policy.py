"""What a guest gets back: everything until some days before arrival, then a share, then nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.systems.hotel.messages import Money

if TYPE_CHECKING:
    import datetime as dt


class RefundPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """All of the price up to `full_days` days before check-in, then `late_percent` of it.

    From the day of check-in on, nothing; days are the hotel's own.
    """

    full_days: int
    late_percent: int

    def refund(self, price: Money, *, check_in: dt.date, today: dt.date) -> Money:
        """Return the refund for a cancellation `today`, in whole minor units.

        A share is rounded to the nearest unit; half a unit goes to the guest.
        """
        days_left = (check_in - today).days
        percent = 0
        if days_left >= self.full_days:
            percent = 100
        elif days_left > 0:
            percent = self.late_percent
        return Money(amount=(price.amount * percent + 50) // 100, currency=price.currency)
