"""Guarantee 10, at rest: rows are bounded, and what was seen to come; no task is left behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import http_edge
from actors.service.common_invariants import reading
from actors.simulation.oracles.handled import Content

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from actors.config import Config

# Where whatever runs is the framework's.
_ACTORS: Final = Path(__file__).parents[2]
OURS: Final = (
    *[f"{_ACTORS / each}{os.sep}" for each in ("kernel", "service", "store", "resilience")],
    f"{Path(http_edge.__file__).parent}{os.sep}",
)
# Each is a number: the most that configuration allows is beside it, in `_bounds`.
COUNTS: Final = (
    "SELECT (SELECT count(*) FROM dead_letter), (SELECT count(*) FROM event),"
    " (SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM outbox GROUP BY receiver)),"
    " (SELECT count(*) FROM later)"
)
WHAT: Final = ("dead letters", "events", "messages to one receiver", "open requests")
SENT = "SELECT receiver, last FROM channel WHERE receiver <> ''"
APPLIED = "SELECT sender, max(applied) FROM inbox GROUP BY sender"
TIMERS = "SELECT seq FROM timer"
EVENTS = "SELECT seq, message_type, message FROM event ORDER BY seq"
LETTERS = "SELECT id, message_type, message FROM dead_letter ORDER BY seq"


def check_files(
    folder: Path,
    configs: Sequence[Config],
    *,
    sent: Mapping[tuple[str, str], int],
    applied: Mapping[tuple[str, str], int],
    pending: Mapping[str, Collection[int]],
    kept: Callable[[str], Iterable[tuple[int, Content]]],
    answers_gone: bool = False,
) -> Iterator[str]:
    """Yield what no file should hold at rest, and where one knows otherwise than who watched.

    `configs` were in force one after the other: what was let in under a wider limit may be there
    under a narrower one. `kept` says what a publisher keeps for subscribers to come. With
    `answers_gone`, what was let go may have been to answer requests, which stay open then.
    """
    for path in sorted(folder.glob("*.db")):
        name = path.stem
        with reading(path) as connection:
            counts = connection.execute(COUNTS).fetchone()
            rows = dict(connection.execute(SENT).fetchall())
            marks = dict(connection.execute(APPLIED).fetchall())
            timers = {seq for (seq,) in connection.execute(TIMERS)}
            events = [(seq, Content(*row)) for seq, *row in connection.execute(EVENTS)]
        yield from _bounds(name, counts, configs, open_max=counts[-1] if answers_gone else 0)
        for what, found, known in (
            ("sent", rows, _of(sent, 0, name)),
            ("applied", marks, _of(applied, 1, name)),
        ):
            if found != known:
                yield f"{name}'s file has {what} {found}, and was seen to have {what} {known}"
        if timers != set(pending.get(name, ())):
            seen = sorted(pending.get(name, ()))
            yield f"{name}'s file holds the timers {sorted(timers)}, and was seen to set {seen}"
        published = list(kept(name))
        if events != published:
            yield f"{name}'s file keeps the events {events}, and was seen to publish {published}"


def left_running(tasks: Iterable[asyncio.Task[Any]]) -> Iterator[str]:
    """Yield the tasks of ours that nothing at rest needs: a service's own `run` is its author's."""
    for each in tasks:
        code = getattr(each.get_coro(), "cr_code", None)
        if code is not None and code.co_filename.startswith(OURS):
            yield f"{code.co_qualname} still runs at rest"


def letters_in(folder: Path) -> dict[str, list[tuple[str, str, bytes]]]:
    """Return the dead letters of every service's file: id, type and JSON, the oldest first."""
    found = {}
    for path in sorted(folder.glob("*.db")):
        with reading(path) as connection:
            found[path.stem] = connection.execute(LETTERS).fetchall()
    return found


def _of(marks: Mapping[tuple[str, str], int], end: int, name: str) -> dict[str, int]:
    return {pair[1 - end]: mark for pair, mark in marks.items() if pair[end] == name and mark}


def _bounds(
    name: str, counts: tuple[int, ...], configs: Sequence[Config], *, open_max: int
) -> Iterator[str]:
    most: tuple[Any, ...] = (
        max(each.service.dead_letters_max for each in configs),
        max(each.store.events_kept_max for each in configs),
        0,
        open_max,
    )
    for what, count, limit in zip(WHAT, counts, most, strict=True):
        if count > limit:
            yield f"{name} holds {count} {what} at rest, and {limit} at most should be there"
