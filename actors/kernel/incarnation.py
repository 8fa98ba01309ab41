"""One life of a behavior inside its actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from actors.kernel.behavior import Behavior
    from actors.kernel.exit import Exit
    from actors.kernel.ref import ActorRef

# Who comes later than this to look at a start stood still himself, with the whole process: what
# the start has done meanwhile is only heard of afterwards.
LOOK_LATE_S_MAX: Final = 1.0


class Incarnation:
    """The behavior in charge, until it is ended or replaced."""

    __slots__ = ("begun", "behavior", "degraded", "number", "receive", "starting")

    def __init__(self, number: int, begun: asyncio.Future[Exit | None]) -> None:
        """`begun` ends when the start has succeeded (None) or failed (the exit)."""
        self.number = number
        self.begun = begun
        self.behavior: Behavior | None = None
        # The behavior's on_receive, bound once: it is called once a message.
        self.receive: Callable[[Any], Any]
        self.starting: asyncio.Future[None] | None = None
        # Why it can only read, while that is so.
        self.degraded: str | None = None

    @property
    def hosted(self) -> Behavior:
        """The behavior of an incarnation that has one: of every one that is up."""
        assert self.behavior is not None, "an incarnation that is up has a behavior"
        return self.behavior

    def start(self, factory: Callable[[], Behavior], ref: ActorRef) -> Awaitable[None] | None:
        """Make the behavior; returns what is left of its start. Raises what the author's do."""
        self.behavior = behavior = factory()
        self.receive = behavior.on_receive
        behavior.actor_ref = ref
        behavior.incarnation = self.number
        return behavior.on_start()

    def watch_start(
        self, loop: asyncio.AbstractEventLoop, limit_s: float, late: Callable[[TimeoutError], None]
    ) -> None:
        """Look every `limit_s` whether the start has got further; call `late` if it has not."""
        # A limit on the whole would never let a file open that takes longer, however often.
        task, steps = self.starting, self.hosted.start_steps
        assert task is not None, "only a start that is under way can be late"

        def look() -> None:
            if self.starting is None:
                return
            stood_still = loop.time() > due_s + LOOK_LATE_S_MAX
            if self.hosted.start_steps == steps and not stood_still:
                late(TimeoutError(f"the start made no progress for {limit_s} s"))
            else:
                self.watch_start(loop, limit_s, late)

        due_s = loop.time() + limit_s
        timer = loop.call_at(due_s, look)
        task.add_done_callback(lambda _: timer.cancel())
