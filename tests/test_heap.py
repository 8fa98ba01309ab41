"""What is imported is spared the garbage collector, which collects again before anything runs."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest

from actors import command_line, system_commands
from actors.heap import settle, spare_imports
from actors.simulation.command.settled_heap import settled_heap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def spared() -> Iterator[None]:
    """A process as it begins."""
    spare_imports()
    try:
        yield
    finally:
        settle()


def test_it_is_settled_once(spared: None) -> None:
    """Somebody else's process, in which nothing was spared, is left as it is."""
    assert not gc.isenabled()
    assert settle()
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    kept = [[number] for number in range(100)]
    assert not settle()
    assert gc.get_freeze_count() <= frozen, kept


def test_who_collects_nothing_goes_on_so() -> None:
    """Somebody else's process, whose collector is off for reasons of its own, is left as it is."""
    frozen = gc.get_freeze_count()
    gc.disable()
    try:
        assert not settle()
        assert not gc.isenabled()
        assert gc.get_freeze_count() == frozen
    finally:
        gc.enable()


def test_it_is_settled_before_anything_is_served(
    spared: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that never collected would grow for as long as it serves."""
    collects: list[bool] = []

    class Server:
        def __init__(self, *_: object) -> None:
            """Take no address."""

        async def serve(self, *_: object) -> None:
            collects.append(gc.isenabled())

    monkeypatch.setattr(system_commands, "Server", Server)
    monkeypatch.setattr(system_commands, "configure_logging", lambda *_args, **_options: None)
    monkeypatch.setattr(os, "umask", lambda _mode: 0)
    assert command_line.main(["run", f"--data-dir={tmp_path / 'data'}"]) == 0
    assert collects == [True]


def test_it_is_settled_before_a_campaign(spared: None) -> None:
    """And stays so: what was imported is not looked at either when the process ends."""
    with settled_heap():
        assert gc.isenabled()
        frozen = gc.get_freeze_count()
    assert 0 < gc.get_freeze_count() <= frozen
