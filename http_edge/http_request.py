"""A request knows when it must be answered; what HTTP forbids in its head is refused here."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from aiohttp import EMPTY_PAYLOAD, HttpVersion10, HttpVersion11, hdrs, web
from multidict import istr

from http_edge.problems import Kind, Overload, ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.http_parser import RawRequestMessage

    from actors.kernel.clock import Clock

# RFC 3986's host, and a port: a registered name, or an address, which has brackets if it is IPv6's.
_HOST: Final = re.compile(
    r"(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+(?::[0-9]{0,5})?"
    r"|\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[\w.~!$&'()*+,;=:-]+)\](?::[0-9]{0,5})?",
    re.ASCII,
)

_HOST_FIELD: Final = hdrs.HOST
_EXPECT_FIELD: Final = hdrs.EXPECT
TIMEOUT_FIELD: Final = istr("X-Request-Timeout")
# Decimal seconds: not what float() also reads, such as "nan" or "1_0". Of any length: who passes on
# what is left of his own time has seventeen digits of it.
_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)


class HttpRequest(web.BaseRequest):
    """It has arrived once its head was read, and is answered by its deadline.

    Both are in `clock.monotonic()` seconds. A client that waits for less than others says so in
    `X-Request-Timeout`, in seconds.

    `left_s` is what was left of it when its turn came: the time that its service has. `beyond`: the
    connection is one more than there are places, so that only what keeps the system reachable is
    answered on it.

    `let_in` is what lets it in once its body is there, where that comes behind its head; `place`
    is what it has to leave then, and when it was let in.
    """

    ATTRS = web.BaseRequest.ATTRS | {
        "beyond", "arrived", "deadline", "left_s", "let_in", "place"
    }  # fmt: skip

    arrived: float
    deadline: float
    left_s: float
    beyond: bool
    # A WayIn, which knows of requests.
    let_in: Callable[[], tuple[Any, float]] | None = None
    place: tuple[Any, float] | None = None

    def look_again(self) -> float:
        """Bring `left_s` up to date, and return it."""
        clock: Clock = self._protocol.clock  # type: ignore[attr-defined]  # an HttpConnection's
        self.left_s = self.deadline - clock.monotonic()
        return self.left_s

    def come_in(self) -> None:
        """Be let in now that its body is there, where it was not at its head; or raise why not."""
        if self.let_in is not None:
            self.place = self.let_in()

    def check_deadline(self, now: float) -> None:
        """Raise a 504 if nothing is left of its time, else bring `left_s` up to date."""
        self.left_s = left_s = self.deadline - now
        if left_s <= 0:
            raise Overload(Kind.DEADLINE_EXCEEDED, "its deadline passed before its turn came")

    def check_deadline_and_head(self, now: float) -> None:
        """Raise the problem with its head or its age, if there is one. Each request comes by."""
        message = self._message
        headers = message.headers
        if TIMEOUT_FIELD in headers:
            self._shorten(headers.getall(TIMEOUT_FIELD))
        self.check_deadline(now)
        host = headers.get(_HOST_FIELD)
        if host is not None and not valid_host(host):
            detail = "Host is one name or address, with a port where it is not the usual one"
            raise ProblemError(Kind.BAD_REQUEST, detail)
        if message.version is not HttpVersion11:
            _check_version(message)
        elif _EXPECT_FIELD in headers:
            _check_expectations(headers.getall(_EXPECT_FIELD))
        if self._payload is not EMPTY_PAYLOAD:
            self._check_body()
        elif message.method != "GET" and headers.get(hdrs.CONTENT_LENGTH, "").strip("0"):
            # aiohttp takes the largest number that its parser knows for none.
            raise ProblemError(Kind.BAD_REQUEST, "no body has this Content-Length")

    def _shorten(self, values: list[str]) -> None:
        """Bring its deadline forward to what the client says; nobody gets more than usual."""
        found = _SECONDS.fullmatch(values[0])
        wished_s = 0.0 if found is None or len(values) > 1 else float(values[0])
        if wished_s == 0.0:
            detail = "X-Request-Timeout is one header of decimal seconds above 0, such as 0.25"
            raise ProblemError(Kind.INVALID, detail, field=TIMEOUT_FIELD)
        self.deadline = min(self.deadline, self.arrived + wished_s)

    def _check_body(self) -> None:
        broken = self._payload.exception()
        if broken is not None:
            raise broken
        # RFC 9112 section 6.1: what is coded twice would be stored as it came.
        message = self._message
        if message.chunked and message.headers[hdrs.TRANSFER_ENCODING].lower() != "chunked":
            raise ProblemError(Kind.BAD_REQUEST, "a Transfer-Encoding is chunked, or none")


@lru_cache(maxsize=256)
def valid_host(host: str) -> bool:
    """Whether it can be a Host header's value (RFC 9110 section 7.2)."""
    return _HOST.fullmatch(host) is not None


def _check_version(message: RawRequestMessage) -> None:
    if message.version not in (HttpVersion10, HttpVersion11):
        # The parser knows 0.9 and 2.0 as well, where a request ends elsewhere.
        raise ProblemError(Kind.BAD_REQUEST, "HTTP/1.1 and HTTP/1.0 are spoken here")
    if message.chunked:
        # RFC 9112 section 6.1: who passed it on may have seen its end elsewhere.
        raise ProblemError(Kind.BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding")


def _check_expectations(values: list[str]) -> None:
    # RFC 9110 section 10.1.1; HTTP/1.0 knew none, and there it means nothing.
    if any(value.lower() != "100-continue" for value in values):
        raise ProblemError(Kind.EXPECTATION_FAILED, "only Expect: 100-continue is understood")
