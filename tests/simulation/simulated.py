"""Short ways into a simulation, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from actors.simulation.net.network import Network
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from actors.simulation.net.link import Link
    from actors.simulation.time.budget import Budget

T = TypeVar("T")


def simulated(main: Coroutine[Any, Any, T], *, budget: Budget | None = None) -> T:
    """Run `main` without a network; nothing may go unhandled."""
    loop = SimulationLoop(budget=budget)
    result = run(main, loop=loop)
    assert loop.unhandled == []
    return result


def on_network(
    main: Callable[[Network], Coroutine[Any, Any, T]], *, seed: int = 0, link: Link | None = None
) -> T:
    """Run `main(network)` on a network of its own; nothing may go unhandled."""
    loop = SimulationLoop(seed=seed)
    network = Network(loop, seed=seed, link=link)
    result = run(main(network), loop=loop)
    assert loop.unhandled == []
    return result
