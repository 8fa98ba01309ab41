"""The operator's addresses: look at the system, break it on purpose, mend it. Token required."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec

from actors.errors import (
    ActorError,
    BackupRefused,
    ConfigError,
    LetterNotReplayable,
    LettersFull,
    NoSuchActor,
    NoSuchBreaker,
    NoSuchLetter,
    NothingWaits,
)
from http_edge.address import Address
from http_edge.decoding.blame import explain
from http_edge.endpoints.admin_endpoint import AdminCall, AdminEndpoint, admin, limit_of
from http_edge.endpoints.admin_faults import ADMIN_FAULTS
from http_edge.endpoints.admin_services import ADMIN_SERVICES
from http_edge.endpoints.traces import TRACES
from http_edge.problems import Kind, ProblemError, from_error
from http_edge.target import parse_query, refuse_query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from actors.config import EdgeConfig
    from http_edge.served_system import ServedSystem


Order = TypeVar("Order", bound=msgspec.Struct)

# The kernel's name for the top of the tree.
ROOT = "root"


class Suspension(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a suspension is to last, in seconds; without it, until the actor is resumed."""

    for_s: Annotated[float, msgspec.Meta(gt=0)] | None = None


class BackupOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a backup is to lie: a folder of this machine, by its whole path, new or empty."""

    dir: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


# Names of services and message types, which are short; what is not there is a 404 or a 409.
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class LetMessagesGoOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which messages between two services are to become dead letters, of those unreadable."""

    sender: Name
    receiver: Name
    message_type: Name


class LetTimersGoOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which timers of a service are to become dead letters, of those unreadable."""

    service: Name
    message_type: Name


class BreakerOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a breaker is to be until the next order; "auto": what its calls make of it."""

    state: Literal["open", "closed", "auto"]


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


# --- The addresses ---------------------------------------------------------------------------


def _listing(read: Callable[[ServedSystem], Any], about: str) -> AdminEndpoint:
    """Return what answers with all of it on one page; `read` may be awaited."""

    async def act(call: AdminCall) -> tuple[int, object]:
        refuse_query(call.query)
        items = read(call.system)
        return 200, _page(items if isinstance(items, list) else await items)

    return admin(act, about)


def _page(items: Sequence[object]) -> dict[str, object]:
    return {"items": items, "next": None}


def _signal(name: str, about: str, *, takes_along: bool = False) -> AdminEndpoint:
    """Return what does it to the actor named in the path, which does it in its own time: 202.

    What `takes_along` all that is below wants the root's name twice, for that is every service.
    """

    async def act(call: AdminCall) -> tuple[int, object]:
        actor = call.params["name"]
        if takes_along and actor == ROOT:
            _confirm(call.query)
        else:
            refuse_query(call.query)
        _tell(lambda: getattr(call.system, name)(actor))
        return 202, {"actor": actor, "action": name}

    return admin(act, about)


async def _suspend(call: AdminCall) -> tuple[int, object]:
    """202: the actor has been told; for so many seconds, where the body says so."""
    refuse_query(call.query)
    name, for_s = call.params["name"], _for_s(call.body, call.config)
    _tell(lambda: call.system.suspend(name, for_s))
    said = {} if for_s is None else {"for_s": for_s}
    return 202, {"actor": name, "action": "suspend", **said}


async def _back_up(call: AdminCall) -> tuple[int, object]:
    """201: what was written, is on disk and was looked through."""
    order = _order(call, BackupOrder)
    if "\0" in order.dir or not order.dir.startswith("/"):
        detail = "name a folder of this machine by its whole path"
        raise ProblemError(Kind.INVALID, detail, field="dir")
    try:
        return 201, await call.system.backup(Path(order.dir))
    except BackupRefused as error:
        raise ProblemError(Kind.CONFLICT, str(error), field="dir") from error


async def _reload(call: AdminCall) -> tuple[int, object]:
    """200: which keys have other values now, and which would have after a restart."""
    refuse_query(call.query)
    more: dict[str, Any] = {}
    if call.body:
        try:
            more = msgspec.json.decode(call.body, type=dict[str, Any])
        except (ValueError, RecursionError) as error:
            explain(call.body, error)
    if call.reload is None:
        raise ProblemError(Kind.CONFLICT, "this process cannot read its configuration anew")
    try:
        return 200, call.reload(more)
    except ConfigError as error:
        raise ProblemError(Kind.INVALID, f"nothing is changed: {error}") from error


async def _let_messages_go(call: AdminCall) -> tuple[int, object]:
    """202: they go on their way to the receiver, which keeps them as dead letters."""
    order = _order(call, LetMessagesGoOrder)
    asked = call.system.let_messages_go(order.sender, order.receiver, order.message_type)
    await _let_go(asked, "sender")
    return 202, {**msgspec.structs.asdict(order), "action": "let_go"}


async def _let_timers_go(call: AdminCall) -> tuple[int, object]:
    """200: so many are dead letters now."""
    order = _order(call, LetTimersGoOrder)
    letters = await _let_go(call.system.let_timers_go(order.service, order.message_type), "service")
    return 200, {**msgspec.structs.asdict(order), "letters": letters}


def _order(call: AdminCall, kind: type[Order]) -> Order:
    refuse_query(call.query)
    try:
        return msgspec.json.decode(call.body, type=kind)
    except (ValueError, RecursionError) as error:
        explain(call.body, error, kind)


async def _let_go(asked: Awaitable[object], field: str) -> object:
    try:
        return await asked
    except NoSuchActor as error:
        raise ProblemError(Kind.NO_SUCH_ACTOR, str(error), field=field) from error
    except (NothingWaits, LettersFull) as error:
        raise ProblemError(Kind.CONFLICT, str(error)) from error


async def _background(call: AdminCall) -> tuple[int, object]:
    refuse_query(call.query)
    return 200, call.system.background()


async def _breakers(call: AdminCall) -> tuple[int, object]:
    """200: those of effects, and those of what this edge asks."""
    refuse_query(call.query)
    return 200, _page([*call.system.breakers(), *(each.breaker.stats() for each in call.asks)])


async def _breaker(call: AdminCall) -> tuple[int, object]:
    refuse_query(call.query)
    return 200, _breaker_of(call)


async def _force_breaker(call: AdminCall) -> tuple[int, object]:
    """200: it is so from now on, until the process ends or somebody orders otherwise."""
    name = call.params["name"]
    refuse_query(call.query)
    _breaker_of(call)  # a name of none is told before what is wrong with the order
    order = _order(call, BreakerOrder)
    forced = None if order.state == "auto" else order.state
    if (asked := call.asks.named(name)) is not None:
        asked.force(forced)
    else:
        call.system.force_breaker(name, forced)
    return 200, _breaker_of(call)


def _breaker_of(call: AdminCall) -> object:
    """Return how the breaker that the path names stands."""
    name = call.params["name"]
    if (asked := call.asks.named(name)) is not None:
        return asked.stats()
    try:
        return call.system.breaker(name)
    except NoSuchBreaker as error:
        raise ProblemError(Kind.NO_SUCH_BREAKER, str(error), field="name") from error


async def _dead_letters(call: AdminCall) -> tuple[int, object]:
    return 200, _page(await call.system.dead_letters(limit=limit_of(call)))


async def _replay(call: AdminCall) -> tuple[int, object]:
    return await _with_letter(call, call.system.replay)


async def _discard(call: AdminCall) -> tuple[int, object]:
    status, _ = await _with_letter(call, call.system.discard)
    return status, {"letter": call.params["id"], "action": "discard"}


async def _with_letter(
    call: AdminCall, do: Callable[[str], Awaitable[object]]
) -> tuple[int, object]:
    """Do it to the dead letter named in the path; 200: it is done."""
    refuse_query(call.query)
    try:
        return 200, await do(call.params["id"])
    except NoSuchLetter as error:
        raise ProblemError(Kind.NO_SUCH_LETTER, str(error), field="id") from error
    except LetterNotReplayable as error:
        raise ProblemError(Kind.LETTER_NOT_REPLAYABLE, str(error), field="id") from error
    except ActorError as error:
        # A replay fails as an ask does; what no ask ends in is a reason not to replay.
        if from_error(error) is not None:
            raise
        raise ProblemError(Kind.CONFLICT, str(error)) from error


_ACTOR = "/admin/actors/{name}"
_BREAKER = "/admin/breakers/{name}"
_LETTER = "/admin/dead-letters/{id}"

ADMIN: tuple[Address, ...] = (
    Address("GET", "/admin/actors", _listing(lambda system: system.actors(), "every actor")),
    *ADMIN_SERVICES,
    Address("GET", "/admin/channels", _listing(lambda system: system.channels(), "channels")),
    Address(
        "POST",
        "/admin/channels/let-go",
        admin(_let_messages_go, "give up what cannot be read", reads_body=True),
    ),
    Address("GET", "/admin/timers", _listing(lambda system: system.timers(), "timers, effects")),
    Address(
        "POST",
        "/admin/timers/let-go",
        admin(_let_timers_go, "give up what cannot be read", reads_body=True),
    ),
    Address(
        "POST", "/admin/config", admin(_reload, "read the configuration anew", reads_body=True)
    ),
    Address("GET", "/admin/background", admin(_background, "what gives way to requests")),
    Address("GET", "/admin/breakers", admin(_breakers, "breakers")),
    Address("GET", _BREAKER, admin(_breaker, "one breaker")),
    Address("POST", _BREAKER, admin(_force_breaker, "force it open or closed", reads_body=True)),
    *TRACES,
    *ADMIN_FAULTS,
    Address("GET", "/admin/dead-letters", admin(_dead_letters, "what could not be handled")),
    Address("POST", f"{_LETTER}/replay", admin(_replay, "run it again")),
    Address("DELETE", _LETTER, admin(_discard, "forget it")),
    Address("POST", f"{_ACTOR}/kill", _signal("kill", "crash it", takes_along=True)),
    Address("POST", f"{_ACTOR}/restart", _signal("restart", "restart it", takes_along=True)),
    Address("POST", f"{_ACTOR}/suspend", admin(_suspend, "stop it for a while", reads_body=True)),
    Address("POST", f"{_ACTOR}/resume", _signal("resume", "let it go on")),
    Address(
        "POST", "/admin/backup", admin(_back_up, "copy all files", reads_body=True, takes_long=True)
    ),
)
