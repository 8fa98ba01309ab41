"""What is wrong with a key of the configuration, where it stands, and what may stand there."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


def describe_fault(
    error: msgspec.ValidationError,
    whole: type[msgspec.Struct],
    sections: Mapping[str, type[msgspec.Struct]],
    defaults: Path,
) -> str:
    """Return what a person mends: the key, and where those that there are are listed.

    `whole` is the configuration's type, `sections` are the systems' in it, and `defaults` is the
    file of the others.
    """
    text, _, path = str(error).partition(" - at `$")
    path = path.removesuffix("`").removeprefix(".")
    section = path.partition(".")[0].partition("[")[0]
    place = f"{defaults} says what each is"
    if section in sections:
        place = f"{sections[section].__name__} in {_file_of(sections[section])} says what each is"
    unknown = _UNKNOWN.fullmatch(text)
    if unknown is not None:
        there = ", ".join(_keys_at(whole, path))
        if not path:
            return f"no system that is booted has a section {unknown[1]!r}; there are {there}"
        return f"[{path}] has no key {unknown[1]!r}; it has {there}, and {place}"
    key = path.partition("[")[0]
    above = key.rpartition(".")[0]
    where = f"set it under [{above}], or by --set {key}=..." if above else f"set keys under [{key}]"
    return f"{path}: {text.replace('`', '')}; {where}, and {place}"


def _file_of(section: type) -> str:
    return getattr(sys.modules.get(section.__module__), "__file__", None) or section.__module__


def _keys_at(whole: Any, path: str) -> tuple[str, ...]:
    """Return the keys of the table at the path; none where it stands in a list."""
    for name in filter(None, path.split(".")):
        fields = () if not hasattr(whole, "__struct_fields__") else msgspec.structs.fields(whole)
        whole = next((each.type for each in fields if each.encode_name == name), None)
    keys: tuple[str, ...] = getattr(whole, "__struct_fields__", ())
    return keys
