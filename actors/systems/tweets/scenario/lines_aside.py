"""What an operator does about X's lines that were set aside: none of them is ever read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from actors.errors import DressRehearsalError
from actors.systems.tweets.messages import GetReader

if TYPE_CHECKING:
    from actors.kernel.dead_letters import DeadLetter
    from actors.service.assembly import ServiceSystem
    from actors.systems.tweets.scenario.told import Told

ODD_LINE: Final = "OddLine"
LETTERS_MAX: Final = 1_000
# How often is looked, in virtual seconds.
LOOK_S: Final = 30.0
LOOKS_MAX: Final = 12


async def let_lines_go(system: ServiceSystem, told: Told) -> None:
    """Look until there are none; what the search may yet find waits for it first."""
    for _ in range(LOOKS_MAX):
        await asyncio.sleep(LOOK_S)
        try:
            reader = await system.ask("reader", GetReader(), timeout_s=LOOK_S)
            letters = await system.dead_letters(limit=LETTERS_MAX)
            lines = [each for each in letters if each.message_type == ODD_LINE]
            if not reader.gaps_open:
                for letter in lines:
                    await _let_go(system, letter, told)
                return
        except DressRehearsalError:
            continue  # the next look finds it again


async def _let_go(system: ServiceSystem, letter: DeadLetter, told: Told) -> None:
    told.set_aside.add(letter.id)
    again = await system.replay(letter.id)
    if again.outcome != "refused":
        told.troubles.append(f"a line that cannot be read was read: {again}")
        return
    await system.discard(letter.id)
