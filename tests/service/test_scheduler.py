"""A scheduler starts a timer once, whoever tells it first."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from actors.kernel.clock import ManualClock
from actors.service.scheduler import Scheduler
from actors.store.messaging.output import Timer
from actors.store.messaging.timers import Due, TimerTypes
from actors.systems.tweets.messages import ListTweets
from tests.kernel.kernel_harness import turns
from tests.resilience.gates import open_gate
from tests.systems.whole import shipped


async def test_what_a_look_into_the_table_has_started_is_not_started_by_its_commit() -> None:
    """A reader may see a commit before its writer's loop hears of it."""
    timer = Timer(due_us=0, message_type="Ask", blob=b"{}", message=ListTweets(limit=1), seq=1)
    found: asyncio.Future[Due] = asyncio.get_running_loop().create_future()
    backlog = SimpleNamespace(timer_us=0, timer_seq=1)
    store: Any = SimpleNamespace(backlog=backlog, look=lambda _: found)
    started: list[int] = []
    scheduler = Scheduler(
        "office",
        store=store,
        directory=SimpleNamespace(),  # type: ignore[arg-type] # nothing is sent
        gate=open_gate(),
        types=TimerTypes(("Ask",), included=True),
        window_timers=8,
        run=lambda each, _send: started.append(each.seq),
        config=shipped().timer,
        clock=ManualClock(),
    )
    scheduler.wake()
    found.set_result(Due(timers=[timer], next_us=None))
    await turns(2)
    assert started == [1]
    scheduler.committed([timer])
    assert started == [1]
