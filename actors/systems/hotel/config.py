"""The hotel's numbers, each with its unit and its reason: the section `hotel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from actors.config import Count, EffectTables, Positive, Section
from actors.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.config import Rule


class MoneyConfig(Section):
    amount: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000)]
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]


class HotelConfig(Section):
    # In minor units; for rooms made at the tutorial's address, which names no price.
    room_rate_default: MoneyConfig = MoneyConfig(amount=10_000, currency="EUR")
    # A stay: a year and a day. Each night is a row of the room's transaction.
    nights_max: Annotated[int, msgspec.Meta(ge=1, le=3660)] = 366
    # An IANA name: whose calendar says how many days are left to a check-in.
    time_zone: Annotated[str, msgspec.Meta(min_length=1)] = "UTC"
    # A room waits so long for its payment; at least booking_s_max, which ends it sooner.
    hold_s: Positive = 300.0
    # Then a booking without its answers is undone: several times what a payment's attempts take.
    booking_s_max: Positive = 120.0
    # What a charge takes at the card processor; the sandbox answers at once. With so many at a time
    # there are charges_max / charge_s a second, and no more bookings: 30 at 0.2 s are 150.
    charge_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    # At a time, where a charge takes any: as many as the payment service asks for at once.
    charges_max: Count = 64
    # A refund that failed is tried again this often, for ever: it is the guest's money.
    settle_retry_s: Positive = 30.0
    # Cancelled this many days before check-in, or earlier, all of the price comes back.
    refund_full_days: Annotated[int, msgspec.Meta(ge=0, le=36_600)] = 7
    # Later than that, but before the day of check-in; from then on nothing comes back.
    refund_late_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 50
    # By service and effect, what goes before its @effect: [hotel.effects.payment.ChargeCard] with
    # running_max = 8, where the processor takes no more at once.
    effects: EffectTables = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ConfigError where there is no such time zone."""
        if self.time_zone == "UTC":  # needs no data, which a small image may lack
            return
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            message = (
                f"configuration: hotel.time_zone: no time zone {self.time_zone!r} on this system; "
                f'write an IANA name such as "Europe/Zurich", and install time zone data (tzdata) '
                f"if it has none"
            )
            raise ConfigError(message) from error

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        # Else the room is given away while the booking may still be paid.
        yield self.booking_s_max <= self.hold_s, "hotel.booking_s_max is at most hotel.hold_s"
