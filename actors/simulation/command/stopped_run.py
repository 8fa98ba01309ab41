"""Stops a run at a moment or a line of its trace, and tells how all stands there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, Self

from actors.simulation.command.timeline import call_text
from actors.simulation.command.timeline_entry import seconds, short
from actors.simulation.look.close_look import OUTBOX, CloseLook
from actors.simulation.look.excerpt import excerpt
from actors.simulation.look.row_changes import BOOKKEEPING, MESSAGES, committed_tables
from actors.simulation.sealed.watch import in_the_real_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.command.report import Report
    from actors.simulation.look.row_changes import Table

# Of each table, how many of its rows are told: the last ones, in the order of the key.
ROWS_MAX: Final = 3
TIMER: Final = "timer"


class StoppedRun(CloseLook):
    """Stops once, where the first line is that comes at the moment or later, or is that line."""

    def __init__(self, at_us: int | None, step: int | None, report: Report) -> None:
        """One of the two is given; on a terminal, pdb opens there."""
        super().__init__()
        self._at_us = at_us
        self._step = step
        self._report = report
        self._last = (0, 0)
        self._has_stopped = False

    @classmethod
    def of(cls, at_s: float | None, step: int | None, report: Report) -> Self | None:
        """Return a stop at that second or that line, or nothing where neither is given."""
        if at_s is None and step is None:
            return None
        return cls(None if at_s is None else round(at_s * 1_000_000), step, report)

    def reach(self, number: int, at_us: int) -> None:
        """Stop, if it is here."""
        self._last = (number, at_us)
        here = number == self._step if self._at_us is None else at_us >= self._at_us
        if self._has_stopped or not here or not hasattr(self, "scene"):
            return
        self._has_stopped = True
        with in_the_real_world():
            for line in self._state():
                self._report.line(short(line))
            somebody_there = self._report.is_terminal and sys.stdin.isatty()
        if somebody_there:
            scene = self.scene
            breakpoint()  # noqa: T100 - look at `scene`: machine, director, history, trace, folder
            del scene

    def tell_if_missed(self) -> None:
        """Say so where the run has ended before."""
        if not self._has_stopped:
            number, at_us = self._last
            self._report.line(f"it ended before that, at line {number}, {seconds(at_us)}")

    # --- The state ---------------------------------------------------------------------------

    def _state(self) -> Iterator[str]:
        yield f"stopped at {str(self.scene.trace.lines[-1]).strip()}"
        yield from self._actors()
        for each in self.scene.history.operations:
            if each.returned is None:
                yield f"under way: #{each.number} {each.process}: {call_text(each)}"
        files = sorted(self.scene.folder.glob("*.db"))
        stores = {each.stem: committed_tables(each) for each in files}
        for store, tables in stores.items():
            yield from self._due(store, tables)
        for store, tables in stores.items():
            for name, table in tables.items():
                if table.rows and name not in (*BOOKKEEPING, *MESSAGES):
                    yield f"rows of {store}'s {name}: {len(table.rows)}"
                    for row in list(table.rows.values())[-ROWS_MAX:]:
                        yield f"  {excerpt(dict(zip(table.columns, row, strict=True)))}"

    def _actors(self) -> Iterator[str]:
        if not self.scene.machine.up:
            yield "the process is not up"
            return
        yield f"{'actor':<15} {'state':<10} mailbox  lives  last error"
        for each in self.scene.machine.actors():
            mailbox = f"{each.mailbox_depth}/{each.mailbox_capacity}"
            error = each.last_error or ""
            yield f"{each.name:<15} {each.state:<10} {mailbox:>7}  {each.incarnation:>5}  {error}"

    def _due(self, store: str, tables: dict[str, Table]) -> Iterator[str]:
        """Tell what is on its way from a store, and what it has set itself a timer for."""
        ways: dict[str, list[str]] = {}
        for row in _named(tables, OUTBOX):
            ways.setdefault(str(row["receiver"]), []).append(str(row["message_type"]))
        for receiver, types in ways.items():
            yield f"channel {store} > {receiver}: {len(types)} in the outbox: {', '.join(types)}"
        now_us = self.scene.machine.clock.now_us()
        for row in _named(tables, TIMER):
            due_us = int(row["due_us"]) - now_us
            when = f"due in {seconds(due_us)}" if due_us > 0 else "due"
            yield f"timer of {store}: {row['message_type']}, {when}"


def _named(tables: dict[str, Table], name: str) -> Iterator[dict[str, Any]]:
    if name in tables:
        table = tables[name]
        for row in table.rows.values():
            yield dict(zip(table.columns, row, strict=True))
