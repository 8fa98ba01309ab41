"""Load over HTTP by wrk: one thread keeps every connection busy and is never the bottleneck."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from tests.benchmarks.placement import on_cores

CONNECTIONS = 64
# An answer that takes longer is a broken connection; longer than any deadline of a server's.
ANSWER_S_MAX = 30
SCRIPT = Path(__file__).parent / "load.lua"
INSTALL = "wrk is needed. Debian, Ubuntu: apt install wrk; macOS: brew install wrk"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What wrk saw. `refused`: answers other than good ones; `broken`: connections that failed.

    `sent`, where the script counts it: requests begun, of which the last may be without an answer.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int
    sent: int = 0

    @property
    def per_second(self) -> float:
        """Answered requests a second."""
        return self.requests / self.seconds


def ensure_wrk() -> None:
    """Install wrk where that needs no question: on Debian, as root. Else raises SystemExit."""
    if shutil.which("wrk"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("wrk is missing; installing it with apt-get", flush=True)
        subprocess.run(["apt-get", "install", "-y", "-q", "wrk"], check=False)
    if not shutil.which("wrk"):
        raise SystemExit(INSTALL)


def run_wrk(
    url: str,
    *what: str,
    script: Path = SCRIPT,
    connections: int = CONNECTIONS,
    seconds: int,
    cores: frozenset[int],
) -> Load:
    """Load `url` for so long, with the script's arguments. Raises RuntimeError on any failure."""
    options = [f"-c{connections}", f"-d{seconds}s", f"--timeout={ANSWER_S_MAX}s"]
    command = ["wrk", "-t1", *options, "-s", str(script), url, "--", *what]
    with on_cores(cores):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate()
    line = output.strip().rpartition("\n")[2]
    if process.returncode or not line.startswith("{"):
        message = f"wrk ended with {process.returncode}: {output}"
        raise RuntimeError(message)
    load = msgspec.json.decode(line, type=Load)
    if load.refused or load.broken or not load.requests:
        # A figure that counts failures as answers is worth nothing.
        message = f"{url} did not answer everything well: {line}"
        raise RuntimeError(message)
    return load
