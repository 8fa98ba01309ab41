"""What all addresses of X's API share."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from actors.systems.x_platform.api.identity import Identity
from actors.systems.x_platform.api.open_streams import DRAINING, OpenStreams
from actors.systems.x_platform.api.rate_limit import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.systems.x_platform.api.embedded_credentials import EmbeddedCredentials
    from actors.systems.x_platform.config import XPlatformConfig


class ApiContext:
    """Who may ask, how often, and which streams are open: in memory, and new with each process."""

    def __init__(
        self, config: XPlatformConfig, credentials: Callable[[], EmbeddedCredentials]
    ) -> None:
        self.config = config
        self._credentials = credentials
        self.limiter = RateLimiter(config)
        self.streams = OpenStreams(config.connections_max)

    @cached_property
    def identity(self) -> Identity:
        """Who has which keys: these are read once it is served, and may be made then."""
        return Identity(self._credentials())

    def drain(self) -> None:
        """End the streams, which would not end by themselves."""
        self.streams.disconnect(DRAINING)
