"""Where X is, and as whom to speak to it."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from actors.errors import ConfigError
from actors.systems.tweets.x.pauses import Pauses
from actors.systems.tweets.x.x_errors import OutsideAddress

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.systems.tweets.x.credentials import XCredentials

# What tweepy writes before every path; it takes no other host.
X_HOST: Final = "https://api.twitter.com"
# Until the configuration says otherwise: x.barred_s_min and x.barred_s_max.
BARRED_S_MIN: Final = 5.0
BARRED_S_MAX: Final = 900.0
EMBEDDED_ACCOUNT: Final = "the embedded simulator"


class XAccess:
    """X itself, or the embedded simulator: which, where, and with what credentials.

    In simulator mode nothing is sent but to this machine: an address that is not loopback is
    refused, whoever names it.
    """

    def __init__(
        self,
        credentials: XCredentials,
        *,
        simulator: bool,
        write: bool,
        base_url: str = "",
        pauses: Pauses | None = None,
        where: Callable[[], Awaitable[str]] | None = None,
        is_leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        """`write` is whether likes and replies are sent; at the simulator they always are.

        `base_url` is where X is reached, such as a proxy or a stub; empty for X's own host. The
        embedded one is `where` that says, or waited for until it is opened. `is_leaving` is
        whether the process drains: what ends from then on is ended in order. Raises
        ConfigError where `base_url` is no address to send credentials to.
        """
        self.credentials = credentials
        self.simulator = simulator
        self.write = write or simulator
        self.pauses = pauses or Pauses(s_min=BARRED_S_MIN, s_max=BARRED_S_MAX)
        self._where = where
        self._is_leaving = is_leaving
        self._base_url = checked_base_url(base_url, simulator=simulator) if base_url else None
        self._opened = asyncio.Event()
        if not simulator:
            self._opened.set()

    @property
    def leaving(self) -> bool:
        """Whether the process drains."""
        return self._is_leaving()

    @property
    def user_id(self) -> str:
        """The id of the account that likes and replies."""
        return self.credentials.user_id

    @property
    def account(self) -> str:
        """Whose data are made here: the account, and the X that its ids are of."""
        if self.simulator:
            return f"{EMBEDDED_ACCOUNT}, {self.user_id}"
        return f"X{'' if self._base_url is None else f' at {self._base_url}'}, {self.user_id}"

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
        if self._where is not None and not self._opened.is_set():
            self.open(await self._where())
        await self._opened.wait()
        return self._base_url

    def __repr__(self) -> str:
        where = self._base_url or ("the embedded X, not open yet" if self.simulator else "X")
        return f"XAccess(at={where!r}, user_id={self.user_id!r}, write={self.write})"


def checked_base_url(url: str, *, simulator: bool) -> str:
    """Return x.base_url without a slash at its end. Raises ConfigError, saying what is wrong.

    Credentials go there: over TLS, or not beyond this machine.
    """
    name = "configuration: x.base_url"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        message = f"{name} {url!r} is no URL: {error}"
        raise ConfigError(message) from None
    wrong = None
    if simulator:
        wrong = "is for X itself, and the embedded simulator is in use; see x.platform"
    elif parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        wrong = "is not of the form https://HOST[:PORT][/PATH]"
    elif parts.username is not None or parts.query or parts.fragment or not _is_plain(url):
        wrong = "has a user, a query, a fragment, blanks or control characters"
    elif parts.scheme == "http" and not _is_loopback(parts.hostname):
        wrong = "would show the account's keys on the network; use https, or a loopback address"
    if wrong is not None:
        message = f"{name} {_without_user(url)!r} {wrong}"
        raise ConfigError(message)
    return url.rstrip("/")


def check_loopback(url: str) -> None:
    """Raise OutsideAddress where the URL is not plain HTTP to an address of this machine itself."""
    parts = urlsplit(url)
    if not _is_loopback(parts.hostname or "") or parts.scheme != "http":
        message = f"in simulator mode X is at http://127.0.0.1 or another loopback, not at {url!r}"
        raise OutsideAddress(message)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name: wherever that leads
        return False


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url and "?" not in url


def _without_user(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
