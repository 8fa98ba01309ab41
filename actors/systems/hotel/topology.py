"""The hotel's services by name, as a supervisor starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import ConfigError
from actors.systems.hotel.booking import BookingService
from actors.systems.hotel.card_processor import CardProcessorService
from actors.systems.hotel.card_processor_client import CardProcessorClient
from actors.systems.hotel.currency import refuse_currency
from actors.systems.hotel.customer import CustomerService
from actors.systems.hotel.messages import Money
from actors.systems.hotel.notification import NotificationService
from actors.systems.hotel.payment import PaymentService
from actors.systems.hotel.room import RoomService

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.config import HotelConfig
    from actors.service.service import Service
    from actors.systems.hotel.card_processor_client import Ask


def services(config: HotelConfig, ask: Ask) -> dict[str, Callable[[], Service]]:
    """Return a factory for each service; its name is its address and its file's name.

    `ask(service, message)` is how payment's effects reach the card processor. Raises ConfigError.
    """
    rate = config.room_rate_default
    rate_default = Money(amount=rate.amount, currency=rate.currency)
    refusal = refuse_currency(rate_default, field="hotel.room_rate_default")
    if refusal is not None:
        raise ConfigError(f"configuration: {refusal.detail}")
    processor = CardProcessorClient(ask)
    return {
        "customer": CustomerService,
        "room": lambda: RoomService(rate_default, nights_max=config.nights_max),
        "booking": lambda: BookingService(config),
        "payment": lambda: PaymentService(processor, settle_retry_s=config.settle_retry_s),
        "card_processor": CardProcessorService,
        "notification": NotificationService,
    }
