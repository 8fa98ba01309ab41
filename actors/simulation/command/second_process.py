"""The same runs in a fresh process, under another hash seed, to compare line by line."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final, Self

import msgspec

from actors.simulation.errors import SimulationError
from actors.simulation.stage.trace import Line  # noqa: TC001 - decoded by its type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from actors.simulation.stage.rehearsal import Played

HASH_SEED: Final = "PYTHONHASHSEED"
# More than the longest hash seed may be set to is an error of the interpreter's.
HASH_SEEDS: Final = 2**32


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
        environment = {**os.environ, HASH_SEED: _other_hash_seed(os.environ.get(HASH_SEED))}
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, str(program), *arguments],
            stdout=subprocess.PIPE,
            env=environment,
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
        line = self._process.stdout.readline()
        if not line:
            raise SimulationError(f"the second process ended with {self._process.wait()}")
        told = msgspec.json.decode(line, type=TracedRun)
        if (told.system, told.seed) != (system, played.script.seed):
            raise SimulationError(f"the second process plays seed {told.seed} of {told.system}")
        return compare(system, played, told)


def compare(system: str, played: Played, told: TracedRun) -> Disagreement | None:
    """Return the first line that differs, if any does."""
    if told.digest == played.digest:
        return None
    here, there = _texts(played.lines), _texts(told.lines)
    common = min(len(here), len(there))
    first = next((index for index in range(common) if here[index] != there[index]), common)
    return Disagreement(
        system=system,
        seed=played.script.seed,
        number=first + 1,
        here=here[first] if first < len(here) else None,
        there=there[first] if first < len(there) else None,
    )


def _texts(lines: Iterable[Line]) -> list[str]:
    return [str(line) for line in lines]


def _other_hash_seed(ours: str | None) -> str:
    if ours is not None and ours.isdigit():
        return str((int(ours) + 1) % HASH_SEEDS)
    return "1"
