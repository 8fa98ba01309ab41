"""Finds somebody's systems by what stands on the command line: `shop.py`, `shop`, `shop:SHOP`.

The one file that imports by a computed name. Whatever is wrong is one sentence, with what to do.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.errors import EntryPointError
from actors.system import System

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType

# Ours, which a folder beside somebody's system must not shadow.
PACKAGES = ("actors", "http_edge")
OURS = Path(__file__).parents[1]
# As `at_line_of` notes it; others leave notes of their own.
_PLACE = re.compile(r".+, line [0-9]+")


def load_listed(listed: Sequence[str]) -> tuple[list[System], list[str]]:
    """Return the systems of a list of entry points, and why any is left out: a line for each.

    Left out is what lacks a package. Raises EntryPointError.
    """
    systems = [system for name in listed for system in _load(name)]
    lacks = [(system, lacking(system.requires)) for system in systems]
    left_out = [f"{system.name} is left out: {lack}" for system, lack in lacks if lack]
    return [system for system, lack in lacks if not lack], left_out


def load_named(name: str, listed: Sequence[str]) -> list[System]:
    """Return the systems that `name` says: a file, a module, or one of those that are listed.

    Raises EntryPointError.
    """
    systems: Sequence[System] = ()
    if name.isidentifier():
        named = (each for entry in listed for each in _load(entry))
        systems = [each for each in named if each.name == name]
    systems = systems or _load(name)
    for system in systems:
        if lack := lacking(system.requires):
            raise EntryPointError(f"{system.name} cannot run: {lack}")
    return list(systems)


def _load(name: str) -> Sequence[System]:
    where, _, attribute = name.partition(":")
    if where.endswith(".py"):
        module = _import_file(Path(where).absolute())
    elif all(part.isidentifier() for part in where.split(".")):
        module = _import_module(where)
    else:
        raise EntryPointError(
            f"{name!r} names no system: write a file (shop.py), a module (shop), or either with "
            "what it is called there (shop:SHOP)"
        )
    return _systems_in(module, where, attribute)


# --- Importing -------------------------------------------------------------------------------


def _import_file(path: Path) -> ModuleType:
    try:
        is_there = path.is_file()
    except OSError as error:
        message = (
            f"cannot look for {path}: {error.strerror}; name a file in a folder that this user "
            "can read"
        )
        raise EntryPointError(message) from error
    if not is_there:
        raise EntryPointError(f"there is no file {path}: name the one that declares your system")
    # A file of a package is imported as such: it may import what stands beside it by that name.
    folder, parts = path.parent, [path.stem]
    while (folder / "__init__.py").is_file():
        folder, parts = folder.parent, [folder.name, *parts]
    if dotted := [part for part in parts if "." in part]:
        raise EntryPointError(
            f"{path} cannot be imported: to Python the dot in {dotted[0]!r} parts a package from "
            "a module; give it a name without one, such as shop"
        )
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    _look_in(folder)
    module = _import(name, str(path))
    found = getattr(module, "__file__", None)
    if found is None or not path.samefile(found):
        raise EntryPointError(
            f"{path} cannot be imported: Python has a module {name!r} already, at "
            f"{found or 'none of its files'}; give the file another name"
        )
    return module


def _import_module(name: str) -> ModuleType:
    here = Path.cwd()
    if name.partition(".")[0] not in PACKAGES:
        _look_in(here)
    # Where a parent is no package, or broken, importing says so.
    if not (_is_known(name) or (name.count(".") and _is_known(name.partition(".")[0]))):
        raise EntryPointError(
            f"there is no module {name!r} in {here}, and none is installed: go to its folder, or "
            "name its file, as in path/to/shop.py"
        )
    return _import(name, name)


def _is_known(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
    except BaseException:  # noqa: BLE001 - its package is broken, and importing says how
        return True


def _look_in(folder: Path) -> None:
    """Have modules found there first. Raises EntryPointError where ours would be hidden by them."""
    for package in PACKAGES:
        for there in (folder / package, folder / f"{package}.py"):
            if folder != OURS and there.exists():
                raise EntryPointError(
                    f"{there} has the name of a package of Dress Rehearsal's, and Python knows "
                    f"only one {package!r}: give yours another name"
                )
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _import(name: str, called: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except SystemExit as error:
        message = (
            f"{called} ends the program when it is imported (sys.exit): put that under "
            "`if __name__ == '__main__':`"
        )
        raise EntryPointError(message) from error
    except BaseException as error:  # no signal raises one, see launch.py: it is the file's own
        raise EntryPointError(f"{called} cannot be imported: {_reason(error, called)}") from error


def _words_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - as above
        return "(it cannot even be printed)"


def _reason(error: BaseException, called: str) -> str:
    what = " ".join(f"{type(error).__name__}: {_words_of(error)}".split()).removesuffix(":")
    if isinstance(error, SyntaxError) and error.filename:
        return f"{what}; mend {error.filename}, line {error.lineno}"
    # The innermost line that is neither the interpreter's nor this file's.
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and frame.filename not in {__file__, importlib.__file__}
    ]
    if isinstance(error, OSError) and not frames:
        return f"{what}; make it readable for this user"
    # Of somebody's own, if there is one: what we found wrong is to be mended there.
    frames = [each for each in frames if OURS not in Path(each.filename).parents] or frames
    where = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else called
    # A handler that is declared wrong is noted with its line; the traceback has the class's.
    noted = [each for each in getattr(error, "__notes__", ()) if _PLACE.fullmatch(each)]
    where = noted[-1] if noted else where
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and missing.partition(".")[0] not in PACKAGES:
        python = shlex.quote(sys.executable)
        return (
            f"{what} ({where}); put it beside your file, or install what brings it with "
            f"{python} -m pip install"
        )
    return f"{what}; mend {where}"


# --- Choosing --------------------------------------------------------------------------------


def _systems_in(module: ModuleType, where: str, attribute: str) -> Sequence[System]:
    found = _declared(module)
    if not attribute:
        if not found:
            raise EntryPointError(
                f"{where} declares no System: put one there, as in SHOP = System(...)"
            )
        if len(found) > 1:
            raise EntryPointError(f"{where} has several: say which, {_choices(where, found)}")
        (attribute,) = found
    try:
        value = getattr(module, attribute)
    except AttributeError:
        has = _choices(where, found) if found else "it declares no System"
        raise EntryPointError(f"{where} has no {attribute!r}: {has}") from None
    systems = _as_systems(value)
    if not systems:
        raise EntryPointError(
            f"{where}:{attribute} is a {type(value).__name__}: a System is wanted there, or a "
            "tuple of them"
        )
    return systems


def _declared(module: ModuleType) -> dict[str, Any]:
    """Return the systems that a module declares, by their names in it.

    A sequence that holds all the others says it for them.
    """
    named = {name: value for name, value in vars(module).items() if _as_systems(value)}
    every = [each for value in named.values() for each in _as_systems(value)]
    whole = {
        name: value
        for name, value in named.items()
        if all(any(each is one for one in _as_systems(value)) for each in every)
    }
    return whole or named


def _as_systems(value: object) -> Sequence[System]:
    if isinstance(value, System):
        return (value,)
    if isinstance(value, tuple | list) and all(isinstance(each, System) for each in value):
        return value
    return ()


def _choices(where: str, names: Iterable[str]) -> str:
    return " or ".join(f"{where}:{name}" for name in names)


def lacking(requires: Mapping[str, str]) -> str:
    """Return which of the modules are not installed, and how to install them; else nothing."""
    missing = {
        module: pip for module, pip in requires.items() if importlib.util.find_spec(module) is None
    }
    if not missing:
        return ""
    packages = shlex.join(dict.fromkeys(missing.values()))
    return (
        f"it needs {' and '.join(missing)}; type "
        f"{shlex.quote(sys.executable)} -m pip install {packages}"
    )
