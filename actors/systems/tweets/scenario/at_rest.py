"""Reads all lists of a monitor that has come to rest, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.systems.tweets.messages import ListActions, ListFlags, ListTweets
from actors.systems.tweets.scenario.moods import KEYWORD
from actors.systems.tweets.scenario.searches import SEARCHES
from actors.systems.tweets.scenario.told import ListWalk
from actors.systems.x_platform.messages import SearchTweets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.kernel.messages import Query

    Ask = Callable[[str, Query], Awaitable[Any]]

# A list of a run is seldom longer than ten.
PAGE: Final = 3
PAGES_MAX: Final = 100
# All that X has: each id and each time of a run is in between, in microseconds of the epoch.
SEARCH: Final = SearchTweets(
    query=KEYWORD,
    since=0,
    until=2**63 - 1,
    since_us=1_600_000_000_000_000,
    until_us=2_000_000_000_000_000,
    limit=PAGE,
)
# By address: who is asked, and for what first.
LISTS: Final[dict[str, tuple[str, Any]]] = {
    "/api/v1/tweets": ("tweets", ListTweets(limit=PAGE)),
    "/api/v1/tweets?sentiment=negative": ("tweets", ListTweets(limit=PAGE, sentiment="negative")),
    "/api/v1/tweets?sentiment=positive": ("tweets", ListTweets(limit=PAGE, sentiment="positive")),
    "/api/v1/tweets?author=Ann": ("tweets", ListTweets(limit=PAGE, author="Ann")),
    "/api/v1/tweets?author=ANN&sentiment=negative": (
        "tweets",
        ListTweets(limit=PAGE, author="ANN", sentiment="negative"),
    ),
    "/api/v1/flags": ("flagger", ListFlags(limit=PAGE)),
    "/api/v1/flags?status=assigned": ("flagger", ListFlags(limit=PAGE, status="assigned")),
    "/api/v1/likes": ("favouriter", ListActions(limit=PAGE)),
    "/api/v1/replies": ("responder", ListActions(limit=PAGE)),
    "/api/v1/replies?status=done": ("responder", ListActions(limit=PAGE, status="done")),
}


async def read_at_rest(ask: Ask) -> list[ListWalk]:
    """Return what each list shows, now that nothing changes any more."""
    walks = []
    for address, (service, question) in LISTS.items():
        items: list[dict[str, Any]] = []
        after: int | None = 0
        for _ in range(PAGES_MAX):
            page = await ask(service, msgspec.structs.replace(question, after=after))
            items += [msgspec.to_builtins(each) for each in page.items]
            after = None if page.next is None else int(page.next)
            if after is None:
                break
        walks.append(ListWalk("at rest", address, tuple(items), after is None))
    return walks


async def search_at_rest(ask: Ask) -> dict[str, list[int]]:
    """Return the ids that X's search finds, page by page, the latest first: by what is asked."""
    return {query: await _search(ask, query) for query in (KEYWORD, *SEARCHES)}


async def _search(ask: Ask, query: str) -> list[int]:
    found: list[int] = []
    asked = msgspec.structs.replace(SEARCH, query=query)
    until = asked.until
    for _ in range(PAGES_MAX):
        page = await ask("x_platform", msgspec.structs.replace(asked, until=until))
        found += [int(each.id) for each in page.tweets]
        if page.next is None:
            break
        until = page.next
    return found
