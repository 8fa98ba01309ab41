"""How a stream begins: its parameters, its place, its rules, and where in the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.systems.x_platform.api.client_stream import ClientStream
from actors.systems.x_platform.api.fields import OF_TWEETS
from actors.systems.x_platform.api.parameters import Parameters
from actors.systems.x_platform.api.x_endpoint import APP_ONLY, XRow
from actors.systems.x_platform.api.x_problems import connection_refused, plain_problem
from actors.systems.x_platform.messages import FindHead, Head, ListRules, Rules

if TYPE_CHECKING:
    from aiohttp import web

    from actors.systems.x_platform.api.x_endpoint import XCall

NO_RULES: Final = (
    "You must define rules using the POST /2/tweets/search/stream/rules endpoint before connecting"
    " to filtered stream."
)
# As the search's: what is younger may not have come in yet.
RECOVERED_US: Final = 10_000_000
_MINUTE_US: Final = 60_000_000


async def connect(call: XCall) -> web.StreamResponse:
    """Stream until it ends; or say why not, before there is a stream."""
    names = ("backfill_minutes", "start_time", "end_time")
    parameters = Parameters(call.query, names=names, fields=OF_TWEETS)
    minutes = parameters.whole_number(
        "backfill_minutes", at_most=call.api.config.backfill_minutes_max
    )
    span = _span(parameters, call)
    selection = parameters.done()
    if call.context.draining:
        raise plain_problem(503)
    streams = call.api.streams
    stream = ClientStream(call, selection)
    streams.enter(stream)
    try:
        if span is None:
            return await stream.run(await _begin(call, minutes))
        first, last = [
            (await call.ask(FindHead(since_us=each, recovers=True))).seq for each in span
        ]
        return await stream.run(first, until=last)
    finally:
        streams.leave(stream)


async def _begin(call: XCall, backfill_minutes: int) -> int:
    rules: Rules = await call.ask(ListRules())
    if not rules.rules:
        raise connection_refused(409, NO_RULES, "RuleConfigurationIssue")
    since_us = call.now_us - backfill_minutes * _MINUTE_US if backfill_minutes else None
    head: Head = await call.ask(FindHead(since_us=since_us))
    return head.seq


def _span(parameters: Parameters, call: XCall) -> tuple[int, int] | None:
    """Return from when to when the stream is to recover; None where it is to be live."""
    now_us = call.now_us
    oldest_us = now_us - round(call.api.config.recovery_s_max * 1_000_000)
    parameters.exclude("backfill_minutes", "start_time")
    start_us = parameters.moment("start_time", from_us=oldest_us)
    end_us = parameters.moment("end_time", to_us=now_us - RECOVERED_US)
    for name, other in (("start_time", "end_time"), ("end_time", "start_time")):
        if parameters.has(name) and not parameters.has(other):
            parameters.blame(name, f"'{name}' needs '{other}'")
    if start_us is None or end_us is None:
        return None
    if start_us >= end_us:
        parameters.blame("end_time", "'end_time' must be after 'start_time'")
    return start_us, end_us


STREAM: Final = (XRow("GET", "/2/tweets/search/stream", APP_ONLY, connect),)
