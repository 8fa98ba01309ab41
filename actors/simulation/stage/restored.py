"""What a backup of a running system holds is put back, and another process goes on with it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from actors.kernel.rng import Rng
from actors.service.common_invariants import all_at_rest
from actors.simulation.stage.rest import come_to_rest, get_well

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.simulation.stage.machine import Machine
    from actors.simulation.time.loop import SimulationLoop
    from actors.system import Audit


async def wrong_when_restored(
    machine: Machine, loop: SimulationLoop, audits: Sequence[Audit]
) -> list[str]:
    """Put each backup back, have it come to rest, and audit it; return what was wrong.

    It is what a crash at its moment would have left: nothing of it is lost, or done by half.
    """
    place = machine.folder.with_name(f"{machine.folder.name}-restored")
    troubles: list[str] = []
    try:
        for name, found in machine.backups.restored(place):
            wrong = found or await _wrong_when_played(machine, loop, audits, place)
            troubles += [f"backups: {name}: {each}" for each in wrong]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return troubles


async def _wrong_when_played(
    machine: Machine, loop: SimulationLoop, audits: Sequence[Audit], place: Path
) -> list[str]:
    another = machine.another(place, Rng("restored"))
    try:
        await another.boot()
        found = await get_well(another)
        if not found:
            busy = await come_to_rest(another, machine.scenario)
            found = [f"it does not come to rest: {each}" for each in busy]
        await another.stop()
    except BaseException:
        await another.end()
        raise
    with all_at_rest():
        for audit in audits:
            found += audit(place, machine.config, loop.clock.now_us())
    found += [f"crashed by itself: {each}" for each in another.crashes]
    return [*found, *(f"unhandled: {each.get('message')}" for each in loop.unhandled)]
