"""To the folder that a run has left something happens, and the next process is heard out on it."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from actors.kernel.rng import Rng
from actors.service.common_invariants import all_at_rest
from actors.simulation.files.file_mishap import FileMishap
from actors.simulation.net.current_host import on_host
from actors.simulation.stage.client import Client
from actors.simulation.stage.rest import come_to_rest, get_well
from actors.simulation.stage.trace import Trace
from actors.simulation.stage.wished_letters import replay_wished

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.simulation.stage.client import ClientReply
    from actors.simulation.stage.machine import Machine
    from actors.simulation.time.loop import SimulationLoop
    from actors.system import Audit

# To the folder of one in so many runs that held something happens.
MISHAP_ONE_IN: Final = 4
OPERATOR: Final = "operator"


async def ask_as_operator(
    machine: Machine, loop: SimulationLoop, method: str, path: str, body: Any
) -> ClientReply:
    """Ask what runs on it as an operator, of whom nobody else hears."""
    trace = Trace(loop.time, keep=False)
    with on_host(OPERATOR):
        port = machine.config.edge.gateway.port
        async with Client(OPERATOR, machine, port, trace, frozenset()) as client:
            return await client.administer(method, path, body)


async def have_mishap(
    seed: int,
    machine: Machine,
    loop: SimulationLoop,
    folder: Path,
    trace: Trace,
    *,
    before: Path,
    stores: Sequence[str],
) -> list[str]:
    """Let something happen to a copy of the folder, which all have left; return what was wrong.

    `before` is the folder as it was at first, `stores` are the services that keep a file.
    """
    rng = Rng(f"{seed} mishap of {' '.join(stores)}")
    if rng.randrange(MISHAP_ONE_IN) or len(stores) == 1:
        return []
    place = folder.with_name(f"{folder.name}-mishap")
    shutil.copytree(folder, place, copy_function=shutil.copy)
    another = machine.another(place, rng)
    try:
        service, other = rng.sample(stores, 2)
        mishap = FileMishap(
            place,
            another,
            before=before,
            service=service,
            other=other,
            siblings=machine.version.groups,
            config=machine.config.store,
            operator=partial(ask_as_operator, another, loop),
        )
        name = rng.choice(list(mishap.every))
        trace.add("mishap", service, name)
        found = await mishap.happens(name)
        # All that the run itself has left there would have been its trouble.
        found += [f"unhandled: {each.get('message')}" for each in loop.unhandled]
        return [f"files: {each}" for each in found]
    except BaseException:
        await another.end()
        raise
    finally:
        shutil.rmtree(place)


async def wrong_when_restored(
    machine: Machine, loop: SimulationLoop, audits: Sequence[Audit]
) -> list[str]:
    """Put each backup back, have it come to rest, and audit it; return what was wrong.

    It is what a crash at its moment would have left: nothing of it is lost, or done by half. What
    faults had made a dead letter of by then is replayed, as it was where they were made.
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
            another.disk.handlers.excused |= machine.disk.handlers.excused
            await replay_wished(another)
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
