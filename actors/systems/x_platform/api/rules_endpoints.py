"""The filtered stream's rules: list, add and delete.

An invalid or doubled rule is an entry of `errors` in an answer of success, as at X
(discord-twitter-bot #7, twitter-stream-api #10). A request that would pass the rules' cap is X's
RulesCapExceeded; its status is nowhere quoted, and 422 here, as in the API that came before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.systems.x_platform.api.parameters import Parameters
from actors.systems.x_platform.api.rendering import rule_object, timestamp
from actors.systems.x_platform.api.x_body import JsonReader
from actors.systems.x_platform.api.x_endpoint import APP_ONLY, XRow
from actors.systems.x_platform.api.x_problems import (
    INVALID_DETAIL,
    INVALID_REQUEST,
    INVALID_TITLE,
    PROBLEMS,
    XProblemError,
    invalid,
    parameter_error,
)
from actors.systems.x_platform.messages import (
    AddRules,
    DeleteRules,
    ListRules,
    NewRule,
    Rules,
    RulesAdded,
    RulesDeleted,
    RuleTrouble,
)

if TYPE_CHECKING:
    from aiohttp import web

    from actors.systems.x_platform.api.x_endpoint import XCall

RULES_MAX: Final = 1_000  # in one request; X's bound for a project
PATH: Final = "/2/tweets/search/stream/rules"
FIELDS: Final = "rules_count.fields"
COUNTS: Final = (
    "all_project_client_apps",
    "cap_per_client_app",
    "cap_per_project",
    "client_app_rules_count",
    "project_rules_count",
)
# There is one app, and this its name: X's are numbers.
APP_ID: Final = "1"


class Deletion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rules, by their ids, or by what they say."""

    ids: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


class RuleToAdd(NewRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule, and nothing besides."""


class RulesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the two."""

    add: tuple[RuleToAdd, ...] | None = None
    delete: Deletion | None = None


_BODY: Final = JsonReader(RulesBody)


async def read(call: XCall) -> web.StreamResponse:
    """All rules, or those of the ids; an empty list has no `data`."""
    parameters = Parameters(call.query, names=("ids", "max_results", "pagination_token"))
    ids = parameters.ids("ids", required=False)
    limit = parameters.whole_number("max_results", at_least=1, at_most=RULES_MAX, default=RULES_MAX)
    after = parameters.token("pagination_token", _place) or 0
    parameters.done()
    found: Rules = await call.ask(ListRules(ids=ids))
    rest = [rule for rule in found.rules if int(rule.id) > after]
    rules = rest[:limit]
    meta: dict[str, Any] = {"sent": _sent(call), "result_count": len(rules)}
    if len(rest) > limit:
        meta["next_token"] = _token(int(rules[-1].id))
    data = {"data": [rule_object(rule) for rule in rules]} if rules else {}
    return call.answer(200, {**data, "meta": meta})


async def count(call: XCall) -> web.StreamResponse:
    """How many rules there are, and may be; the project has one app."""
    selected = Parameters(call.query, fields={FIELDS: COUNTS})
    wanted = selected.listed(FIELDS) or COUNTS
    selected.done()
    found: Rules = await call.ask(ListRules())
    of_app = {"client_app_id": APP_ID, "rule_count": len(found.rules)}
    counts = {
        "cap_per_client_app": str(call.api.config.rules_max),
        "cap_per_project": str(call.api.config.rules_max),
        "client_app_rules_count": of_app,
        "project_rules_count": str(len(found.rules)),
        "all_project_client_apps": [of_app],
    }
    return call.answer(200, {"data": {name: counts[name] for name in counts if name in wanted}})


async def change(call: XCall) -> web.StreamResponse:
    """Add or delete, or with `dry_run` only say what would come of it."""
    parameters = Parameters(call.query, names=("dry_run", "delete_all"))
    dry_run = parameters.flag("dry_run")
    delete_all = parameters.flag("delete_all")
    parameters.done()
    body = await _BODY.read(call.request, call.context.config)
    if delete_all:
        if body.add is not None:
            message = "The `delete_all` query parameter can not be used with $.add"
            raise invalid(parameter_error("delete_all", ["true"], message))
        return await _delete_all(call, dry_run=dry_run)
    if (body.add is None) == (body.delete is None):
        message = "$: exactly one of [add,delete] is required"
        raise invalid(parameter_error("$", [], message))
    if body.delete is not None:
        return await _delete(call, body.delete, dry_run=dry_run)
    assert body.add is not None, "one of them is there"
    return await _add(call, body.add, dry_run=dry_run)


async def _add(call: XCall, rules: tuple[RuleToAdd, ...], *, dry_run: bool) -> web.StreamResponse:
    if not 1 <= len(rules) <= RULES_MAX:
        wrong = f"$.add: the number of rules is not between 1 and {RULES_MAX}"
        raise invalid(parameter_error("$.add", [], wrong))
    news = tuple([NewRule(value=rule.value, tag=rule.tag) for rule in rules])
    outcome: RulesAdded = await call.ask(AddRules(rules=news, dry_run=dry_run))
    capped = [trouble for trouble in outcome.troubles if trouble.fault == "too_many"]
    if capped and not outcome.created:
        raise XProblemError(422, _cap_exceeded(capped[0]))
    created, not_created = len(outcome.created), len(outcome.troubles)
    summary = {
        "created": created,
        "not_created": not_created,
        "valid": created,
        "invalid": not_created,
    }
    shown = [rule_object(rule) for rule in outcome.created]
    errors = [_trouble(trouble) for trouble in outcome.troubles]
    return call.answer(201, _outcome(call, summary, shown, errors))


async def _delete(call: XCall, body: Deletion, *, dry_run: bool) -> web.StreamResponse:
    if not (body.ids or body.values):
        message = "$.delete: one of [ids,values] is required"
        raise invalid(parameter_error("$.delete", [], message))
    outcome: RulesDeleted = await call.ask(
        DeleteRules(ids=body.ids, values=body.values, dry_run=dry_run)
    )
    summary = {"deleted": len(outcome.deleted), "not_deleted": len(outcome.unknown)}
    errors = [_unknown(each, body) for each in outcome.unknown]
    return call.answer(200, _outcome(call, summary, [], errors))


async def _delete_all(call: XCall, *, dry_run: bool) -> web.StreamResponse:
    outcome: RulesDeleted = await call.ask(DeleteRules(all=True, dry_run=dry_run))
    summary = {"deleted": len(outcome.deleted), "not_deleted": 0}
    return call.answer(200, _outcome(call, summary, [], []))


def _outcome(
    call: XCall, summary: dict[str, int], data: list[dict[str, Any]], errors: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        **({"data": data} if data else {}),
        "meta": {"sent": _sent(call), "summary": summary},
        **({"errors": errors} if errors else {}),
    }


def _sent(call: XCall) -> str:
    return timestamp(call.now_us)


def _token(place: int) -> str:
    return f"{place:019x}"


def _place(token: str) -> int | None:
    try:
        return int(token, 16)
    except ValueError:
        return None


def _trouble(trouble: RuleTrouble) -> dict[str, Any]:
    if trouble.fault == "duplicate":
        return {
            "value": trouble.value,
            "id": trouble.rule_id,
            "title": "DuplicateRule",
            "type": f"{PROBLEMS}/duplicate-rules",
        }
    if trouble.fault == "too_many":
        return {"value": trouble.value, **_cap_exceeded(trouble)}
    return {
        "value": trouble.value,
        "details": list(trouble.details),
        "title": "UnprocessableEntity",
        "type": f"{PROBLEMS}/invalid-rules",
    }


def _cap_exceeded(trouble: RuleTrouble) -> dict[str, Any]:
    return {
        "title": "RulesCapExceeded",
        "detail": " ".join(trouble.details),
        "type": f"{PROBLEMS}/rule-cap",
    }


def _unknown(rule: str, body: Deletion) -> dict[str, Any]:
    name = "id" if rule in body.ids else "value"
    return {
        "errors": [parameter_error(name, [rule], "Rule does not exist")],
        "title": INVALID_TITLE,
        "detail": INVALID_DETAIL,
        "type": INVALID_REQUEST,
    }


RULES: Final = (
    XRow("GET", PATH, APP_ONLY, read),
    XRow("POST", PATH, APP_ONLY, change),
    XRow("GET", f"{PATH}/counts", APP_ONLY, count),
)
