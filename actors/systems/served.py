"""What the reference systems answer, listener by listener."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.systems.hotel import routes as hotel
from actors.systems.tweets import routes as tweets
from actors.systems.x_platform.api import addresses as x
from actors.systems.x_platform.api.x_endpoint import SERVICE
from http_edge.gateway import Gateway
from http_edge.listener import GATEWAY, Listener

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from actors.config import Config
    from http_edge.address import Address

_DIALECTS = {**hotel.GATEWAYS, **tweets.GATEWAYS, **x.GATEWAYS}
NAMES = (GATEWAY, *_DIALECTS)


def listener(config: Config, name: str, addresses: Sequence[Address] = ()) -> Listener:
    """Return the listener where `edge.NAME` says that it is."""
    there = getattr(config.edge, name)
    return Listener(name, there.host, there.port, addresses, _DIALECTS.get(name, Gateway))


def listeners(
    config: Config, data_dir: Path, services: Collection[str] | None = None
) -> list[Listener]:
    """Return all listeners, with the addresses of these services; None stands for all.

    The embedded X keeps its credentials in `data_dir`; without its service, it has no listener.
    Raises ConfigError.
    """
    tables: list[Mapping[str, Sequence[Address]]] = [
        {GATEWAY: ()},
        hotel.ADDRESSES,
        tweets.ADDRESSES,
    ]
    if services is None or SERVICE in services:
        tables.append(x.addresses(config.x_platform, data_dir))

    def is_served(address: Address) -> bool:
        asked = address.endpoint.asked
        return services is None or asked is None or asked in services

    return [
        listener(config, name, [each for each in addresses if is_served(each)])
        for table in tables
        for name, addresses in table.items()
    ]
