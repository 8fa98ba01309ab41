"""What all addresses of X's API share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.systems.x_platform.api.identity import Identity
from actors.systems.x_platform.api.open_streams import DRAINING, OpenStreams
from actors.systems.x_platform.api.rate_limit import RateLimiter

if TYPE_CHECKING:
    from actors.systems.x_platform.api.embedded_credentials import EmbeddedCredentials
    from actors.systems.x_platform.config import XPlatformConfig


class ApiContext:
    """Who may ask, how often, and which streams are open: in memory, and new with each process."""

    def __init__(self, config: XPlatformConfig, credentials: EmbeddedCredentials) -> None:
        self.config = config
        self.identity = Identity(credentials)
        self.limiter = RateLimiter(config)
        self.streams = OpenStreams(config.connections_max)

    def drain(self) -> None:
        """End the streams, which would not end by themselves."""
        self.streams.disconnect(DRAINING)
