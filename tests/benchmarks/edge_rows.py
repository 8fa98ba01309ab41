"""How the edge's figures are held against their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.row import Row, Spread, at_percentile, ratio

if TYPE_CHECKING:
    from tests.benchmarks.load_rounds import LoadRounds


def comparison_rows(rounds: LoadRounds) -> list[Row]:
    """Rows of one placement, which those of any but the free one name."""
    return [
        _row(rounds, "post_bare", "durable POST", "bare aiohttp handler, POST", 60),
        _row(rounds, "post_fastapi", "durable POST", "FastAPI, autocommit, POST", 3),
        _row(rounds, "post_fastapi_locked", "durable POST", "FastAPI, locked, POST", 3),
        _row(rounds, "post_fastapi_shared", "durable POST", "FastAPI, shared, POST", 3),
        _row(rounds, "get_bare", "GET by id", "bare aiohttp handler, POST", 60),
    ]


def _row(rounds: LoadRounds, key: str, mine: str, other: str, limit: float) -> Row:
    times = ratio(rounds.series(f"ours, {mine}"), rounds.series(other))
    percent = limit > 10  # the bare handler's targets are shares, the rival's multiples
    factor = 100 if percent else 1
    spread = Spread(times.median * factor, times.low * factor, times.high * factor)
    return Row(
        key=rounds.placement.mark(key),
        name=rounds.placement.label(f"{mine}, {'of' if percent else 'to'} {other}"),
        sense="at least",
        limit=limit,
        unit="%" if percent else "times the rate",
        judged=spread.median,
        spread=spread,
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
        for percent, limit in ((50, 5), (99, 50))
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
