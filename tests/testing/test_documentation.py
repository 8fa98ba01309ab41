"""docs/TESTING.md: its tests pass as they are written, in the folder that it speaks of."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors import command_line
from tests.test_docs import PYTHON

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.real_time, pytest.mark.long]

ROOT = Path(__file__).parents[2]


def test_what_is_documented_passes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests that the new system comes with are run where the wheel is installed."""
    assert command_line.main(["new", "system", "shop"]) == 0
    folder = pytester.path / "shop"
    blocks = PYTHON.findall((ROOT / "docs" / "TESTING.md").read_text(encoding="utf-8"))
    assert len(blocks) == 2
    documented = folder / "test_documented.py"
    documented.write_text("\n".join(blocks), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    words = ("-p", "actors.testing.plugin", "-p", "no:xdist", "-p", "no:detangle")
    pytester.runpytest_subprocess(*words, str(documented)).assert_outcomes(passed=2)
