"""`GET /2/tweets/search/recent`: the filtered stream's rules, asked of the last seven days.

Parameters, their bounds and the wordings are those of X's OpenAPI description, and of answers that
X's users have quoted (tweepy #1934, twarc #462).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.kernel.messages import Refusal
from actors.systems.x_platform.api.fields import OF_TWEETS
from actors.systems.x_platform.api.parameters import ID_MAX, Parameters
from actors.systems.x_platform.api.rendering import Renderer
from actors.systems.x_platform.api.x_endpoint import ANYBODY, XRow
from actors.systems.x_platform.api.x_problems import invalid, parameter_error
from actors.systems.x_platform.messages import SearchPage, SearchTweets

if TYPE_CHECKING:
    from aiohttp import web

    from actors.systems.x_platform.api.x_endpoint import XCall

PATH: Final = "/2/tweets/search/recent"
QUERY_CHARS_MAX: Final = 4_096
REACH_US: Final = 7 * 86_400_000_000
# Without an end there is none: ids do not go back where a clock does.
FOREVER_US: Final = 1 << 60
# X's search lags behind what is tweeted.
LAG_US: Final = 10_000_000
NAMES: Final = (
    "query",
    "start_time",
    "end_time",
    "since_id",
    "until_id",
    "max_results",
    "next_token",
    "pagination_token",
    "sort_order",
)


async def search(call: XCall) -> web.StreamResponse:
    """One page; `next_token` is where the next begins."""
    parameters = Parameters(call.query, names=NAMES, fields=OF_TWEETS)
    query = parameters.text("query", chars_max=QUERY_CHARS_MAX)
    limit = parameters.whole_number("max_results", at_least=10, at_most=100, default=10)
    parameters.one_of("sort_order", ("recency", "relevancy"))
    question = _question(call, parameters, query, limit)
    selection = parameters.done()
    found: SearchPage | Refusal = await call.ask(question)
    if isinstance(found, Refusal):
        raise invalid(parameter_error("query", [query], found.detail))
    data, includes, errors = Renderer(found.about, selection).tweets(list(found.tweets))
    meta: dict[str, object] = {"result_count": len(data)}
    if data:
        meta["newest_id"], meta["oldest_id"] = found.tweets[0].id, found.tweets[-1].id
    if found.next is not None:
        meta["next_token"] = _token(found.next)
    answer = {"data": data, "includes": includes, "errors": errors}
    shown = {name: value for name, value in answer.items() if value}
    return call.answer(200, {**shown, "meta": meta})


def _question(call: XCall, parameters: Parameters, query: str, limit: int) -> SearchTweets:
    now_us = call.now_us
    oldest_us, latest_us = now_us - REACH_US, now_us - LAG_US
    parameters.exclude("start_time", "since_id")
    parameters.exclude("end_time", "until_id")
    parameters.exclude("next_token", "pagination_token")
    start_us = parameters.moment("start_time", from_us=oldest_us)
    end_us = parameters.moment("end_time", to_us=latest_us)
    if start_us is not None and end_us is not None and start_us >= end_us:
        parameters.blame("end_time", "'end_time' must be after 'start_time'")
    since_id, until = parameters.id("since_id"), parameters.id("until_id")
    for name in ("next_token", "pagination_token"):
        if (place := parameters.token(name, _place)) is not None:
            until = place if until is None else min(until, place)
    return SearchTweets(
        query=query,
        since=0 if since_id is None else min(since_id + 1, ID_MAX),
        until=ID_MAX if until is None else until,
        since_us=oldest_us if start_us is None else start_us,
        until_us=FOREVER_US if end_us is None else end_us,
        limit=limit,
    )


def _token(place: int) -> str:
    return f"b26{place:016x}"


def _place(token: str) -> int | None:
    text = token.removeprefix("b26")
    if token == text or not text.isalnum():
        return None
    try:
        return int(text, 16)
    except ValueError:
        return None


SEARCH: Final = (XRow("GET", PATH, ANYBODY, search),)
