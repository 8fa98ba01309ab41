"""docs/UPGRADES.md does what it says: each way of writing the next version reads what is there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors.command_line import main
from actors.system import System
from tests.kernel.kernel_harness import turns
from tests.service.desks import SteppingClock, office

if TYPE_CHECKING:
    from types import ModuleType

PAGE = Path(__file__).parents[1] / "docs" / "UPGRADES.md"
FIRST, *NEXT = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
# What the kitchen has done in the end, by what is in the snippet.
DONE = {
    "milk: bool": ["2 for 1", "open at 8"],
    "formerly": ["2 for 1", "open at 8"],
    "class Grind": ["ground for 1", "2 for 1"],
    "0002_note.sql": ["2 for 1", "open at 8"],
}


def load(folder: Path, source: str) -> ModuleType:
    """Return the café, written into a file of the folder."""
    path = folder / "cafe.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("cafe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cafe", module)
        spec.loader.exec_module(module)
    return module


def services(cafe: ModuleType) -> dict[str, Any]:
    return {"counter": cafe.Counter, "kitchen": cafe.Kitchen}


@pytest.mark.parametrize("snippet", NEXT, ids=[f"snippet {n}" for n in range(len(NEXT))])
async def test_each_next_version_takes_up_what_the_first_has_left(
    tmp_path: Path, snippet: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check-upgrade` finds nothing; and what was on its way is done, once."""
    code, data = tmp_path / "code", tmp_path / "data"
    (code / "kitchen").mkdir(parents=True)
    data.mkdir()
    first = load(code, FIRST)
    clock = SteppingClock()
    async with office(data, services(first), clock=clock) as run:
        run.system.suspend("kitchen")
        await turns()
        await run.ask("counter", first.Brew(order=1, cups=2))
    (code / "kitchen" / "0001_done.sql").write_text(first.Kitchen.schema)
    (code / "kitchen" / "0002_note.sql").write_text("ALTER TABLE done ADD COLUMN note TEXT;")
    following = load(code, f"{FIRST}\n\n{snippet}")
    system = System(name="cafe", services=lambda _: services(following))
    assert main(["check-upgrade", str(data)], systems=[system]) == 0
    assert "can be read" in capsys.readouterr().out
    async with office(data, services(following), clock=clock) as run:
        await turns(200)
        (expected,) = [done for words, done in DONE.items() if words in snippet]
        assert [what for (what,) in run.rows("kitchen", "SELECT what FROM done")] == expected
        assert await run.letters() == []


def test_every_way_is_tried() -> None:
    """A snippet a way."""
    assert len(NEXT) == len(DONE)
