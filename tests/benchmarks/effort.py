"""How much a run measures: a full run's figures are for the record, a quick one's for nobody."""

from __future__ import annotations

import msgspec


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how long. `seconds` is what wrk takes for one candidate in one round."""

    rounds: int = 7
    seconds: int = 3
    # Of /insert: how often, and how long at a time.
    bursts: int = 3
    burst_s: int = 10
    asks: int = 50_000
    questions: int = 1_280
    actors: int = 100_000
    actor_kills: int = 5_000
    service_kills: int = 500
    starts: int = 7
    messages: int = 10_000
    tweets: int = 5_000
    schedules: int = 50
    # Of overload: a load of it, its pairs of few and many clients, and rounds with and without
    # what looks after it.
    overload_s: float = 10.0
    overload_rounds: int = 3
    chain_rounds: int = 5
    # Whether to warm up, and to measure pinned as well.
    thorough: bool = True


QUICK = Effort(
    rounds=1,
    seconds=1,
    bursts=1,
    burst_s=1,
    asks=2_000,
    questions=128,
    actors=5_000,
    actor_kills=50,
    service_kills=10,
    starts=1,
    messages=1_000,
    tweets=300,
    schedules=3,
    overload_s=2.0,
    overload_rounds=1,
    chain_rounds=1,
    thorough=False,
)
