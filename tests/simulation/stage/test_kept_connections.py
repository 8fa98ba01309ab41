"""What a simulated process keeps open: the next incarnation finds what a new connection would."""

from __future__ import annotations

import sqlite3
from sys import getrefcount
from typing import TYPE_CHECKING

import pytest

from actors.config import load_config
from actors.simulation.stage.kept_connections import KeptConnections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
