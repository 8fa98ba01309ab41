"""`python -m tests.benchmarks.overload.crowd_client`: so many clients that never wait.

Arguments: URL, connections, seconds, and two files of ids, customers and rooms. Each client asks
for a booking as soon as it has the last one's answer, whatever that was and says. Prints what came.

A connection that was refused rests: what is asked on it is not read before the time that the
refusal named (Retry-After, rounded up to seconds). `over_ms` is by how much the latest of all
answers exceeded its deadline, counted from then: so it is no more than was seen, and a second less
at most.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import uvloop

DEADLINE_S = 5.0
BOOKED = 201
REFUSED = 503
FIRST_DAY = date(2050, 1, 1)
DAYS = 100_000
# New connections a tick: as a listener's queue has room for.
TOGETHER = 500


class Client(asyncio.Protocol):
    """One connection."""

    statuses: ClassVar[Counter[int]] = Counter()
    booked: ClassVar[int] = 0
    over_s: ClassVar[float] = -DEADLINE_S
    broken: ClassVar[int] = 0
    ends_s: ClassVar[float] = 0.0
    ids: ClassVar[tuple[list[str], list[str]]] = ([], [])
    waiting: ClassVar[int] = 0

    def __init__(self) -> None:
        self._buffer = b""
        self._asked_s = self._rests_s = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        Client.waiting += 1
        self._ask()

    def _ask(self) -> None:
        customers, rooms = self.ids
        night = FIRST_DAY + timedelta(days=random.randrange(DAYS))
        body = (
            f'{{"customer_id":"{random.choice(customers)}","room_id":"{random.choice(rooms)}",'
            f'"check_in":"{night}","check_out":"{night + timedelta(days=1)}"}}'
        )
        self._asked_s = time.monotonic()
        self._transport.write(
            (
                "POST /api/v1/bookings HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = dict(
            line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
        )
        length = int(lines[b"content-length"])
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        status, now_s = int(head[9:12]), time.monotonic()
        if now_s <= self.ends_s:
            Client.statuses[status] += 1
        Client.booked += status == BOOKED
        Client.over_s = max(Client.over_s, now_s - self._asked_s - self._rests_s - DEADLINE_S)
        self._rests_s = float(lines.get(b"retry-after", 0)) if status == REFUSED else 0.0
        if now_s < self.ends_s:
            self._ask()
        else:
            Client.waiting -= 1
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if time.monotonic() < self.ends_s:
            Client.broken += 1
            Client.waiting -= 1


async def main(url: str, connections: int, seconds: float) -> None:
    """Connect all, ask until the time is up, and wait for the last answers."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    loop = asyncio.get_running_loop()
    Client.ends_s = time.monotonic() + seconds
    for first in range(0, connections, TOGETHER):
        number = min(TOGETHER, connections - first)
        made = (loop.create_connection(Client, parts.hostname, parts.port) for _ in range(number))
        Client.broken += sum(
            isinstance(each, OSError)
            for each in await asyncio.gather(*made, return_exceptions=True)
        )
    while time.monotonic() < Client.ends_s or (  # noqa: ASYNC110 - it ends by the time as well
        Client.waiting > 0 and time.monotonic() < Client.ends_s + 3 * DEADLINE_S
    ):
        await asyncio.sleep(0.05)
    print(
        json.dumps(
            {
                "statuses": {str(status): count for status, count in Client.statuses.items()},
                "booked": Client.booked,
                "over_ms": Client.over_s * 1e3,
                "broken": Client.broken,
                "unanswered": Client.waiting,
                "seconds": seconds,
            }
        )
    )


if __name__ == "__main__":
    Client.ids = (Path(sys.argv[4]).read_text().split(), Path(sys.argv[5]).read_text().split())
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
