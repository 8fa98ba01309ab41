"""The operator's addresses of services: who answers for each, how many, and one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from actors.errors import NoSuchActor, NotRestarted, NotScalable
from http_edge.address import Address
from http_edge.decoding.blame import explain
from http_edge.endpoints.admin_endpoint import AdminCall, admin
from http_edge.problems import Kind, ProblemError
from http_edge.target import parse_query, refuse_query

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeVar

    T = TypeVar("T")


class ReplicasOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many replicas there are to be, until the process ends or somebody orders otherwise."""

    replicas: Annotated[int, msgspec.Meta(ge=1)]


async def _registry(call: AdminCall) -> tuple[int, object]:
    """200: every service and its replicas, once the version is not `after`, or `wait_s` is over."""
    fields = parse_query(call.query)
    after, wait_s = fields.pop("after", None), fields.pop("wait_s", None)
    for name in fields:
        raise ProblemError(Kind.INVALID, f"unknown query parameter {name}", field=name)
    if after is not None:
        limit_s = call.config.registry_wait_s_max
        until = limit_s if wait_s is None else _number(wait_s, "wait_s", limit_s)
        await call.system.registry_changed(int(_number(after, "after", 1e15)), until)
    elif wait_s is not None:
        detail = "wait_s goes with after, the version that is known already"
        raise ProblemError(Kind.INVALID, detail, field="wait_s")
    version, items = call.system.registry_version(), call.system.registry_snapshot()
    return 200, {"items": items, "next": None, "version": version}


def _number(text: str, field: str, most: float) -> float:
    plain = text.replace(".", "", 1) if field == "wait_s" else text
    if not (plain.isascii() and plain.isdigit() and len(text) <= 16 and float(text) <= most):  # noqa: PLR2004 - digits
        detail = f"{field} is a number from 0 to {most:g}"
        raise ProblemError(Kind.INVALID, detail, field=field)
    return float(text)


async def _scale(call: AdminCall) -> tuple[int, object]:
    """200: those that came are up or have failed, those that go get nothing more."""
    refuse_query(call.query)
    service = call.params["name"]
    try:
        replicas = msgspec.json.decode(call.body, type=ReplicasOrder).replicas
    except (ValueError, RecursionError) as error:
        explain(call.body, error)
    try:
        before = await _known(call.system.scale(service, replicas))
    except NotScalable as error:
        raise ProblemError(Kind.CONFLICT, str(error), field="replicas") from error
    return 200, {"service": service, "replicas": replicas, "before": before}


async def _restart(call: AdminCall) -> tuple[int, object]:
    """200: each has been restarted, and is up."""
    refuse_query(call.query)
    try:
        return 200, {
            "restarted": await _known(call.system.restart_in_turn(call.params.get("name")))
        }
    except NotRestarted as error:
        raise ProblemError(Kind.CONFLICT, str(error)) from error


async def _known(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except NoSuchActor as error:
        raise ProblemError(Kind.NO_SUCH_ACTOR, str(error), field="name") from error


_SERVICE = "/admin/services/{name}"

ADMIN_SERVICES: tuple[Address, ...] = (
    Address(
        "GET",
        "/admin/registry",
        admin(_registry, "every service, its replicas; waits for changes", takes_long=True),
    ),
    Address("PUT", f"{_SERVICE}/replicas", admin(_scale, "more or fewer", reads_body=True)),
    Address(
        "POST", f"{_SERVICE}/restart", admin(_restart, "one replica after another", takes_long=True)
    ),
    Address(
        "POST", "/admin/services/restart", admin(_restart, "one after another", takes_long=True)
    ),
)
