"""`from actors import ...`: what an author has, and what it costs to ask for it."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import actors
import actors.simulation

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parent.parent


def _loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh process has after it has run this."""
    script = f"import sys\n{code}\nprint(*sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    return set(printed.split())


def _re_exports(door: ModuleType) -> dict[str, str]:
    """Return where a type checker finds each name."""
    tree = ast.parse(inspect.getsource(door))
    return {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith(("actors.", "http_edge."))
        for alias in node.names
        if node.module is not None
    }


@pytest.mark.parametrize("door", [actors, actors.simulation], ids=lambda door: door.__name__)
def test_each_name_is_what_a_type_checker_takes_it_for(door: ModuleType) -> None:
    """The list, the checker's imports and what is there at run time are the same."""
    homes = _re_exports(door)
    assert sorted(homes) == sorted(door.__all__)
    assert set(door.__all__) <= set(dir(door))
    for name, home in homes.items():
        assert getattr(door, name) is getattr(importlib.import_module(home), name), name


def test_an_author_learns_some_twenty_five_names() -> None:
    """What is more is internal."""
    assert len(actors.__all__) <= 35


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("import actors", ("actors.", "http_edge", "aiohttp", "msgspec", "asyncio")),
        ("from actors import Service, command, Command", ("http_edge", "aiohttp", "sqlite3")),
        ("from actors import System, Address, service", ("actors.simulation",)),
        ("import actors.simulation", ("actors.simulation.", "aiohttp", "msgspec", "asyncio")),
    ],
)
def test_a_name_brings_what_it_needs(code: str, without: tuple[str, ...]) -> None:
    """Whoever imports the package has imported nothing; a server has no simulation."""
    assert [each for each in _loaded_by(code) if each.startswith(without)] == []


@pytest.mark.parametrize("order", ["actors.service.service, actors", "actors, actors.app"])
def test_an_authors_word_is_no_package(order: str) -> None:
    """`service` is an address's, whoever has imported the package of that name before."""
    code = (
        f"import {order}\nfrom actors import service\nassert service.__name__ == 'ServiceEndpoint'"
    )
    assert "actors.service.service" in _loaded_by(code)


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    """As any module's, with a suggestion; and the names to choose from."""
    with pytest.raises(AttributeError, match=r"has no 'Servise': .* Service, ") as raised:
        getattr(actors, "Servise")  # noqa: B009 - a checker would find it
    assert raised.value.name == "Servise"
    assert raised.value.obj is actors
