"""docs/SIMULATION.md: its tests of the café pass as printed, and would fail were the café wrong."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.stage.rehearsal import Rehearsal
from tests.documented import importable, write_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = "docs/SIMULATION.md"


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page's test, beside the files of the café."""
    folder = tmp_path_factory.mktemp("documented")
    with importable("docs/SERVICES.md", folder), without_logs():
        write_files(PAGE, folder)
        yield importlib.import_module("test_rehearsal")


def test_the_documented_checkers_find_what_they_say(documented: Any) -> None:
    """Beside the café's files, of which they need none."""
    assert documented
    importlib.import_module("test_checkers").test_lies_are_found()


def test_the_whole_scenario_holds_and_finds_what_it_should(
    documented: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its system as the page has it, and with a shelf that drops a book."""
    assert documented
    shelf = importlib.import_module("shelf")
    rehearsal = Rehearsal(shelf.SHELF, load_config(systems=[shelf.SHELF]), tmp_path)
    scripts = [rehearsal.script(seed) for seed in range(3)]
    assert [rehearsal.play(script).troubles for script in scripts] == [(), (), ()]
    monkeypatch.setattr(shelf, "INSERT", "SELECT ?")
    assert all("exists never" in rehearsal.play(script).troubles[0] for script in scripts)


def test_the_documented_test_passes(documented: Any, tmp_path: Path) -> None:
    """Eight seeds of the café, with kills."""
    documented.test_the_cafe_survives_kills(tmp_path)


def test_the_documented_property_holds(
    documented: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hypothesis draws eight workloads and schedules for it."""
    documented.test_the_cafe_survives_hypothesis(tmp_path_factory)


def test_a_broken_cafe_is_found(
    documented: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counter that never gives up waiting, before a kitchen that answers too few, is caught."""
    cafe = importlib.import_module("cafe")
    monkeypatch.setattr(cafe.Stove, "make", _never)
    monkeypatch.setattr(cafe.Counter, "_end", lambda *_: None)
    broken = Rehearsal(cafe.CAFE, load_config(systems=[cafe.CAFE]), tmp_path, profile="calm")
    script = broken.script(1)
    played = broken.play(msgspec.structs.replace(script, workload=script.workload[:2]))
    assert any("waits for ever" in trouble for trouble in played.troubles)


def test_a_lie_to_a_guest_is_found(
    documented: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that the audit has no fault with, and a guest who was told otherwise."""
    assert documented
    cafe = importlib.import_module("cafe")

    def lie(_: Any, tx: Any, order_id: str, state: str, answer: Any) -> None:
        if tx.execute("UPDATE orders SET state = 'refused' WHERE id = ?", order_id):
            tx.reply(order_id, answer)

    monkeypatch.setattr(cafe.Counter, "_end", lie)
    lying = Rehearsal(cafe.CAFE, load_config(systems=[cafe.CAFE]), tmp_path, profile="calm")
    played = lying.play(lying.script(1))
    assert any("was told that" in each for each in played.troubles)
    assert any(each.startswith("0 became 0,") for each in played.troubles)


async def _never(*_: Any, key: str) -> None:
    raise OSError(f"no gas for {key}")
