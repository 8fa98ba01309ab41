"""Replicas are killed, added, let go and restarted one by one, and no client of 500/s notices."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from actors.kernel.clock import SystemClock
from actors.kernel.rng import Rng
from actors.load.load_phase import OpenLoop
from actors.load.load_plan import LoadPlan, PlannedRequest
from actors.load.load_run import LoadRun
from tests.system.client import connected
from tests.system.measurers import MEASURERS

if TYPE_CHECKING:
    from actors.testing.live import Live
    from tests.system.client import Client
    from tests.system.conftest import Report

pytestmark = [pytest.mark.real_time]

RATE = 500.0
DURATION_S = [1.2, pytest.param(60.0, marks=[pytest.mark.long, pytest.mark.slow])]
EVERY_S = 0.2
# A slower machine answers fewer in time, kills or no kills: nobody is turned away for that.
PATIENCE = (
    "edge.deadline_s=60",
    "edge.admission.target_s=60",
    "edge.admission.in_progress_begin=100000",
    "edge.admission.in_progress_max=100000",
    "edge.admission.service_max=100000",
    "mailbox.capacity=100000",
)
REPLICAS = "/admin/services/measurer/replicas"
# Most ask who remembers nothing; the others write.
PLAN = LoadPlan(
    request=(
        PlannedRequest(name="length", path="/length/abc", weight=4.0),
        PlannedRequest(name="note", path="/notes", method="POST", body={"text": "abc"}),
    )
)


async def kill_one(client: Client, chance: random.Random) -> None:
    await client.order(f"measurer-{chance.randrange(4) + 1}", "kill")


async def scale(client: Client, chance: random.Random) -> None:
    replicas = chance.randrange(6) + 1
    reply = await client.admin("PUT", REPLICAS, json={"replicas": replicas})
    assert reply.status == 200, reply.body


async def restart_all(client: Client, chance: random.Random) -> None:
    del chance
    reply = await client.admin("POST", "/admin/services/restart")
    assert reply.status == 200, reply.body
    assert "notes" in reply.json["restarted"]


@pytest.mark.parametrize("duration_s", DURATION_S)
async def test_nobody_notices(live: Live, seed: int, report: Report, duration_s: float) -> None:
    """Each is done five times a second, or as soon as the last is over: 0 failed."""
    process = live(MEASURERS, *PATIENCE)
    chance = random.Random(seed)
    async with connected(process) as client:
        for disturb in (kill_one, scale, restart_all):
            load = LoadRun(PLAN, process.listeners, clock=SystemClock(), rng=Rng(seed))
            phases = [OpenLoop(rate=RATE, duration_s=duration_s)]
            loading = asyncio.ensure_future(load.run(phases))
            times = 0
            while not loading.done():
                await asyncio.gather(disturb(client, chance), asyncio.sleep(EVERY_S))
                times += 1
            total, latencies = (await loading).total, load.outcome.corrected
            report(
                f"seed {seed}, {disturb.__name__} {times} times: {total.ended} answered, "
                f"{total.failed} failed, p99 {latencies.at(99.0) * 1e3:.1f} ms, "
                f"longest {latencies.max_s * 1e3:.0f} ms"
            )
            assert total.failed == 0, (total.statuses, total.failures)
            assert total.ended > RATE * duration_s * 0.8
            await client.admin("PUT", REPLICAS, json={"replicas": 4})
        await client.until_ready()
