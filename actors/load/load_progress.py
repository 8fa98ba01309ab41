"""How a load gets on: a bar with figures on a terminal, one line a phase elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from actors.load.load_report import phase_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from actors.kernel.clock import Clock
    from actors.load.load_sender import LoadSender, PhaseResult

# A bar that moves; drawing it oftener takes from what is measured.
REFRESH_S: Final = 0.25


class LoadProgress:
    """The watcher that people see. On no terminal nothing is drawn, and each phase is a line."""

    def __init__(self, console: Console, clock: Clock) -> None:
        """Nothing is written yet."""
        self._console = console
        self._clock = clock
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            auto_refresh=False,  # its thread would take turns from the loop
            transient=True,
        )
        self._task: TaskID | None = None
        self._sender: LoadSender | None = None
        self._began_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def began(self, what: str, sender: LoadSender, duration_s: float) -> None:
        """Draw a bar for it."""
        if not self._console.is_terminal:
            return
        self._clear()
        self._sender, self._began_s = sender, self._clock.monotonic()
        self._bars.start()
        self._task = self._bars.add_task(what, total=duration_s or None, figures="")
        self._draw()

    def ended(self, result: PhaseResult) -> None:
        """Say it in a line; a terminal has the table in the end."""
        self._clear()
        if not self._console.is_terminal:
            self._console.print(phase_line(result), soft_wrap=True, markup=False, highlight=False)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._sender is not None:
            self._clear()
            self._bars.stop()

    def show_cursor(self) -> None:
        """Give the terminal what a bar takes from it: the process ends at once."""
        self._console.show_cursor()

    def _draw(self) -> None:
        assert self._task is not None, "see began"
        result = None if self._sender is None else self._sender.result
        figures = ""
        if result is not None:
            done = result.by_request.values()
            failed, late = sum(each.failed for each in done), sum(each.late for each in done)
            ended = sum(each.ended for each in done)
            figures = f"{ended} ended, {failed} failed, {late} late"
        completed = self._clock.monotonic() - self._began_s
        self._bars.update(self._task, completed=completed, figures=figures)
        self._bars.refresh()
        self._timer = asyncio.get_running_loop().call_later(REFRESH_S, self._draw)

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
