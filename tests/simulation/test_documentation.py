"""docs/SIMULATION.md: its services run, its tests pass, and would fail if the café were wrong."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.options import Options
from actors.simulation.stage.rehearsal import Rehearsal
from tests.test_docs import PRELUDE, PYTHON, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMPORTS = """
import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.config import load_config
from actors.simulation.script.profile import PROFILES
from actors.simulation.stage.rehearsal import Rehearsal, Script
from actors.simulation.stage.scenario import Scenario
from actors.simulation.script.strategies import drawn, schedules, workloads
"""
SCHEMAS = {
    "counter": "CREATE TABLE orders (id TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT;",
    "kitchen": "CREATE TABLE unused (id TEXT PRIMARY KEY) STRICT;",
}
DOCUMENT = ROOT / "docs" / "SIMULATION.md"


@pytest.fixture(scope="module")
def cafe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The two documents' code in one module."""
    folder = tmp_path_factory.mktemp("documented")
    services = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    blocks = PYTHON.findall(services.partition("## Writing a service")[2])
    blocks += [IMPORTS, *PYTHON.findall(DOCUMENT.read_text(encoding="utf-8"))]
    (folder / "simulated_cafe.py").write_text(PRELUDE + "\n\n".join(blocks), encoding="utf-8")
    for name, sql in SCHEMAS.items():
        (folder / "schema" / name).mkdir(parents=True)
        (folder / "schema" / name / "0001_cafe.sql").write_text(sql, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, without_logs():
        patch.syspath_prepend(folder)
        yield importlib.import_module("simulated_cafe")


def test_the_documented_test_passes(cafe: Any, tmp_path: Path) -> None:
    """Twenty seeds of the café, with kills."""
    cafe.test_the_cafe_survives_kills(tmp_path)


def test_the_documented_property_holds(cafe: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hypothesis draws twenty workloads and schedules for it."""
    cafe.test_the_cafe_survives_hypothesis(tmp_path_factory)


def test_a_broken_cafe_is_found(cafe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter that never gives up waiting, before a kitchen that answers too few, is caught."""
    monkeypatch.setattr(cafe.Stove, "make", _never)
    monkeypatch.setattr(cafe.Counter, "_end", lambda *_: None)
    broken = Rehearsal(cafe.PLAYED, load_config(), tmp_path, profile="calm")
    played = broken.play(broken.script(1))
    assert any("waits for ever" in trouble for trouble in played.troubles)


async def _never(*_: Any, key: str) -> None:
    raise OSError(f"no gas for {key}")


def test_every_documented_option_exists() -> None:
    """The options of the table and of the examples are the command's."""
    text = DOCUMENT.read_text(encoding="utf-8")
    examples = [
        line.partition("simulate")[2].partition("#")[0].split()
        for line in text.splitlines()
        if line.startswith("    python runtime.py simulate")
    ]
    assert len(examples) >= 5
    for words in examples:
        Options.parse(words, systems=("hotel", "tweets"), fresh_seed=1)
