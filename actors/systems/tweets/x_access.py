"""Where X is, and as whom to speak to it."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from actors.systems.tweets.x_errors import OutsideAddress

if TYPE_CHECKING:
    from actors.systems.tweets.credentials import XCredentials

# What tweepy writes before every path; it takes no other host.
X_HOST: Final = "https://api.twitter.com"


class XAccess:
    """X itself, or the embedded simulator: which, where, and with what credentials.

    In simulator mode nothing is sent but to this machine: an address that is not loopback is
    refused, whoever names it.
    """

    def __init__(self, credentials: XCredentials, *, simulator: bool, write: bool) -> None:
        """`write` is whether likes and replies are sent; at the simulator they always are."""
        self.credentials = credentials
        self.simulator = simulator
        self.write = write or simulator
        self._base_url: str | None = None
        self._opened = asyncio.Event()
        if not simulator:
            self._opened.set()

    @property
    def user_id(self) -> str:
        """The id of the account that likes and replies."""
        return self.credentials.user_id

    def open(self, base_url: str) -> None:
        """The embedded X listens at `base_url`. Raises OutsideAddress where that is not loopback.

        Called again, it has moved: who connects from now on goes there.
        """
        if not self.simulator:
            message = f"X itself is in use; {base_url} would not be asked"
            raise OutsideAddress(message)
        check_loopback(base_url)
        self._base_url = base_url.rstrip("/")
        self._opened.set()

    async def base_url(self) -> str | None:
        """Return what to put in place of X_HOST, once it is known; None for X itself."""
        await self._opened.wait()
        return self._base_url

    def __repr__(self) -> str:
        where = "X" if not self.simulator else self._base_url or "the embedded X, not open yet"
        return f"XAccess(at={where!r}, user_id={self.user_id!r}, write={self.write})"


def check_loopback(url: str) -> None:
    """Raise OutsideAddress where the URL is not plain HTTP to an address of this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_inside = host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name: wherever that leads
        is_inside = False
    if not is_inside or parts.scheme != "http":
        message = f"in simulator mode X is at http://127.0.0.1 or another loopback, not at {url!r}"
        raise OutsideAddress(message)
