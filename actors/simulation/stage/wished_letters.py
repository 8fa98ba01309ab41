"""Dead letters that faults have brought about are replayed, as an operator would."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from actors.errors import DressRehearsalError

if TYPE_CHECKING:
    from actors.kernel.dead_letters import DeadLetter
    from actors.service.assembly import ServiceSystem
    from actors.simulation.stage.handler_faults import HandlerFaults

# An effect whose answers came too late, or which was to raise; it says so itself.
EFFECT_FAILED: Final = "the effect failed"
# How often is looked, in virtual seconds, and how often at most: a replay may meet a service that
# is down, and what was under way may still be given up.
LOOK_S: Final = 5.0
LOOKS_MAX: Final = 12
LETTERS_MAX: Final = 1_000


async def replay_wished(system: ServiceSystem, handlers: HandlerFaults) -> None:
    """Replay them, the oldest first, until a look finds none."""
    for _ in range(LOOKS_MAX):
        await asyncio.sleep(LOOK_S)
        letters = await system.dead_letters(limit=LETTERS_MAX)
        wished = [each for each in reversed(letters) if _is_wished(each, handlers)]
        if not wished:
            return
        for letter in wished:
            try:
                await system.replay(letter.id)
            except DressRehearsalError:
                continue  # the next look finds it again


def _is_wished(letter: DeadLetter, handlers: HandlerFaults) -> bool:
    reason = letter.reason
    return letter.durable and (handlers.has_wished(reason) or reason.startswith(EFFECT_FAILED))
