"""The growing system as a process: booted, loaded in one way or another, and booted again."""

from __future__ import annotations

import statistics
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from tests.benchmarks.client import Client
from tests.benchmarks.load_rounds import Candidate, LoadRounds
from tests.benchmarks.placement import FREE
from tests.benchmarks.server_process import ServerProcess
from tests.benchmarks.wrk import run_wrk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SYSTEM: Final = "tests/benchmarks/growth/notes.py"
PATIENCE_S: Final = 600.0
# A while after a start each file is read, beside the work: `store.check_after_s`, and a bit.
CHECK_AFTER_S: Final = 1.5
REST_S: Final = 1.0
REST_SHARE_MAX: Final = 0.05
BODY: Final = '{"text":"as long a note as people write who are in a hurry"}'


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What requests cost: the medians of some rounds."""

    per_second: float
    cpu_us: float
    p99_ms: float


class GrowingServer:
    """One process on a folder's files."""

    def __init__(self, folder: Path, *, services: int = 2) -> None:
        """Start it and wait until it is ready."""
        self._folder = folder
        arguments = [
            f"GROWTH_SERVICES={services}",
            sys.executable,
            "runtime.py",
            "run",
            SYSTEM,
            f"--data-dir={folder / 'data'}",
            "--set=edge.gateway.port=0",
            # More than the depth that is measured, for what is sent at that depth.
            "--set=store.outbox_messages_max=2000000",
        ]
        self.process = ServerProcess(
            "growing", arguments, FREE, folder, program="/usr/bin/env", patience_s=PATIENCE_S
        )
        self.url, self.ready_s = self.process.wait_ready("/readyz")
        self.boot_cpu_s = self.process.cpu_s()

    def stop(self) -> float:
        """End it in order; returns the seconds that this takes."""
        began = time.monotonic()
        self.process.stop()
        return time.monotonic() - began

    def token(self) -> str:
        """Return what opens the operator's addresses."""
        return (self._folder / "data" / "admin.token").read_text().strip()

    def client(self) -> Client:
        """Return a connection of an operator's."""
        return Client(self.url, self.token())

    def idle_share(self, seconds: float) -> float:
        """Return how much of a core it takes while nobody asks, once its files are read whole."""
        time.sleep(CHECK_AFTER_S)
        deadline = time.monotonic() + PATIENCE_S
        while self._share(REST_S) > REST_SHARE_MAX:
            assert time.monotonic() < deadline, f"it never rests: {self._share(REST_S):.2f}"
        return self._share(seconds)

    def _share(self, seconds: float) -> float:
        before = self.process.cpu_s()
        time.sleep(seconds)
        return (self.process.cpu_s() - before) / seconds

    def load(
        self,
        method: str,
        paths: Sequence[str],
        *,
        body: str | None = BODY,
        seconds: int,
        rounds: int,
        afterwards: Callable[[], object] | None = None,
    ) -> Loaded:
        """Ask for the paths in turns, after a round that does not count."""
        listed = self._folder / "paths.txt"
        listed.write_text("".join(f"{path}\n" for path in paths))
        what = ["paths", method, str(listed), *([body] if body else [])]
        candidate = Candidate(
            name="growing",
            server=self.process,
            load=partial(run_wrk, self.url, *what),
            afterwards=afterwards,
        )
        measured = LoadRounds([candidate], FREE, seconds=seconds)
        measured.run(rounds, warm_up=True)
        return Loaded(
            **{
                field: statistics.median(measured.series("growing", field))
                for field in Loaded.__struct_fields__
            }
        )
