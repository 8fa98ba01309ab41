"""One after the other ends in order and starts again: meanwhile the others answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import NotRestarted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.kernel.actor import AsyncioActor
    from actors.kernel.clock import Clock
    from actors.kernel.discovery.standings import Standings

UP = ("running", "degraded", "suspended")


async def restart_in_turn(
    actors: Sequence[AsyncioActor],
    standings: Standings,
    clock: Clock,
    *,
    stays: Callable[[AsyncioActor], bool],
    up_s_max: float,
) -> list[str]:
    """Restart each that `stays`, the next once it is up again; returns their names, in order.

    Who has been started anew meanwhile, with a sibling or by a crash, is not once more. Raises
    NotRestarted where one is not up within `up_s_max` seconds, or is parked: the others are left
    alone.
    """
    numbers = [(each, each.machine.number) for each in actors]
    for actor, number in numbers:
        if actor.machine.number == number and stays(actor):
            actor.ref.restart()
        until_s = clock.monotonic() + up_s_max
        version = standings.version
        while (actor.machine.number == number or actor.state not in UP) and stays(actor):
            left_s = until_s - clock.monotonic()
            is_given_up = actor.machine.number != number and actor.state == "parked"
            if left_s <= 0 or is_given_up:
                names = ", ".join(each.name for each in actors[actors.index(actor) + 1 :])
                message = (
                    f"{actor.name} is {actor.state} {up_s_max - left_s:.1f} s after its restart "
                    f"({actor.last_error}); not restarted: {names or 'no others'}"
                )
                raise NotRestarted(message)
            version = await standings.changed(version, left_s)
    return [each.name for each in actors if stays(each)]
