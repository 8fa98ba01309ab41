"""A pykka actor on the event loop: a mailbox, a ref, and one incarnation after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.kernel import lifecycle
from actors.kernel.future import AsyncioFuture
from actors.kernel.incarnation import Exit, Incarnation, Killed
from actors.kernel.lives import LivingActor
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import ActorRef
from actors.kernel.stats import ActorStats

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    import pykka

    from actors.config import MailboxConfig
    from actors.kernel.behavior import Behavior
    from actors.kernel.context import KernelContext
    from actors.kernel.lives import ExitHandler
    from actors.kernel.stats import State


class _StoppedFlag:
    """pykka's `actor_stopped` without a lock and a condition: 40 bytes instead of 1,100."""

    __slots__ = ("_set",)

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set


class AsyncioActor(LivingActor):
    """Owns a mailbox and a ref for good, and one incarnation of its behavior at a time.

    Made by `AsyncioActor.start(factory, context=..., ...)` or by a supervisor. Everything but the
    ref belongs to the event loop's thread.
    """

    def __init__(  # noqa: PLR0913 - the one place where all of an actor's parts meet
        self,
        factory: Callable[[], Behavior],
        *,
        context: KernelContext,
        mailbox: MailboxConfig,
        name: str,
        kind: str = "actor",
        parent: str | None = None,
        supervisor: ExitHandler | None = None,
        lanes: int = 1,
        lane_of: Callable[[Any], int] | None = None,
        batch_messages_max: int = 1,
        shutdown_s: float | None = None,
    ) -> None:
        """`factory` makes a behavior for every incarnation; `lane_of` sorts messages into lanes.

        With `batch_messages_max` above 1 the behavior's `on_batch` is called, else `on_receive`.
        An incarnation that takes longer than `shutdown_s` to end in order is killed.
        """
        # pykka's own __init__ would draw a urn from os.urandom and make a threading.Event.
        self.context = context
        self.name = name
        self.kind = kind
        self.parent = parent
        self.supervisor = supervisor
        self.state: State = "starting"
        self.actor_urn = f"urn:dress-rehearsal:{name}"
        self.actor_inbox = Mailbox(
            name, context, mailbox, lanes=lanes, lane_of=lane_of, turn=self._turn
        )
        self.actor_stopped = _StoppedFlag()  # type: ignore[assignment]
        self._actor_ref = self.ref = ActorRef(self)
        self._factory = factory
        self._shutdown_s = shutdown_s
        self._batch_max = batch_messages_max
        self._turn_max = mailbox.turn_messages_max
        self._incarnation: Incarnation | None = None
        self._number = 0
        self._up_count = 0
        self._serving = False
        self._suspended = False
        # Ends a suspension that was to last for a time.
        self._resumption: asyncio.TimerHandle | None = None
        # While an incarnation is ended in order: when it has nothing in hand, and when it is over.
        self._quiet: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._last_error: str | None = None
        self._tasks: set[asyncio.Future[Any]] | None = None
        self._watchers: list[Callable[[ActorRef], None]] | None = None

    @staticmethod
    def _create_actor_inbox() -> Any:
        error = "the mailbox is made by __init__, which knows its capacity"
        raise TypeError(error)

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return AsyncioFuture()

    def _start_actor_loop(self) -> None:
        """Begin the first incarnation of an actor that no supervisor looks after."""

        def begun(future: asyncio.Future[Exit | None]) -> None:
            if future.result() is not None:
                self.terminate()

        self.begin().add_done_callback(begun)

    # --- Signals, watchers, snapshots --------------------------------------------------------

    def _handle_signals(self) -> None:
        signals, self.actor_inbox.signals = self.actor_inbox.signals, None
        for signal, argument in signals or ():
            match signal:
                case "kill":
                    self._kill(argument)
                case "restart":
                    self._restart()
                case "suspend":
                    self._suspend(argument)
                case "resume":
                    self._resume()
                case "stop":
                    self._serving = False
                    self._own(self.context.loop.create_task(self._stop_in_order(argument)))

    def _kill(self, reason: str) -> None:
        if any(lane.work is not None and lane.work.done() for lane in self.actor_inbox.lanes):
            # Its callback is due: what it did, or crashed with, counts before the kill does.
            self.actor_inbox.signal("kill", reason)
        else:
            self.crash(Killed(reason))

    def _restart(self) -> None:
        if self._incarnation is not None:
            self._serving = False
            self._own(self.context.loop.create_task(self._restart_in_order(self._incarnation)))
        elif self.supervisor is not None:  # parked, or waiting for its backoff
            self.supervisor.restart_requested(self)

    async def _restart_in_order(self, incarnation: Incarnation) -> None:
        if self._incarnation is not incarnation or incarnation.ending:  # killed, or asked twice
            return
        await self.end()
        if self._overtaken(incarnation):
            return
        self.state = "restarting"
        if self.supervisor is not None:
            self.supervisor.exited(self, Exit(reason="restart"))
        else:
            self._start_actor_loop()

    def _suspend(self, for_s: float | None) -> None:
        """Serve nothing until it is resumed, or for so many seconds; the last word counts."""
        self._suspended = True
        self._forget_resumption()
        if for_s is not None:
            self._resumption = self.context.loop.call_later(
                for_s, self.actor_inbox.signal, "resume", context=self.context.ambient
            )
        if self.state in {"running", "degraded"}:
            self.state = "suspended"
            self._serving = self.actor_inbox.asleep = False
            self.context.lifecycle.emit(lifecycle.Suspended(name=self.name))

    def _resume(self) -> None:
        self._suspended = False
        self._forget_resumption()
        if self.state == "suspended":
            degraded = self._incarnation is not None and self._incarnation.degraded is not None
            self.state = "degraded" if degraded else "running"
            self._serving = True
            self.context.lifecycle.emit(lifecycle.Resumed(name=self.name))

    def _forget_resumption(self) -> None:
        if self._resumption is not None:
            self._resumption.cancel()
            self._resumption = None

    def terminate(self) -> None:
        """End the actor for good, and the suspension that it may be in."""
        self._forget_resumption()
        super().terminate()

    async def _stop_in_order(self, future: AsyncioFuture[bool]) -> None:
        alive = not self.actor_stopped.is_set()
        incarnation = self._incarnation
        await self.end()
        if self.supervisor is None:
            while self._incarnation is not None:  # a restart was asked for first: stop wins
                await self.end()
            self.terminate()
        elif incarnation is not None and not self._overtaken(incarnation):
            self.state = "restarting"
            self.supervisor.exited(self, Exit(reason="normal"))
        future.settle(alive)

    def _overtaken(self, incarnation: Incarnation) -> bool:
        """Whether somebody else has begun the next incarnation, or ended the actor."""
        return self._number != incarnation.number or self.actor_stopped.is_set()

    def add_watcher(self, watcher: Callable[[ActorRef], None]) -> None:
        """Call `watcher` when the actor is gone for good, at once if it is already."""
        if self.actor_stopped.is_set():
            self._tell_watcher(watcher)
            return
        if self._watchers is None:
            self._watchers = []
        self._watchers.append(watcher)

    def stats(self) -> ActorStats:
        """Return a frozen snapshot."""
        mailbox = self.actor_inbox
        resumes_in_s = None
        if self._resumption is not None:
            resumes_in_s = max(0.0, round(self._resumption.when() - self.context.loop.time(), 3))
        return ActorStats(
            name=self.name,
            kind=self.kind,
            parent=self.parent,
            state=self.state,
            mailbox_depth=mailbox.depth,
            mailbox_capacity=mailbox.capacity,
            incarnation=self._number,
            restarts=max(0, self._up_count - 1),
            last_error=self._last_error,
            accepted=mailbox.accepted,
            handled=mailbox.handled,
            refused=mailbox.refused,
            dead_lettered=mailbox.dead_lettered,
            rejected=mailbox.rejected,
            resumes_in_s=resumes_in_s,
        )
