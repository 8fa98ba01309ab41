"""A server in a process of its own: started, watched and stopped the same way, whatever it is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.benchmarks import process_usage
from tests.benchmarks.placement import on_cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.placement import Placement

ROOT = Path(__file__).parent.parent.parent
# To be ready, to answer that it is, and to end.
PATIENCE_S = 30.0
POLL_S = 0.001
# Idle is what takes less than a tenth of a core for so long; background threads may look around.
SETTLE_S = 0.2
SETTLE_S_MAX = 30.0
IDLE_SHARE_MAX = 0.1
# What runtime.py needs to be started beside another system, and to do nothing by itself.
FREE_PORTS = [
    *(f"--set=edge.{name}.port=0" for name in ("gateway", "hotel", "tweets", "x_platform")),
    "--set=x_platform.tweets_per_s=0",
    "--set=x.platform=simulator",
]


class ServerProcess:
    """Runs until `stop`. Each logs a JSON line with `"event": "ready"` and its listeners' URLs."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        placement: Placement,
        folder: Path,
        *,
        program: str = sys.executable,
        cwd: Path = ROOT,
        behind: ServerProcess | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Start it, its output going to a file in `folder`; returns at once.

        What it cannot do without is `behind` it: a database, whose cost is its cost and which ends
        with it.
        """
        self.name = name
        self._behind = behind
        self._patience_s = patience_s
        self._log = folder / f"{name.replace(' ', '-')}-{time.monotonic_ns()}.log"
        self._output: IO[bytes] = self._log.open("wb")
        self._began = time.perf_counter()
        with on_cores(placement.server):
            self._process = subprocess.Popen(
                [program, *arguments],
                cwd=cwd,
                stdout=self._output,
                stderr=subprocess.STDOUT,
            )
        self.pid = self._process.pid

    def wait_ready(self, probe: str) -> tuple[str, float]:
        """Return its URL and the seconds from the command to a good answer at the path `probe`."""
        url = self.url("gateway")
        while True:
            try:
                with urllib.request.urlopen(url + probe, timeout=self._patience_s):  # noqa: S310 - loopback
                    return url, time.perf_counter() - self._began
            except OSError:
                self._check()
                time.sleep(POLL_S)

    def url(self, listener: str) -> str:
        """Return the URL of one of its listeners, once it is ready."""
        found: dict[str, dict[str, str]] = json.loads(self.wait_for('"ready"'))
        return found["listeners"][listener]

    def wait_for(self, words: str) -> str:
        """Return the first line of its output that has these words, once there is one."""
        with self._log.open(errors="replace") as output:
            begun = ""
            while True:
                # Only what is new: to read a thousand services' log again and again takes a core.
                *lines, begun = (begun + output.read()).split("\n")
                for line in lines:
                    if words in line:
                        return line
                self._check()
                time.sleep(POLL_S)

    @property
    def pids(self) -> list[int]:
        """Its process, and what is behind it."""
        return [self.pid, *(self._behind.pids if self._behind is not None else ())]

    def cpu_s(self) -> float:
        """Return the CPU time that all of its processes have taken so far."""
        return sum(process_usage.cpu_s(pid) for pid in self.pids)

    def resident_mb(self) -> float:
        """Return its resident set in MB (a million bytes)."""
        return process_usage.resident_bytes(self.pid) / 1e6

    def settle(self) -> None:
        """Return when what it was asked for is done. Raises RuntimeError if that never ends."""
        deadline = time.monotonic() + SETTLE_S_MAX
        while True:
            before = self.cpu_s()
            time.sleep(SETTLE_S)
            if self.cpu_s() - before <= SETTLE_S * IDLE_SHARE_MAX:
                return
            if time.monotonic() > deadline:
                message = f"{self.name} is busy {SETTLE_S_MAX:.0f} s after the last request"
                raise RuntimeError(message)

    def kill(self) -> None:
        """End it at once, as the loss of its machine would."""
        self._process.kill()
        self._process.wait(self._patience_s)
        self._output.close()

    def stop(self) -> None:
        """End it in order. Raises RuntimeError, with its last words, if it ended otherwise."""
        self._process.terminate()
        try:
            code = self._process.wait(self._patience_s)
        finally:
            self._process.kill()
            self._output.close()
            if self._behind is not None:
                self._behind.stop()
        # uvicorn hands the signal on when it is done; ours and aiohttp's end with 0.
        if code not in {0, -15}:
            raise RuntimeError(self._last_words(code))

    def _check(self) -> None:
        code = self._process.poll()
        if code is not None:
            raise RuntimeError(self._last_words(code))
        if time.perf_counter() - self._began > self._patience_s:
            self._process.kill()
            raise RuntimeError(self._last_words(code))

    def _last_words(self, code: int | None) -> str:
        return f"{self.name} ended with {code}:\n{self._log.read_text(errors='replace')[-2000:]}"
