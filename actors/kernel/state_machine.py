"""An actor's lifecycle as one table: its phases, and what leads from each to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from actors.errors import DressRehearsalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.kernel.incarnation import Incarnation
    from actors.kernel.stats import ActorState

Trigger = Literal[
    "begin",
    "up", "up_suspended",
    "suspend", "resume", "degrade", "recover",
    "stop", "drain",  # it is told to end in order; with `drain` the queue is handled first
    "close",  # it has nothing in hand any more, and its on_stop runs
    "crash",  # it ended at once: by an error, a kill or a time limit
    "report",  # its end is told to whoever decides what follows
    "park", "stay_down", "terminate",
]  # fmt: skip


class IllegalTransition(DressRehearsalError):
    """A bug of the kernel's: something happened to an actor that cannot happen in its phase."""


@dataclass(frozen=True, eq=False, slots=True)
class Phase:
    """Where an actor stands; `state` is what is shown of it."""

    name: str
    state: ActorState
    # An incarnation is there: it can crash, be killed and be told to end.
    lives: bool = False
    # Its start is under way.
    starts: bool = False
    # It takes messages.
    serves: bool = False
    # It is being ended in order, and somebody waits for that: a crash is then no news to anyone.
    ends: bool = False


MADE: Final = Phase("made", "starting")
STARTING: Final = Phase("starting", "starting", lives=True, starts=True)
RUNNING: Final = Phase("running", "running", lives=True, serves=True)
DEGRADED: Final = Phase("degraded", "degraded", lives=True, serves=True)
SUSPENDED: Final = Phase("suspended", "suspended", lives=True)
STARTING_TO_STOP: Final = Phase("starting to stop", "stopping", lives=True, starts=True, ends=True)
STARTING_TO_DRAIN: Final = Phase(
    "starting to drain", "stopping", lives=True, starts=True, ends=True
)
DRAINING: Final = Phase("draining", "stopping", lives=True, serves=True, ends=True)
STOPPING: Final = Phase("stopping", "stopping", lives=True, ends=True)
ENDED: Final = Phase("ended", "stopping")  # in order; who asked for that decides what follows
DOWN: Final = Phase("down", "restarting")  # and its supervisor decides
PARKED: Final = Phase("parked", "parked")
DORMANT: Final = Phase("dormant", "stopped")  # ended in order, and not restarted but by hand
GONE: Final = Phase("gone", "stopped")

_WHAT_FOLLOWS: Final[Mapping[Trigger, Phase]] = {
    "begin": STARTING, "park": PARKED, "stay_down": DORMANT, "terminate": GONE,
}  # fmt: skip

# What is not here cannot happen. A suspension is the operator's wish and outlives incarnations;
# what it wants is done in the phases that have a row for it.
TRANSITIONS: Final[Mapping[Phase, Mapping[Trigger, Phase]]] = {
    MADE: _WHAT_FOLLOWS,
    STARTING: {
        "up": RUNNING, "up_suspended": SUSPENDED,
        "stop": STARTING_TO_STOP, "drain": STARTING_TO_DRAIN, "crash": DOWN,
    },
    RUNNING: {
        "suspend": SUSPENDED, "degrade": DEGRADED,
        "stop": STOPPING, "drain": DRAINING, "crash": DOWN,
    },
    DEGRADED: {
        "suspend": SUSPENDED, "recover": RUNNING,
        "stop": STOPPING, "drain": DRAINING, "crash": DOWN,
    },
    SUSPENDED: {"resume": RUNNING, "stop": STOPPING, "drain": STOPPING, "crash": DOWN},
    STARTING_TO_STOP: {
        "up": STOPPING, "up_suspended": STOPPING,
        "stop": STARTING_TO_STOP, "drain": STARTING_TO_DRAIN, "crash": DOWN,
    },
    STARTING_TO_DRAIN: {
        "up": DRAINING, "up_suspended": STOPPING,
        "stop": STARTING_TO_DRAIN, "drain": STARTING_TO_DRAIN, "crash": DOWN,
    },
    DRAINING: {"stop": STOPPING, "drain": DRAINING, "close": ENDED, "crash": DOWN},
    STOPPING: {"stop": STOPPING, "drain": STOPPING, "close": ENDED, "crash": DOWN},
    ENDED: {"report": DOWN, **_WHAT_FOLLOWS},
    DOWN: {"report": DOWN, **_WHAT_FOLLOWS},
    PARKED: _WHAT_FOLLOWS,
    DORMANT: _WHAT_FOLLOWS,
    GONE: {},
}  # fmt: skip


class StateMachine:
    """Where one actor stands in the table, and what it counts and remembers over its lives."""

    __slots__ = ("incarnation", "number", "phase", "suspended", "ups")

    def __init__(self) -> None:
        """Nothing has begun yet."""
        self.phase = MADE
        # The one in charge: there is one in every phase that lives.
        self.incarnation: Incarnation | None = None
        # Incarnations begun, and how many of them came up.
        self.number = 0
        self.ups = 0
        # The operator's wish, whatever the phase.
        self.suspended = False

    @property
    def state(self) -> ActorState:
        """What is shown of the phase."""
        return "restarting" if self.ups and self.phase is STARTING else self.phase.state

    def is_set(self) -> bool:
        """Whether the actor is gone for good: all that pykka asks of its `actor_stopped`."""
        return self.phase is GONE

    def move(self, trigger: Trigger) -> None:
        """Go where the table says. Raises IllegalTransition where it says nothing."""
        try:
            self.phase = phase = TRANSITIONS[self.phase][trigger]
        except KeyError:
            message = f"{trigger!r} cannot happen to an actor that is {self.phase.name}"
            raise IllegalTransition(message) from None
        if not phase.lives:
            self.incarnation = None

    def try_move(self, trigger: Trigger) -> bool:
        """Go where the table says, if anywhere; returns whether it says so."""
        if trigger not in TRANSITIONS[self.phase]:
            return False
        self.move(trigger)
        return True
