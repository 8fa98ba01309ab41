"""The line of a failing run from which on it fails whatever comes: where to look for the cause.

A run is played again up to a line and goes on from there in another way, as in Antithesis's
branching: no further fault comes, and in all but the first continuation chance is another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from actors.simulation.stage.onlooker import Onlooker

if TYPE_CHECKING:
    from collections.abc import Callable

# In how many ways it goes on from a line. One that holds is enough to see that it was not too late.
CONTINUATIONS: Final = 4


class Branch(Onlooker):
    """From a line on no fault comes that is not there yet, and chance is another unless it is 0."""

    def __init__(self, line: int, chance: int) -> None:
        """Lines count from 1, the script; what there is to change is there soon after that."""
        self.line = line
        self.chance = chance
        self._has_branched = False

    def reach(self, number: int, at_us: int) -> None:
        """Let it go on otherwise, if it is here."""
        if number < self.line or self._has_branched or not hasattr(self, "scene"):
            return
        self._has_branched = True
        self.scene.director.lift()
        if self.chance:
            for index, generator in enumerate(self.scene.machine.generators()):
                generator.seed(f"{self.chance}:{index}:{at_us}")


class Inevitable(msgspec.Struct, frozen=True):
    """After `line`, counted from 1, all continuations fail; after the one before, one held.

    That took so many runs. Line 1 is the script: it needs neither a fault nor luck.
    """

    line: int
    runs: int


def find_inevitable(lines: int, fails: Callable[[Onlooker], bool]) -> Inevitable:
    """Return from which of a failing run's `lines` on it fails whatever comes.

    `fails` plays it before an onlooker. By bisection, in at most CONTINUATIONS runs for each
    halving: it takes for granted that what is too late stays so, which a fault could undo.
    """
    runs = 0

    def too_late(line: int) -> bool:
        nonlocal runs
        for chance in range(CONTINUATIONS):
            runs += 1
            if not fails(Branch(line, chance)):
                return False
        return True

    held, failed = 0, lines
    while failed - held > 1:
        middle = (held + failed) // 2
        if too_late(middle):
            failed = middle
        else:
            held = middle
    return Inevitable(failed, runs)
