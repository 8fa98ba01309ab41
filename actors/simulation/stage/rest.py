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
    found = await _unwell(machine)
    waited_s = 0.0
    for at_s in LOOKS_S:
        if not found:
            return []
        await asyncio.sleep(at_s - waited_s)
        waited_s = at_s
        found = await _unwell(machine)
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
        busy = await _busy(machine)
        timer_s = await _next_timer_s(machine)
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


async def _unwell(machine: Machine) -> list[str]:
    """Return who does not run, which messages wait, and what the scenario says of it."""
    found = [f"{each.name} is {each.state}" for each in machine.actors() if each.state != "running"]
    found += [
        f"{each.depth} messages from {each.sender} to {each.receiver} wait ({each.state})"
        for each in await machine.system.channels()
        if each.depth
    ]
    if found or machine.clock.behind_us:
        return found
    return await machine.scenario.unwell(machine.system)


async def _busy(machine: Machine) -> list[str]:
    """Return what is still under way; empty where the system is at rest."""
    found = [
        f"{each.name} is {each.state} with {each.mailbox_depth} messages"
        for each in machine.actors()
        if each.state != "running" or each.mailbox_depth
    ]
    found += [
        f"{each.depth} messages from {each.sender} to {each.receiver} ({each.state})"
        for each in await machine.system.channels()
        if each.depth
    ]
    found += [
        f"{each.service}: {each.due} timers due, {each.effects_running} effects"
        for each in await machine.system.timers()
        if each.due or each.effects_running
    ]
    return found or await machine.scenario.busy(machine.system)


async def _next_timer_s(machine: Machine) -> float | None:
    """Return how long until a timer or effect is due; None where there is none."""
    now_us = machine.clock.now_us()
    due_us = [
        max(each.next_due_us or now_us, now_us)
        for each in await machine.system.timers()
        if each.pending
    ]
    return (min(due_us) - now_us) / 1_000_000 if due_us else None
