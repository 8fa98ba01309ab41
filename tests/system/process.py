"""The real thing: both systems, as `python runtime.py` boots them, with nobody who tweets."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from actors.testing.live import Live
from tests.system.warm_start import WarmStart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.testing.live_system import LiveSystem

ROOT = Path(__file__).parent.parent.parent
LISTENERS = ("gateway", "hotel", "tweets", "x_platform")
WARM = WarmStart()
# Nobody tweets but the test, unless it asks for more.
SILENCE = ("x_platform.tweets_per_s=0", "x.platform=simulator")


class Processes:
    """Boots both systems, or one, each time on the test's data directory unless one is named."""

    def __init__(
        self, live: Live, data_dir: Path, *, system: str | None = None, cold: bool = False
    ) -> None:
        """Where they are `cold` each begins as a user's does; else it has imported all already."""
        self.data_dir = data_dir
        self._cold = cold
        self._live = live
        self._system = system

    def boot(
        self,
        *settings: str,
        config: Path | None = None,
        data_dir: Path | None = None,
        through: tuple[str, ...] = (),
    ) -> LiveSystem:
        """Return a process that is ready; `through` is a command that runs another."""
        return self.make(*settings, config=config, data_dir=data_dir, through=through).start()

    def make(
        self,
        *settings: str,
        config: Path | None = None,
        data_dir: Path | None = None,
        through: tuple[str, ...] = (),
    ) -> LiveSystem:
        """Return one that is not started yet."""
        data_dir = data_dir or self.data_dir
        if self._system is None:
            settings = (*SILENCE, *settings)
        made = self._live.prepare(self._system, *settings, config=config, data_dir=data_dir)
        made.command[:0] = through
        if not through and not self._cold:
            made.begin = WARM.start
        return made


@contextlib.contextmanager
def processes_in(
    folder: Path, *, system: str | None = None, cold: bool = False
) -> Iterator[Processes]:
    """The same for all of a module, in a folder of its own."""
    live = Live(folder / "live")
    try:
        yield Processes(live, folder / "data", system=system, cold=cold)
    finally:
        live.end()
