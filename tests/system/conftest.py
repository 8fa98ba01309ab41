"""Whatever a test starts is gone when it ends, however it ends: `live` sees to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.process import Processes, processes_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from actors.testing.live import Live
    from actors.testing.live_system import LiveSystem

    Report = Callable[[str], None]


@pytest.fixture
def processes(live: Live, tmp_path: Path) -> Processes:
    """Where a test's processes come from."""
    return Processes(live, tmp_path / "data")


@pytest.fixture
def hotels(live: Live, tmp_path: Path) -> Processes:
    """The hotel alone, where the other systems have no part: a third of a boot's CPU less."""
    return Processes(live, tmp_path / "data", system="hotel")


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSystem]:
    """One process for all of a module that mind nobody else's data: a boot is a second of CPU."""
    with processes_in(tmp_path_factory.mktemp("standing")) as made:
        yield made.boot()
