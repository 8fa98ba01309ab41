"""Looks on while a run is played, and changes nothing of it: what rows changed, what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.simulation.look.excerpt import excerpt
from actors.simulation.look.row_changes import BOOKKEEPING, MESSAGES, changes, committed_tables
from actors.simulation.sealed.watch import in_the_real_world
from actors.simulation.stage.onlooker import Onlooker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.look.row_changes import RowChange, Table

# Of one commit, how many rows are told.
ROWS_MAX: Final = 8
# Of a row that has changed, how many of its first columns say which it is.
NAMING_COLUMNS: Final = 2
OUTBOX: Final = "outbox"
# What is told where the message arrives, or what nobody reads.
UNTOLD: Final = ("message", "trace", "at_us")


class CloseLook(Onlooker):
    """Looks at what is in the files, and at who has how much to do."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._tables: dict[str, dict[str, Table]] = {}

    def look(self, kind: str, who: str) -> tuple[str, ...]:
        """Return what there is to see beside a line of the trace that is being added.

        Sentences: of a commit, the rows that it has changed; and who has how much to do.
        """
        if kind not in {"open", "commit"}:
            return ()
        with in_the_real_world():
            now = committed_tables(self.scene.folder / f"{who}.db")
        # What an opening writes, and what was there before, nobody has to be told.
        before = self._tables.get(who) if kind == "commit" else None
        self._tables[who] = now
        rows = () if before is None else tuple(_told(list(changes(before, now))))
        return (*rows, *self._waiting()) if kind == "commit" else ()

    def _waiting(self) -> Iterator[str]:
        """Tell whose mailbox holds how much, what is in hand included, and whose outbox."""
        boxes = {each.name: each.mailbox_depth for each in self.scene.machine.actors()}
        told = [f"{name} {depth}" for name, depth in boxes.items() if depth]
        for store, tables in self._tables.items():
            if OUTBOX in tables and (rows := tables[OUTBOX].rows):
                told.append(f"{store}'s outbox {len(rows)}")
        if told:
            yield f"queues: {', '.join(told)}"


def _told(found: list[RowChange]) -> Iterator[str]:
    rows = [each for each in found if each.table not in BOOKKEEPING]
    yield from (_row(each) for each in rows[:ROWS_MAX])
    if len(rows) > ROWS_MAX:
        yield f"and {len(rows) - ROWS_MAX} rows more"
    kept = dict.fromkeys(each.table for each in found if each.table in BOOKKEEPING)
    if kept:
        yield f"kept by the store: {', '.join(kept)}"


def _row(change: RowChange) -> str:
    table, columns, before, now = change.table, change.columns, change.before, change.now
    if before is None:
        assert now is not None, "it is new, changed or gone"
        untold = UNTOLD if table in MESSAGES else ()
        new = dict(zip(columns, now, strict=True))
        told = {name: each for name, each in new.items() if each is not None and name not in untold}
        return f"+ {table} {excerpt(told)}"
    if now is None:
        return f"- {table} {excerpt(dict(zip(columns[:NAMING_COLUMNS], before, strict=False)))}"
    both = list(zip(columns, before, now, strict=True))
    name = excerpt({column: value for column, old, value in both[:NAMING_COLUMNS] if old == value})
    changed = ", ".join(
        f"{column} {excerpt(old)} -> {excerpt(new)}" for column, old, new in both if old != new
    )
    return f"~ {table} {name}: {changed}"
