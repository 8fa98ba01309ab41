"""The answers of all shards as one: lists in order, and pages that neither skip nor repeat."""

from __future__ import annotations

import heapq
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.kernel.messages import Refusal
from actors.service.sharded.shard_check import items_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from actors.kernel.discovery.sharding import Sharding
    from actors.service.sharded.sharded import Sharded
    from actors.store.store import BoundHandler

BEGINNING: Final = "0"


class Part(msgspec.Struct, frozen=True):
    """A shard's own page of at most `limit` rows, and the `seq` of each."""

    page: Any
    places: Sequence[int]
    limit: int


class _NotedPages:
    """A transaction that remembers where the rows of the last page stood."""

    def __init__(self, tx: Any) -> None:
        self._tx = tx
        self.places: list[int] | None = None
        self.limit = 0

    def page(self, sql: str, *params: Any, limit: int) -> tuple[list[sqlite3.Row], str | None]:
        """As ReadTransaction.page."""
        rows, following = self._tx.page(sql, *params, limit=limit)
        self.places, self.limit = [row["seq"] for row in rows], limit
        return rows, following

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


def part_of(handler: BoundHandler, sharding: Sharding) -> BoundHandler:
    """Return a shard's handler of pages that are merged: it replies a Part where all are asked.

    It raises TypeError where places are unknown.
    """
    function = handler.function

    def run(tx: Any, question: Any) -> Any:
        if sharding.key_of(question) is not None:
            return function(tx, question)
        noted = _NotedPages(tx)
        page = function(noted, question)
        if isinstance(page, Refusal):
            return page
        places = noted.places
        if places is None or len(places) != len(page.items):
            error = (
                f"the page of {type(question).__name__} has {len(page.items)} items of "
                f"{'no' if places is None else len(places)} rows of tx.page: of a sharded service "
                f"each row of tx.page is an item, so that a page can end between any two"
            )
            raise TypeError(error)
        return Part(page, places, noted.limit)

    return msgspec.structs.replace(handler, function=run)


class Merging:
    """How the answers to one query become one.

    Pages are merged by taking what is first of all shards' next ones, again and again, whatever is
    committed meanwhile: a cursor has a place in each shard, behind the last one taken there.
    """

    def __init__(self, by: str | Callable[[Sequence[Any]], Any], reply: Any, shards: int) -> None:
        """`reply` is what the query's handler is typed to reply."""
        self._by = by
        self._shards = shards
        self._is_page = isinstance(by, str) and is_page(reply)

    def questions(self, message: Any) -> list[Any] | Refusal:
        """Return what each shard is asked, or why nothing is."""
        if not self._is_page:
            return [message] * self._shards
        places = message.after.split(".")
        if message.after == BEGINNING:
            places *= self._shards
        if len(places) != self._shards:
            return Refusal.invalid("after is no cursor of this list", field="after")
        return [msgspec.structs.replace(message, after=place) for place in places]

    def merged(self, message: Any, answers: Sequence[Any]) -> Any:
        """Return the one answer, of the shards' in their order. Raises what a function raises."""
        if not isinstance(self._by, str):
            return self._by(answers)
        for answer in answers:
            if isinstance(answer, Refusal):
                return answer
        if not self._is_page:
            return [item for item, _ in self._in_order(answers)]
        return self._page(message, answers)

    # --- Inside ------------------------------------------------------------------------------

    def _in_order(self, lists: Sequence[Sequence[Any]]) -> list[tuple[Any, int]]:
        """Return all items, each with its shard's number; equals in the order of the shards."""
        assert isinstance(self._by, str), "a function orders as it likes"
        field = attrgetter(self._by.removeprefix("-"))
        numbered = [[(item, number) for item in each] for number, each in enumerate(lists)]
        is_falling = self._by.startswith("-")
        return list(heapq.merge(*numbered, key=lambda one: field(one[0]), reverse=is_falling))

    def _page(self, message: Any, parts: Sequence[Part]) -> Any:
        ordered = self._in_order([part.page.items for part in parts])
        taken = ordered[: min(part.limit for part in parts)]
        counts = [0] * len(parts)
        for _, number in taken:
            counts[number] += 1
        before = message.after.split(".") * (len(parts) if message.after == BEGINNING else 1)
        places = [
            str(part.places[count - 1]) if count else place
            for part, count, place in zip(parts, counts, before, strict=True)
        ]
        more = len(taken) < len(ordered) or any(part.page.next is not None for part in parts)
        return msgspec.structs.replace(
            parts[0].page,
            items=[item for item, _ in taken],
            next=".".join(places) if more else None,
        )


def merging_of(sharded: Sharded, service: Any) -> dict[Any, Merging]:
    """Return how the answers of a sharded service are merged, by query."""
    return {
        message: Merging(by, service.handlers[message].reply, sharded.shards)
        for message, by in sharded.merge.items()
    }


def is_page(reply: Any) -> bool:
    """Whether a handler that is typed to reply this replies a page."""
    return getattr(reply, "__origin__", None) is not list and items_of(reply) is not None
