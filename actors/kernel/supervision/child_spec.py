"""Children as data: what a supervisor is told about each actor below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.behavior import Behavior

Restart = Literal["permanent", "transient", "temporary"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One child (https://www.erlang.org/doc/apps/stdlib/supervisor.html, "Child specification").

    | restart   | after a normal end | after a crash or a kill |
    | --------- | ------------------ | ----------------------- |
    | permanent | restarted          | restarted               |
    | transient | stays down         | restarted               |
    | temporary | gone               | gone                    |

    `factory` makes the behavior of each incarnation. `service` is the name it answers for. `lanes`,
    `lane_of` and `batch_messages_max` are the actor's, see AsyncioActor. `shutdown_s`, in seconds,
    overrides the supervisor's.
    """

    name: str
    factory: Callable[[], Behavior]
    restart: Restart = "permanent"
    kind: str = "actor"
    service: str | None = None
    shutdown_s: float | None = None
    lanes: int = 1
    lane_of: Callable[[Any], int] | None = None
    batch_messages_max: int = 0


class SupervisorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor and all below it; itself a child of another, unless it is the root.

    | strategy     | who else is restarted when a child is             |
    | ------------ | ------------------------------------------------- |
    | one_for_one  | nobody                                            |
    | one_for_all  | every other child                                 |
    | rest_for_one | the children that were started after it           |

    `intensity` restarts within `period_s` seconds are allowed; one more and the supervisor gives
    up: it escalates to its own supervisor or, at the root, parks the child. None: as configured.
    """

    name: str
    children: tuple[ChildSpec | SupervisorSpec, ...]
    strategy: Strategy = "one_for_one"
    restart: Restart = "permanent"
    intensity: int | None = None
    period_s: float | None = None
