"""What services cost by their number: 10, 100, 1,000 of them, idle, all busy, and one busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.growth.growing_server import GrowingServer

if TYPE_CHECKING:
    from pathlib import Path


def measure_services(
    count: int, folder: Path, *, seconds: int, rounds: int, idle_s: float
) -> dict[str, float]:
    """Boot so many twice, on no data and on what that left; then load them."""
    folder.mkdir()
    server = GrowingServer(folder, services=count)
    first_s, first_cpu_s = server.ready_s, server.boot_cpu_s
    stop_s = server.stop()
    server = GrowingServer(folder, services=count)
    try:
        idle = server.idle_share(idle_s)
        resident_mb = server.process.resident_mb()
        every = server.load(
            "POST",
            [f"/notes_{number}" for number in range(count - 1)],
            seconds=seconds,
            rounds=rounds,
        )
        one = server.load("POST", ["/notes_0"], seconds=seconds, rounds=rounds)
        return {
            "boot on no data s": first_s,
            "CPU s of that boot": first_cpu_s,
            "boot on old data s": server.ready_s,
            "CPU s of the boot": server.boot_cpu_s,
            "stop s": stop_s,
            "MB idle": resident_mb,
            "idle, % of a core": 100 * idle,
            "all busy, CPU µs a request": every.cpu_us,
            "all busy, p99 ms": every.p99_ms,
            "one busy, CPU µs a request": one.cpu_us,
            "one busy, p99 ms": one.p99_ms,
            "MB after the load": server.process.resident_mb(),
        }
    finally:
        server.stop()
