"""What an actor weighs, measured on as many as make a page's rounding vanish.

Run as a program by `Probe`; prints bytes an actor: idle, and after its first ask.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from actors.config import load_config
from actors.kernel.actor import AsyncioActor
from tests.benchmarks.echo import Echo, make_context
from tests.benchmarks.probe import probed
from tests.benchmarks.process_usage import resident_bytes


async def measure(*, count: int) -> dict[str, float]:
    """Start `count` actors and keep them; their names, refs and behaviors are part of them."""
    context, mailbox = make_context(), load_config().mailbox
    gc.collect()
    before = resident_bytes(os.getpid())
    refs: list[Any] = [
        AsyncioActor.start(Echo, context=context, mailbox=mailbox, name=f"echo-{number}")
        for number in range(count)
    ]
    gc.collect()
    idle = resident_bytes(os.getpid())
    for ref in refs:
        await ref.ask(ref.name, block=False)
    gc.collect()
    used = resident_bytes(os.getpid())
    return {"idle": (idle - before) / count, "used": (used - before) / count}


if __name__ == "__main__":
    probed(measure)
