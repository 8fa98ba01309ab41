"""The operator's addresses: look at the system, break it on purpose, mend it. Token required."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec
from aiohttp import hdrs

from actors.errors import (
    ActorError,
    BackupRefused,
    LetterNotReplayable,
    NoSuchActor,
    NoSuchLetter,
)
from http_edge.answer import JSON, Answer, make_head
from http_edge.body import BodyReader, refuse_body
from http_edge.decoding import explain
from http_edge.problems import Kind, ProblemError, from_error
from http_edge.target import parse_query, refuse_query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiohttp import web

    from actors.config import EdgeConfig
    from http_edge.handler import Context, Handler, Row
    from http_edge.request import Request
    from http_edge.system import System

_CHALLENGE = ((hdrs.WWW_AUTHENTICATE, 'Bearer realm="admin"'),)


# The kernel's name for the top of the tree.
ROOT = "root"


class Suspension(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a suspension is to last, in seconds; without it, until the actor is resumed."""

    for_s: Annotated[float, msgspec.Meta(gt=0)] | None = None


class BackupOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a backup is to lie: a folder of this machine, by its whole path, new or empty."""

    dir: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class AdminRow(Protocol):
    """What differs between the operator's addresses; the token before them does not."""

    async def answer(
        self, context: Context, params: dict[str, str], query: str, body: bytes
    ) -> tuple[int, object]:
        """Return the status and what becomes the body. Raises ProblemError or actors' errors."""
        ...


@dataclass(frozen=True, slots=True)
class Listing:
    """`read` returns the items; it is given the limit, which only a `limited` one takes."""

    method: str
    path: str
    read: Callable[[System, int], Awaitable[Sequence[object]]]
    limited: bool = False

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return AdminHandler(self, context)

    async def answer(
        self, context: Context, params: dict[str, str], query: str, body: bytes
    ) -> tuple[int, object]:
        """All of it on one page."""
        del params, body  # the gateway has refused one to what only reads
        limit = 0
        if self.limited:
            limit = _limit(query, context.config)
        else:
            refuse_query(query)
        return 200, {"items": await self.read(context.system, limit), "next": None}


@dataclass(frozen=True, slots=True)
class Action:
    """`run` does it to the actor named in the path.

    What `takes_along` all that is below wants the root's name twice, for that is every service.
    """

    method: str
    path: str
    run: Callable[[System, str], object]
    takes_along: bool = False

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return AdminHandler(self, context)

    async def answer(
        self, context: Context, params: dict[str, str], query: str, body: bytes
    ) -> tuple[int, object]:
        """202: the actor has been told, and does it in its own time."""
        name = params["name"]
        if self.takes_along and name == ROOT:
            _confirm(query)
        else:
            refuse_query(query)
        refuse_body(body)
        _tell(lambda: self.run(context.system, name))
        return 202, {"actor": name, "action": self.path.rpartition("/")[2]}


@dataclass(frozen=True, slots=True)
class Suspend:
    """Suspends the actor named in the path: for so many seconds, where the body says so."""

    method: str
    path: str

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return AdminHandler(self, context)

    async def answer(
        self, context: Context, params: dict[str, str], query: str, body: bytes
    ) -> tuple[int, object]:
        """202: the actor has been told."""
        refuse_query(query)
        name, for_s = params["name"], _for_s(body, context.config)
        _tell(lambda: context.system.suspend(name, for_s))
        said = {} if for_s is None else {"for_s": for_s}
        return 202, {"actor": name, "action": "suspend", **said}


@dataclass(frozen=True, slots=True)
class BackUp:
    """Writes a backup, and answers when it is on disk and was looked through."""

    method: str
    path: str

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return AdminHandler(self, context)

    async def answer(
        self, context: Context, params: dict[str, str], query: str, body: bytes
    ) -> tuple[int, object]:
        """201: what was written."""
        del params
        refuse_query(query)
        try:
            order = msgspec.json.decode(body, type=BackupOrder)
        except (ValueError, RecursionError) as error:
            explain(body, error)
        if "\0" in order.dir or not order.dir.startswith("/"):
            detail = "name a folder of this machine by its whole path"
            raise ProblemError(Kind.INVALID, detail, field="dir")
        try:
            return 201, await context.system.backup(Path(order.dir))
        except BackupRefused as error:
            raise ProblemError(Kind.CONFLICT, str(error), field="dir") from error


@dataclass(frozen=True, slots=True)
class LetterAction:
    """`run` does it to the dead letter named in the path, and returns the body."""

    method: str
    path: str
    run: Callable[[System, str], Awaitable[object]]

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return AdminHandler(self, context)

    async def answer(
        self, context: Context, params: dict[str, str], query: str, body: bytes
    ) -> tuple[int, object]:
        """200: it is done."""
        refuse_query(query)
        refuse_body(body)
        try:
            return 200, await self.run(context.system, params["id"])
        except NoSuchLetter as error:
            raise ProblemError(Kind.NO_SUCH_LETTER, str(error), field="id") from error
        except LetterNotReplayable as error:
            raise ProblemError(Kind.LETTER_NOT_REPLAYABLE, str(error), field="id") from error
        except ActorError as error:
            # A replay fails as an ask does; what no ask ends in is a reason not to replay.
            if from_error(error) is not None:
                raise
            raise ProblemError(Kind.CONFLICT, str(error)) from error


@dataclass(frozen=True, slots=True)
class Guarded:
    """Any other row, for those alone who have the token."""

    row: Row

    @property
    def method(self) -> str:
        return self.row.method

    @property
    def path(self) -> str:
        return self.row.path

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return GuardedHandler(self.row.handler(context), context)


class GuardedHandler:
    """Answers as `handler` does, once the token is right."""

    def __init__(self, handler: Handler, context: Context) -> None:
        self._handler = handler
        self._token = context.admin_token.encode()

    async def __call__(
        self, request: Request, params: dict[str, str], query: str
    ) -> web.StreamResponse:
        authorize(request, self._token)
        return await self._handler(request, params, query)


class AdminHandler:
    """Answers an `AdminRow`, once the token is right."""

    def __init__(self, row: AdminRow, context: Context) -> None:
        self._row = row
        self._context = context
        self._token = context.admin_token.encode()
        self._reader = BodyReader(context.config)
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, request: Request, params: dict[str, str], query: str) -> Answer:
        authorize(request, self._token)
        # Most send none, and pay for none; a row refuses what it does not read.
        body = await self._reader.read(request) if request.body_exists else b""
        status, answer = await self._row.answer(self._context, params, query, body)
        return Answer(make_head(status, JSON), self._encode(answer))


def authorize(request: web.BaseRequest, right: bytes) -> None:
    """Raise a 401 where the request has not this token."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    given = token.strip().encode("utf-8", "surrogateescape")
    # Compared in constant time: how long a refusal takes tells nothing about the token.
    is_right = hmac.compare_digest(given, right)
    if scheme.lower() != "bearer" or not is_right:
        detail = "send Authorization: Bearer TOKEN, with the token of DATA_DIR/admin.token"
        raise ProblemError(Kind.UNAUTHORIZED, detail, headers=_CHALLENGE)


def _tell(signal: Callable[[], object]) -> None:
    """Send an actor a signal, or raise why it cannot be."""
    try:
        signal()
    except NoSuchActor as error:
        raise ProblemError(Kind.NO_SUCH_ACTOR, str(error), field="name") from error
    except ActorError as error:
        raise ProblemError(Kind.CONFLICT, str(error)) from error


def _confirm(query: str) -> None:
    """Raise a 422 unless the query is `confirm=root` and no more."""
    fields = parse_query(query)
    given = fields.pop("confirm", None)
    for name in fields:
        raise ProblemError(Kind.INVALID, f"unknown query parameter {name}", field=name)
    if given != ROOT:
        detail = f"{ROOT} takes every service along; if that is meant, add ?confirm={ROOT}"
        raise ProblemError(Kind.INVALID, detail, field="confirm")


def _for_s(body: bytes, config: EdgeConfig) -> float | None:
    if not body:
        return None
    try:
        for_s = msgspec.json.decode(body, type=Suspension).for_s
    except (ValueError, RecursionError) as error:
        explain(body, error)
    if for_s is not None and for_s > config.suspend_s_max:
        detail = f"for_s is at most edge.suspend_s_max, {config.suspend_s_max:g} seconds"
        raise ProblemError(Kind.INVALID, detail, field="for_s")
    return for_s


def _limit(query: str, config: EdgeConfig) -> int:
    fields = parse_query(query)
    text = fields.pop("limit", str(config.page_items_default))
    for name in fields:
        raise ProblemError(Kind.INVALID, f"unknown query parameter {name}", field=name)
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(config.page_items_max))
    if not digits or not 1 <= int(text) <= config.page_items_max:
        detail = f"limit is a whole number from 1 to {config.page_items_max}"
        raise ProblemError(Kind.INVALID, detail, field="limit")
    return int(text)


async def _actors(system: System, limit: int) -> Sequence[object]:
    del limit
    return system.actors()


async def _registry(system: System, limit: int) -> Sequence[object]:
    del limit
    return system.registry_snapshot()


async def _dead_letters(system: System, limit: int) -> Sequence[object]:
    return await system.dead_letters(limit=limit)


async def _channels(system: System, limit: int) -> Sequence[object]:
    del limit
    return await system.channels()


async def _timers(system: System, limit: int) -> Sequence[object]:
    del limit
    return await system.timers()


async def _replay(system: System, letter_id: str) -> object:
    return await system.replay(letter_id)


async def _discard(system: System, letter_id: str) -> object:
    await system.discard(letter_id)
    return {"letter": letter_id, "action": "discard"}


_ACTOR = "/admin/actors/{name}"
_LETTER = "/admin/dead-letters/{id}"

ROUTES: dict[str, tuple[Row, ...]] = {
    "gateway": (
        Listing("GET", "/admin/actors", _actors),
        Listing("GET", "/admin/registry", _registry),
        Listing("GET", "/admin/channels", _channels),
        Listing("GET", "/admin/timers", _timers),
        Listing("GET", "/admin/dead-letters", _dead_letters, limited=True),
        LetterAction("POST", f"{_LETTER}/replay", _replay),
        LetterAction("DELETE", _LETTER, _discard),
        Action("POST", f"{_ACTOR}/kill", lambda system, name: system.kill(name), takes_along=True),
        Action(
            "POST", f"{_ACTOR}/restart", lambda system, name: system.restart(name), takes_along=True
        ),
        Suspend("POST", f"{_ACTOR}/suspend"),
        BackUp("POST", "/admin/backup"),
        Action("POST", f"{_ACTOR}/resume", lambda system, name: system.resume(name)),
    ),
}
