"""What a simulated process keeps open: the next incarnation finds what a new connection would."""

from __future__ import annotations

import sqlite3
from sys import getrefcount
from typing import TYPE_CHECKING

import pytest

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage import kept_connections
from actors.simulation.stage.kept_connections import KeptConnections
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.files.sqlite_file import open_writer
from tests.simulation.tally import TALLY, TallyCall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actors.config import StoreConfig

CONFIG = load_config().store


@pytest.fixture
def kept() -> Iterator[KeptConnections]:
    """A process's, which ends with the test."""
    connections = KeptConnections()
    yield connections
    connections.close()


def test_the_next_incarnation_has_the_last_ones_connections(
    kept: KeptConnections, tmp_path: Path
) -> None:
    """One at a time; at the end of the process they are closed, and no log is left."""
    path = tmp_path / "room.db"
    writer = kept.writer(path, CONFIG)
    reader = kept.reader(path, CONFIG)
    second = kept.writer(path, CONFIG)
    assert second is not writer
    assert kept.keep(reader, writer) == [None, None]
    assert kept.keep(second) == [second]
    second.close()
    assert kept.writer(path, CONFIG) is writer
    assert kept.reader(path, CONFIG) is reader
    assert kept.keep(reader, writer) == [None, None]
    kept.close()
    assert [each.name for each in tmp_path.iterdir()] == ["room.db"]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        writer.execute("SELECT 1")


@pytest.mark.parametrize("left", ["BEGIN", "CREATE TEMP TABLE draft (id INTEGER)"])
def test_what_is_in_a_connection_alone_ends_with_its_incarnation(
    kept: KeptConnections, tmp_path: Path, left: str
) -> None:
    """As it would with a process that opens its file anew at each restart."""
    writer = kept.writer(tmp_path / "room.db", CONFIG)
    kept.seal(writer)
    writer.execute(left)
    held = getrefcount(writer)
    assert kept.keep(writer) == [writer]
    assert getrefcount(writer) < held  # who is to be closed is let go, whatever was noted of it
    writer.close()
    assert kept.writer(tmp_path / "room.db", CONFIG) is not writer


def test_another_file_under_the_name_is_opened_anew(kept: KeptConnections, tmp_path: Path) -> None:
    """What is written goes where the name leads."""
    path = tmp_path / "room.db"
    first = kept.writer(path, CONFIG)
    kept.keep(first)
    path.rename(tmp_path / "away.db")
    assert kept.writer(path, CONFIG) is not first


def test_who_is_killed_closes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log stays; who ends in order, or loses its power, begins with other connections."""
    opened: list[str] = []

    def noted(path: Path, config: StoreConfig) -> sqlite3.Connection:
        opened.append(path.name)
        return open_writer(path, config)

    monkeypatch.setattr(kept_connections, "open_writer", noted)
    counts = {}
    with scratch_folder() as place, without_logs():
        rehearsal = Rehearsal(TALLY, load_config(systems=[TALLY]), place)
        for fault in ("resume", "crash", "terminate", "cut_power"):
            opened.clear()
            target = "tally" if fault == "resume" else "process"
            schedule = Schedule((Step(1_000_000, fault, target),))
            workload = (ClientRequest(0, 0, TallyCall()), ClientRequest(9_000_000, 0, TallyCall()))
            script = Script(seed=1, workload=workload, schedule=schedule)
            assert rehearsal.play(script).troubles == ()
            counts[fault] = len(opened)
    assert counts["crash"] == counts["resume"]
    assert counts["terminate"] == counts["cut_power"] == 2 * counts["resume"]
