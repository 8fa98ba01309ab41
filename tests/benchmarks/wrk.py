"""Load over HTTP by wrk: one thread keeps 64 connections busy and is never the bottleneck."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from tests.benchmarks.placement import on_cores

CONNECTIONS = 64
SCRIPT = Path(__file__).parent / "load.lua"
INSTALL = "wrk is needed. Debian, Ubuntu: apt install wrk; macOS: brew install wrk"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What wrk saw. `refused`: answers other than 2xx; `broken`: connections that failed."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int

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


def run_wrk(url: str, what: str, *, seconds: int, cores: frozenset[int]) -> Load:
    """Load `url` for so long. `what` is load.lua's argument. Raises RuntimeError on any failure."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(SCRIPT), url]
    with on_cores(cores):
        process = subprocess.Popen([*command, "--", what], stdout=subprocess.PIPE, text=True)
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
