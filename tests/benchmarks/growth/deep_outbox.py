"""What waits for a receiver that takes nothing: up to 10^6 messages, and the way back."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from tests.benchmarks.growth.growing_server import GrowingServer

if TYPE_CHECKING:
    from pathlib import Path

AT_ONCE: Final = 1000
POLL_S: Final = 0.05
DRAIN_S_MAX: Final = 900.0
WAITING: Final = "SELECT count(*) FROM outbox"
KEPT: Final = "SELECT coalesce(max(seq), 0) FROM note"


def measure_outbox(depth: int, folder: Path, *, seconds: int, rounds: int) -> dict[str, float]:
    """Suspend the receiver, send it so many, go on sending; boot anew, and let it take them all."""
    folder.mkdir()
    server = GrowingServer(folder)
    empty_s, empty_cpu_s = server.ready_s, server.boot_cpu_s
    try:
        client = server.client()
        client.request("POST", "/admin/actors/notes_0/suspend", 202)
        before = server.process.cpu_s()
        for _ in range(depth // AT_ONCE):
            client.create("/pass-on", {"count": AT_ONCE})
        fill_us = (server.process.cpu_s() - before) / depth * 1e6
        client.close()
        sent = server.load(
            "POST", ["/pass-on"], body=json.dumps({"count": 1}), seconds=seconds, rounds=rounds
        )
        resident_mb = server.process.resident_mb()
    finally:
        server.stop()
    waiting = _one(folder / "data" / "sender.db", WAITING)
    assert waiting >= depth, f"{waiting} wait, of {depth}"
    server = GrowingServer(folder)
    try:
        began = time.monotonic()
        while (kept := _one(folder / "data" / "notes_0.db", KEPT)) < waiting:
            assert time.monotonic() - began < DRAIN_S_MAX, f"{kept} of {waiting} have come"
            time.sleep(POLL_S)
        # It begins to take them while the rest of it boots.
        took_s = time.monotonic() - began + server.ready_s - empty_s
        took_cpu_s = server.process.cpu_s() - empty_cpu_s
        return {
            "sent in bulk, CPU µs a message": fill_us,
            "one more sent, CPU µs a request": sent.cpu_us,
            "one more sent, p99 ms": sent.p99_ms,
            "MB": resident_mb,
            "boot s": server.ready_s,
            "CPU s of the boot": server.boot_cpu_s,
            "taken a second": waiting / took_s,
            "taken, CPU µs a message": took_cpu_s / waiting * 1e6,
        }
    finally:
        server.stop()


def _one(path: Path, sql: str) -> int:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute(sql).fetchone()[0])
