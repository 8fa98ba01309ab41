"""How a request to X may end, in words that hold no credential.

aiohttp's and tweepy's own errors carry the request, and with it the Authorization header; they end
where these begin, and are not chained to them.
"""

from __future__ import annotations

from actors.errors import DressRehearsalError


class XError(DressRehearsalError):
    """Something at X, or on the way there, did not work."""


class OutsideAddress(XError):
    """In simulator mode an address was to be used that is not this machine's own."""


class XUnreachable(XError):
    """No answer, or none that makes sense: sent again, it may have one."""


class XRefused(XError):
    """X has said no for good: sent again, the same request has the same answer."""

    def __init__(self, detail: str) -> None:
        """`detail` is why, in X's words."""
        super().__init__(detail)
        self.detail = detail


class XBusy(XError):
    """X has had too many requests (429)."""

    def __init__(self, detail: str, *, retry_at_us: int | None) -> None:
        """`retry_at_us` is when X counts anew, in microseconds of the epoch, where it says so."""
        super().__init__(detail)
        self.detail = detail
        self.retry_at_us = retry_at_us


class XStatus(XError):
    """An answer whose status is not 2xx."""

    def __init__(self, status: int, body: str, *, reset_s: int | None) -> None:
        """`body` is cut to a sane length; `reset_s` is x-rate-limit-reset, in epoch seconds."""
        super().__init__(f"X answered {status}: {body}" if body else f"X answered {status}")
        self.status = status
        self.body = body
        self.reset_s = reset_s


class RuleRefused(XError):
    """X does not take the rule made of the configured keywords."""
