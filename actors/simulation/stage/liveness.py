"""When faults have ended, a system is well again by itself, within a bound."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from actors.simulation.stage.machine import Machine

# When is looked, in virtual seconds after the last fault's end: a parked service is tried again
# within half a minute, an effect's last attempt and a breaker take less.
LOOKS_S: Final = (5.0, 15.0, 30.0, 60.0)


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
