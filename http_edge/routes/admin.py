"""The operator's addresses: look at the tree, and break it on purpose. Token required."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from aiohttp import hdrs

from actors.errors import ActorError, NoSuchActor
from http_edge.answer import JSON, Answer, make_head
from http_edge.problems import Kind, ProblemError
from http_edge.target import parse_query, refuse_query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiohttp import web

    from http_edge.handler import Context, Handler, Row
    from http_edge.system import System

_CHALLENGE = ((hdrs.WWW_AUTHENTICATE, 'Bearer realm="admin"'),)


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


@dataclass(frozen=True, slots=True)
class Action:
    """`run` does it to the actor named in the path."""

    method: str
    path: str
    run: Callable[[System, str], object]

    @property
    def name(self) -> str:
        """The path's last segment."""
        return self.path.rpartition("/")[2]

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return AdminHandler(self, context)


class AdminHandler:
    """Answers a `Listing` or an `Action`, once the token is right."""

    def __init__(self, row: Listing | Action, context: Context) -> None:
        self._row = row
        self._context = context
        self._token = context.admin_token.encode()
        self._encode = msgspec.json.Encoder().encode

    async def __call__(
        self, request: web.BaseRequest, params: dict[str, str], query: str
    ) -> Answer:
        self._authorize(request.headers.get(hdrs.AUTHORIZATION, ""))
        if isinstance(self._row, Action):
            refuse_query(query)
            body = self._act(self._row, params["name"])
            return Answer(make_head(202, JSON), self._encode(body))
        limit = 0
        if self._row.limited:
            limit = self._limit(query)
        else:
            refuse_query(query)
        items = await self._row.read(self._context.system, limit)
        return Answer(make_head(200, JSON), self._encode({"items": items, "next": None}))

    def _authorize(self, header: str) -> None:
        scheme, _, token = header.partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        # Compared in constant time: how long a refusal takes tells nothing about the token.
        right = hmac.compare_digest(given, self._token)
        if scheme.lower() != "bearer" or not right:
            detail = "send Authorization: Bearer TOKEN, with the token of DATA_DIR/admin.token"
            raise ProblemError(Kind.UNAUTHORIZED, detail, headers=_CHALLENGE)

    def _act(self, row: Action, name: str) -> dict[str, str]:
        try:
            row.run(self._context.system, name)
        except NoSuchActor as error:
            raise ProblemError(Kind.NO_SUCH_ACTOR, str(error), field="name") from error
        except ActorError as error:
            raise ProblemError(Kind.CONFLICT, str(error)) from error
        return {"actor": name, "action": row.name}

    def _limit(self, query: str) -> int:
        config = self._context.config
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


_ACTOR = "/admin/actors/{name}"

ROUTES: dict[str, tuple[Row, ...]] = {
    "gateway": (
        Listing("GET", "/admin/actors", _actors),
        Listing("GET", "/admin/registry", _registry),
        Listing("GET", "/admin/dead-letters", _dead_letters, limited=True),
        Action("POST", f"{_ACTOR}/kill", lambda system, name: system.kill(name)),
        Action("POST", f"{_ACTOR}/restart", lambda system, name: system.restart(name)),
        Action("POST", f"{_ACTOR}/suspend", lambda system, name: system.suspend(name)),
        Action("POST", f"{_ACTOR}/resume", lambda system, name: system.resume(name)),
    ),
}
