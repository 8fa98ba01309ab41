"""One try to start a version with a mistake: it is told in a sentence, and no file is changed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

from actors.app import look_through
from actors.config import load_config
from actors.errors import DressRehearsalError
from actors.simulation.deploys.mistakes import MISTAKES
from actors.system import unbooted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.rng import Rng
    from actors.simulation.deploys.mistake import Slip
    from actors.simulation.deploys.parts import Parts
    from actors.system import System, Wiring

# As long as this is no sentence any more.
CHARS_MAX: Final = 2_000


class BrokenDeploy:
    """The next version, with one mistake, at one of the places where there may be such.

    `troubles` is what is wrong with how it was told. Where a look does not see it, `parks` is whose
    start tells it, and `systems` and `wiring` are what is to be started; `slip` is what handlers do
    wrong there.
    """

    def __init__(self, mistake: str, parts: Parts, config: Config, folder: Path, rng: Rng) -> None:
        """Choose where it is; `folder` has the data of the version that runs."""
        self.troubles: list[str] = []
        self.parks: str | None = None
        self.slip: Slip | None = None
        self.systems: Sequence[System] = ()
        self.wiring: Wiring
        self._mistake = mistake
        self._parts = parts
        self._config = config
        self._folder = folder
        # What is new on the disk with it, such as its migrations.
        self._own = folder.with_name(f"{folder.name}-next")
        places = MISTAKES[mistake].places(parts)
        # The version before has not all of what the present one has.
        self._broken = None
        if places:
            self._broken = MISTAKES[mistake].make(parts, places[rng.randrange(len(places))])

    def look(self) -> None:
        """Look it through, as who starts it does."""
        if self._broken is None:
            return
        before = contents(self._folder)
        try:
            self._look(self._broken.systems(self._own), self._broken.settings)
        except DressRehearsalError as error:
            self._judge(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is none that says what to mend
            self._complain(f"it was told by {type(error).__name__}: {error}")
        else:
            self.parks, self.slip = self._broken.parks, self._broken.slip
            if self.parks is None and self.slip is None:
                self._complain("nobody has told it")
        if contents(self._folder) != before:
            self._complain("a file was changed before it was told")

    def told(self, reason: str) -> None:
        """Hear what the service is down for whose start tells it."""
        assert self._broken is not None, "somebody was started"
        if not all(words in reason for words in self._broken.says):
            self._complain(f"its service is down for {reason or 'no reason'}")

    def serves(self) -> None:
        """Hear that the service runs on what it should have refused."""
        self._complain("nobody has told it, and its service runs")

    def changed(self) -> None:
        """Hear that the file of the service that is down is another than it was."""
        self._complain("the file of the service that is down was changed")

    def clear(self) -> None:
        """Leave nothing of it."""
        shutil.rmtree(self._own, ignore_errors=True)

    # --- Inside ------------------------------------------------------------------------------

    def _look(self, systems: Sequence[System], settings: tuple[str, ...] | None) -> None:
        config = self._config
        if settings is not None:
            load_config(settings=settings, systems=systems)
        look_through(systems, config, self._folder)
        self.systems = systems
        self.wiring = unbooted(systems, config, self._folder)

    def _judge(self, error: DressRehearsalError) -> None:
        assert self._broken is not None, "it was looked at"
        said = str(error)
        if not all(words in said for words in self._broken.says):
            self._complain(f"it was told as {said}")
        if len(said) > CHARS_MAX or "Traceback" in said:
            self._complain(f"it was told in no sentence: {said[:CHARS_MAX]}")

    def _complain(self, what: str) -> None:
        self.troubles.append(f"deploy: {self._mistake}: {what}")


def contents(folder: Path, service: str | None = None) -> dict[str, Any]:
    """Return what the folder's files hold, by name, or those of one service; no log's index."""
    names = folder.iterdir() if service is None else _files_of(folder, service)
    return {
        path.name: path.read_bytes()
        for path in sorted(names)
        if path.is_file() and not path.name.endswith("-shm")
    }


def _files_of(folder: Path, service: str) -> Iterator[Path]:
    """Yield its file and its log; a log of nothing is none."""
    for path in (folder / f"{service}.db", folder / f"{service}.db-wal"):
        if path.exists() and path.stat().st_size:
            yield path
