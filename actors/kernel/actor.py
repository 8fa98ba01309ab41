"""A pykka actor on the event loop: a mailbox, a ref, and one incarnation after another."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pykka

from actors.errors import (
    ActorError,
    ActorStopped,
    Irreparable,
    ServiceUnavailable,
    Starting,
    Trouble,
    line_at,
)
from actors.kernel import lifecycle
from actors.kernel.exit import CRASHES, Escalation, Exit, Killed, Overrun, describe, traceback_of
from actors.kernel.future import AsyncioFuture
from actors.kernel.incarnation import Incarnation
from actors.kernel.lane_server import LaneServer
from actors.kernel.mailbox import Mailbox
from actors.kernel.messages import type_name, type_of
from actors.kernel.owned_tasks import OwnedTasks, error_of
from actors.kernel.ref import ActorRef
from actors.kernel.state_machine import SUSPENDED, StateMachine
from actors.kernel.stats import ActorStats
from actors.measures.lane_measures import LaneMeasures

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from actors.config import MailboxConfig
    from actors.kernel.behavior import Behavior
    from actors.kernel.context import KernelContext
    from actors.kernel.envelope import Envelope
    from actors.kernel.exit import ExitHandler
    from actors.kernel.mailbox import Lettered, Signal
    from actors.kernel.stats import ActorState


class AsyncioActor(pykka.Actor):
    """Owns a mailbox and a ref for good, and one incarnation of its behavior at a time.

    Made by `AsyncioActor.start(factory, context=..., ...)` or by a supervisor. Everything but the
    ref belongs to the event loop's thread. `machine` says where it stands, `server` serves.
    """

    # pykka's class has a dict all the same; this one does not fill it: 90 bytes an actor less.
    __slots__ = (
        "_actor_ref", "_ended", "_factory", "_last_error", "_resumption", "_shutdown_s",
        "actor_inbox", "actor_stopped", "actor_urn", "context", "kind", "machine",
        "name", "parent", "ref", "server", "supervisor", "tasks",
    )  # fmt: skip

    actor_inbox: Mailbox  # type: ignore[assignment]  # takes our envelopes only

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
        batch_messages_max: int = 0,
        shutdown_s: float | None = None,
    ) -> None:
        """`factory` makes a behavior for every incarnation; `lane_of` sorts messages into lanes.

        With `batch_messages_max` above 0 the behavior's `on_batch` is called, else `on_receive`.
        An incarnation that takes longer than `shutdown_s` to end in order is killed.
        """
        # pykka's own __init__ would draw a urn from os.urandom and make a threading.Event.
        self.context = context
        self.name = name
        self.kind = kind
        self.parent = parent
        self.supervisor = supervisor
        self.actor_urn = f"urn:dress-rehearsal:{name}"
        self.machine = self.actor_stopped = StateMachine()  # type: ignore[assignment]
        self.tasks = OwnedTasks(name, context)
        self.server = LaneServer(
            self, batch_max=batch_messages_max, turn_max=mailbox.turn_messages_max
        )
        self.server.mailbox = self.actor_inbox = Mailbox(
            name, context, mailbox, lanes=lanes, lane_of=lane_of, turn=self.server.turn
        )
        if batch_messages_max:
            for lane in self.actor_inbox.lanes:
                lane.measures = LaneMeasures()
        self._actor_ref = self.ref = ActorRef(self)
        self._factory = factory
        self._shutdown_s = shutdown_s
        # Ends a suspension that was to last for a time.
        self._resumption: asyncio.TimerHandle | None = None
        # While an incarnation is ended in order: ends when that is over.
        self._ended: asyncio.Future[None] | None = None
        self._last_error: str | None = None

    @staticmethod
    def _create_actor_inbox() -> Any:
        error = "the mailbox is made by __init__, which knows its capacity"
        raise TypeError(error)

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return AsyncioFuture()

    def _start_actor_loop(self) -> None:
        """Begin an incarnation of an actor that no supervisor looks after."""
        self.begin()

    # --- What can be seen --------------------------------------------------------------------

    @property
    def state(self) -> ActorState:
        """What is shown of where it stands."""
        return self.machine.state

    @property
    def last_error(self) -> str | None:
        """What an incarnation of it last ended by, or is degraded by."""
        return self._last_error

    def stats(self) -> ActorStats:
        """Return a frozen snapshot."""
        mailbox, machine = self.actor_inbox, self.machine
        resumes_in_s = None
        if self._resumption is not None:
            resumes_in_s = max(0.0, round(self._resumption.when() - self.context.loop.time(), 3))
        return ActorStats(
            name=self.name,
            kind=self.kind,
            parent=self.parent,
            state=machine.state,
            mailbox_depth=mailbox.depth,
            mailbox_capacity=mailbox.capacity,
            incarnation=machine.number,
            restarts=max(0, machine.ups - 1),
            last_error=self._last_error,
            accepted=mailbox.accepted,
            handled=mailbox.handled,
            refused=mailbox.refused,
            dead_lettered=mailbox.dead_lettered,
            rejected=mailbox.rejected,
            expired=dict(mailbox.expired),
            resumes_in_s=resumes_in_s,
            handed_over=mailbox.handed_over,
        )

    # --- Signals -----------------------------------------------------------------------------

    def on_signal(self, signal: Signal, argument: Any) -> None:
        """Do what an operator, or a ref, has signalled."""
        match signal:
            case "kill" if self.server.news():
                # What it did, or crashed with, counts before the kill does.
                self.actor_inbox.signal("kill", argument)
            case "kill":
                self.crash(Killed(argument))
            case "restart":
                self._restart()
            case "suspend":
                self._suspend(argument)
            case "resume":
                self._resume()
            case "stop":
                incarnation = self.machine.incarnation
                self.machine.try_move("stop")
                self._run(self._stop_in_order(incarnation, argument))

    def _restart(self) -> None:
        machine, incarnation = self.machine, self.machine.incarnation
        if incarnation is not None:
            asked = machine.phase.ends
            machine.move("stop")
            if not asked:
                self._run(self._restart_in_order(incarnation))
        elif self.supervisor is not None:  # parked, or waiting for its backoff
            self.supervisor.restart_requested(self)

    async def _restart_in_order(self, incarnation: Incarnation) -> None:
        await self._end(incarnation)
        if self._report(incarnation):
            if self.supervisor is not None:
                self.supervisor.exited(self, Exit(reason="restart"))
            else:
                self._start_actor_loop()

    async def _stop_in_order(
        self, incarnation: Incarnation | None, stopped: AsyncioFuture[bool]
    ) -> None:
        alive = not self.machine.is_set()
        incarnation = incarnation or self.machine.incarnation  # the next may have begun
        await self._end(incarnation)
        if self.supervisor is None:
            while self.machine.incarnation is not None:  # a restart was asked for first: stop wins
                await self.end()
            self.terminate()
        elif incarnation is not None and self._report(incarnation):
            self.supervisor.exited(self, Exit(reason="normal"))
        stopped.settle(alive)

    def _report(self, incarnation: Incarnation) -> bool:
        """Wait for a decision on what follows, unless somebody has taken it; returns which."""
        machine = self.machine
        return machine.number == incarnation.number and machine.try_move("report")

    def _suspend(self, for_s: float | None) -> None:
        """Serve nothing until it is resumed, or for so many seconds; the last word counts."""
        self.machine.suspended = True
        self._forget_resumption()
        if for_s is not None:
            self._resumption = self.context.loop.call_later(
                for_s, self.actor_inbox.signal, "resume", context=self.context.ambient
            )
        if self.machine.try_move("suspend"):
            self.actor_inbox.asleep = False
            self.context.lifecycle.emit(lifecycle.Suspended(name=self.name))

    def _resume(self) -> None:
        self.machine.suspended = False
        self._forget_resumption()
        if self.machine.try_move("resume"):
            incarnation = self.machine.incarnation
            if incarnation is not None and incarnation.degraded is not None:
                self.machine.move("degrade")
            self.context.lifecycle.emit(lifecycle.Resumed(name=self.name))

    def _forget_resumption(self) -> None:
        if self._resumption is not None:
            self._resumption.cancel()
            self._resumption = None

    # --- An incarnation begins ---------------------------------------------------------------

    def begin(self, limit_s: float | None = None) -> asyncio.Future[Exit | None]:
        """Start the next incarnation; the future's value is None, or the exit of a failed start.

        A constructor or an `on_start` that raises, or makes no progress for `limit_s`, has failed.
        """
        machine, loop = self.machine, self.context.loop
        machine.move("begin")
        machine.number += 1
        begun: asyncio.Future[Exit | None] = loop.create_future()
        machine.incarnation = incarnation = Incarnation(machine.number, begun)
        try:
            starting = incarnation.start(self._factory, self.ref)
        except CRASHES as error:
            self.crash(error)
            return begun
        if starting is None:
            self._up(incarnation)
        else:
            # A task of its own, not a wrapper's: a kill may come before the task's first step.
            task = self.tasks.own(asyncio.ensure_future(starting, loop=loop))
            incarnation.starting = task
            task.add_done_callback(partial(self._started, incarnation))
            if limit_s is not None:
                # Not asyncio.timeout: a start that swallows its cancellation is late all the same.
                incarnation.watch_start(loop, limit_s, partial(self.fail, incarnation.number))
        return begun

    def _started(self, incarnation: Incarnation, task: asyncio.Future[None]) -> None:
        error = error_of(task)
        if self.machine.incarnation is not incarnation:
            return
        if error is None:
            self._up(incarnation)
        else:
            self.crash(error)

    def _up(self, incarnation: Incarnation) -> None:
        machine = self.machine
        if not machine.phase.ends:
            self.actor_inbox.closed = None
        machine.move("up_suspended" if machine.suspended else "up")
        machine.ups += 1
        if incarnation.degraded is not None:
            machine.try_move("degrade")
        emit, name, number = self.context.lifecycle.emit, self.name, incarnation.number
        if machine.ups == 1:
            emit(lifecycle.Started(name=name, incarnation=number))
        else:
            emit(lifecycle.Restarted(name=name, incarnation=number, restarts=machine.ups - 1))
        if machine.phase is SUSPENDED:
            emit(lifecycle.Suspended(name=name))
        incarnation.starting = None
        incarnation.begun.set_result(None)
        self.server.turn()

    async def first_start(self) -> None:
        """Wait until the incarnation that is starting, if one is, is up or has failed."""
        incarnation = self.machine.incarnation
        if incarnation is not None:
            await asyncio.wait([incarnation.begun])

    def degrade(self, number: int, error: str | None) -> None:
        """Note that the incarnation of this number can only read, and why; or (None) write again.

        It goes on serving: what it cannot do it refuses itself.
        """
        incarnation = self.machine.incarnation
        if incarnation is None or incarnation.number != number:
            return
        known, incarnation.degraded = incarnation.degraded, error
        if error is not None:
            self._last_error = error
            self.machine.try_move("degrade")
            if known is None:
                self.context.lifecycle.emit(lifecycle.Degraded(name=self.name, error=error))
        elif known is not None:
            self.machine.try_move("recover")
            self.context.lifecycle.emit(lifecycle.Recovered(name=self.name))

    # --- It ends -----------------------------------------------------------------------------

    def crash(self, error: BaseException, *, culprit: Envelope | None = None) -> None:
        """End the incarnation at once with `error`; what it had in hand goes back, or is given up.

        Messages go back to the head of the queue where the behavior recognises redeliveries.
        """
        incarnation, phase = self.machine.incarnation, self.machine.phase
        if incarnation is None:
            return
        self.machine.move("crash")
        self.actor_inbox.asleep = False
        self._last_error = last_error = describe(error)
        killed = isinstance(error, Killed)
        untold = killed or isinstance(error, Trouble)
        self.context.lifecycle.emit(
            lifecycle.Crashed(
                name=self.name,
                incarnation=incarnation.number,
                error=last_error,
                killed=killed,
                at=None if untold else line_at(error),
                again=culprit is not None and culprit.error == last_error,
                wished=killed and not isinstance(error, Overrun),
                traceback=None if untold else traceback_of(error),
                parks=phase.starts and isinstance(error, Irreparable),
                message_type=None if culprit is None else type_name(type_of(culprit.message)),
                trace=None if culprit is None else culprit.trace,
            )
        )
        behavior = incarnation.behavior
        redelivers = behavior is not None and behavior.redelivers
        self.server.give_back(culprit, last_error, redelivers=redelivers)
        if incarnation.starting is not None:
            incarnation.starting.cancel()
            incarnation.starting = None
        if behavior is not None:
            self.tasks.run_last_hook(behavior.on_failure, error)
        exit_ = Exit(
            reason="killed" if killed else "crash",
            error=error,
            charged=isinstance(error, Escalation) or not (killed or culprit is not None),
        )
        if phase.starts:
            incarnation.begun.set_result(exit_)  # whoever began it hears of it so
        if phase.ends:
            self.server.check_quiet()
        elif self.supervisor is None:
            self.terminate()
        elif not phase.starts:
            self.supervisor.exited(self, exit_)

    def fail(self, number: int, error: BaseException) -> None:
        """Crash the incarnation of this number with `error`, unless it is over."""
        incarnation = self.machine.incarnation
        if incarnation is not None and incarnation.number == number:
            self.crash(error)

    async def end(self, *, drain: bool = False) -> None:
        """End the incarnation in order: what it has in hand, then `on_stop`; else a kill.

        With `drain` nothing new is accepted and everything queued is handled first. Where the end
        is under way already, waits for it.
        """
        if drain:
            self.actor_inbox.closed = self._stopped
        if self.machine.phase.lives or self._ended is not None:  # else it is over
            await self._end(self.machine.incarnation, drain=drain)

    async def _end(self, incarnation: Incarnation | None, *, drain: bool = False) -> None:
        while self._ended is not None:
            await asyncio.wait([self._ended])
        machine, loop = self.machine, self.context.loop
        if incarnation is None or machine.incarnation is not incarnation:
            return
        machine.move("drain" if drain else "stop")
        self._ended = ended = loop.create_future()
        try:
            async with asyncio.timeout(self._shutdown_s):
                if incarnation.starting is not None:
                    await asyncio.wait([incarnation.starting])
                await self.server.quiet()
                if machine.incarnation is incarnation:
                    await self._close(incarnation)
        except TimeoutError:
            self.fail(incarnation.number, Overrun(f"did not stop within {self._shutdown_s} s"))
        finally:
            self._ended = None
            ended.set_result(None)

    async def _close(self, incarnation: Incarnation) -> None:
        self.machine.move("close")
        self.actor_inbox.asleep = False
        last = self.tasks.run_last_hook(incarnation.hosted.on_stop)
        if last is not None:
            try:
                await asyncio.wait([last])
            except asyncio.CancelledError:
                last.cancel()  # and no waiting for it: it may swallow that
                # What it has not closed yet is taken away.
                error = Killed("its stop was cut short")
                self.tasks.run_last_hook(incarnation.hosted.on_failure, error)
                raise

    def terminate(self) -> None:
        """End the actor for good: no incarnation, no messages, no task, no suspension is left."""
        self._forget_resumption()
        if self.machine.is_set():
            return
        if self.machine.try_move("stop"):  # so that the crash is no news to anyone
            self.crash(Killed("the actor was terminated"))
        self.machine.move("terminate")
        pykka.ActorRegistry.unregister(self.ref)
        # At a drain's end the process ends, and with it who would list them: who asked, and may
        # long have been told that it takes too long, asks again with the same key.
        drained = self.actor_inbox.closed == self._stopped
        self._give_up_queue(self._stopped, dead_letter="untold" if drained else "all")

    def stay_down(self) -> None:
        """Refuse every message until the next `begin`: it ended in order and is not restarted."""
        self.machine.move("stay_down")
        why = f"{self.name} has ended, and stays down until it is restarted"
        self._give_up_queue(partial(ActorStopped, why), dead_letter="all")

    def _give_up_queue(self, reason: Callable[[], ActorError], *, dead_letter: Lettered) -> None:
        count = self.actor_inbox.close(reason, dead_letter=dead_letter)
        self.context.lifecycle.emit(lifecycle.Stopped(name=self.name, dead_lettered=count))

    def park(self, error: str, retry_s: float) -> None:
        """Refuse every message until the next `begin`: the restart budget is spent."""
        self.machine.move("park")
        self._last_error = error
        why = (
            f"{self.name} is parked after repeated crashes ({error}); it is tried again "
            f"every {retry_s} s, or by POST /admin/actors/{self.name}/restart"
        )
        parked = partial(ServiceUnavailable, why, retry_after_s=retry_s)
        self.actor_inbox.close(parked, dead_letter="none")
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
        """Wait until no task of it is left; not for ever for those that will not be cancelled."""
        await self.tasks.settled(self._shutdown_s)

    # --- Inside ------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.own(self.context.loop.create_task(work))

    def _stopped(self) -> ActorError:
        return ActorStopped(f"{self.name} has stopped and handles no more messages")
