"""The end of a run: faults end and all is well again, then nothing is under way or to come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from actors.simulation.stage.machine import Machine
    from actors.simulation.stage.scenario import Scenario

# When is looked, in virtual seconds after the last fault's end: a parked service is tried again
# within half a minute, an effect's last attempt and a breaker take less.
LOOKS_S: Final = (5.0, 15.0, 30.0, 60.0)
# How often is looked, in virtual seconds, and how many looks in succession may find it busy.
POLL_S: Final = 5.0
BUSY_POLLS_MAX: Final = 40


async def get_well(machine: Machine) -> list[str]:
    """Wait until every actor runs and every channel is empty; return what is not so in time."""
    found = await machine.unwell()
    waited_s = 0.0
    for at_s in LOOKS_S:
        if not found:
            return []
        await asyncio.sleep(at_s - waited_s)
        waited_s = at_s
        found = await machine.unwell()
    return [f"{each}, {waited_s:g} s after the last fault" for each in found]


async def come_to_rest(machine: Machine, scenario: Scenario) -> list[str]:
    """Wait until nothing is under way and no timer is to come; return what does not end.

    From timer to timer, but `scenario.timers_s_max` in all: what is not due by then never comes.
    """
    await asyncio.sleep(scenario.rest_s)
    left_s, busy_polls = scenario.timers_s_max, 0
    while True:
        for service in machine.suspended():  # by a request that was long on its way
            machine.signal("resume", service)
        busy = await machine.busy()
        timer_s = await machine.next_timer_s()
        if busy and busy_polls == BUSY_POLLS_MAX:
            return busy
        if not busy and (timer_s is None or left_s <= 0):
            return []
        busy_polls = busy_polls + 1 if busy else 0
        wait_s = POLL_S
        if not busy and timer_s is not None:
            wait_s = min(max(timer_s, POLL_S), left_s)
            left_s -= wait_s
        await asyncio.sleep(wait_s)
