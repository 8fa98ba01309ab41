"""The hotel's services by name, as a supervisor starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.systems.hotel.customer import CustomerService
from actors.systems.hotel.messages import Money
from actors.systems.hotel.room import RoomService

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.config import HotelConfig
    from actors.service.service import Service


def services(config: HotelConfig) -> dict[str, Callable[[], Service]]:
    """Return a factory for each service; its name is its address and its file's name."""
    rate = config.room_rate_default
    rate_default = Money(amount=rate.amount, currency=rate.currency)
    return {"customer": CustomerService, "room": lambda: RoomService(rate_default)}
