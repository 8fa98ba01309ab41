"""What the figures were measured on. Without it they mean nothing."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sqlite3
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.row import at_percentile, short

LIBRARIES = ("pykka", "aiohttp", "aiosqlite", "msgspec", "uvloop", "fastapi", "uvicorn", "pydantic")
SYNCS = 200
PAGE_BYTES = 4096


def describe(folder: Path) -> dict[str, str]:
    """Return what to know of this machine; `folder` is where the databases were."""
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    return {
        "processor": f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{short(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9)} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": sqlite3.sqlite_version,
        "libraries": ", ".join(libraries),
        "rival's HTTP parser": _rival_parser(),
        "wrk": _wrk_version(),
        "file system": _file_system(folder),
        "a write of 4 KiB and its fdatasync": _sync_latency(folder),
    }


def _cpu_model() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _rival_parser() -> str:
    if importlib.util.find_spec("httptools") is not None:
        return f"httptools {version('httptools')}"
    return f"h11 {version('h11')} (httptools is not installed)"


def _wrk_version() -> str:
    words = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return words.partition(" Copyright")[0].removeprefix("wrk ").strip()


def _file_system(folder: Path) -> str:
    """Return the type and device of the mount that holds `folder`."""
    best = ("", "", "")
    for line in Path("/proc/mounts").read_text().splitlines():
        device, point, kind = line.split()[:3]
        if folder.is_relative_to(point) and len(point) >= len(best[1]):
            best = (device, point, kind)
    return f"{best[2]} on {best[0]}"


def _sync_latency(folder: Path) -> str:
    """Time what a commit waits for."""
    path = folder / "sync.tmp"
    file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    took_ms = []
    try:
        for _ in range(SYNCS):
            began = time.perf_counter()
            os.write(file, b"\1" * PAGE_BYTES)
            os.fdatasync(file)
            took_ms.append((time.perf_counter() - began) * 1e3)
    finally:
        os.close(file)
        path.unlink()
    half, most = at_percentile(took_ms, 50), at_percentile(took_ms, 99)
    return f"{short(half)} ms p50, {short(most)} ms p99"
