"""Restarts what crashes, by OTP's rules, and knows when to give up.

Differences from OTP, on purpose: a child whose first start fails is treated as crashed instead of
taking the supervisor down (the rest must serve on); restarts after the first are delayed by a
jittered backoff; kills by an operator and crashes that one message caused are restarted at once
and cost no budget; the root parks a child, and all below it, instead of dying, and under
one_for_one gives each child a budget of its own (one's failures must not park another); a temporary
child that cannot start holds up nobody under the coupled strategies; starts that fail in a row are
counted whatever time they took, as the period forgets those that fail slowly, and one more than the
intensity spends the budget; what no restart mends (a damaged file) is given up at once; and who
asks a child that is not up yet is told so at once, instead of waiting in its mailbox.
"""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from actors.kernel.behavior import Behavior
from actors.kernel.exit import Escalation, Exit, Overrun, describe
from actors.kernel.supervision.backoff import full_jitter_s
from actors.kernel.supervision.child import Join, Leave
from actors.kernel.supervision.restart_window import RestartWindow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from actors.config import SupervisorConfig
    from actors.kernel.actor import AsyncioActor
    from actors.kernel.context import KernelContext
    from actors.kernel.supervision.child import Child
    from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec


class _Exited(msgspec.Struct, frozen=True):
    child: Child
    exit_: Exit


class _RestartDue(msgspec.Struct, frozen=True):
    child: Child
    ticket: int


class _RestartRequested(msgspec.Struct, frozen=True):
    child: Child


def room_for(children: int) -> int:
    """Return a mailbox's capacity for so many: each one's exit and restart twice over.

    An exit must never be refused.
    """
    return 16 + 8 * children


class Supervisor(Behavior):
    """One incarnation of a supervisor. Its children's actors, refs and mailboxes outlive it."""

    # An event that was in hand is harmless the second time: the children it speaks of run again.
    redelivers = True

    def __init__(
        self,
        spec: SupervisorSpec,
        children: list[Child],
        context: KernelContext,
        config: SupervisorConfig,
        *,
        parks: bool,
    ) -> None:
        """`parks` makes it the root: it parks what it cannot keep up instead of escalating."""
        self._spec = spec
        self._children = children
        self._context = context
        self._config = config
        self._parks = parks
        self._windows: dict[str, RestartWindow] = {}
        for child in children:
            child.actor.supervisor = self

    # --- Hooks -------------------------------------------------------------------------------

    def on_start(self) -> Awaitable[None]:
        """Start the children in order; one that fails is treated as crashed."""
        # It may have been parked; what the children report while they start must be heard.
        self.actor_ref.actor_inbox.closed = None
        for child in self._children:
            child.failures = child.starts_failed = 0
            child.restart_requested = child.was_up = False
        return self._start(list(self._children))

    def on_receive(self, message: Any) -> Any:
        """Handle one event of one child; the next waits until the tree is consistent again."""
        match message:
            case _Exited(child, exit_):
                return self._on_exit(child, exit_)
            case _RestartDue(child, ticket) if child.ticket == ticket:
                return self._restart(child)
            case _RestartRequested(child):
                return self._on_restart_requested(child)
            case Join(child):
                return self._join(child)
            case Leave(child):
                self._leave(child)
        return None

    async def on_stop(self) -> None:
        """Stop the children in reverse order, each within its time limit."""
        draining = self.actor_ref.actor_inbox.closed is not None  # the end, not a restart
        await self._stop(self._children, drain=draining)

    def on_failure(self, error: BaseException) -> None:
        """Kill the children: they must not run without a supervisor."""
        for child in reversed(self._children):
            self._abandon(child, error)

    # --- What children report (called by their actors, on the loop) --------------------------

    def exited(self, actor: AsyncioActor, exit_: Exit) -> None:
        """Queue the exit behind whatever this supervisor is doing."""
        child = self._find(actor)
        if child is not None and child.running and self._hears():
            child.running = False
            child.exit_ = exit_
            self.actor_ref.tell(_Exited(child, exit_))

    def restart_requested(self, actor: AsyncioActor) -> None:
        """Queue an operator's restart of a child that is down; asking twice asks once."""
        child = self._find(actor)
        if child is not None and not child.restart_requested and self._hears():
            child.restart_requested = True
            self.actor_ref.tell(_RestartRequested(child))

    # --- Decisions ---------------------------------------------------------------------------

    async def _on_exit(self, child: Child, exit_: Exit) -> None:
        if child.exit_ is not exit_:
            return  # restarted or parked meanwhile, along with a sibling
        child.exit_ = None
        restart = child.spec.restart
        if exit_.reason == "restart":
            await self._restart(child)
        elif restart == "temporary":
            self._remove(child)
        elif restart == "permanent" or exit_.abnormal:
            await self._plan_restart(child, exit_)
        else:
            for member in child.family():
                member.actor.stay_down()

    async def _plan_restart(self, child: Child, exit_: Exit) -> None:
        now = self._context.clock.monotonic()
        if exit_.reason != "normal" and not exit_.charged:
            await self._restart(child)
            return
        error = exit_.error
        failed = child.up_s == math.inf or (isinstance(error, Escalation) and error.starting)
        child.starts_failed = child.starts_failed + 1 if failed else 0
        if now - child.up_s >= self._config.stable_s:
            child.failures = 0
        spent = not self._window(child).spend(now)
        if spent or exit_.irreparable or child.starts_failed > self._intensity:
            await self._give_up(child, exit_)
            return
        if failed:
            self._refuse(self._coupled(child))
        child.failures += 1
        delay_s = full_jitter_s(
            self._context.rng,
            child.failures,
            min_s=self._config.backoff_s_min,
            max_s=self._config.backoff_s_max,
        )
        if delay_s <= 0:
            await self._restart(child)
        else:
            self._restart_later(child, delay_s)

    async def _restart(self, child: Child) -> None:
        group = self._coupled(child)
        await self._stop(group)
        await self._start(self._without_temporary(group, child))

    async def _give_up(self, child: Child, exit_: Exit) -> None:
        error = "it ended in order" if exit_.error is None else describe(exit_.error)
        if not self._parks:
            await self._stop(self._children)
            message = f"{child.spec.name} ended too often; last: {error}"
            raise Escalation(message, starting=not child.was_up, irreparable=exit_.irreparable)
        group = self._coupled(child)
        await self._stop(group)
        self._window(child).reset()
        child.starts_failed = 0
        for member in self._without_temporary(group, child):
            for parked in member.family():
                parked.actor.park(error, self._config.park_retry_s)
        self._restart_later(child, self._config.park_retry_s)

    async def _on_restart_requested(self, child: Child) -> None:
        child.restart_requested = False
        if child in self._children and not child.running:
            child.failures = child.starts_failed = 0
            await self._restart(child)

    async def _join(self, child: Child) -> None:
        if child in self._children:
            return  # an incarnation that ended over it, and the next has started all
        siblings = [each.spec for each in self._children]
        last = max(place for place, each in enumerate(siblings) if _answer_alike(each, child.spec))
        self._children.insert(last + 1, child)
        child.actor.supervisor = self
        self.actor_ref.actor_inbox.capacity = room_for(len(self._children))
        await self._start([child])

    def _leave(self, child: Child) -> None:
        if child in self._children:
            child.forget_restart()
            child.running = False
            child.actor.supervisor = _NOBODY
            self._children.remove(child)
            self._windows.pop(child.spec.name, None)

    def _window(self, child: Child) -> RestartWindow:
        apart = self._parks and self._spec.strategy == "one_for_one"
        name = child.spec.name if apart else self._spec.name
        if name not in self._windows:
            period_s = self._spec.period_s
            self._windows[name] = RestartWindow(
                self._intensity, self._config.period_s if period_s is None else period_s
            )
        return self._windows[name]

    @property
    def _intensity(self) -> int:
        intensity = self._spec.intensity
        return self._config.intensity if intensity is None else intensity

    def _coupled(self, child: Child) -> list[Child]:
        match self._spec.strategy:
            case "one_for_one":
                return [child]
            case "one_for_all":
                return list(self._children)
            case "rest_for_one":
                return self._children[self._children.index(child) :]

    # --- Mechanics ---------------------------------------------------------------------------

    def _restart_later(self, child: Child, delay_s: float) -> None:
        child.forget_restart()
        child.timer = self._context.loop.call_later(
            delay_s, self._restart_due, _RestartDue(child, child.ticket)
        )

    def _restart_due(self, due: _RestartDue) -> None:
        if self._hears():
            self.actor_ref.tell(due)

    async def _start(self, children: Sequence[Child]) -> None:
        """Start in order; a coupled child waits until the one before it is up."""
        for child in children:
            child.forget_restart()
            child.running = True
            child.up_s = math.inf
            begun = child.actor.begin(self._config.start_stall_s_max)
            if not begun.done():
                waiting = [child] if self._spec.strategy == "one_for_one" else children
                self._refuse([each for each in waiting if not each.actor.machine.ups])
            begun.add_done_callback(partial(self._note_start, child))
            if self._spec.strategy == "one_for_one":
                continue
            await asyncio.wait([begun])  # not `await begun`: a kill would cancel it
            # Nobody restarts a temporary child, so nobody waits for it.
            if begun.result() is not None and child.spec.restart != "temporary":
                return

    def _refuse(self, children: Sequence[Child]) -> None:
        """Let those who ask be told at once: a start may take longer than they wait."""
        for child in children:
            for member in child.family():
                if member.actor.kind != "supervisor":  # which must hear of its children
                    member.actor.refuse_until_up(self._config.start_retry_after_s)

    def _note_start(self, child: Child, begun: asyncio.Future[Exit | None]) -> None:
        if (exit_ := begun.result()) is None:
            child.up_s = self._context.clock.monotonic()
            child.was_up = True
            if child.actor.kind != "supervisor":  # which is up before its children are
                child.starts_failed = 0  # the next that fails may follow a sibling's end
        else:
            self.exited(child.actor, exit_)

    async def _stop(self, children: Sequence[Child], *, drain: bool = False) -> None:
        """Stop in reverse order, each within its own limit: one by one where they start so."""
        together = self._spec.strategy == "one_for_one"
        places = asyncio.Semaphore(self._config.stops_max if together else 1)

        async def stop(child: Child) -> None:
            async with places:
                child.forget_restart()
                child.running = False
                await child.actor.end(drain=drain)

        await asyncio.gather(*[stop(child) for child in reversed(children)])

    def _without_temporary(self, group: Sequence[Child], culprit: Child) -> list[Child]:
        """Let go of the temporary siblings of `culprit`: what was stopped of them stays down."""
        for member in group:
            if member is not culprit and member.spec.restart == "temporary":
                self._remove(member)
        return [member for member in group if member in self._children]

    def _abandon(self, child: Child, error: BaseException) -> None:
        child.forget_restart()
        child.running = False
        child.actor.supervisor = _NOBODY
        child.actor.crash(Overrun(f"its supervisor crashed: {error}"))

    def _remove(self, child: Child) -> None:
        child.forget_restart()
        self._children.remove(child)
        for member in child.family():
            member.actor.terminate()

    def _find(self, actor: AsyncioActor) -> Child | None:
        return next((child for child in self._children if child.actor is actor), None)

    def _hears(self) -> bool:
        """Whether the supervisor still accepts events; one that stops its children does not."""
        return self.actor_ref.actor_inbox.closed is None


def _answer_alike(one: ChildSpec | SupervisorSpec, other: ChildSpec | SupervisorSpec) -> bool:
    service = getattr(other, "service", None)
    return getattr(one, "service", None) == service


class _Nobody:
    """Hears of the children that a crashed supervisor left, until the next one adopts them."""

    def exited(self, actor: AsyncioActor, exit_: Exit) -> None:
        """The next incarnation starts every child anyway."""

    def restart_requested(self, actor: AsyncioActor) -> None:
        """The next incarnation starts every child anyway."""


_NOBODY = _Nobody()
