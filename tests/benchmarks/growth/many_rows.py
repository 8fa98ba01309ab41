"""What rows cost by their number: 10^4 to 10^7 in one service's file."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from tests.benchmarks.growth.growing_server import GrowingServer

if TYPE_CHECKING:
    from pathlib import Path

READ: Final = 20_000
# In the order of their making, as the ids are that services make, and before them all.
FILL: Final = """
INSERT INTO note (id, text)
WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?)
SELECT printf('01800000-0000-7000-8000-%012x', n), 'a note of some length, number ' || n
FROM counted
"""


def measure_rows(count: int, folder: Path, *, seconds: int, rounds: int) -> dict[str, float]:
    """Fill a file that a boot has made, boot on it, and ask it for what there is and for more."""
    folder.mkdir()
    GrowingServer(folder).stop()
    path = folder / "data" / "notes_0.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(FILL, (count,))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    server = GrowingServer(folder)
    try:
        server.idle_share(1.0)
        settled_cpu_s = server.process.cpu_s()
        numbers = random.Random(1).choices(range(1, count + 1), k=READ)
        paths = [f"/notes_0/01800000-0000-7000-8000-{number:012x}" for number in numbers]
        read = server.load("GET", paths, body=None, seconds=seconds, rounds=rounds)
        write = server.load("POST", ["/notes_0"], seconds=seconds, rounds=rounds)
        return {
            "file MB": path.stat().st_size / 1e6,
            "boot s": server.ready_s,
            "CPU s of the boot": server.boot_cpu_s,
            "CPU s until it rests": settled_cpu_s,
            "MB after the load": server.process.resident_mb(),
            "POST, CPU µs a request": write.cpu_us,
            "POST, p99 ms": write.p99_ms,
            "GET, CPU µs a request": read.cpu_us,
            "GET, p99 ms": read.p99_ms,
        }
    finally:
        server.stop()
