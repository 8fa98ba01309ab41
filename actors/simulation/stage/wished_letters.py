"""Dead letters that faults have brought about are replayed, as an operator would."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from actors.errors import DressRehearsalError

if TYPE_CHECKING:
    from actors.kernel.dead_letters import DeadLetter
    from actors.simulation.stage.handler_faults import HandlerFaults
    from actors.simulation.stage.machine import Machine

# An effect whose answers came too late, or which was to raise; it says so itself.
EFFECT_FAILED: Final = "the effect failed"
# How often is looked, in virtual seconds, and how often at most: a replay may meet a service that
# is down, and what was under way may still be given up.
LOOK_S: Final = 5.0
LOOKS_MAX: Final = 12
LETTERS_MAX: Final = 1_000
# How long an answer is waited for, in virtual seconds.
ASKED_S_MAX: Final = 10.0


async def replay_wished(machine: Machine) -> None:
    """Replay them, the oldest first, until a look finds none.

    Whoever has asked for what was given up asks again then, under its key, as who was told so may.
    """
    system, handlers = machine.system, machine.disk.handlers
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
            await _ask_again(machine, letter)


async def replay_in_vain(machine: Machine, handler: str) -> None:
    """Replay what poison has made of a handler's messages while it is poison still.

    As an operator does who thinks too early that all is mended.
    """
    service, _, message_type = handler.partition(".")
    if not machine.up or machine.paused.lasts or not machine.has(service):
        return
    for letter in await machine.system.dead_letters(limit=LETTERS_MAX):
        if (letter.actor, letter.message_type) == (service, message_type) and _is_wished(
            letter, machine.disk.handlers
        ):
            with suppress(DressRehearsalError):
                await machine.system.replay(letter.id)


async def _ask_again(machine: Machine, letter: DeadLetter) -> None:
    kind = machine.version.messages.get((letter.actor, letter.message_type))
    if letter.request_key is None or kind is None:
        return
    message = msgspec.json.decode(letter.message, type=kind)
    with suppress(DressRehearsalError):
        await machine.system.ask(
            letter.actor, message, timeout_s=ASKED_S_MAX, key=letter.request_key
        )


def _is_wished(letter: DeadLetter, handlers: HandlerFaults) -> bool:
    reason = letter.reason
    return letter.durable and (handlers.has_wished(reason) or reason.startswith(EFFECT_FAILED))
