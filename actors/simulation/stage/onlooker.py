"""Who is told of a run while it goes on, line by line of its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from actors.simulation.check.history import History
    from actors.simulation.stage.director import Director
    from actors.simulation.stage.machine import Machine
    from actors.simulation.stage.trace import Trace


class Scene(NamedTuple):
    """What there is to look at in a run; its files are in the folder."""

    folder: Path
    machine: Machine
    director: Director
    history: History
    trace: Trace


class Onlooker:
    """Hears of one run, from when the `scene` is set; this one makes nothing of it."""

    scene: Scene

    def look(self, kind: str, who: str) -> tuple[str, ...]:
        """Return what is to be seen beside a line of the trace that is kept, in sentences."""
        del kind, who
        return ()

    def reach(self, number: int, at_us: int) -> None:
        """Hear that this is the last line so far."""
