"""Where another process finds a system that a test has in hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from actors.program import CHECKOUT, DISTRIBUTION, ROOT

if TYPE_CHECKING:
    from actors.system import System


def entry_of(system: System) -> str | None:
    """Return `/path/shop.py:SHOP`; None where no imported module has it at its top level.

    The module that declares it, rather than a test that imports it from there.
    """
    found = [
        (Path(file), name)
        for module in list(sys.modules.values())
        if isinstance(file := getattr(module, "__dict__", {}).get("__file__"), str)
        for name, value in list(vars(module).items())
        if value is system and file.endswith(".py")
    ]
    found.sort(key=lambda each: _is_test(each[0].stem))  # stable: else the first imported
    return f"{found[0][0].absolute()}:{found[0][1]}" if found else None


def command_words() -> list[str]:
    """Return the words with which this Python's Dress Rehearsal is run, from any folder."""
    if CHECKOUT:
        return [sys.executable, str(ROOT / "runtime.py")]
    beside = Path(sys.executable).with_name(DISTRIBUTION)
    return [str(beside) if beside.exists() else DISTRIBUTION]


def _is_test(module: str) -> bool:
    return module.startswith("test_") or module.endswith("_test") or module == "conftest"
