"""Which currencies there are: those of ISO 4217 that have minor units, so no gold and no XXX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iso4217 import Currency

from actors.kernel.messages import Refusal

if TYPE_CHECKING:
    from actors.systems.hotel.messages import Money

CODES: Final = frozenset(each.code for each in Currency if each.exponent is not None)


def refuse_currency(money: Money, *, field: str) -> Refusal | None:
    """Return why nothing can cost this, naming `field`; None for a currency there is."""
    if money.currency in CODES:
        return None
    detail = f"{field}.currency: {money.currency} is no currency of ISO 4217; EUR and JPY are"
    return Refusal.invalid(detail, field=f"{field}.currency")
