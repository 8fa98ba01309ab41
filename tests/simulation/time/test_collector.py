"""Python's garbage collector runs at no point of a run but those that the run says."""

from __future__ import annotations

import gc

from actors.simulation.time.collector import uncollected
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run


def test_it_is_at_rest_until_the_outermost_block_ends() -> None:
    """A run within a block leaves it at rest; and one that fails gives it back."""
    seen: list[bool] = []

    async def look() -> None:
        seen.append(gc.isenabled())
        raise LookupError

    try:
        with uncollected():
            try:
                run(look(), loop=SimulationLoop())
            finally:
                seen.append(gc.isenabled())
    except LookupError:
        seen.append(gc.isenabled())
    assert seen == [False, False, True]
