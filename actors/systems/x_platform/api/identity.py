"""Who asks, and in which of X's three ways they prove it."""

from __future__ import annotations

import hmac
from enum import Enum
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import hdrs

from actors.systems.x_platform.api import oauth1
from actors.systems.x_platform.api.x_problems import plain_problem
from actors.systems.x_platform.messages import ACCOUNT_ID

if TYPE_CHECKING:
    from aiohttp import web

    from actors.kernel.clock import Clock
    from actors.systems.x_platform.api.embedded_credentials import EmbeddedCredentials

# X's bound for how far the signer's clock may be from its own.
SKEW_S_MAX: Final = 300


class Scheme(Enum):
    """The value is X's name for it."""

    APP = "OAuth 2.0 Application-Only"
    OAUTH1 = "OAuth 1.0a User Context"
    OAUTH2 = "OAuth 2.0 User Context"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The app by itself, or through it the account, whose requests count together.

    `signed` is what a signature was made for; it must not be seen twice.
    """

    scheme: Scheme
    signed: oauth1.Signed | None = None

    @property
    def account(self) -> str:
        """Whose requests these are, for counting them."""
        return "app" if self.scheme is Scheme.APP else ACCOUNT_ID


class Identity:
    """Recognises callers by their Authorization header. Anything wrong with it is a bare 401."""

    def __init__(self, credentials: EmbeddedCredentials) -> None:
        self._credentials = credentials
        self._tokens = (
            (credentials.bearer_token.encode(), Scheme.APP),
            (credentials.oauth2_token.encode(), Scheme.OAUTH2),
        )
        # Oldest first, as dictionaries are; each is forgotten once its timestamp would be refused.
        self._spent: dict[oauth1.Signed, float] = {}

    def recognise(self, request: web.BaseRequest, clock: Clock) -> Caller:
        """Return who asks. Raises a 401; a signature's one use is not yet spent by it."""
        headers = request.headers.getall(hdrs.AUTHORIZATION, [])
        scheme, _, rest = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
        if scheme.lower() == "bearer":
            caller = self._bearer(rest.strip())
        elif scheme.lower() == "oauth":
            caller = self._signer(request, rest, clock)
        else:
            caller = None
        if caller is None:
            raise plain_problem(401)
        return caller

    def spend(self, caller: Caller, clock: Clock) -> None:
        """Note the signature, or raise a 401 where it was used before.

        To be called for what the rate limit lets through: so it bounds what is remembered.
        """
        signed = caller.signed
        if signed is None:
            return
        now_s = clock.monotonic()  # whatever the wall clock said meanwhile
        while self._spent and next(iter(self._spent.values())) < now_s:
            del self._spent[next(iter(self._spent))]
        if signed in self._spent:
            raise plain_problem(401)
        # A timestamp may lie ahead by the bound, and is then good for twice as long.
        self._spent[signed] = now_s + 2 * SKEW_S_MAX

    def _bearer(self, token: str) -> Caller | None:
        given = token.encode("utf-8", "surrogateescape")
        # Compared in constant time, and with both: how long it takes tells nothing.
        found = [scheme for right, scheme in self._tokens if hmac.compare_digest(given, right)]
        return Caller(scheme=found[0]) if found else None

    def _signer(self, request: web.BaseRequest, header: str, clock: Clock) -> Caller | None:
        signed = oauth1.verify_signature(request, header, self._credentials)
        if signed is None or abs(signed.timestamp_s - clock.now_us() // 1_000_000) > SKEW_S_MAX:
            return None
        return Caller(scheme=Scheme.OAUTH1, signed=signed)
