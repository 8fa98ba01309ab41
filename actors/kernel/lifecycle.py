"""What happens to actors, as data. Logs, counters and tests subscribe; nobody parses text.

The events' names are short and some stand in `actors.errors` too: import the module, not the names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


class LifecycleEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to the actor `name`."""

    name: str


class Started(LifecycleEvent, frozen=True, kw_only=True):
    """An incarnation is up; the first has the number 1."""

    incarnation: int


class Crashed(LifecycleEvent, frozen=True, kw_only=True):
    """An incarnation ended. `message_type` and `trace` name the culprit, where there is one.

    `at` is the line of its author's code that failed. With `again` the culprit failed so before.
    Of those that were `killed` some were so because somebody `wished` it.
    With `parks` it could not start, and will not: it is parked, and `Parked` says why.
    """

    incarnation: int
    at: str | None = None
    error: str
    killed: bool
    again: bool = False
    wished: bool = False
    traceback: str | None = None
    message_type: str | None = None
    trace: str | None = None
    parks: bool = False


class Restarted(LifecycleEvent, frozen=True, kw_only=True):
    """A new incarnation took over the mailbox; `restarts` counts them all."""

    incarnation: int
    restarts: int


class Parked(LifecycleEvent, frozen=True, kw_only=True):
    """The restart budget is spent; tried again after `retry_s` seconds, or by an operator."""

    error: str
    retry_s: float


class Degraded(LifecycleEvent, frozen=True, kw_only=True):
    """It can only read, and says why; it looks again and again whether it can write."""

    error: str


class Recovered(LifecycleEvent, frozen=True, kw_only=True):
    """It can write again."""


class Suspended(LifecycleEvent, frozen=True, kw_only=True):
    """It accepts messages and handles none."""


class Resumed(LifecycleEvent, frozen=True, kw_only=True):
    """It handles messages again."""


class Stopped(LifecycleEvent, frozen=True, kw_only=True):
    """It is gone for good, or down until an operator restarts it.

    `dead_lettered` is how many of its queue became dead letters.
    """

    dead_lettered: int


class DeadLettered(LifecycleEvent, frozen=True, kw_only=True):
    """A message will not be handled."""

    message_type: str
    reason: str
    attempts: int
    trace: str | None = None
    letter_id: str | None = None


class HookFailed(LifecycleEvent, frozen=True, kw_only=True):
    """A hook that runs after the end (`on_failure`, `on_stop`) raised; the end stands."""

    hook: str
    error: str


class Lifecycle:
    """Tells every subscriber of every event, in order, on the loop's thread."""

    def __init__(self) -> None:
        """Start without subscribers."""
        self._subscribers: list[Callable[[LifecycleEvent], None]] = []

    def subscribe(self, subscriber: Callable[[LifecycleEvent], None]) -> None:
        """Call `subscriber` with each event from now on. It must not raise or block."""
        self._subscribers.append(subscriber)

    def emit(self, event: LifecycleEvent) -> None:
        """Tell the subscribers."""
        for subscriber in self._subscribers:
            subscriber(event)
