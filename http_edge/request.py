"""A request knows when it must be answered; what HTTP forbids in its head is refused here."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from aiohttp import EMPTY_PAYLOAD, HttpVersion10, HttpVersion11, hdrs, web

from http_edge.problems import Kind, Overload, ProblemError

if TYPE_CHECKING:
    from http_edge.connection import Connection

# RFC 3986's host, and a port: a registered name, or an address, which has brackets if it is IPv6's.
_HOST: Final = re.compile(
    r"(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+(?::[0-9]{0,5})?"
    r"|\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[\w.~!$&'()*+,;=:-]+)\](?::[0-9]{0,5})?",
    re.ASCII,
)


class Request(web.BaseRequest):
    """`deadline` is in `clock.monotonic()` seconds, counted from when the head had arrived.

    `beyond`: the connection is one more than there are places, so that only what keeps the system
    reachable is answered on it.
    """

    @property
    def upgrades(self) -> bool:
        """Whether what follows it would be no HTTP any more, were it granted: also a CONNECT."""
        return self._message.upgrade

    ATTRS = web.BaseRequest.ATTRS | {"beyond", "connection", "deadline"}

    connection: Connection
    deadline: float
    beyond: bool

    def _finish(self) -> None:
        """Called by aiohttp once there is an answer: nobody reads the body any more."""
        self.connection.answered = True
        super()._finish()

    def left_s(self) -> float:
        """Return the seconds until its deadline; 0 or less once it has passed."""
        return self.deadline - self.connection.clock.monotonic()

    def check(self, now: float) -> None:
        """Raise the problem with its head or its age, if there is one."""
        if self.deadline <= now:
            raise Overload(Kind.DEADLINE_EXCEEDED, "its deadline passed before its turn came")
        broken = self._payload.exception()
        if broken is not None:
            raise broken
        headers = self._message.headers
        host = headers.get(hdrs.HOST)
        if host is not None and not valid_host(host):
            detail = "Host is one name or address, with a port where it is not the usual one"
            raise ProblemError(Kind.BAD_REQUEST, detail)
        version = self._message.version
        if version == HttpVersion11:
            if hdrs.EXPECT in headers:
                _check_expectations(headers.getall(hdrs.EXPECT))
        elif version != HttpVersion10:  # the parser knows 0.9 and 2.0, which are framed otherwise
            raise ProblemError(Kind.BAD_REQUEST, "HTTP/1.1 and HTTP/1.0 are spoken here")
        if (
            self._payload is EMPTY_PAYLOAD
            and self._message.method != hdrs.METH_GET
            and headers.get(hdrs.CONTENT_LENGTH, "").strip("0")
        ):
            # aiohttp takes the largest number that its parser knows for none.
            raise ProblemError(Kind.BAD_REQUEST, "no body has this Content-Length")
        if self._message.chunked and (
            version == HttpVersion10 or headers[hdrs.TRANSFER_ENCODING].lower() != "chunked"
        ):
            # RFC 9112 section 6.1: 1.0 has none, so that somebody on the way may have seen another
            # end; and what is coded twice would be stored as it came.
            detail = "a Transfer-Encoding is chunked, of HTTP/1.1, or none"
            raise ProblemError(Kind.BAD_REQUEST, detail)


@lru_cache(maxsize=256)
def valid_host(host: str) -> bool:
    """Whether it can be a Host header's value (RFC 9110 section 7.2)."""
    return _HOST.fullmatch(host) is not None


def _check_expectations(values: list[str]) -> None:
    # RFC 9110 section 10.1.1; HTTP/1.0 knew none, and there it means nothing.
    if any(value.lower() != "100-continue" for value in values):
        raise ProblemError(Kind.EXPECTATION_FAILED, "only Expect: 100-continue is understood")
