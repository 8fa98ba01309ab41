"""How well an actor is, by where it stands and by how far it gets with what it has in hand.

Nobody is asked, and nobody wakes up for it: who has nothing to do is as well as he was told to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from actors.kernel.actor import AsyncioActor
    from actors.kernel.stats import ActorState

Health = Literal["starting", "up", "slow", "suspended", "degraded", "parked", "draining", "stopped"]

# Who gets a message, by health: the lower the better. One that starts will answer soon; one that is
# suspended may not for long; one that is parked or stopped accepts nothing.
RANKS: Final[dict[Health, int]] = {
    "up": 0,
    "slow": 0,
    "degraded": 1,
    "starting": 2,
    "suspended": 3,
    "draining": 3,
    "parked": 4,
    "stopped": 4,
}
# Whoever is so answers what it is asked, or some of it.
ANSWERS: Final[frozenset[Health]] = frozenset({"up", "slow", "degraded"})
# Of one that has come no further for so long that it gets nothing more while another runs.
STALLED_RANK: Final = 1
# Whoever has come no further for this part of `mailbox.stalled_s` is slow, and gets less.
SLOW_SHARE: Final = 0.5
# What is left to one that is as slow as can be and is not out: it must be able to show that it is
# well again.
WEIGHT_MIN: Final = 0.05

_HEALTH: Final[dict[ActorState, Health]] = {
    "starting": "starting",
    "running": "up",
    "degraded": "degraded",
    "suspended": "suspended",
    "restarting": "starting",
    "parked": "parked",
    "stopping": "draining",
    "stopped": "stopped",
}


def health_of(actor: AsyncioActor, stuck: float, stalled_s: float) -> Health:
    """Return its health, where it has been `stuck` for so many seconds with what it has in hand.

    `stalled_s` is after how many of them it gets nothing more.
    """
    health = _HEALTH[actor.state]
    return "slow" if health == "up" and stuck >= stalled_s * SLOW_SHARE else health


def stuck_s(actor: AsyncioActor, now_s: float) -> float:
    """Return how many seconds it has had the same work in hand; 0 where it has none."""
    return now_s - actor.actor_inbox.busy_since_s(now_s)


def weight_of(stuck: float, stalled_s: float) -> float:
    """Return which part of its messages one gets that has been stuck for so many seconds.

    All of them until it is slow, and then in proportion less, to WEIGHT_MIN at `stalled_s`.
    """
    slow_s = stalled_s * SLOW_SHARE
    if stuck < slow_s:
        return 1.0
    return max(WEIGHT_MIN, (stalled_s - stuck) / (stalled_s - slow_s))
