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


class XStreamClosed(XUnreachable):
    """X has closed the stream, in order."""


class XRefused(XError):
    """X has said no for good: sent again, the same request has the same answer."""

    def __init__(self, detail: str) -> None:
        """`detail` is why, in X's words."""
        super().__init__(detail)
        self.detail = detail


class XLater(XError):
    """X has not done it, says so, and may do it later: nothing of it stands."""

    def __init__(
        self,
        detail: str,
        *,
        wait_s: float | None = None,
        retry_at_us: int | None = None,
        is_unclear: bool = False,
    ) -> None:
        """`wait_s` is how long to wait, where that is known by X's clock or by ours alone.

        Else `retry_at_us` is when X counts anew, in microseconds of the epoch, where it says so.
        `is_unclear`: X's no may be about this one request, or about all of the account's.
        """
        super().__init__(detail)
        self.detail = detail
        self.wait_s = wait_s
        self.retry_at_us = retry_at_us
        self.is_unclear = is_unclear


class XBusy(XLater):
    """X has had too many requests (429)."""


class XBarred(XLater):
    """X will not have the account, or the app, act or read at all for now."""


class XStatus(XError):
    """An answer whose status is not 2xx."""

    def __init__(
        self,
        status: int,
        body: str,
        *,
        is_own: bool,
        reset_s: int | None,
        wait_s: float | None = None,
    ) -> None:
        """`body` is cut to a sane length; `reset_s` is when X counts anew, in epoch seconds.

        `wait_s` is how long that is by X's own clock, where its answer says what time it is there.
        `is_own` is whether X itself says it, in JSON: not so what stands in front of it, nor what
        was damaged on the way.
        """
        super().__init__(f"X answered {status}: {body}" if body else f"X answered {status}")
        self.status = status
        self.body = body
        self.is_own = is_own
        self.reset_s = reset_s
        self.wait_s = wait_s


class RuleRefused(DressRehearsalError):
    """X does not take the rule made of the configured keywords."""
