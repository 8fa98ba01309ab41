"""The whole tree of actors as one thing: start it, ask it, look at it, stop it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import ActorError
from actors.kernel.actor import AsyncioActor
from actors.kernel.discovery.handover import Handover
from actors.kernel.discovery.rolling_restart import restart_in_turn
from actors.kernel.discovery.scaling import Family, Scaling
from actors.kernel.discovery.standings import Standings
from actors.kernel.measuring import measure
from actors.kernel.registry import Registry
from actors.kernel.router import Router
from actors.kernel.supervision.child import Child
from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec
from actors.kernel.supervision.restart_counts import RestartCounts
from actors.kernel.supervision.supervisor import Supervisor, room_for
from actors.log import request_id

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

    from actors.config import MailboxConfig, SupervisorConfig
    from actors.kernel.clock import Clock
    from actors.kernel.context import KernelContext
    from actors.kernel.dead_letters import DeadLetter
    from actors.kernel.discovery.standings import Registration
    from actors.kernel.exit import Exit
    from actors.kernel.mailbox import Signal
    from actors.kernel.messages import Message
    from actors.kernel.rng import Rng
    from actors.kernel.stats import ActorStats
    from actors.measures.measured import MeasuredActor

    LetterSource = Callable[[int], Awaitable[list[DeadLetter]]]


class ActorSystem:
    """A supervision tree with its registry and router. Belongs to the event loop's thread."""

    def __init__(
        self,
        root: SupervisorSpec,
        *,
        context: KernelContext,
        mailbox: MailboxConfig,
        supervisor: SupervisorConfig,
        letter_sources: Sequence[LetterSource] = (),
    ) -> None:
        """Make every actor of the tree; none runs yet. Raises ValueError on equal names.

        `letter_sources` each return up to a given number of the dead letters kept elsewhere.
        """
        self.context = context
        self.registry = Registry()
        stalled_s = mailbox.stalled_s
        self.router = Router(self.registry, clock=context.clock, stalled_s=stalled_s)
        self.standings = Standings(self.registry, self.router, context, stalled_s=stalled_s)
        self._handover = Handover(self.registry, self.router, context, stalled_s=stalled_s)
        self._families: dict[str, Family] = {}
        self._letter_sources = letter_sources
        self._mailbox = mailbox
        self._supervisor = supervisor
        self._restarts = RestartCounts()
        context.lifecycle.subscribe(self._restarts.hear)
        self._scaling = Scaling(
            self.registry,
            handover=self._handover,
            standings=self.standings,
            family_of=lambda actor: self._families[actor.parent or ""],
            leave_s_max=supervisor.shutdown_s,
        )
        self._root = self._make_supervisor(root, parent=None).actor
        self._root.supervisor = self._keeper = _RootKeeper()

    @property
    def clock(self) -> Clock:
        """The system's clock."""
        return self.context.clock

    @property
    def rng(self) -> Rng:
        """The system's source of chance."""
        return self.context.rng

    async def start(self) -> None:
        """Start the tree; returns when every actor is up or has failed its first start.

        A failed one is its supervisor's matter: look at `unhealthy()`.
        """
        self._keeper.start(self._root)
        for actor in self.registry.actors():
            await actor.first_start()

    async def stop(self) -> None:
        """Stop the tree in reverse order, draining each mailbox; no task of it is left."""
        self._keeper.stopping = True
        self.standings.close()
        await self._root.end(drain=True)
        await self._scaling.stop()
        self._handover.stop()
        for actor in reversed(self.registry.actors()):
            actor.terminate()
        for actor in self.registry.actors():
            await actor.settled()

    # --- Use ---------------------------------------------------------------------------------

    def ask(
        self,
        service: str,
        message: Message,
        *,
        timeout_s: float,
        key: str | None = None,
    ) -> Awaitable[Any]:
        """Ask a replica of `service`; the value is its reply or a Refusal.

        Ends within `timeout_s` seconds, with DeadlineExceeded at the latest. Raises what
        ActorRef.ask raises, and NoSuchActor. `key` makes a command's retry harmless.
        """
        ref = self.router.pick(service, message)
        reply: Awaitable[Any] = ref.ask(
            message, block=False, timeout=timeout_s, key=key, trace=request_id.get()
        )
        return reply

    def kill(self, name: str) -> None:
        """End the actor's incarnation at once. Raises NoSuchActor."""
        self._signal(name, "kill", "killed by an operator")

    def restart(self, name: str) -> None:
        """End the actor's incarnation in order and start the next. Raises NoSuchActor."""
        self._signal(name, "restart")

    def suspend(self, name: str, for_s: float | None = None) -> None:
        """Let the actor accept messages and handle none, until resumed or for so many seconds.

        The latest call counts, restarts in between do not. Raises NoSuchActor.
        """
        self._signal(name, "suspend", for_s)

    def resume(self, name: str) -> None:
        """Let the actor handle messages again. Raises NoSuchActor."""
        self._signal(name, "resume")

    def allow_scaling(
        self, service: str, spec: Callable[[str], ChildSpec], *, replicas_max: int
    ) -> None:
        """Let the service have other numbers of replicas; `spec` makes one's by its name."""
        self._scaling.allow(service, spec, replicas_max=replicas_max)

    async def scale(self, service: str, replicas: int) -> int:
        """Have so many replicas of the service; returns how many there were. See Scaling.scale."""
        return await self._scaling.scale(service, replicas)

    def begin_to_scale(self, service: str, replicas: int) -> asyncio.Task[int]:
        """Begin to have so many replicas of the service, and wait for nothing; else likewise."""
        return self._scaling.begin(service, replicas)

    async def restart_in_turn(self, service: str | None = None) -> list[str]:
        """Restart the service's replicas, or all services', each once the one before it is up.

        Returns their names. Raises NoSuchActor, NotRestarted.
        """
        if service is None:
            actors = [each for _, replicas in self.registry.services() for each in replicas]
        else:
            actors = list(self.registry.replicas(service))
        limit_s = self._supervisor.shutdown_s + self._supervisor.start_stall_s_max
        return await restart_in_turn(
            actors, self.standings, self.clock, stays=self._scaling.stays, up_s_max=limit_s
        )

    # --- Observation -------------------------------------------------------------------------

    def actors(self) -> list[ActorStats]:
        """Return a snapshot of every actor, parents before children."""
        return [actor.stats() for actor in self.registry.actors()]

    def measured_actors(self) -> list[MeasuredActor]:
        """Return what every actor has counted, parents before children."""
        return [measure(each, self._restarts.of(each.name)) for each in self.registry.actors()]

    def registry_snapshot(self) -> list[Registration]:
        """Return the services with their replicas and health."""
        return self.standings.snapshot()

    def registry_version(self) -> int:
        """Return how many changes there have been of what `registry_snapshot` shows."""
        return self.standings.version

    async def registry_changed(self, after: int, wait_s: float) -> int:
        """Return the version once it is not `after`; see Standings.changed."""
        return await self.standings.changed(after, wait_s)

    def unhealthy(self) -> list[str]:
        """Return the names of the services that do not serve."""
        return self.registry.unhealthy()

    def state_of(self, service: str) -> str:
        """Return the states of its replicas, each once, or of that shard. Raises NoSuchActor."""
        whose = self.registry.service_of(service)
        if whose is not None and self.registry.is_sharded(whose):
            return self.registry.actor(service).state
        return ", ".join(sorted({actor.state for actor in self.registry.replicas(service)}))

    async def dead_letters(self, *, limit: int) -> list[DeadLetter]:
        """Return the latest dead letters, those of stores included, newest first."""
        letters = self.context.dead_letters.list()
        for source in self._letter_sources:
            letters.extend(await source(limit))
        return sorted(letters, key=lambda letter: letter.at_us, reverse=True)[:limit]

    # --- Inside ------------------------------------------------------------------------------

    def _signal(self, name: str, signal: Signal, argument: str | float | None = None) -> None:
        actor = self.registry.actor(name)
        if actor.kind == "supervisor" and signal in {"suspend", "resume"}:
            message = f"{name} is a supervisor; suspended, nobody would restart its children"
            raise ActorError(message)
        actor.actor_inbox.signal(signal, argument)

    def _make(self, spec: ChildSpec | SupervisorSpec, *, parent: str) -> Child:
        if isinstance(spec, SupervisorSpec):
            return self._make_supervisor(spec, parent=parent)
        actor = AsyncioActor(
            spec.factory,
            context=self.context,
            mailbox=self._mailbox,
            name=spec.name,
            kind=spec.kind,
            parent=parent,
            lanes=spec.lanes,
            lane_of=spec.lane_of,
            batch_messages_max=spec.batch_messages_max,
            shutdown_s=self._supervisor.shutdown_s if spec.shutdown_s is None else spec.shutdown_s,
        )
        self.registry.add(actor, service=spec.service)
        return Child(spec, actor, below=[])

    def _make_supervisor(self, spec: SupervisorSpec, *, parent: str | None) -> Child:
        children: list[Child] = []
        actor = AsyncioActor(
            lambda: Supervisor(
                spec, children, self.context, self._supervisor, parks=parent is None
            ),
            context=self.context,
            mailbox=msgspec.structs.replace(
                self._mailbox, capacity=room_for(len(spec.children)), overflow="reject"
            ),
            name=spec.name,
            kind="supervisor",
            parent=parent,
        )
        self.registry.add(actor)
        make = partial(self._make, parent=spec.name)
        self._families[spec.name] = Family(make, actor, children)
        children.extend(self._make(child, parent=spec.name) for child in spec.children)
        return Child(spec, actor, below=children)


class _RootKeeper:
    """Starts the root again whenever it ends but by `ActorSystem.stop`: nobody else would."""

    def __init__(self) -> None:
        self.stopping = False

    def start(self, root: AsyncioActor) -> None:
        """Start the root's next incarnation, and another where that is killed while it starts."""

        def begun(future: asyncio.Future[Exit | None]) -> None:
            if (exit_ := future.result()) is not None:
                self.exited(root, exit_)

        root.begin().add_done_callback(begun)

    def exited(self, actor: AsyncioActor, exit_: Exit) -> None:  # noqa: ARG002 - ExitHandler's
        """Start again, whatever the reason: without a root nobody restarts anything."""
        if not self.stopping and actor.ref.is_alive():
            self.start(actor)

    def restart_requested(self, actor: AsyncioActor) -> None:
        """A root without an incarnation is on its way already."""
