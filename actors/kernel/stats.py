"""What can be seen of an actor from outside: frozen snapshots."""

from __future__ import annotations

from typing import Literal

import msgspec

ActorState = Literal[
    "starting", "running", "degraded", "suspended", "restarting", "parked", "stopping", "stopped"
]


class ActorStats(msgspec.Struct, frozen=True, kw_only=True):
    """One actor at one moment.

    accepted = handled + refused + dead_lettered + handed_over + mailbox_depth.
    `mailbox_depth` counts the messages in hand too; `rejected` ones were never accepted;
    `handed_over` are those that siblings were given instead.
    `resumes_in_s` is how long a suspension that ends by itself still lasts, in seconds.
    `expired` is what was not run for its time was up, by where that was noticed: see PLACES.
    `incarnation` counts from 1, `restarts` the incarnations after the first that came up.
    """

    name: str
    kind: str
    parent: str | None
    state: ActorState
    mailbox_depth: int
    mailbox_capacity: int
    incarnation: int
    restarts: int
    last_error: str | None
    accepted: int
    handled: int
    refused: int
    dead_lettered: int
    rejected: int
    expired: dict[str, int]
    resumes_in_s: float | None = None
    handed_over: int = 0
