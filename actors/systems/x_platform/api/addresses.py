"""The embedded X's HTTP side: its addresses, and an operator's for acting on it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from actors.systems.x_platform.api.api_context import ApiContext
from actors.systems.x_platform.api.connecting import STREAM
from actors.systems.x_platform.api.embedded_credentials import FILE, read_embedded_credentials
from actors.systems.x_platform.api.open_streams import FORCED
from actors.systems.x_platform.api.rules_endpoints import RULES
from actors.systems.x_platform.api.search_endpoint import SEARCH
from actors.systems.x_platform.api.tweet_endpoints import TWEETS
from actors.systems.x_platform.api.user_endpoints import USERS
from actors.systems.x_platform.api.x_endpoint import SERVICE
from actors.systems.x_platform.messages import LockAccount, TweetAs
from http_edge.address import Address
from http_edge.endpoints.admin_endpoint import admin, guarded
from http_edge.endpoints.service_endpoint import service
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from pathlib import Path

    from actors.systems.x_platform.config import XPlatformConfig
    from http_edge.endpoints.admin_endpoint import AdminCall


def addresses(config: XPlatformConfig, data_dir: Path) -> dict[str, list[Address]]:
    """Return the addresses by listener; what they share begins with them.

    Reads the credentials in `data_dir`; where there are none, they are made once these are served.
    Raises ConfigError.
    """
    read = partial(read_embedded_credentials, data_dir)
    if (data_dir / FILE).exists():
        read()  # damaged ones are found before anything runs
    return addresses_over(ApiContext(config, read))


def addresses_over(api: ApiContext) -> dict[str, list[Address]]:
    """Return the addresses that share this."""

    async def disconnect(call: AdminCall) -> tuple[int, object]:
        """End all streams, as X does now and then: they are told why, and close in their time."""
        refuse_query(call.query)
        return 202, {"disconnected": api.streams.disconnect(FORCED)}

    return {
        "gateway": [
            Address("POST", "/admin/x/tweets", guarded(service(SERVICE, TweetAs, 201))),
            Address("POST", "/admin/x/lock", guarded(service(SERVICE, LockAccount))),
            Address("POST", "/admin/x/disconnect", admin(disconnect, "end all of X's streams")),
        ],
        "x_platform": [row.address(api) for row in (*STREAM, *RULES, *SEARCH, *TWEETS, *USERS)],
    }
