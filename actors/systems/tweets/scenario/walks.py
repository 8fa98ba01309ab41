"""Whether lists that were read, page by page, showed what there is: all of it, once, in order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.systems.tweets.scenario.kept import Kept, Row
    from actors.systems.tweets.scenario.told import ListWalk, Told

# By what a list's items are known, and what of them never changes.
IDS: Final = {"tweets": "id", "flags": "id", "likes": "external_id", "replies": "external_id"}
LASTING: Final = {
    "tweets": ("author", "external_id"),
    "flags": ("author", "tweet_id"),
    "likes": ("tweet_id",),
    "replies": ("tweet_id", "text"),
}
# All that an item shows, when nothing changes any more.
SHOWN: Final = {
    "tweets": ("id", "author", "text", "external_id", "lang", "sentiment", "score"),
    "flags": ("id", "status", "assignee", "note", "tweet_id", "author", "text", "score"),
    "likes": ("external_id", "tweet_id", "status", "text", "reply_id", "detail"),
    "replies": ("external_id", "tweet_id", "status", "text", "reply_id", "detail"),
}


def walks_amiss(kept: Kept, told: Told) -> Iterator[str]:
    """Return a sentence for everything that somebody has read and that is not so."""
    for walk in told.walks:
        for trouble in _amid_writes(walk, kept, told):
            yield f"{walk.who} read {walk.address}: {trouble}"
    for walk in told.at_rest:
        name, wanted = _parsed(walk.address)
        fields = SHOWN[name]
        rows = [row for row in kept.of[name] if _fits(row, wanted)]
        # What nobody has said is left out: in which language a tweet is.
        read = [tuple([item.get(field) for field in fields]) for item in walk.items]
        there = [tuple([row[field] for field in fields]) for row in rows]
        if read != there:
            yield f"{walk.address} at rest is {read}, and there is {there}"


def _amid_writes(walk: ListWalk, kept: Kept, told: Told) -> Iterator[str]:
    """What was there when it began is in it; what came meanwhile may be, in its place."""
    if walk.address == "/all":
        yield from _tutorial(walk, kept)
        return
    name, wanted = _parsed(walk.address)
    by = IDS[name]
    rows = {row[by]: row for row in kept.of[name]}
    for item in walk.items:
        row = rows.get(item[by])
        if row is None:
            yield f"{item} is not there"
        elif any(item[field] != row[field] for field in LASTING[name]):
            yield f"{item} is {row}"
        if not _fits(item, wanted):
            yield f"{item} is not what was asked for"
        if name == "tweets":
            yield from _tweet(item, told)
    places = [rows[item[by]]["seq"] for item in walk.items if item[by] in rows]
    yield from _order(places)
    if walk.is_whole:
        shown = {f"{walk.address}/{item[by]}" for item in walk.items}
        yield from [f"{each} is left out" for each in sorted(walk.ids - shown)]
        texts = {item["text"] for item in walk.items} if walk.texts else set[str]()
        yield from [f"{each!r} is left out" for each in sorted(walk.texts - texts)]


def _tweet(item: dict[str, Any], told: Told) -> Iterator[str]:
    """It says what somebody has said, and sounds as that was meant, once it is scored."""
    said = told.said(item["text"])
    if said is not None and item["sentiment"] not in {None, said.mood.means}:
        yield f"{item} was meant {said.mood.means}"


def _tutorial(walk: ListWalk, kept: Kept) -> Iterator[str]:
    rows = {row["id"]: row for row in kept.of["tweets"]}
    for item in walk.items:
        row = rows.get(item["id"])
        if row is None or item["NAME"] != row["author"]:
            yield f"{item} is {row}"
        elif set(item) != {"id", "NAME", "TWEET"}:
            yield f"{item} is not as the tutorial has it"
        elif not row["x_kind"] and item["TWEET"] != row["text"]:
            yield f"{item} says {row['text']}"
    yield from _order([rows[item["id"]]["seq"] for item in walk.items if item["id"] in rows])
    shown = {f"/api/v1/tweets/{item['id']}" for item in walk.items}
    if walk.is_whole:
        yield from [f"{each} is left out" for each in sorted(walk.ids - shown)]
        texts = {item["TWEET"] for item in walk.items}
        yield from [f"{each!r} is left out" for each in sorted(walk.texts - texts)]


def _order(places: list[int]) -> Iterator[str]:
    if places != sorted(places):
        yield f"its order is {places}"
    yield from [f"row {place} is shown {n} times" for place, n in Counter(places).items() if n > 1]


def _parsed(address: str) -> tuple[str, dict[str, str]]:
    path, _, query = address.partition("?")
    wanted = {name: values[0] for name, values in parse_qs(query).items()}
    return path.rpartition("/")[2], wanted


def _fits(row: Row, wanted: dict[str, str]) -> bool:
    return all(
        row[name].lower() == value.lower() if name == "author" else row[name] == value
        for name, value in wanted.items()
    )
