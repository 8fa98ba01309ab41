"""Two trees in one run: each row of the older, of the older again and of the newer, in turns."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, Literal, Protocol, get_args

from tests.benchmarks.against.verdict import Compared, Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Side = Literal["before", "again", "after"]
SIDES: Final[tuple[Side, ...]] = get_args(Side)


class Part(Protocol):
    """Some rows of a tree: started once a side, measured once a round, stopped."""

    def start(self, tree: Path, folder: Path) -> Mapping[str, Callable[[], Mapping[Figure, float]]]:
        """Return what measures each row of that tree; its files are in the new folder."""
        ...

    def stop(self) -> None:
        """End what was started, of all sides."""
        ...


def compare(
    part: Part, old: Path, new: Path, folder: Path, *, pairs: int, warm_up: bool
) -> list[Compared]:
    """Measure every row so often on each side, after a round that does not count."""
    trees: dict[Side, Path] = {"before": old, "again": old, "after": new}
    samples: dict[tuple[str, Figure], dict[Side, list[float]]] = defaultdict(
        lambda: {side: [] for side in SIDES}
    )
    try:
        measures = {side: part.start(tree, _made(folder / side)) for side, tree in trees.items()}
        for number in range(0 if warm_up else 1, pairs + 1):
            # Who is first has the cooler machine: they take turns.
            turn = number % len(SIDES)
            for row in measures["before"]:
                for side in SIDES[turn:] + SIDES[:turn]:
                    found = measures[side][row]()
                    for figure, value in found.items() if number else ():
                        samples[row, figure][side].append(value)
    finally:
        part.stop()
    return [Compared(row=row, figure=figure, **found) for (row, figure), found in samples.items()]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
