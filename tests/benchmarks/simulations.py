"""How much a simulation gets done in a second, ours and detangle's; run as a program by a probe.

Prints, by candidate, a (runs an hour, virtual seconds a second) for each round.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.command.settled_heap import settled_heap
from actors.simulation.net.current_host import on_host
from actors.simulation.net.network import Network
from actors.simulation.stage.rehearsal import Rehearsal
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run
from actors.systems.hotel.system import HOTEL
from tests.benchmarks.simulation_suite import HAS_SIMULATOR
from tests.benchmarks.virtual_workloads import converse, tick, wait_for_timers

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterator

    Work = Callable[[], Coroutine[Any, Any, float]]
    # Plays the run of that number; returns how many virtual seconds it took.
    Play = Callable[[int], float]

# As our links are, so that both cut and delay alike.
RIVAL, RIVAL_FIFO = "detangle", "detangle, in asyncio's order"
RIVAL_NET = {"latency": (0.0005, 0.001), "fragment": 0.1, "max_fragments": 2}


def ours_alone(seed: int, *, work: Work) -> float:
    """Run what needs no network."""
    return run(work(), loop=SimulationLoop(seed=seed))


def ours_conversing(seed: int) -> float:
    """Run the conversation."""
    loop = SimulationLoop(seed=seed)
    Network(loop, seed=seed)

    def spawn(work: Coroutine[Any, Any, None], host: str) -> asyncio.Task[None]:
        with on_host(host):
            return loop.create_task(work)

    return run(converse(spawn), loop=loop)


def rival_alone(seed: int, *, work: Work, reorder: bool) -> float:
    """Run it in asyncio's own order, or in another one."""
    import detangle  # noqa: PLC0415 - `make bench` installs it, nothing else does

    return float(detangle.run(work, seed=seed, reorder=reorder))


def rival_conversing(seed: int, *, reorder: bool) -> float:
    """Run the conversation, likewise."""
    import detangle  # noqa: PLC0415

    def spawn(work: Coroutine[Any, Any, None], host: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = detangle.spawn(work, host=host)
        return task

    return float(detangle.run(lambda: converse(spawn), seed=seed, reorder=reorder, net=RIVAL_NET))


@contextmanager
def hotel() -> Iterator[Play]:
    """Prepare the hotel, with kills, on files in memory."""
    with scratch_folder() as place, without_logs():
        rehearsal = Rehearsal(HOTEL, load_config(systems=[HOTEL]), place, profile="kills")

        def play(seed: int) -> float:
            played = rehearsal.play(rehearsal.script(seed))
            if played.troubles:
                raise AssertionError(f"seed {seed}: {played.troubles}")
            return played.virtual_s

        with settled_heap():
            yield play


def measured(play: Play, first: int, count: int) -> tuple[float, float]:
    """Return runs an hour and virtual seconds a second over `count` seeds."""
    began = time.perf_counter()
    virtual_s = sum(play(seed) for seed in range(first, first + count))
    took_s = time.perf_counter() - began
    return count / took_s * 3600, virtual_s / took_s


def measure(*, rounds: int, count: int) -> dict[str, list[tuple[float, float]]]:
    """Measure every candidate once a round, after a round that does not count."""
    plays: dict[str, Play] = {}
    for name, work in {"a wake a second": tick, "timers": wait_for_timers}.items():
        plays[f"{name}: ours"] = partial(ours_alone, work=work)
        if HAS_SIMULATOR:
            plays[f"{name}: {RIVAL_FIFO}"] = partial(rival_alone, work=work, reorder=False)
            plays[f"{name}: {RIVAL}"] = partial(rival_alone, work=work, reorder=True)
    plays["conversation: ours"] = ours_conversing
    if HAS_SIMULATOR:
        plays[f"conversation: {RIVAL_FIFO}"] = partial(rival_conversing, reorder=False)
        plays[f"conversation: {RIVAL}"] = partial(rival_conversing, reorder=True)
    with hotel() as play:
        plays["the hotel, with kills: ours"] = play
        samples: dict[str, list[tuple[float, float]]] = {name: [] for name in plays}
        for turn in range(rounds + 1):
            for name, candidate in plays.items():
                sample = measured(candidate, 1 + turn * count, count)
                if turn:
                    samples[name].append(sample)
    return samples


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[2]))))
