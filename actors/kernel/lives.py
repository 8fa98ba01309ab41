"""The lives of an actor: how an incarnation begins, crashes, ends in order, and is followed."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from pykka import ActorRegistry

from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    Irreparable,
    ServiceUnavailable,
    Starting,
    Trouble,
)
from actors.kernel import lifecycle
from actors.kernel.incarnation import (
    Escalation,
    Exit,
    Incarnation,
    Killed,
    describe,
    traceback_of,
)
from actors.kernel.turns import CRASHES, ServingActor

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from actors.kernel.behavior import Behavior
    from actors.kernel.envelope import Envelope
    from actors.kernel.ref import ActorRef
    from actors.kernel.stats import State

    class ExitHandler(Protocol):
        """What a supervisor is to the actors below it."""

        def exited(self, actor: Any, exit_: Exit) -> None: ...

        def restart_requested(self, actor: Any) -> None: ...


class LivingActor(ServingActor):
    """The half of AsyncioActor that outlives its incarnations."""

    ref: ActorRef
    state: State
    supervisor: ExitHandler | None
    _factory: Callable[[], Behavior]
    _shutdown_s: float | None
    _number: int
    _up_count: int
    _suspended: bool
    _ended: asyncio.Future[None] | None
    _last_error: str | None
    _watchers: list[Callable[[ActorRef], None]] | None

    @property
    def ever_up(self) -> bool:
        """Whether an incarnation has been up."""
        return self._up_count > 0

    def begin(self, limit_s: float | None = None) -> asyncio.Future[Exit | None]:
        """Start the next incarnation; the future's value is None, or the exit of a failed start.

        A constructor or an `on_start` that raises, or makes no progress for `limit_s`, has failed.
        """
        begun: asyncio.Future[Exit | None] = self.context.loop.create_future()
        self._number += 1
        self._incarnation = incarnation = Incarnation(self._number, begun)
        self.state = "starting" if self._up_count == 0 else "restarting"
        try:
            incarnation.behavior = behavior = self._factory()
            incarnation.receive = behavior.on_receive
            behavior.actor_ref = self.ref
            behavior.incarnation = self._number
            starting = behavior.on_start()
        except CRASHES as error:
            self.crash(error)
            return begun
        if starting is None:
            self._up(incarnation)
        else:
            # A task of its own, not a wrapper's: a kill may come before the task's first step.
            task = self._own(asyncio.ensure_future(starting, loop=self.context.loop))
            incarnation.starting = task
            task.add_done_callback(partial(self._started, incarnation))
            if limit_s is not None:
                # Not asyncio.timeout: a start that swallows its cancellation is late all the same.
                self._watch_start(incarnation, limit_s)
        return begun

    def _started(self, incarnation: Incarnation, task: asyncio.Future[None]) -> None:
        error = _error_of(task)
        if self._incarnation is not incarnation:
            return
        if error is None:
            self._up(incarnation)
        else:
            self.crash(error)

    def _watch_start(self, incarnation: Incarnation, limit_s: float) -> None:
        """Look every `limit_s` whether the start has got further; one that has not is a crash."""
        # A limit on the whole would never let a file open that takes longer, however often.
        task, behavior = incarnation.starting, incarnation.behavior
        assert task is not None
        assert behavior is not None
        steps = behavior.start_steps

        def look() -> None:
            if self._incarnation is not incarnation or incarnation.starting is None:
                return
            if behavior.start_steps == steps:
                self.crash(TimeoutError(f"the start made no progress for {limit_s} s"))
            else:
                self._watch_start(incarnation, limit_s)

        timer = self.context.loop.call_later(limit_s, look)
        task.add_done_callback(lambda _: timer.cancel())

    def _up(self, incarnation: Incarnation) -> None:
        self._up_count += 1
        incarnation.starting = None
        if incarnation.ending:  # told to end while it started
            self._serving = incarnation.draining and not self._suspended
        else:
            self.state = "suspended" if self._suspended else _working(incarnation)
            self._serving = not self._suspended
            self.actor_inbox.reopen()
        emit = self.context.lifecycle.emit
        if self._up_count == 1:
            emit(lifecycle.Started(name=self.name, incarnation=incarnation.number))
        else:
            emit(
                lifecycle.Restarted(
                    name=self.name, incarnation=incarnation.number, restarts=self._up_count - 1
                )
            )
        if self.state == "suspended":
            emit(lifecycle.Suspended(name=self.name))
        incarnation.begun.set_result(None)
        self._turn()

    async def first_start(self) -> None:
        """Wait until the incarnation that is starting, if one is, is up or has failed."""
        incarnation = self._incarnation
        if incarnation is not None:
            await asyncio.wait([incarnation.begun])

    def crash(self, error: BaseException, *, culprit: Envelope | None = None) -> None:
        """End the incarnation at once with `error`; what it had in hand goes back, or is given up.

        Messages go back to the head of the queue where the behavior recognises redeliveries.
        """
        incarnation = self._incarnation
        if incarnation is None:
            return
        self._incarnation = None
        self._serving = self.actor_inbox.asleep = False
        self.state = "restarting"
        self._last_error = describe(error)
        killed = isinstance(error, Killed)
        untold = killed or isinstance(error, Trouble)
        self.context.lifecycle.emit(
            lifecycle.Crashed(
                name=self.name,
                incarnation=incarnation.number,
                error=self._last_error,
                killed=killed,
                traceback=None if untold else traceback_of(error),
                parks=isinstance(error, Irreparable) and not incarnation.begun.done(),
                message_type=None if culprit is None else type(culprit.message).__name__,
                trace=None if culprit is None else culprit.trace,
            )
        )
        self._give_back(incarnation, culprit)
        if incarnation.starting is not None:
            incarnation.starting.cancel()
        if incarnation.behavior is not None:
            self._run_last_hook(incarnation.behavior.on_failure, error)
        self._report(
            incarnation,
            Exit(
                reason="killed" if killed else "crash",
                error=error,
                charged=isinstance(error, Escalation) or not (killed or culprit is not None),
            ),
        )

    def fail(self, number: int, error: BaseException) -> None:
        """Crash the incarnation of this number with `error`, unless it is over."""
        if self._incarnation is not None and self._incarnation.number == number:
            self.crash(error)

    def degrade(self, number: int, error: str | None) -> None:
        """Note that the incarnation of this number can only read, and why; or (None) write again.

        It goes on serving: what it cannot do it refuses itself.
        """
        incarnation = self._incarnation
        if incarnation is None or incarnation.number != number:
            return
        known, incarnation.degraded = incarnation.degraded, error
        if self.state in {"running", "degraded"}:
            self.state = _working(incarnation)
        if error is not None:
            self._last_error = error
            if known is None:
                self.context.lifecycle.emit(lifecycle.Degraded(name=self.name, error=error))
        elif known is not None:
            self.context.lifecycle.emit(lifecycle.Recovered(name=self.name))

    def _give_back(self, incarnation: Incarnation, culprit: Envelope | None) -> None:
        redelivers = incarnation.behavior is not None and incarnation.behavior.redelivers
        for lane in self.actor_inbox.lanes:
            if lane.work is not None:
                lane.work.cancel()
                lane.work = None
            if redelivers:
                for envelope in lane.in_flight:
                    envelope.started = True
                self.actor_inbox.put_back(lane)
                continue
            while lane.in_flight:  # one by one: the accounts hold at each event
                envelope, lane.in_flight = lane.in_flight[0], lane.in_flight[1:]
                envelope.attempt += 1
                self.actor_inbox.dead_letter(
                    envelope,
                    ActorCrashed(f"{self.name} crashed with this message: {self._last_error}"),
                )
        if redelivers and culprit is not None:
            culprit.attempt += 1
            culprit.error = self._last_error

    def _report(self, incarnation: Incarnation, exit_: Exit) -> None:
        if not incarnation.begun.done():
            incarnation.begun.set_result(exit_)
        elif incarnation.ending:
            self._check_quiet()
        elif self.supervisor is not None:
            self.supervisor.exited(self, exit_)
        else:
            self.terminate()

    async def end(self, *, drain: bool = False) -> None:
        """End the incarnation in order: what it has in hand, then `on_stop`; else a kill.

        With `drain` nothing new is accepted and everything queued is handled first. Where the end
        is under way already, waits for it.
        """
        if drain:
            self.actor_inbox.closed = self._stopped
        number = self._number
        while self._ended is not None:
            await asyncio.wait([self._ended])
        incarnation = self._incarnation
        if incarnation is None or incarnation.number != number:
            return
        incarnation.ending = True
        incarnation.draining = drain
        self.state = "stopping"
        self._serving = self._serving and drain
        self._ended = ended = self.context.loop.create_future()
        try:
            async with asyncio.timeout(self._shutdown_s):
                if incarnation.starting is not None:
                    await asyncio.wait([incarnation.starting])
                self._quiet = self.context.loop.create_future()
                self._check_quiet()
                await self._quiet
                if self._incarnation is incarnation:
                    await self._stop_behavior(incarnation)
        except TimeoutError:
            self.crash(Killed(f"did not stop within {self._shutdown_s} s"))
        finally:
            self._quiet = self._ended = None
            ended.set_result(None)

    async def _stop_behavior(self, incarnation: Incarnation) -> None:
        self._serving = self.actor_inbox.asleep = False
        self._incarnation = None
        if incarnation.behavior is not None:
            last = self._run_last_hook(incarnation.behavior.on_stop)
            if last is not None:
                try:
                    await asyncio.wait([last])
                except asyncio.CancelledError:
                    last.cancel()  # and no waiting for it: it may swallow that
                    raise

    def terminate(self) -> None:
        """End the actor for good: no incarnation, no messages, no task is left."""
        if self.actor_stopped.is_set():
            return
        incarnation = self._incarnation
        if incarnation is not None:
            incarnation.ending = True
            self.crash(Killed("the actor was terminated"))
        self.state = "stopped"
        self.actor_stopped.set()
        ActorRegistry.unregister(self.ref)
        count = self.actor_inbox.close(self._stopped, dead_letter=True)
        self.context.lifecycle.emit(lifecycle.Stopped(name=self.name, dead_lettered=count))
        watchers, self._watchers = self._watchers or [], None
        for watcher in watchers:
            self._tell_watcher(watcher)

    def stay_down(self) -> None:
        """Refuse every message until the next `begin`: it ended in order and is not restarted."""

        def down() -> ActorError:
            return ActorStopped(f"{self.name} has ended, and stays down until it is restarted")

        self.state = "stopped"
        count = self.actor_inbox.close(down, dead_letter=True)
        self.context.lifecycle.emit(lifecycle.Stopped(name=self.name, dead_lettered=count))

    def park(self, error: str, retry_s: float) -> None:
        """Refuse every message until the next `begin`: the restart budget is spent."""
        self.state = "parked"
        self._last_error = error

        def parked() -> ActorError:
            return ServiceUnavailable(
                f"{self.name} is parked after repeated crashes ({error}); it is tried again "
                f"every {retry_s} s, or by POST /admin/actors/{self.name}/restart",
                retry_after_s=retry_s,
            )

        self.actor_inbox.close(parked, dead_letter=False)
        self.context.lifecycle.emit(lifecycle.Parked(name=self.name, error=error, retry_s=retry_s))

    def refuse_until_up(self, retry_after_s: float) -> None:
        """Refuse messages until the actor is up, unless its mailbox is closed for another reason.

        Those that an incarnation has had in hand wait: they may have been applied.
        """
        if self.actor_inbox.closed is not None:
            return

        def starting() -> ActorError:
            why = "is starting"
            if self._last_error is not None:
                why = f"is not up ({self._last_error}), and is started again"
            return Starting(
                f"{self.name} {why}; /readyz says when it is up", retry_after_s=retry_after_s
            )

        self.actor_inbox.refuse(starting)

    async def settled(self) -> None:
        """Wait until no task of this actor is left, those of ended incarnations included.

        One that swallows its cancellation is given `shutdown_s`, then reported and left behind.
        """
        end_s = (
            None if self._shutdown_s is None else self.context.clock.monotonic() + self._shutdown_s
        )
        while self._tasks:
            left_s = None if end_s is None else end_s - self.context.clock.monotonic()
            if left_s is not None and left_s <= 0:
                error = TimeoutError(f"{len(self._tasks)} tasks swallowed their cancellation")
                self._hook_failed("cancel", error)
                return
            await asyncio.wait(self._tasks, timeout=left_s)

    # --- Inside ------------------------------------------------------------------------------

    def _stopped(self) -> ActorError:
        return ActorStopped(f"{self.name} has stopped and handles no more messages")

    def _check_quiet(self) -> None:
        quiet = self._quiet
        if quiet is None or quiet.done():
            return
        mailbox = self.actor_inbox
        idle = not any(lane.in_flight for lane in mailbox.lanes)
        if self._incarnation is None or (idle and (not self._serving or mailbox.empty())):
            quiet.set_result(None)

    def _run_last_hook(self, hook: Callable[..., Any], *args: Any) -> asyncio.Future[None] | None:
        """Run a hook whose failure can change nothing any more, but must be seen."""
        try:
            last = hook(*args)
        except CRASHES as error:
            self._hook_failed(hook.__name__, error)
            return None
        if last is None:
            return None

        def done(task: asyncio.Future[None]) -> None:
            if (error := _error_of(task)) is not None:
                self._hook_failed(hook.__name__, error)

        task = self._own(asyncio.ensure_future(last, loop=self.context.loop))
        task.add_done_callback(done)
        return task

    def _tell_watcher(self, watcher: Callable[[ActorRef], None]) -> None:
        try:
            watcher(self.ref)
        except CRASHES as error:
            self._hook_failed("watch", error)

    def _hook_failed(self, hook: str, error: BaseException) -> None:
        self.context.lifecycle.emit(
            lifecycle.HookFailed(name=self.name, hook=hook, error=describe(error))
        )


def _working(incarnation: Incarnation) -> State:
    return "running" if incarnation.degraded is None else "degraded"


def _error_of(task: asyncio.Future[Any]) -> BaseException | None:
    """Return what the task raised; a cancellation is like any other error here."""
    return asyncio.CancelledError() if task.cancelled() else task.exception()
