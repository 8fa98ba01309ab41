"""`new system NAME`: a folder with a system that boots, its test, its scenario and its README."""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.errors import EntryPointError
from actors.program import ANYWHERE, NAME, PYTEST

if TYPE_CHECKING:
    from collections.abc import Sequence

# What is written, under the name that is replaced in texts and file names.
STARTER: Final = Path(__file__).parent / "starter"
SUFFIX: Final = ".template"
STARTED_AS: Final = "shop"


def new(arguments: Sequence[str]) -> int:
    """Write the folder, offline, from what is installed; returns the exit code.

    Raises EntryPointError where it cannot be, or nothing of that name would work.
    """
    parser = argparse.ArgumentParser(
        prog=f"{NAME} new", description="Write a system to begin with into a folder of its name."
    )
    parser.add_argument("kind", choices=("system",))
    parser.add_argument("name", metavar="NAME", help="in small letters, such as shop")
    name = parser.parse_args(arguments).name
    folder = Path(name).absolute()
    trouble = _trouble(name, folder)
    if trouble:
        raise EntryPointError(trouble)
    try:
        _write(folder, name)
    except OSError as error:
        message = f"{error.filename} cannot be written: {error.strerror}; go to another folder"
        raise EntryPointError(message) from error
    print(  # noqa: T201 - the command's own words
        f"{name}/ is written; its README.md says what is in it. Boot it:\n\n"
        f"    cd {shlex.quote(name)}\n    {ANYWHERE} run {name}.py"
    )
    return 0


def _write(folder: Path, name: str) -> None:
    for template in sorted(STARTER.rglob(f"*{SUFFIX}")):
        path = folder / _named(str(template.relative_to(STARTER)), name).removesuffix(SUFFIX)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_named(template.read_text(encoding="utf-8"), name), encoding="utf-8")


def _trouble(name: str, folder: Path) -> str:
    """Return why nothing of that name can be written; nothing where it can."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) or keyword.iskeyword(name):
        rule = "write it in small letters, such as shop, and in at most 64"
        return f"{name!r} cannot be a module's name: {rule}"
    if folder.exists():
        return f"{folder} is there already: take another name, or go to another folder"
    if importlib.util.find_spec(name) is not None:
        return f"Python has a module {name!r} already: take another name"
    return ""


def _named(text: str, name: str) -> str:
    camel = "".join(part.capitalize() for part in name.split("_"))
    text = text.replace(STARTED_AS.capitalize(), camel).replace(STARTED_AS.upper(), name.upper())
    text = text.replace(STARTED_AS, name)
    return text.replace("dress-rehearsal ", f"{ANYWHERE} ").replace("python -m pytest", PYTEST)
