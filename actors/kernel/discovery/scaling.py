"""More replicas of a service, or fewer, while it runs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from actors.errors import ActorError, NotScalable
from actors.kernel.supervision.child import Join, Leave

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.actor import AsyncioActor
    from actors.kernel.discovery.handover import Handover
    from actors.kernel.discovery.standings import Standings
    from actors.kernel.mailbox import Mailbox
    from actors.kernel.registry import Registry
    from actors.kernel.supervision.child import Child
    from actors.kernel.supervision.child_spec import ChildSpec

# How often a queue that no sibling has room for is offered again.
OFFER_S = 0.05


class Family(NamedTuple):
    """Where children are made, and who their supervisor is."""

    make: Callable[[ChildSpec], Child]
    supervisor: AsyncioActor
    children: list[Child]


class Scaling:
    """Starts replicas under their supervisor, and lets others go once they have nothing to do."""

    def __init__(
        self,
        registry: Registry,
        *,
        handover: Handover,
        standings: Standings,
        family_of: Callable[[AsyncioActor], Family],
        leave_s_max: float,
    ) -> None:
        """`family_of` says where a replica has its siblings.

        Who is to go has `leave_s_max` seconds for what it has in hand, and then for its queue.
        """
        self._registry = registry
        self._handover = handover
        self._standings = standings
        self._family_of = family_of
        self._leave_s_max = leave_s_max
        self._specs: dict[str, tuple[Callable[[str], ChildSpec], int]] = {}
        # By service: one whose replicas do not come up keeps no other one waiting.
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._at_work: set[asyncio.Task[int]] = set()
        self._leaving: dict[AsyncioActor, asyncio.Task[None]] = {}
        # By name: whoever is called so next counts on, for no counter goes back.
        self._gone: dict[str, Mailbox] = {}

    def allow(self, service: str, spec: Callable[[str], ChildSpec], *, replicas_max: int) -> None:
        """Let there be other numbers of its replicas; `spec` makes one's by its name."""
        self._specs[service] = spec, replicas_max

    async def scale(self, service: str, replicas: int) -> int:
        """Have so many of it; returns how many there were. Those that come are up, or have failed.

        Who is to go gets nothing more, and is gone when it has ended what it has; meanwhile its
        name is its own. It is done, too, where nobody waits for it any more. Raises NoSuchActor,
        NotScalable; ServiceUnavailable where they are parked.
        """
        return await asyncio.shield(self.begin(service, replicas))

    def begin(self, service: str, replicas: int) -> asyncio.Task[int]:
        """Begin to have so many of it; the task is this system's. Else as `scale`."""
        self._registry.replicas(service)
        if service not in self._specs:
            message = f"{service} has a store, which has one writer and so one replica"
            if self._registry.is_sharded(service):
                message = (
                    f"{service} is kept in shards, whose number its files depend on: it has as "
                    f"many as its Sharded(...) says"
                )
            raise NotScalable(message)
        replicas_max = self._specs[service][1]
        if not 1 <= replicas <= replicas_max:
            message = f"{service} can have from 1 to {replicas_max} replicas (service.replicas_max)"
            raise NotScalable(message)
        # Not by whoever asks, who may leave: a child that is half made would be nobody's.
        task = asyncio.get_running_loop().create_task(self._scale(service, replicas))
        self._at_work.add(task)
        task.add_done_callback(self._done)
        return task

    async def stop(self) -> None:
        """Wait for those that are to come, and to go."""
        while tasks := [*self._at_work, *self._leaving.values()]:
            await asyncio.wait(tasks)

    def stays(self, actor: AsyncioActor) -> bool:
        """Whether it is neither gone nor to go."""
        return actor not in self._leaving and not actor.machine.is_set()

    # --- Inside ------------------------------------------------------------------------------

    def _done(self, task: asyncio.Task[int]) -> None:
        self._at_work.discard(task)
        task.cancelled() or task.exception()  # whoever waits for it is told

    async def _scale(self, service: str, replicas: int) -> int:
        async with self._one_at_a_time[service]:
            there = [each for each in self._registry.replicas(service) if self.stays(each)]
            if replicas > len(there):
                await self._grow(service, there[0], replicas - len(there))
            for actor in reversed(there[replicas:]):
                await self._let_go(service, actor)
        return len(there)

    async def _grow(self, service: str, sibling: AsyncioActor, more: int) -> None:
        family = self._family_of(sibling)
        spec = self._specs[service][0]
        taken = {each.name for each in self._registry.actors()}
        # One that stands alone under the service's own name is its first.
        free = (f"{service}-{number}" for number in count(2 if service in taken else 1))
        names = [next(name for name in free if name not in taken) for _ in range(more)]
        for name in names:
            child = family.make(spec(name))
            if name in self._gone:
                child.actor.actor_inbox.count_on(self._gone.pop(name))
            try:
                await family.supervisor.ref.ask(Join(child), block=False)
            except ActorError:  # the supervisor is parked, or ends
                self._registry.remove(child.actor)
                self._gone[name] = child.actor.actor_inbox
                raise
            await child.actor.first_start()

    async def _let_go(self, service: str, actor: AsyncioActor) -> None:
        family = self._family_of(actor)
        child = next(each for each in family.children if each.actor is actor)
        await family.supervisor.ref.ask(Leave(child), block=False)
        # What becomes of it is nobody's to wait for.
        task = asyncio.get_running_loop().create_task(self._end(service, actor))
        self._leaving[actor] = task
        task.add_done_callback(lambda _: self._leaving.pop(actor))

    async def _end(self, service: str, actor: AsyncioActor) -> None:
        self._standings.note(actor.name)
        await actor.end(drain=True)
        # It was suspended, say, or killed: what it has left is for its siblings.
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._leave_s_max
        self._handover.give(actor, service, whatever=True)
        while not actor.actor_inbox.empty() and loop.time() < until_s:
            await asyncio.sleep(OFFER_S)
            self._handover.give(actor, service, whatever=True)
        actor.terminate()
        await actor.settled()
        self._registry.remove(actor)
        self._gone[actor.name] = actor.actor_inbox
        self._standings.note(actor.name)
