"""Loads by `dress-rehearsal load`, in a process of its own; what it finds is told as it says it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from tests.benchmarks.server_process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# Its sends are due at times of their own, whoever has the cores: as everybody's equal it was 10 ms
# late once in a hundred times beside a system that is half idle. Where that is not allowed, `nice`
# says so and goes on.
FIRST: Final = ("nice", "-n", "-10")
# With more of its sends late, a figure is partly the generator's, and no row.
LATE_SHARE_MAX: Final = 0.01
# Beside a phase: its set-up, and the last answers.
PATIENCE_S: Final = 60.0
# A plan in which a booking counts where it was made in time; {expect} is what else counts. A
# connection is for one request: that of who was refused rests, and nobody else is to be sent by it.
BOOKINGS: Final = """
[values]
room = {{ answered = "room.id" }}
customer = {{ answered = "customer.id" }}
check_in = {{ date = [2050-01-01, 2450-01-01] }}
check_out = {{ after = "check_in", days = [1, 3] }}

[[setup]]
request = "room"
count = 50

[[setup]]
request = "customer"
count = 10

[[request]]
name = "room"
method = "POST"
path = "/api/v1/rooms"
weight = 0
body = {{ type = "suite", rate = {{ amount = 12900, currency = "EUR" }} }}

[[request]]
name = "customer"
method = "POST"
path = "/api/v1/customers"
weight = 0
body = {{ name = "Ada Lovelace", email = "ada@example.com" }}

[[request]]
name = "book"
method = "POST"
path = "/api/v1/bookings"
expect = [{expect}]
headers = {{ Connection = "close" }}

[request.body]
customer_id = "{{customer}}"
room_id = "{{room}}"
check_in = "{{check_in}}"
check_out = "{{check_out}}"
"""


class Figures(msgspec.Struct, frozen=True):
    """A phase's. Latencies are in seconds, corrected, by percentile ("p99"); of what went well."""

    took_s: float
    planned: int
    late: int
    well: int
    failed: int
    statuses: dict[str, int]
    corrected_s: dict[str, float | None]

    @property
    def late_share(self) -> float:
        """Which part was sent late."""
        return self.late / self.planned

    def at(self, percentile: str) -> float:
        """Return a percentile; infinity where nothing went well."""
        found = self.corrected_s[percentile]
        return float("inf") if found is None else found


class _Told(msgspec.Struct, frozen=True):
    phases: list[Figures]


def plan_of_bookings(folder: Path, *, expect: str = "201") -> Path:
    """Write a plan of bookings alone; `expect` are the statuses that count, with commas."""
    path = folder / f"bookings-{expect.replace(',', '-')}.toml"
    path.write_text(BOOKINGS.format(expect=expect))
    return path


class Load:
    """A load that has begun; `figures` waits for its end."""

    def __init__(
        self, url: str, plan: Path, *words: str, seconds: float, connections: int = 4096
    ) -> None:
        """`words` are further ones of the command line."""
        self._json = plan.with_name(f"{plan.stem}-{id(self)}.json")
        self._patience_s = seconds + PATIENCE_S
        self._process = subprocess.Popen(
            [
                *(*FIRST, sys.executable, "runtime.py", "load", "--plan", str(plan), "--url", url),
                *("--for", f"{seconds}s", "--no-audit", "--json", str(self._json)),
                *("--connections", str(connections), *words),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def figures(self) -> Figures:
        """Return them. Raises RuntimeError where the load did not take place."""
        try:
            output, _ = self._process.communicate(timeout=self._patience_s)
        finally:
            self._process.kill()
        if not self._json.exists():
            message = f"the load ended with {self._process.returncode}: {output}"
            raise RuntimeError(message)
        (found,) = msgspec.json.decode(self._json.read_bytes(), type=_Told).phases
        self._json.unlink()
        return found
