"""Searches for a mutant in a copy of the tree: a process of its own, for so long and no longer."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from tests.mutants.mutant import ROOT
from tests.mutants.search import Heard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mutants.mutant import Mutant

# What is searched in, and what that needs besides.
CODE: Final = ("actors", "http_edge")
COPIED: Final = (*CODE, "tests", "docs")
FILES: Final = ("config.toml", "pyproject.toml", "runtime.py")
# What says that the change does not fit the code any more, and nothing of what it does.
OUT_OF_DATE: Final = ("NameError", "ImportError", "SyntaxError", "UnboundLocalError")

# What else proves that any interleaving leaves the books in agreement: each with its tests, in the
# short version.
MACHINES: Final = {
    "hotel": {"Town": "tests/systems/hotel/test_saga_interleavings.py"},
    "tweets": {"Crowd": "tests/systems/tweets/test_brand_interleavings.py"},
}
TIME_UP: Final = "its time was up"
# pytest's exit code where a test has failed.
FAILED: Final = 1

Outcome = Literal["found", "not found", "invalid", "not this", "out of time"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one.

    `found`: in the last of `schedules`, by `trouble`. `not found`: all of them held. `out of time`:
    so many held, then the process was ended; a simulation that hangs has not said so itself.
    `invalid`: the system does not boot, or the change is none. `not this`: what was found is found
    without the mutant, too.
    """

    outcome: Outcome
    schedules: int
    trouble: str = ""
    where: str = ""
    took_s: float = 0.0


def code_digest(root: Path) -> str:
    """Return seven digits that are others wherever the code is."""
    seen = hashlib.blake2b()
    for path in sorted(path for folder in CODE for path in (root / folder).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            seen.update(f"{path.relative_to(root)}\0".encode())
            seen.update(hashlib.blake2b(path.read_bytes()).digest())
    return seen.hexdigest()[:7]


class Tree:
    """A copy of the code, in which one mutant at a time stands."""

    def __init__(self, place: Path) -> None:
        """Copy it to the folder `place`, and compile it there."""
        self.place = place
        self._process: subprocess.Popen[bytes] | None = None
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        for name in COPIED:
            shutil.copytree(ROOT / name, place / name, ignore=ignored)
        for name in FILES:
            shutil.copy2(ROOT / name, place / name)
        compiled = [str(place / name) for name in ("actors", "http_edge", "tests/simulation")]
        command = [sys.executable, "-m", "compileall", "-q", *compiled]
        subprocess.run(command, check=True, env=self._environment())

    def hunt(
        self,
        mutant: Mutant,
        *,
        schedules: int,
        seconds_max: float,
        first: int = 1,
        profiles: str = "",
    ) -> Result:
        """Search for it; where something is found, look whether it is there without the mutant.

        `profiles` are names with commas between them; all of them where it is empty.
        """
        begun_s = time.perf_counter()
        heard, said = self._search_with(mutant, schedules, seconds_max, first, profiles)
        took_s = time.perf_counter() - begun_s
        if not heard:
            early: Outcome = "out of time" if said == TIME_UP else "invalid"
            return Result(outcome=early, schedules=0, trouble=said, took_s=took_s)
        last = heard[-1]
        if last.trouble:
            outcome: Outcome = "found"
            if any(word in last.trouble for word in OUT_OF_DATE):
                outcome = "invalid"
            elif self._fails_without(last, seconds_max):
                outcome = "not this"
        elif last.schedules == schedules:
            outcome = "not found"
        else:
            outcome = "out of time"
        return Result(
            outcome=outcome,
            schedules=last.schedules,
            trouble=last.trouble or said,
            where=f"{last.system}, {last.profile}, seed {last.seed}" if last.trouble else "",
            took_s=took_s,
        )

    def stop(self) -> None:
        """End what is searching in it; called from another thread."""
        process = self._process
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    def machines_that_find(self, mutant: Mutant, *, seconds_max: float) -> list[str]:
        """Return which of the other machines fail with the mutant."""
        with self._standing(mutant):
            return [
                name
                for system in mutant.systems
                for name, file in MACHINES.get(system, {}).items()
                if self._fails(file, seconds_max)
            ]

    # --- Inside ------------------------------------------------------------------------------

    def _search_with(
        self, mutant: Mutant, schedules: int, seconds_max: float, first: int, profiles: str
    ) -> tuple[list[Heard], str]:
        asked = ["--systems", ",".join(mutant.systems), "--schedules", str(schedules)]
        asked += ["--first", str(first)]
        asked += ["--profiles", profiles] if profiles else []
        if mutant.plant:
            return self._run([*asked, "--plant", mutant.plant], seconds_max)
        try:
            with self._standing(mutant):
                return self._run(asked, seconds_max)
        except (ValueError, SyntaxError) as error:
            return [], str(error)

    @contextmanager
    def _standing(self, mutant: Mutant) -> Iterator[None]:
        """Let the change stand in the tree. Raises ValueError or SyntaxError where it is none."""
        if not mutant.file:
            yield
            return
        path = self.place / mutant.file
        source = mutant.source(self.place)
        compile(source, mutant.file, "exec")
        path.write_text(source, encoding="utf-8")
        try:
            yield
        finally:
            shutil.copy2(ROOT / mutant.file, path)

    def _fails_without(self, found: Heard, seconds_max: float) -> bool:
        asked = ["--systems", found.system, "--profiles", found.profile]
        asked += ["--first", str(found.seed), "--schedules", "1"]
        heard, _ = self._run(asked, seconds_max)
        return not heard or bool(heard[-1].trouble)

    def _fails(self, file: str, seconds_max: float) -> bool:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider"]
        # Whatever the seed: a mutant is found or not.
        command += ["-m", "not long and (sampled or not sampled)"]
        process = self._begin([*command, file])
        try:
            process.communicate(timeout=seconds_max)
        except subprocess.TimeoutExpired:
            _ended(process)
            return False
        except BaseException:
            _ended(process)
            raise
        return process.returncode == FAILED

    def _run(self, asked: list[str], seconds_max: float) -> tuple[list[Heard], str]:
        """Return what was heard, and the last line of what was said on the way out."""
        process = self._begin([sys.executable, "-m", "tests.mutants.search", *asked])
        try:
            output, errors = process.communicate(timeout=seconds_max)
        except subprocess.TimeoutExpired:
            output, _ = _ended(process)
            return list(_heard(output)), TIME_UP
        except BaseException:
            _ended(process)
            raise
        lines = errors.decode(errors="replace").strip().splitlines()
        return list(_heard(output)), lines[-1] if lines else ""

    def _begin(self, command: list[str]) -> subprocess.Popen[bytes]:
        self._process = process = subprocess.Popen(
            command,
            cwd=self.place,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        return process

    def _environment(self) -> dict[str, str]:
        """Each life of the process is the same; what a mutant compiles is not kept."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        }
        return {
            **inherited,
            "PYTHONPATH": str(self.place),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def _ended(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()


def _heard(output: bytes) -> Iterator[Heard]:
    for line in output.splitlines(keepends=True):
        if line.endswith(b"\n"):  # else it was cut off with its process
            yield msgspec.json.decode(line, type=Heard)
