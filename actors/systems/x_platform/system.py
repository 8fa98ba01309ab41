"""The embedded X: a faithful simulator of X API v2, met over HTTP only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from actors.system import ListenerSpec, System
from actors.systems.x_platform.api.embedded_credentials import read_embedded_credentials
from actors.systems.x_platform.api.x_gateway import XGateway
from actors.systems.x_platform.config import XPlatformConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from actors.service.service import Service
    from actors.system import Addresses, Wiring


def services(wiring: Wiring) -> Mapping[str, Callable[[], Service]]:
    """Return a factory for the service. Where X itself is in use, its authors are silent."""
    # Here, for the declaration is read in each process, and this half of X where it is booted.
    from actors.systems.x_platform.x_platform import XPlatformService  # noqa: PLC0415

    config = wiring.config.section(XPlatformConfig)
    monitor = wiring.config.named("tweets")
    if monitor is not None and not config.keywords:
        config = msgspec.structs.replace(config, keywords=monitor.keywords)
    x = wiring.outside.get("x")
    if x is not None and not x.simulator:  # nobody would read them
        config = msgspec.structs.replace(config, tweets_per_s=0.0)
    return {"x_platform": partial(XPlatformService, config)}


def served(wiring: Wiring) -> Addresses:
    """Return those of X API v2, and the operator's."""
    from actors.systems.x_platform.api.addresses import addresses  # noqa: PLC0415 - likewise

    return addresses(wiring.config.section(XPlatformConfig), wiring.data_dir)


def lay_out(data_dir: Path) -> None:
    """Make the keys at first boot: who speaks to it reads them there. Raises ConfigError."""
    read_embedded_credentials(data_dir)


X_PLATFORM = System(
    name="x_platform",
    services=services,
    addresses=served,
    # Where any client of X API v2 finds it.
    listeners=(ListenerSpec("x_platform", 8100, XGateway),),
    config={"x_platform": XPlatformConfig},
    lay_out=lay_out,
)
