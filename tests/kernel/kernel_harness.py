"""A kernel to test on: actors do as they are told, time stands still, every event is kept."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from pykka import ActorRegistry

from actors.config import load_config
from actors.kernel.actor import AsyncioActor
from actors.kernel.actor_system import ActorSystem
from actors.kernel.behavior import Behavior
from actors.kernel.clock import ManualClock
from actors.kernel.context import KernelContext
from actors.kernel.dead_letters import DeadLetters
from actors.kernel.lifecycle import Lifecycle
from actors.kernel.ref import ActorRef
from actors.kernel.rng import Rng

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from actors.config import MailboxConfig
    from actors.kernel.lifecycle import LifecycleEvent
    from actors.kernel.supervision.child_spec import SupervisorSpec

CONFIG = load_config()
# Restarts at once, so that the order of events is the order of causes.
NO_BACKOFF: dict[str, Any] = {"backoff_s_min": 0.0, "backoff_s_max": 0.0}
# Turns of the loop within which whatever needs no time has happened.
TURNS_MAX = 50_000


class Boom(Exception):
    """The crash that tests cause."""


class Obedient(Behavior):
    """Calls the function it is sent with itself; sends anything else back."""

    def on_receive(self, message: Any) -> Any:
        return message(self) if callable(message) else message


def crash(_: Behavior) -> None:
    """Crash the handler it is sent to."""
    raise Boom("told to crash")


class Kernel:
    """A context, the actors made in it, and all that was said of them."""

    def __init__(self, clock: ManualClock, seed: int) -> None:
        """Belong to the running loop."""
        self.clock = clock
        self.events: list[LifecycleEvent] = []
        self.actors: list[AsyncioActor] = []
        self.systems: list[ActorSystem] = []
        lifecycle = Lifecycle()
        self.letters = DeadLetters(capacity=10_000, clock=clock, events=lifecycle)
        self.context = KernelContext(
            loop=asyncio.get_running_loop(),
            clock=clock,
            rng=Rng(seed),
            lifecycle=lifecycle,
            dead_letters=self.letters,
        )
        lifecycle.subscribe(self._on_event)

    def _on_event(self, event: LifecycleEvent) -> None:
        self.events.append(event)
        self.check_accounts()

    def start(
        self,
        factory: Callable[[], Behavior] = Obedient,
        *,
        name: str = "actor",
        mailbox: MailboxConfig = CONFIG.mailbox,
        **options: Any,
    ) -> AsyncioActor:
        """Start an actor that nobody supervises."""
        ref = AsyncioActor.start(
            factory, context=self.context, mailbox=mailbox, name=name, **options
        )
        assert isinstance(ref, ActorRef)
        actor = ref._actor
        assert isinstance(actor, AsyncioActor)
        self.actors.append(actor)
        return actor

    def system(
        self, root: SupervisorSpec, *, mailbox: MailboxConfig = CONFIG.mailbox, **supervisor: Any
    ) -> ActorSystem:
        """Make a system that is not started; `supervisor` overrides config.toml's numbers."""
        system = ActorSystem(
            root,
            context=self.context,
            mailbox=mailbox,
            supervisor=msgspec.structs.replace(CONFIG.supervisor, **supervisor),
        )
        self.systems.append(system)
        self.actors.extend(system.registry.actors())
        return system

    def check_accounts(self) -> None:
        """accepted = all that has ended or was handed over, and what is queued, counted here."""
        for actor in self.actors:
            mailbox = actor.actor_inbox
            queued = [e for lane in mailbox.lanes for e in (*lane.queue, *lane.in_flight)]
            assert len(set(map(id, queued))) == len(queued), "queued twice"
            ended = mailbox.handled + mailbox.refused + mailbox.dead_lettered
            ended += mailbox.handed_over
            assert mailbox.accepted == ended + len(queued), actor.stats()
            assert actor.stats().mailbox_depth == len(queued)

    def events_of(self, kind: type[LifecycleEvent], name: str | None = None) -> list[Any]:
        """Return the events of that type, about the actor `name` if given."""
        return [e for e in self.events if type(e) is kind and name in {None, e.name}]

    async def advance(self, seconds: float) -> None:
        """Move time, the loop's too, and let follow what follows."""
        self.clock.advance(seconds)
        await turns()


@asynccontextmanager
async def running_kernel(
    clock: ManualClock | None = None, *, seed: int = 0
) -> AsyncIterator[Kernel]:
    """Run a kernel on a loop whose time is `clock`; in the end no actor and no task is left."""
    kernel = Kernel(ManualClock() if clock is None else clock, seed)
    loop = asyncio.get_running_loop()
    loop.time = kernel.clock.monotonic  # type: ignore[method-assign]
    try:
        yield kernel
        for system in kernel.systems:
            await system.stop()
        for actor in kernel.actors:
            actor.terminate()
            await actor.settled()
        kernel.check_accounts()
        assert ActorRegistry.get_all() == []
    finally:
        for actor in kernel.actors:
            actor.terminate()
        ActorRegistry._actor_refs.clear()
        del loop.time


async def turns(count: int = 50) -> None:
    """Let the loop turn, until nobody but the caller has anything to do: not for threads."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        await asyncio.sleep(0)
        if _is_idle(loop):
            return


async def until(condition: Callable[[], Any]) -> None:
    """Let the loop turn until the condition holds."""
    for _ in range(TURNS_MAX):
        if condition():
            return
        await asyncio.sleep(0)
    message = "the condition did not come to hold"
    raise AssertionError(message)


def _is_idle(loop: Any) -> bool:
    # As the loop itself looks before it turns: who is called next, and whose time has come.
    due_s = loop.time() + loop._clock_resolution
    return not (loop._ready or (loop._scheduled and loop._scheduled[0].when() < due_s))


def mailbox_config(**changes: Any) -> MailboxConfig:
    """Return config.toml's mailbox with changes."""
    return msgspec.structs.replace(CONFIG.mailbox, **changes)
