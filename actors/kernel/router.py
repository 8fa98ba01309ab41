"""Picks the replica for a message. Every send to a service passes through here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from actors.kernel.actor import AsyncioActor
    from actors.kernel.clock import Clock
    from actors.kernel.ref import ActorRef
    from actors.kernel.registry import Registry
    from actors.kernel.stats import ActorState

# Who is preferred, by state: the lower the better. One that starts will answer soon; one that is
# suspended may not for long; one that is parked or stopped accepts nothing.
RANKS: Final[dict[ActorState, int]] = {
    "running": 0,
    "degraded": 1,
    "starting": 2,
    "restarting": 2,
    "suspended": 3,
    "stopping": 3,
    "parked": 4,
    "stopped": 4,
}
STALLED_RANK: Final = 1


class Router:
    """Picks a running replica, the least loaded first, and in turns among equals.

    The load is what is queued and in hand. A replica that has had the same work in hand for
    `stalled_s` seconds counts as stalled: it gets nothing more while another runs.
    """

    def __init__(self, registry: Registry, *, clock: Clock, stalled_s: float) -> None:
        """Route to what `registry` knows."""
        self._registry = registry
        self._clock = clock
        self._stalled_s = stalled_s
        self._turns: dict[str, int] = {}

    def pick(self, service: str) -> ActorRef:
        """Return the replica for the next message. Raises NoSuchActor.

        Where none accepts messages, the one whose turn it is says why itself.
        """
        replicas = self._registry.replicas(service)
        count = len(replicas)
        if count == 1:
            return replicas[0].ref
        turn = self._turns.get(service, 0)
        now_s = self._clock.monotonic()
        # The index of equals counts from whose turn it is, so that the smallest is the next.
        _, _, ahead = min(
            (*self._rank_and_load(replicas[(turn + step) % count], now_s), step)
            for step in range(count)
        )
        chosen = (turn + ahead) % count
        self._turns[service] = (chosen + 1) % count
        return replicas[chosen].ref

    def _rank_and_load(self, actor: AsyncioActor, now_s: float) -> tuple[int, int]:
        mailbox = actor.actor_inbox
        rank = RANKS[actor.state]
        if mailbox.closed is not None:  # also while it drains, or is parked and being started
            rank = RANKS["parked"]
        elif rank == 0 and mailbox.busy_since_s(now_s) <= now_s - self._stalled_s:
            rank = STALLED_RANK
        return rank, mailbox.depth
