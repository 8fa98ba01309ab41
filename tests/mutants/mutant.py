"""A small change that takes away one safeguard or breaks one rule, and the table of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import msgspec

from tests.simulation.plants import PLANTS

ROOT: Final = Path(__file__).parents[2]
TABLE: Final = Path(__file__).parent / "table"
# What is planted while the code runs, in tests/simulation/plants.py.
PLANTED: Final = "planted"
KINDS: Final = (
    *(
        "engine",
        PLANTED,
        "caches",
        "shards",
        "hotel",
        "tweets",
        "x_platform",
        "edge",
        "overload",
        "tracing",
    ),
)


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """`old` stands once in `file`, and `new` takes its place; or `plant` is one of PLANTS.

    It is searched for in simulations of each of `systems` in turn.
    """

    name: str
    kind: str
    systems: tuple[str, ...]
    file: str = ""
    old: str = ""
    new: str = ""
    plant: str = ""

    def source(self, root: Path) -> str:
        """Return the file below `root` with the change. Raises ValueError where it does not fit."""
        source = (root / self.file).read_text(encoding="utf-8")
        count = source.count(self.old)
        if count != 1:
            message = f"{self.name}: the old text stands {count} times in {self.file}"
            raise ValueError(message)
        return source.replace(self.old, self.new)


def table() -> tuple[Mutant, ...]:
    """Return the mutants that were made by hand, kind by kind."""
    return tuple(each for kind in KINDS for each in _of_kind(kind))


def _of_kind(kind: str) -> list[Mutant]:
    if kind == PLANTED:
        return [
            Mutant(name=each.sentence, kind=kind, systems=(each.system,), plant=each.name)
            for each in PLANTS.values()
        ]
    rows = tomllib.loads((TABLE / f"{kind}.toml").read_text(encoding="utf-8"))
    return [
        msgspec.convert({"kind": kind, "systems": rows["systems"], **each}, Mutant)
        for each in rows["mutant"]
    ]
