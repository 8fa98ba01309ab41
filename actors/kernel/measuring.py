"""What actors have counted, as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.measures.measured import MeasuredActor, MeasuredLane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.kernel.actor import AsyncioActor


def measure(actor: AsyncioActor, restarts: Mapping[str, int]) -> MeasuredActor:
    """Return what it has counted, with its `restarts` by their cause."""
    mailbox = actor.actor_inbox
    return MeasuredActor(
        name=actor.name,
        state=actor.state,
        lanes=[
            MeasuredLane(
                index=lane.index,
                queued=len(lane.queue),
                in_hand=len(lane.in_flight),
                capacity=mailbox.capacity,
                measures=lane.measures,
            )
            for lane in mailbox.lanes
        ],
        handled=mailbox.handled,
        refused=mailbox.refused,
        dead_lettered=mailbox.dead_lettered,
        rejected=mailbox.rejected,
        expired=dict(mailbox.expired),
        restarts=restarts,
        handed_over=mailbox.handed_over,
    )
