"""Whatever a test starts is gone when it ends, however it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.process import SystemProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Report = Callable[[str], None]


class Processes:
    """Makes processes, each on the test's data directory unless another is named."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._made: list[SystemProcess] = []

    def make(
        self, *arguments: str, data_dir: Path | None = None, through: tuple[str, ...] = ()
    ) -> SystemProcess:
        """Return a process that is not started yet."""
        process = SystemProcess(data_dir or self.data_dir, *arguments, through=through)
        self._made.append(process)
        return process

    def kill(self) -> None:
        """SIGKILL what still runs."""
        for process in self._made:
            process.kill()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Where a test's processes come from."""
    made = Processes(tmp_path / "data")
    yield made
    made.kill()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemProcess]:
    """One process for all of a module that mind nobody else's data: a boot is a second of CPU."""
    made = Processes(tmp_path_factory.mktemp("standing") / "data")
    try:
        yield made.make().start()
    finally:
        made.kill()
