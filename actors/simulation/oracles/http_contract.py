"""Whether an answer is one that HTTP, and the gateway's own contract, have for its request.

Every answer that a simulated client gets is judged, whatever the system: its status and the kind of
its problem, the headers that go with them, the form of its body, and that no "no" tells what is
inside. It shares no code with the edge.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, unquote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from actors.config import EdgeConfig

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
# By status, what its problems are called: what clients tell them apart by.
PROBLEMS: Final[Mapping[int, frozenset[str]]] = MappingProxyType(
    {
        400: frozenset(
            {"bad-request", "malformed-url", "malformed-json", "incomplete-body", "wrong-type"}
        ),
        401: frozenset({"unauthorized"}),
        403: frozenset({"cross-origin"}),
        404: frozenset({"not-found", "no-such-path", "no-such-actor", "no-such-letter"}),
        405: frozenset({"method-not-allowed"}),
        408: frozenset({"head-too-slow", "body-too-slow"}),
        409: frozenset({"conflict", "reply-unreadable", "letter-not-replayable"}),
        413: frozenset({"body-too-large"}),
        415: frozenset({"unsupported-media-type"}),
        417: frozenset({"expectation-failed"}),
        421: frozenset({"misdirected"}),
        422: frozenset({"invalid", "unread-body"}),
        503: frozenset(
            {
                "mailbox-full", "starting", "service-unavailable", "actor-crashed",
                "actor-stopped", "dead-lettered", "store-refused", "store-unavailable",
                "too-many-connections", "overloaded", "service-overloaded", "not-answering",
                "remote-failed", "not-ready",
            }
        ),
        504: frozenset({"deadline-exceeded"}),
    }
)  # fmt: skip
# Who has no room, or waits for somebody, knows when to come again.
SAYS_WHEN: Final = frozenset(
    {
        "mailbox-full", "starting", "service-unavailable", "store-refused", "store-unavailable",
        "too-many-connections", "overloaded", "service-overloaded", "not-answering",
        "remote-failed",
    }
)  # fmt: skip
SUCCESSES: Final = frozenset({200, 201, 202})
# What is done at the address of what it is done to.
IN_PLACE: Final = frozenset({"PUT", "PATCH", "DELETE"})
# A page's items, and what to ask for the following one with.
PARTS: Final = 2
# Which headers go with a status.
HEADERS: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {401: ("WWW-Authenticate",), 405: ("Allow",), 415: ("Accept-Encoding",)}
)
# What is nobody's business: files, code, statements, and what an exception is called.
INSIDE: Final = re.compile(
    r"Traceback|\.py\b|\bline \d+\b|sqlite|\b(?:SELECT|INSERT|UPDATE|DELETE) |\.db\b|0x[0-9a-f]{6}"
    r"|<class|/tmp/|\b[A-Z]\w+(?:Error|Exception)\b"
)
# The time on the way that is taken for none: a deadline counts from the arrival.
EARLY_S: Final = 0.001
# A date is told in whole seconds.
SECOND_US: Final = 1_000_000


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its answer; `port` is None at the gateway. Header names are in lower case.

    `body` is the answer's, decoded where it is JSON; `size` is how many bytes it has; `took_s` is
    how long it was from the request's first byte; `wall_us` is what its clock said at its end, in
    microseconds of the epoch, or 0 where it was set meanwhile. `timeout_s` is for how long its
    client has said to wait, if it has.
    """

    method: str
    target: str
    port: int | None
    request_id: str
    status: int
    headers: dict[str, str]
    body: Any
    size: int
    took_s: float
    wall_us: int
    timeout_s: float = inf


class HttpContract:
    """Judges one answer at a time."""

    def __init__(self) -> None:
        """Nothing was answered yet."""
        # Of addresses that make something: where an answer has said its place, and where a 202 has
        # not.
        self._placed: set[str] = set()
        self._unplaced: set[str] = set()
        # By which methods something was done at each address.
        self._methods: dict[tuple[int | None, str], set[str]] = {}

    def violations(self, seen: HttpAnswer, config: EdgeConfig) -> Iterator[str]:
        """Yield a sentence for everything that is wrong with it.

        `config` says how long a request may take, and how long a page is.
        """
        for trouble in self._violations(seen, config):
            yield f"{seen.method} {seen.target} was answered {seen.status} {trouble}"

    def _violations(self, seen: HttpAnswer, config: EdgeConfig) -> Iterator[str]:
        yield from _common(seen)
        yield from self._allowed(seen)
        if seen.method == "HEAD":
            if seen.size:
                yield f"and a body of {seen.size} bytes"
            if seen.status not in SUCCESSES and seen.status not in PROBLEMS:
                yield "which nothing that a client sends may be"
        elif seen.status in SUCCESSES:
            yield from self._success(seen, config)
        else:
            yield from self._problem(seen, config)

    def _allowed(self, seen: HttpAnswer) -> Iterator[str]:
        """A method that was answered there before is among those that are said to be."""
        methods = self._methods.setdefault((seen.port, seen.target.partition("?")[0]), set())
        if seen.status in SUCCESSES:
            methods.add(seen.method)
        if seen.status == 405:  # noqa: PLR2004 - a status
            allowed = seen.headers.get("allow", "").split(", ")
            if methods - set(allowed):
                yield f"and allows {allowed}, where {sorted(methods)} were answered"

    # --- A yes -------------------------------------------------------------------------------

    def _success(self, seen: HttpAnswer, config: EdgeConfig) -> Iterator[str]:
        kind = seen.headers.get("content-type", "")
        if not kind.startswith(("text/", JSON)):
            yield f"as {kind or 'nothing at all'}"
        path = seen.target.partition("?")[0]
        if seen.port is None and path.startswith("/admin/") and seen.method == "GET":
            yield from _no_more_than_asked(seen, config)
        if seen.port is None and path.startswith("/api/v1/"):
            yield from _created_or_accepted(seen, path)
            if seen.method == "POST" and seen.status in {201, 202}:
                yield from self._made(seen, path)
            if seen.method == "GET":
                yield from self._read(seen, path, config)

    def _made(self, seen: HttpAnswer, path: str) -> Iterator[str]:
        """Where what is made has a place, it has one as long as it is being made, too."""
        if seen.headers.get("location"):
            self._placed.add(path)
        elif seen.status == 202:  # noqa: PLR2004 - a status
            self._unplaced.add(path)
        if path in self._placed & self._unplaced:
            yield "and does not always say where it is to be seen"

    def _read(self, seen: HttpAnswer, path: str, config: EdgeConfig) -> Iterator[str]:
        """A page has two parts, and no more than was asked for; a thing is what it is called.

        A system may answer with any JSON at addresses of its own.
        """
        body, name = seen.body, unquote(path.rpartition("/")[2])
        if not isinstance(body, dict):
            return
        if {"items", "next"} <= body.keys():
            following = body["next"]
            if len(body) > PARTS or not isinstance(following, str | None):
                yield f"with {sorted(body)}, next {following!r}"
            yield from _no_more_than_asked(seen, config)
            asked = _limit(seen)
            limit = config.page_items_default if asked is None else asked
            if following is not None and len(body["items"]) < limit:
                yield f"with {len(body['items'])} items, {limit} were asked for, and there are more"
        elif "items" not in body and "id" in body and str(body["id"]) != name:
            yield f"with {body['id']}"

    # --- A no --------------------------------------------------------------------------------

    def _problem(self, seen: HttpAnswer, config: EdgeConfig) -> Iterator[str]:
        kinds, body = PROBLEMS.get(seen.status), seen.body
        if kinds is None:
            yield f"which nothing that a client sends may be: {body!r}"
            return
        if seen.headers.get("content-type") != PROBLEM or not isinstance(body, dict):
            yield f"as {seen.headers.get('content-type')}: {body!r}"
            return
        kind = str(body.get("type")).rpartition("/")[2]
        if kind not in kinds or body.get("status") != seen.status:
            yield f"and says {body}"
        if not all(body.get(name) for name in ("title", "detail")):
            yield f"and does not say what is wrong: {body}"
        # An operator is told all of it.
        is_for_all = not seen.target.startswith("/admin/")
        if is_for_all and INSIDE.search(f"{body.get('title')} {body.get('detail')}"):
            yield f"and tells what is inside: {body}"
        when, told = seen.headers.get("retry-after"), body.get("retry_after")
        if (None if told is None else str(told)) != when:
            yield f"to be asked again after {when} s, or {told}"
        if kind in SAYS_WHEN and (when is None or int(when) < 1):
            yield f"as {kind}, to be asked again after {when} s"
        if seen.status == 405 and seen.method in seen.headers.get("allow", "").split(", "):  # noqa: PLR2004 - a status
            yield f"though it allows {seen.headers.get('allow')}"
        deadline_s = min(config.deadline_s, seen.timeout_s)
        if seen.status == 504 and seen.took_s < deadline_s - EARLY_S:  # noqa: PLR2004 - a status
            yield f"after {seen.took_s:.3f} s, of {deadline_s:g} s"


def _no_more_than_asked(seen: HttpAnswer, config: EdgeConfig) -> Iterator[str]:
    """An operator's list has a limit where one is named."""
    items = seen.body.get("items") if isinstance(seen.body, dict) else None
    limit = _limit(seen)
    if limit is None and not seen.target.startswith("/admin/"):
        limit = config.page_items_default
    if isinstance(items, list) and limit is not None and len(items) > limit:
        yield f"with {len(items)} items, and {limit} is the most"


def _limit(seen: HttpAnswer) -> int | None:
    """Return how many items were asked for, where that was said."""
    asked = parse_qs(seen.target.partition("?")[2]).get("limit")
    return None if asked is None else int(asked[0])


def _common(seen: HttpAnswer) -> Iterator[str]:
    """What stands in every answer, and in none."""
    headers = seen.headers
    known = headers.get("x-request-id") == seen.request_id
    if not known and not _is_unread(seen):
        yield f"under the request id {headers.get('x-request-id')}, and {seen.request_id} was sent"
    if headers.get("x-content-type-options") != "nosniff":
        yield "and may be taken for something else: it lacks nosniff"
    yield from [
        f"without {each}"
        for each in ("Date", *HEADERS.get(seen.status, ()))
        if not headers.get(each.lower())
    ]
    if seen.wall_us and headers.get("date"):
        at_us = parsedate_to_datetime(headers["date"]).timestamp() * 1e6
        if not seen.wall_us - seen.took_s * 1e6 - SECOND_US <= at_us <= seen.wall_us:
            yield f"at {headers['date']}, which is {(seen.wall_us - at_us) / 1e6:.3f} s ago"
    if "access-control-allow-origin" in headers:
        yield "and lets pages from elsewhere read it"


def _is_unread(seen: HttpAnswer) -> bool:
    """Whether it may come before its request was read, under an id of the edge's own."""
    kind = str(seen.body.get("type")) if isinstance(seen.body, dict) else ""
    own = re.fullmatch("[0-9a-f]{16}", seen.headers.get("x-request-id", ""))
    return kind.endswith("/too-many-connections") and own is not None


def _created_or_accepted(seen: HttpAnswer, path: str) -> Iterator[str]:
    """What is made is found at its Location, which ends in its id; what changes, where it is."""
    if seen.status == 202 and not seen.headers.get("retry-after"):  # noqa: PLR2004 - a status
        yield "without Retry-After"
    location = seen.headers.get("location")
    if seen.status == 202 and seen.method in IN_PLACE and location is None:  # noqa: PLR2004
        yield "without Location"
    changes = seen.method in IN_PLACE and location == path
    if location is None or changes or not isinstance(seen.body, dict) or "id" not in seen.body:
        return
    # What comes before it, a system may choose.
    if re.split("[/=]", location)[-1] != quote(str(seen.body["id"]), safe=""):
        yield f"with Location {location}, and the id {seen.body['id']}"
