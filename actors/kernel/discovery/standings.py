"""How each replica of each service stands, since when, and why: what services are discovered by."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from actors.errors import ActorStopped
from actors.kernel.discovery.handover import LOOK_SHARE
from actors.kernel.discovery.replica_health import ANSWERS, Health, health_of, stuck_s
from actors.kernel.stats import ActorState  # noqa: TC001 - a field's type

if TYPE_CHECKING:
    from actors.kernel.actor import AsyncioActor
    from actors.kernel.context import KernelContext
    from actors.kernel.lifecycle import LifecycleEvent
    from actors.kernel.registry import Registry
    from actors.kernel.router import Router


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One actor of a service. It is `healthy` where it handles messages now.

    It has had this `health` since `since_us`, in epoch microseconds. `in_rotation` is whether it
    gets what is asked of its service, of which it may be the only one; `why` says why it is not
    well, or gets nothing.
    """

    name: str
    healthy: bool
    state: ActorState
    health: Health
    since_us: int
    in_rotation: bool
    why: str | None


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A service and the replicas that answer for it."""

    name: str
    replicas: list[Replica]


class _Seen(NamedTuple):
    """What was seen of one last, and since when it is so; `number` is its incarnation's."""

    health: Health
    number: int
    in_rotation: bool
    since_us: int


class Standings:
    """Counts the changes of all services' replicas, and ends the waiting of who waits for one.

    A change is seen when it is told by an event, or when somebody looks: while anybody waits, that
    is often enough to see within `stalled_s` seconds who gets no further. While nobody does, no
    timer runs, and none is looked at.
    """

    def __init__(
        self, registry: Registry, router: Router, context: KernelContext, *, stalled_s: float
    ) -> None:
        """Hear of all that becomes of actors from now on."""
        self._registry = registry
        self._router = router
        self._context = context
        self._stalled_s = stalled_s
        self._seen: dict[str, _Seen] = {}
        # When something last became of one that was not looked at since.
        self._heard_us: dict[str, int] = {}
        self._version = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._timer: asyncio.Handle | None = None
        self._closed = False
        context.lifecycle.subscribe(self._hear)

    @property
    def version(self) -> int:
        """How many changes there have been."""
        self._look()
        return self._version

    def snapshot(self) -> list[Registration]:
        """Return a frozen picture of the services and their health."""
        self._look()
        return [
            Registration(name=service, replicas=[self._replica(each) for each in actors])
            for service, actors in self._registry.services()
        ]

    async def changed(self, after: int, wait_s: float) -> int:
        """Return the version once it is another than `after`, or as it is after `wait_s` seconds.

        Raises ActorStopped where the system ends first.
        """
        self._look()
        if self._version != after:
            return self._version
        self._refuse_closed()
        waits = self._context.loop.create_future()
        self._waiting.add(waits)
        self._look_later()
        try:
            async with asyncio.timeout(wait_s):
                await waits
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(waits)
        self._refuse_closed()
        return self.version

    def note(self, name: str) -> None:
        """Hear that something becomes of the actor that no event tells."""
        self._heard_us[name] = self._context.clock.now_us()
        if self._waiting:
            self._context.loop.call_soon(self._look, context=self._context.ambient)

    def close(self) -> None:
        """Let nobody wait any more."""
        self._closed = True
        self._end_waiting()

    # --- Inside ------------------------------------------------------------------------------

    def _refuse_closed(self) -> None:
        if self._closed:
            message = "the system ends, and nothing more will be told of it"
            raise ActorStopped(message)

    def _hear(self, event: LifecycleEvent) -> None:
        if self._registry.service_of(event.name) is not None:
            # Told in the midst of it: it stands where it is to be when that is over.
            self.note(event.name)

    def _look(self) -> None:
        before = self._version
        now_us, now_s = self._context.clock.now_us(), self._context.clock.monotonic()
        seen: dict[str, _Seen] = {}
        for service, actors in self._registry.services():
            rotation = self._router.in_rotation(service)
            for actor in actors:
                seen[actor.name] = self._see(actor, now_us, now_s, in_rotation=actor in rotation)
        self._version += len(self._seen.keys() - seen.keys())
        self._seen = seen
        self._heard_us.clear()
        if self._version != before:
            self._end_waiting()

    def _see(self, actor: AsyncioActor, now_us: int, now_s: float, *, in_rotation: bool) -> _Seen:
        stuck = stuck_s(actor, now_s)
        health, number = health_of(actor, stuck, self._stalled_s), actor.machine.number
        in_rotation = in_rotation and health in ANSWERS
        known = self._seen.get(actor.name)
        if known is not None and known[:3] == (health, number, in_rotation):
            return known
        self._version += 1
        since_us = self._heard_us.get(actor.name, now_us)
        if health == "slow":
            since_us = now_us - int(stuck * 1_000_000)
        return _Seen(health, number, in_rotation, since_us)

    def _replica(self, actor: AsyncioActor) -> Replica:
        seen = self._seen[actor.name]
        return Replica(
            name=actor.name,
            healthy=actor.state == "running",
            state=actor.state,
            health=seen.health,
            since_us=seen.since_us,
            in_rotation=seen.in_rotation,
            why=self._why(actor, seen),
        )

    def _why(self, actor: AsyncioActor, seen: _Seen) -> str | None:
        match seen.health:
            case "up":
                return None if seen.in_rotation else "its siblings answer"
            case "slow":
                s = stuck_s(actor, self._context.clock.monotonic())
                return f"it has had the same work in hand for {s:.2f} s"
            case "suspended":
                return "somebody has suspended it"
            case "draining":
                return "it is being stopped, and ends what it has"
            case _ if actor.machine.ups:
                return actor.last_error or "it has ended in order"
            case _:
                return actor.last_error or "it was never up"

    def _end_waiting(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def _look_later(self) -> None:
        """Look now and then while anybody waits."""
        if self._timer is None:
            self._timer = self._context.loop.call_later(
                self._stalled_s * LOOK_SHARE, self._look_again, context=self._context.ambient
            )

    def _look_again(self) -> None:
        self._timer = None
        self._look()
        if self._waiting:
            self._look_later()
