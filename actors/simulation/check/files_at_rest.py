"""Guarantee 10, of rows: what the files hold at rest is bounded, and what was seen to come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from actors.service.common_invariants import reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from actors.config import Config

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
LETTERS = "SELECT id, message_type, message FROM dead_letter ORDER BY seq"


def check_files(
    folder: Path,
    configs: Sequence[Config],
    *,
    sent: Mapping[tuple[str, str], int],
    applied: Mapping[tuple[str, str], int],
    pending: Mapping[str, Collection[int]],
) -> Iterator[str]:
    """Yield what no file should hold at rest, and where one knows otherwise than who watched.

    `configs` were in force one after the other.
    """
    for path in sorted(folder.glob("*.db")):
        name = path.stem
        with reading(path) as connection:
            counts = connection.execute(COUNTS).fetchone()
            rows = dict(connection.execute(SENT).fetchall())
            marks = dict(connection.execute(APPLIED).fetchall())
            timers = {seq for (seq,) in connection.execute(TIMERS)}
        yield from _bounds(name, counts, configs)
        for what, found, known in (
            ("sent", rows, _of(sent, 0, name)),
            ("applied", marks, _of(applied, 1, name)),
        ):
            if found != known:
                yield f"{name}'s file has {what} {found}, and was seen to have {what} {known}"
        if timers != set(pending.get(name, ())):
            seen = sorted(pending.get(name, ()))
            yield f"{name}'s file holds the timers {sorted(timers)}, and was seen to set {seen}"


def letters_in(folder: Path) -> dict[str, list[tuple[str, str, bytes]]]:
    """Return the dead letters of every service's file: id, type and JSON, the oldest first."""
    found = {}
    for path in sorted(folder.glob("*.db")):
        with reading(path) as connection:
            found[path.stem] = connection.execute(LETTERS).fetchall()
    return found


def _of(marks: Mapping[tuple[str, str], int], end: int, name: str) -> dict[str, int]:
    return {pair[1 - end]: mark for pair, mark in marks.items() if pair[end] == name and mark}


def _bounds(name: str, counts: tuple[int, ...], configs: Sequence[Config]) -> Iterator[str]:
    most: tuple[Any, ...] = (
        max(each.service.dead_letters_max for each in configs),
        max(each.store.events_kept_max for each in configs),
        max(each.store.outbox_messages_max for each in configs),
        0,
    )
    for what, count, limit in zip(WHAT, counts, most, strict=True):
        if count > limit:
            yield f"{name} holds {count} {what} at rest, and {limit} at most should be there"
