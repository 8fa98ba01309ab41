"""How the edge's figures are held against their targets."""

from __future__ import annotations

from tests.benchmarks.comparison import Comparison
from tests.benchmarks.peers import go_peer
from tests.benchmarks.row import Row, Spread, at_percentile

# The candidates' names. All of POST but `CUSTOMERS` keep a room, or would.
ROOMS = "ours, POST /rooms"
CUSTOMERS = "ours, POST /customers"
READ = "ours, GET by id"
BARE = "bare aiohttp handler, POST"
GO = f"{go_peer.NAME}, POST"
FASTAPI = {mode: f"FastAPI, {mode}, POST" for mode in ("autocommit", "locked", "shared")}

COMPARISONS = (
    Comparison(key="post_bare", mine=ROOMS, other=BARE, limit=0.65),
    Comparison(
        key="post_bare_cpu", mine=ROOMS, other=BARE, field="cpu_us", sense="at most", limit=1.6
    ),
    Comparison(
        key="post_bare_p99", mine=ROOMS, other=BARE, field="p99_ms", sense="at most", limit=2.5
    ),
    Comparison(key="post_go", mine=ROOMS, other=GO, limit=1),
    *(
        Comparison(key=f"post_fastapi_{mode}", mine=ROOMS, other=name, limit=3)
        for mode, name in FASTAPI.items()
    ),
    Comparison(key="customers_rooms", mine=CUSTOMERS, other=ROOMS, limit=0.75),
    Comparison(key="get_bare", mine=READ, other=BARE, limit=0.6),
)


def life_rows(
    restarts_ms: list[float], ready_s: list[float], resident_mb: list[float]
) -> list[Row]:
    """Rows of the process's life: coming back, coming up, and what it weighs."""
    restarts = [
        Row(
            key=f"service_restart_p{percent}",
            name="kill → next reply of a service over HTTP, store reopened",
            sense="at most",
            limit=limit,
            unit="ms",
            judged=at_percentile(restarts_ms, percent),
            spread=Spread.of(restarts_ms),
            basis=f"p{percent} of {len(restarts_ms)}",
        )
        for percent, limit in ((50, 5), (99, 15))
    ]
    return [
        *restarts,
        Row(
            key="ready",
            name="from the command to ready, on no data and on old data",
            sense="at most",
            limit=2,
            unit="s",
            judged=max(ready_s),
            spread=Spread.of(ready_s),
            basis=f"slowest of {len(ready_s)}",
        ),
        Row(
            key="resident",
            name="resident with everything up, when ready and after all the load",
            sense="at most",
            limit=120,
            unit="MB",
            judged=max(resident_mb),
            spread=Spread.of(resident_mb),
            basis="most",
        ),
    ]
