"""Five hundred connections, and three and a half thousand: what the others cost those let in."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from tests.benchmarks.bookings import Catalogue
from tests.benchmarks.overload.hotel_server import HotelServer
from tests.benchmarks.overload.scrape import Scrape
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Row, Spread, short
from tests.benchmarks.server_process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.client import Client
    from tests.benchmarks.effort import Effort

FEW: Final = 500
MANY: Final = 3_500
SHARE_MIN: Final = 80.0
OVER_MS_MAX: Final = 100.0
# So many of those who are refused are to be told so in that time, from their head's arrival on.
REFUSED_S: Final = "0.05"
REFUSED_MIN: Final = 99.0
ROUTE: Final = "/api/v1/bookings"
FILES: Final = 8_192
HEAD: Final = ("connections", "201/s", "server CPU ms a booking", "202", "503", "504", "over ms")


class Crowd(msgspec.Struct, frozen=True):
    """What so many clients saw; `over_ms` is by how much an answer exceeded its deadline.

    `statuses` are those of the time, `booked` counts the last answers as well, as `cpu_s` does.
    """

    statuses: dict[str, int]
    booked: int
    over_ms: float
    broken: int
    unanswered: int
    seconds: float
    cpu_s: float = 0.0
    # How many the server has refused, and how many of them in time.
    refused: float = 0.0
    refused_soon: float = 0.0

    @property
    def per_second(self) -> float:
        """Bookings."""
        return self.statuses.get("201", 0) / self.seconds


def measure_crowd(effort: Effort, folder: Path) -> Result:
    """Return the rows of many connections, each in turn with few."""
    found: dict[int, list[Crowd]] = {FEW: [], MANY: []}
    with HotelServer("overload-crowd", folder) as server:
        catalogue = Catalogue.create(server.gateway, folder)
        crowd_of(server, catalogue, FEW, 1)
        for _ in range(effort.overload_rounds):
            for connections, crowds in found.items():
                crowds.append(crowd_of(server, catalogue, connections, effort.overload_s))
                server.settle()
    shares = [
        many.per_second / few.per_second * 100 if few.per_second else 0.0
        for few, many in zip(found[FEW], found[MANY], strict=True)
    ]
    over = [max(each.over_ms, 0.001) for crowds in found.values() for each in crowds]
    lost = sum(each.unanswered + each.broken for crowds in found.values() for each in crowds)
    if lost:
        message = f"{lost} clients got no answer"
        raise RuntimeError(message)
    spread = Spread.of(shares)
    refused = [each for crowds in found.values() for each in crowds if each.refused]
    soon = [each.refused_soon / each.refused * 100 for each in refused] or [100.0]
    rows = [
        Row(
            key="overload_crowd_share",
            name=f"bookings at {MANY:,} connections, of those at {FEW}",
            sense="at least",
            limit=SHARE_MIN,
            unit="%",
            judged=spread.median,
            spread=spread,
        ),
        Row(
            key="overload_crowd_over",
            name=f"the latest answer at {FEW} and {MANY:,} connections, beyond its deadline",
            sense="at most",
            limit=OVER_MS_MAX,
            unit="ms",
            judged=max(over),
            spread=Spread.of(over),
            basis="most",
        ),
        Row(
            key="overload_crowd_refused",
            name="refusals that are told within 50 ms of their head's arrival",
            sense="at least",
            limit=REFUSED_MIN,
            unit="%",
            judged=min(soon),
            spread=Spread.of(soon),
            basis="least",
        ),
    ]
    lines = [
        (
            f"{connections:,}",
            short(each.per_second),
            short(each.cpu_s * 1e3 / max(1, each.booked)),
            *(f"{each.statuses.get(status, 0):,}" for status in ("202", "503", "504")),
            short(max(0.0, each.over_ms)),
        )
        for connections, crowds in found.items()
        for each in crowds
    ]
    table = Table(title="Bookings by many clients", head=HEAD, lines=lines, is_spread=False)
    return Result(rows=rows, tables=[table])


def crowd_of(server: HotelServer, catalogue: Catalogue, connections: int, seconds: float) -> Crowd:
    """Have so many clients ask it for so long, and return what they saw."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, FILES), hard), hard))
    operator = server.operator()
    before, before_s = _refused(operator), server.cpu_s()
    command = [sys.executable, "-m", "tests.benchmarks.overload.crowd_client", server.gateway]
    words = [str(connections), str(seconds), str(catalogue.customers), str(catalogue.rooms)]
    output = subprocess.run([*command, *words], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    found = msgspec.json.decode(output, type=Crowd)
    cpu_s = server.cpu_s() - before_s
    refused, soon = (now - then for now, then in zip(_refused(operator), before, strict=True))
    operator.close()
    return msgspec.structs.replace(found, cpu_s=cpu_s, refused=refused, refused_soon=soon)


def _refused(operator: Client) -> tuple[float, float]:
    """Return how many were refused so far, and how many of them in time: no 504 is that early."""
    look = Scrape(operator)
    labels = {"route": ROUTE, "status_class": "5xx", "le": REFUSED_S}
    return (
        look.total("http_requests_total", route=ROUTE, status="503"),
        look.total("http_request_duration_seconds_bucket", **labels),
    )
