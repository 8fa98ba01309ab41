"""Who is stopped excuses what waits for it, and nothing else."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest

from actors.simulation.check.history import History
from actors.simulation.stage.client import ClientReply
from actors.simulation.time.virtual_clock import VirtualClock
from actors.systems.tweets.scenario.call import STOPPED, TweetsCall
from actors.systems.tweets.scenario.performance import TweetsPerformance
from actors.systems.tweets.scenario.promptness import SCORED_BY
from actors.systems.tweets.scenario.told import Told
from tests.simulation.simulated import simulated


class Stop(TweetsPerformance):
    """Alone: nobody tweets meanwhile."""

    async def _also(self, *_: Any, **__: Any) -> None:
        return


@pytest.mark.parametrize("number", range(len(STOPPED)))
def test_a_score_may_be_late_where_one_of_those_who_score_is_stopped(number: int) -> None:
    """No like and no answer is anything that a score waits for."""

    async def done(*_: Any, **__: Any) -> ClientReply:
        return ClientReply(HTTPStatus.OK, {"status": "connected"})

    told = Told()
    client = SimpleNamespace(name="client-0", operate=done, administer=done, ask=done)

    async def stop() -> None:
        history = History(VirtualClock(asyncio.get_running_loop().time))
        await Stop(told, client, 1, TweetsCall("stop", number=number), history).run()  # type: ignore[arg-type]

    simulated(stop())
    assert told.is_upset(SCORED_BY, 0.0, 1.0) is not {*SCORED_BY}.isdisjoint(STOPPED[number])
    assert told.is_upset(STOPPED[number], 0.0, 1.0)
