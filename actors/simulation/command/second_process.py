"""The same runs in a fresh process, in other surroundings, to compare line by line."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

import msgspec

from actors.simulation.errors import SimulationError
from actors.simulation.stage.trace import Line  # noqa: TC001 - decoded by its type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from actors.simulation.stage.staging import Played

HASH_SEED: Final = "PYTHONHASHSEED"
# More than the longest hash seed may be set to is an error of the interpreter's.
HASH_SEEDS: Final = 2**32
ZONE: Final = "TZ"
# As far apart as zones are, in POSIX's own notation: no data about zones need be installed.
ZONES: Final = ("<+14>-14", "<-12>+12")
# What hands out addresses: objects lie elsewhere, and in another order.
ALLOCATOR: Final = "PYTHONMALLOC"
ALLOCATORS: Final = ("malloc", "pymalloc")
# Of what is said where two traces differ, how much is shown before that and from there on.
EXCERPT: Final = (60, 120)


class TracedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run as the second process tells it, on one line of JSON."""

    system: str
    seed: int
    digest: str
    lines: tuple[Line, ...]

    @classmethod
    def of(cls, system: str, played: Played) -> Self:
        """Tell a run whose trace was kept."""
        return cls(system=system, seed=played.script.seed, digest=played.digest, lines=played.lines)

    def to_json(self) -> str:
        """Return it as one line."""
        return msgspec.json.encode(self).decode()


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """The first line by which two traces of one run differ; nothing where one has ended."""

    system: str
    seed: int
    number: int
    here: str | None
    there: str | None

    def __str__(self) -> str:
        return (
            f"seed {self.seed} of {self.system} is not repeated: the traces differ from line "
            f"{self.number} on\n  here:  {self.here or '(ends)'}\n  there: {self.there or '(ends)'}"
        )


class SecondProcess:
    """Plays what this one plays, a little behind or ahead. Use it in a `with` block."""

    def __init__(self, program: Path, arguments: Sequence[str]) -> None:
        """Start `program` with `arguments`; it must write a `TracedRun` a run, in order."""
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, str(program), *arguments],
            stdout=subprocess.PIPE,
            env=other_surroundings(os.environ),
            # Ctrl-C is for the first process, which ends the second.
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdout is not None, "it was asked for"
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait()

    def compare(self, system: str, played: Played) -> Disagreement | None:
        """Return how its next run differs from this one, if it does."""
        assert self._process.stdout is not None, "it was asked for"
        told: TracedRun | None = None
        while told is None:
            line = self._process.stdout.readline()
            if not line:
                raise SimulationError(f"the second process ended with {self._process.wait()}")
            with suppress(msgspec.DecodeError):  # an author's, who prints where it is imported
                told = msgspec.json.decode(line, type=TracedRun)
        if (told.system, told.seed) != (system, played.script.seed):
            raise SimulationError(f"the second process plays seed {told.seed} of {told.system}")
        return compare(system, played, told)


def compare(system: str, played: Played, told: TracedRun) -> Disagreement | None:
    """Return the first line that differs, if any does."""
    if told.digest == played.digest:
        return None
    here, there = played.lines, told.lines
    common = min(len(here), len(there))
    first = next((index for index in range(common) if here[index] != there[index]), common)
    ours = here[first] if first < len(here) else None
    theirs = there[first] if first < len(there) else None
    return Disagreement(
        system=system,
        seed=played.script.seed,
        number=first + 1,
        here=_text(ours, theirs),
        there=_text(theirs, ours),
    )


def other_surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which all differs that must make no difference."""
    return {
        **environment,
        HASH_SEED: _other_hash_seed(environment.get(HASH_SEED)),
        ZONE: _other(ZONES, environment.get(ZONE)),
        ALLOCATOR: _other(ALLOCATORS, environment.get(ALLOCATOR)),
    }


def _text(line: Line | None, other: Line | None) -> str | None:
    """Return a line, and, where it differs by nothing else, what was said around the difference."""
    if line is None or other is None or str(line) != str(other):
        return None if line is None else str(line)
    before, after = EXCERPT
    begin = max(0, _shared(line.data, other.data) - before)
    return f"{line}  {'…' if begin else ''}{line.data[begin : begin + before + after]}"


def _shared(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def _other(choices: Sequence[str], ours: str | None) -> str:
    return next(each for each in choices if each != ours)


def _other_hash_seed(ours: str | None) -> str:
    if ours is not None and ours.isdigit():
        return str((int(ours) + 1) % HASH_SEEDS)
    return "1"
