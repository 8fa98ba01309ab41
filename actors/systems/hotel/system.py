"""The hotel: bookings that are paid or cost nothing, and no room that is sold twice for a night."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import ConfigError
from actors.system import Dependency, ListenerSpec, System
from actors.systems.hotel.booking import BookingService
from actors.systems.hotel.card_processor.card_processor import CardProcessorService
from actors.systems.hotel.card_processor.card_processor_client import CardProcessorClient
from actors.systems.hotel.config import HotelConfig
from actors.systems.hotel.currency import refuse_currency
from actors.systems.hotel.customer import CustomerService
from actors.systems.hotel.messages import Money
from actors.systems.hotel.notification import NotificationService
from actors.systems.hotel.payment import PaymentService
from actors.systems.hotel.room import RoomService
from actors.systems.hotel.routes import ADDRESSES
from http_edge.go_gateway import NetHttpGateway

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors.load.load_plan import LoadPlan
    from actors.service.service import Service
    from actors.simulation.stage.scenario import Scenario
    from actors.system import Audit, Wiring


def services(wiring: Wiring) -> Mapping[str, Callable[[], Service]]:
    """Return a factory for each service. Raises ConfigError."""
    config = wiring.config.section(HotelConfig)
    rate = config.room_rate_default
    rate_default = Money(amount=rate.amount, currency=rate.currency)
    refusal = refuse_currency(rate_default, field="hotel.room_rate_default")
    if refusal is not None:
        raise ConfigError(f"configuration: {refusal.detail}")
    processor = wiring.outside["card_processor"]
    return {
        "customer": CustomerService,
        "room": lambda: RoomService(rate_default, nights_max=config.nights_max),
        "booking": lambda: BookingService(config),
        "payment": lambda: PaymentService(processor, settle_retry_s=config.settle_retry_s),
        "card_processor": CardProcessorService,
        "notification": NotificationService,
    }


def card_processor(wiring: Wiring) -> CardProcessorClient:
    """Return the way to the sandbox that stands for somebody else's system, with its own books.

    It is a service of this process, live and simulated; a real processor's client goes here.
    """
    config = wiring.config.section(HotelConfig)
    return CardProcessorClient(wiring.ask, charge_s=config.charge_s, charges_max=config.charges_max)


def _scenario() -> Callable[[], Scenario]:
    from actors.systems.hotel.scenario.scenario import HotelScenario  # noqa: PLC0415 - no server's

    return HotelScenario


def _audit() -> Audit:
    from actors.systems.hotel.invariants import audit  # noqa: PLC0415 - no server's

    return audit


def _load() -> LoadPlan:
    from actors.systems.hotel.hotel_load import PLAN  # noqa: PLC0415 - no server's

    return PLAN


HOTEL = System(
    name="hotel",
    services=services,
    addresses=ADDRESSES,
    listeners=(ListenerSpec("hotel", 8080, NetHttpGateway),),  # the tutorial's hotel service
    config={"hotel": HotelConfig},
    outside={"card_processor": Dependency(live=card_processor, simulated=card_processor)},
    scenario=_scenario,
    audit=_audit,
    load=_load,
)
