"""Every "no" is application/problem+json (RFC 9457) and names what to change, or when to retry."""

from __future__ import annotations

import math
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from actors import errors
from http_edge.answer import PROBLEM, Answer, make_head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.kernel.messages import Refusal

# What a client may send is bounded, so what it gets back of it is bounded too.
DETAIL_CHARS_MAX = 500
FIELD_CHARS_MAX = 100

# A full disk is not freed in a second; a client that knows no better should leave it alone a while.
STORE_RETRY_AFTER_S = 5.0


class Kind(Enum):
    """Status, title, and whether the connection ends with it: for a request whose rest is not read.

    The problem's `type` is the name in lower case, with dashes.
    """

    BAD_REQUEST = (400, "The request is not valid HTTP", True)
    MALFORMED_URL = (400, "The address cannot be decoded")
    MALFORMED_JSON = (400, "The body is not valid JSON")
    INCOMPLETE_BODY = (400, "The body ended early or is framed wrongly", True)
    WRONG_TYPE = (400, "A value has the wrong type")
    UNAUTHORIZED = (401, "The admin token is missing or wrong")
    CROSS_ORIGIN = (403, "A page from elsewhere may change nothing here")
    NOT_FOUND = (404, "There is no such thing")
    NO_SUCH_PATH = (404, "There is no such address")
    NO_SUCH_ACTOR = (404, "There is no such actor")
    NO_SUCH_LETTER = (404, "There is no such dead letter")
    NO_SUCH_BREAKER = (404, "There is no such breaker")
    NO_SUCH_FAULT = (404, "There is no such fault")
    NO_SUCH_TRACE = (404, "There is no such trace")
    METHOD_NOT_ALLOWED = (405, "The address does not take this method")
    HEAD_TOO_SLOW = (408, "The request took too long to arrive", True)
    BODY_TOO_SLOW = (408, "The body took too long to arrive", True)
    CONFLICT = (409, "The present state forbids it")
    REPLY_UNREADABLE = (409, "The request was done before, and its answer cannot be read")
    LETTER_NOT_REPLAYABLE = (409, "The dead letter cannot be replayed")
    BODY_TOO_LARGE = (413, "The body is too large", True)
    UNSUPPORTED_MEDIA_TYPE = (415, "The body is not in a form this address reads")
    EXPECTATION_FAILED = (417, "The expectation cannot be met", True)
    MISDIRECTED = (421, "The request was meant for another host")
    INVALID = (422, "The request makes no sense as it stands")
    UNREAD_BODY = (422, "The address reads no body")
    INTERNAL_ERROR = (500, "Something went wrong here")
    MAILBOX_FULL = (503, "The service has as much to do as it may have")
    STARTING = (503, "The service is starting")
    SERVICE_UNAVAILABLE = (503, "The service is not up")
    ACTOR_CRASHED = (503, "The service crashed while it worked on this")
    ACTOR_STOPPED = (503, "The service has stopped")
    DEAD_LETTERED = (503, "The request crashed the service each time and was set aside")
    STORE_REFUSED = (503, "The service could not write")
    STORE_UNAVAILABLE = (503, "The service's store is in trouble")
    NOT_ANSWERING = (503, "The service answers nothing")
    REMOTE_FAILED = (503, "The service, which runs elsewhere, gave no proper answer")
    OVERLOADED = (503, "More is asked than can be answered in time")
    SERVICE_OVERLOADED = (503, "The service has as much under way as it may have")
    TOO_MANY_CONNECTIONS = (503, "There are as many connections as there may be", True)
    NOT_READY = (503, "Not every service is up")
    DEADLINE_EXCEEDED = (504, "The service did not answer in time")

    def __init__(self, status: int, title: str, closes: bool = False) -> None:  # noqa: FBT001, FBT002 - an enum's values are positional
        self.status = status
        self.title = title
        self.closes = closes
        self.type = f"/problems/{self.name.lower().replace('_', '-')}"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body. `field` names what is at fault; `retry_after` is whole seconds."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    retry_after: int | None = None
    services: Sequence[str] | None = None


def _written(problem: Problem, headers: tuple[tuple[str, str], ...]) -> tuple[str, bytes]:
    return make_head(problem.status, PROBLEM, *headers), msgspec.json.encode(problem)


class ProblemError(Exception):
    """Ends a request with a problem of `kind`."""

    _written = staticmethod(_written)

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        field: str | None = None,
        retry_after_s: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        retry_after = None if retry_after_s is None else max(1, math.ceil(retry_after_s))
        if retry_after is not None:
            headers = (*headers, ("Retry-After", str(retry_after)))
        self.problem = Problem(
            type=kind.type,
            title=kind.title,
            status=kind.status,
            detail=_printable(detail, DETAIL_CHARS_MAX),
            field=None if field is None else _printable(field, FIELD_CHARS_MAX),
            retry_after=retry_after,
        )
        self._headers = headers
        self.closes = kind.closes

    def answer(self) -> Answer:
        """Return it as a response."""
        answer = Answer(*self._written(self.problem, self._headers))
        if self.closes:
            answer.force_close()
        return answer


class Overload(ProblemError):
    """There was no room or no time left; a flood of these must not become a flood of lines."""

    # Nor be written again and again: each reason with each Retry-After, once.
    _written = staticmethod(lru_cache(maxsize=256)(_written))


def _printable(text: str, chars_max: int) -> str:
    if len(text) > chars_max:
        text = text[: chars_max - 1] + "\N{HORIZONTAL ELLIPSIS}"
    # aiohttp keeps bytes that are not UTF-8 as lone surrogates, which cannot be encoded.
    return text.encode("utf-8", "backslashreplace").decode()


_REFUSALS = {"not_found": Kind.NOT_FOUND, "conflict": Kind.CONFLICT, "invalid": Kind.INVALID}

# The most specific first. What is not here is a bug, and answered as one.
_ERRORS: tuple[tuple[type[errors.DressRehearsalError], Kind], ...] = (
    (errors.MailboxFull, Kind.MAILBOX_FULL),
    (errors.Starting, Kind.STARTING),
    (errors.NotAnswering, Kind.NOT_ANSWERING),
    (errors.RemoteFailed, Kind.REMOTE_FAILED),
    (errors.Busy, Kind.SERVICE_UNAVAILABLE),
    (errors.NoSuchActor, Kind.SERVICE_UNAVAILABLE),
    (errors.DeadlineExceeded, Kind.DEADLINE_EXCEEDED),
    (errors.DeadLettered, Kind.DEAD_LETTERED),
    (errors.ActorCrashed, Kind.ACTOR_CRASHED),
    (errors.ReplyUnreadable, Kind.REPLY_UNREADABLE),
    (errors.ActorStopped, Kind.ACTOR_STOPPED),
    (errors.StoreLost, Kind.STORE_UNAVAILABLE),
    (errors.StoreRefused, Kind.STORE_REFUSED),
    (errors.StoreError, Kind.STORE_UNAVAILABLE),
)

_AGAIN = "ask again, with the same Idempotency-Key if it changes something"
_TOLD = {
    Kind.MAILBOX_FULL: "{} has as many requests waiting as it may; try again later",
    Kind.STARTING: "{} is not up yet; try again in a moment",
    Kind.SERVICE_UNAVAILABLE: (
        "{} takes nothing at present; try again later, and whoever runs it sees why at"
        " /admin/actors"
    ),
    Kind.NOT_ANSWERING: (
        "{} has answered nothing for a while, or its operator says so, and was not asked; try again"
        " later"
    ),
    Kind.REMOTE_FAILED: "{} runs elsewhere and gave no proper answer; " + _AGAIN,
    Kind.DEADLINE_EXCEEDED: (
        "{} did not answer in time, and may yet do what it was asked; " + _AGAIN
    ),
    Kind.DEAD_LETTERED: (
        "{} crashed over this each time and has set it aside; quote the X-Request-ID to whoever"
        " runs it"
    ),
    Kind.REPLY_UNREADABLE: (
        "{} did this before, and cannot read its answer, which is of another version; look at what"
        " there is before you ask under another Idempotency-Key"
    ),
    Kind.ACTOR_CRASHED: "{} crashed while it worked on this; " + _AGAIN,
    Kind.ACTOR_STOPPED: "{} has stopped; " + _AGAIN + " when it is back",
    Kind.STORE_REFUSED: "{} cannot write at present, and kept nothing of this; try again later",
    Kind.STORE_UNAVAILABLE: "{} cannot use what it has stored at present; try again later",
}
# States of which there is nothing to say.
_UP = frozenset({"", "running"})


def from_refusal(refusal: Refusal) -> ProblemError:
    """A service's expected "no"."""
    return ProblemError(_REFUSALS[refusal.kind], refusal.detail, field=refusal.field)


def from_error(
    error: errors.DressRehearsalError,
    *,
    service: str = "",
    state: str = "",
    detail: str | None = None,
) -> ProblemError | None:
    """A limit or a crash that the client is told of; None for an error that is a bug of ours.

    What the error itself says names files, tables and exceptions, and is for the log. A client is
    told who could not, in what state that service is, and what to do; or `detail`, if given.
    """
    for error_type, kind in _ERRORS:
        if isinstance(error, error_type):
            if detail is None:
                detail = _TOLD[kind].format(service if state in _UP else f"{service} ({state})")
            return ProblemError(kind, detail, retry_after_s=_retry_after_s(error))
    return None


def _retry_after_s(error: errors.DressRehearsalError) -> float | None:
    if isinstance(error, errors.Busy):
        return error.retry_after_s
    return STORE_RETRY_AFTER_S if isinstance(error, errors.StoreError) else None
