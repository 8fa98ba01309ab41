"""What all that looks after load costs a request that needs none of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tests.benchmarks.comparison import Comparison, rows_of
from tests.benchmarks.load_rounds import Candidate, LoadRounds
from tests.benchmarks.overload.hotel_server import HotelServer
from tests.benchmarks.placement import FREE
from tests.benchmarks.result import Result, Table
from tests.benchmarks.service_restarts import ServiceRestarts
from tests.benchmarks.wrk import run_wrk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.effort import Effort

CPU_MAX: Final = 1.1
UNGUARDED: Final = "-m tests.benchmarks.overload.unguarded_server"
IDS: Final = 200
ROUTES: Final = {"get": "GET by id", "post": "durable POST"}
HEAD: Final = ("route", "requests/s", "server CPU µs a request", "p50 ms", "p99 ms")


def measure_whole_chain(effort: Effort, folder: Path) -> Result:
    """Return the rows of the same routes with all of it, and with none."""
    candidates: list[Candidate] = []
    with (
        HotelServer("overload-guarded", folder) as guarded,
        HotelServer("overload-unguarded", folder, program=UNGUARDED) as unguarded,
    ):
        for name, server in (("guarded", guarded), ("unguarded", unguarded)):
            ids = folder / f"ids-{name}.txt"
            ids.write_text("\n".join(ServiceRestarts(server.gateway, server.data_dir).create(IDS)))
            for what, route in (("get", str(ids)), ("post", "rooms")):
                load = partial(run_wrk, server.gateway, route)
                candidates.append(
                    Candidate(name=f"{ROUTES[what]}, {name}", server=server, load=load)
                )
        rounds = LoadRounds(candidates, FREE, seconds=effort.seconds)
        rounds.run(effort.chain_rounds, warm_up=effort.thorough)
    comparisons = [
        Comparison(
            key=f"overload_chain_{what}",
            mine=f"{route}, guarded",
            other=f"{route}, unguarded",
            limit=CPU_MAX,
            field="cpu_us",
            sense="at most",
        )
        for what, route in ROUTES.items()
    ]
    table = Table(
        title="With all that looks after load, and without", head=HEAD, lines=rounds.lines()
    )
    return Result(rows=rows_of(comparisons, [rounds]), tables=[table])
