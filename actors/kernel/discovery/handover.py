"""What is queued at a replica that is out of the rotation goes to its siblings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.kernel import lifecycle

if TYPE_CHECKING:
    import asyncio

    from actors.kernel.actor import AsyncioActor
    from actors.kernel.context import KernelContext
    from actors.kernel.envelope import Envelope
    from actors.kernel.registry import Registry
    from actors.kernel.router import Router

# Of `mailbox.stalled_s`: who stalls is seen by then, and no sooner can anything be done about it.
LOOK_SHARE: Final = 0.4

# After these another replica than before may be the one to answer.
_MOVES: Final = (
    lifecycle.Crashed,
    lifecycle.Suspended,
    lifecycle.Started,
    lifecycle.Restarted,
    lifecycle.Resumed,
    lifecycle.Recovered,
)


class Handover:
    """Looks at a service's replicas when something becomes of one, and while one has work in hand.

    Only services of several replicas are looked at, which remember nothing: any of them can answer.
    While none of them works, no timer runs: what waits then waits for an event.
    """

    def __init__(
        self, registry: Registry, router: Router, context: KernelContext, *, stalled_s: float
    ) -> None:
        """Hear of every end and every pick from now on."""
        self._registry = registry
        self._router = router
        self._context = context
        self._look_s = stalled_s * LOOK_SHARE
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._stopped = False
        context.lifecycle.subscribe(self._hear)
        router.on_pick = self._expect

    def look(self, service: str) -> None:
        """Hand over what waits at those that are out; what nobody has room for goes on waiting."""
        rotation = self._router.in_rotation(service)
        for actor in self._registry.replicas(service):
            if actor not in rotation and not actor.actor_inbox.empty():
                self.give(actor, service)

    def give(self, actor: AsyncioActor, service: str, *, whatever: bool = False) -> None:
        """Hand over what waits there, as the service's policy has it; see Mailbox.hand_over."""

        def give(envelope: Envelope) -> bool:
            inbox = self._router.pick(service, envelope.message).actor_inbox
            if inbox is actor.actor_inbox or not inbox.has_room():
                return False
            inbox.admit([envelope])
            return True

        actor.actor_inbox.hand_over(give, whatever=whatever)

    def stop(self) -> None:
        """Let everything lie: the system ends."""
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    # --- Inside ------------------------------------------------------------------------------

    def _hear(self, event: lifecycle.LifecycleEvent) -> None:
        if isinstance(event, _MOVES):
            service = self._registry.service_of(event.name)
            if service is not None and len(self._registry.replicas(service)) > 1:
                # Not now: what it has in hand comes back to its queue after this event.
                self._context.loop.call_soon(
                    self._look_soon, service, context=self._context.ambient
                )

    def _look_soon(self, service: str) -> None:
        if not self._stopped:
            self.look(service)

    def _expect(self, service: str) -> None:
        if service not in self._timers and not self._stopped:
            self._timers[service] = self._context.loop.call_later(
                self._look_s, self._look_again, service, context=self._context.ambient
            )

    def _look_again(self, service: str) -> None:
        del self._timers[service]
        self.look(service)
        replicas = self._registry.replicas(service)
        if any(lane.in_flight for each in replicas for lane in each.actor_inbox.lanes):
            self._expect(service)
