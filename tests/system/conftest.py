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

# An edge's deadline, where a test waits until it is over.
IMPATIENT_S = 0.6


@pytest.fixture
def processes(tmp_path: Path, live: Live) -> Processes:
    """Where a test's processes come from."""
    return Processes(live, tmp_path / "data")


@pytest.fixture
def hotels(tmp_path: Path, live: Live) -> Processes:
    """The hotel alone, where the other systems have no part: a third of a boot's CPU less."""
    return Processes(live, tmp_path / "data", system="hotel")


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSystem]:
    """One process for all of a module that mind nobody else's data: a boot is a second of CPU."""
    with processes_in(tmp_path_factory.mktemp("standing")) as made:
        yield made.boot()


@pytest.fixture(scope="module")
def hotel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSystem]:
    """As `standing`, of the hotel alone."""
    with processes_in(tmp_path_factory.mktemp("hotel"), system="hotel") as made:
        yield made.boot()


@pytest.fixture(scope="module")
def impatient_hotel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSystem]:
    """As `hotel`, whose deadline is soon over: whoever suspends a service resumes it."""
    with processes_in(tmp_path_factory.mktemp("impatient"), system="hotel") as made:
        yield made.boot(f"edge.deadline_s={IMPATIENT_S}")
