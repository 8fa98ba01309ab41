"""Where a system stands that a test has in hand, and where its modules do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

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


def is_from(name: str, folders: Container[str]) -> bool:
    """Whether a module, or the package that it is in, stands in one of these folders itself."""
    spec = getattr(sys.modules.get(name.partition(".")[0]), "__spec__", None)
    places = () if spec is None else (*(spec.submodule_search_locations or ()), spec.origin)
    return any(str(Path(place).parent) in folders for place in places if place)


def _is_test(module: str) -> bool:
    return module.startswith("test_") or module.endswith("_test") or module == "conftest"
