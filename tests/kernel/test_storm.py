"""Under a storm of kills, suspensions and restarts every ask ends once, in order, accounted for."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import ActorCrashed, ActorError, DeadLettered, DeadlineExceeded, MailboxFull
from actors.kernel.behavior import BatchResult, Behavior
from actors.kernel.messages import Refusal
from actors.kernel.rng import Rng
from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec
from tests.few_examples import few
from tests.kernel.kernel_harness import (
    NO_BACKOFF,
    Boom,
    mailbox_config,
    running_kernel,
    turns,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.kernel.actor import AsyncioActor
    from actors.kernel.actor_system import ActorSystem
    from actors.kernel.envelope import Envelope
    from tests.kernel.kernel_harness import Kernel

OPERATIONS = 200
SENDERS = 6
BURST = 8
ATTEMPTS_MAX = 3
NO = Refusal.conflict("no")
# What an ask may end with instead of a reply; everything else is a bug.
ENDS = (ActorCrashed, DeadlineExceeded, DeadLettered, MailboxFull)


class Deed(msgspec.Struct, frozen=True):
    """What a sender asks for: the `number`-th thing it asked of this actor."""

    sender: int
    number: int
    how: str  # well, slow, refuse, crash


class World:
    """What outlives the incarnations of one actor, as a store's file does."""

    def __init__(self) -> None:
        self.effects: list[tuple[int, int]] = []
        self.replies: dict[tuple[int, int], Any] = {}
        self.runs: Counter[tuple[int, int]] = Counter()
        self.lives: list[weakref.ref[Behavior]] = []

    def first_effects(self) -> dict[int, list[int]]:
        numbers: dict[int, list[int]] = defaultdict(list)
        for sender, number in dict.fromkeys(self.effects):
            numbers[sender].append(number)
        return numbers


class Worker(Behavior):
    """Does deeds; `world` remembers them."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.lives.append(weakref.ref(self))

    def do(self, deed: Deed) -> Any:
        key = (deed.sender, deed.number)
        self.world.runs[key] += 1
        if deed.how == "crash":
            raise Boom(key)
        if deed.how == "refuse":
            return NO
        self.world.effects.append(key)
        return key


class Plain(Worker):
    def on_receive(self, message: Deed) -> Any:
        return self.do(message)


class Starting(Plain):
    """Takes a few turns to start and to stop."""

    async def on_start(self) -> None:
        await turns(3)

    async def on_stop(self) -> None:
        await turns(3)


class Coroutine(Worker):
    async def on_receive(self, message: Deed) -> Any:
        if message.how == "slow":
            await turns(3)
        reply = self.do(message)
        await asyncio.sleep(0)
        return reply


class Stubborn(Worker):
    """Goes on for a while when it is cancelled, and would still have an effect."""

    async def on_receive(self, message: Deed) -> Any:
        try:
            await turns(3)
        except asyncio.CancelledError:
            await turns(3)
            raise
        return self.do(message)


class Batch(Worker):
    """Commits a batch in one step and answers later: a kill in between means redelivery."""

    redelivers = True

    async def on_batch(self, lane: int, batch: Sequence[Envelope]) -> BatchResult:
        await turns(2)
        outcomes: list[Any] = []
        crash: Boom | None = None
        for envelope in batch:
            deed = envelope.message
            key = (deed.sender, deed.number)
            if envelope.attempt >= ATTEMPTS_MAX:
                outcomes.append(DeadLettered(f"gave up after {envelope.attempt} attempts"))
                continue
            if key not in self.world.replies:  # as a store does: the key's row is there, or not
                try:
                    self.world.replies[key] = self.do(deed)
                except Boom as error:
                    crash = error
                    break
            outcomes.append(self.world.replies[key])
        await turns(2)
        culprit = None if crash is None else len(outcomes)
        return BatchResult(outcomes=outcomes, crash=crash, culprit=culprit)


class Lanes(Batch):
    """Batches in two lanes."""

    LANES: ClassVar[int] = 2


KINDS: tuple[type[Worker], ...] = (Plain, Starting, Coroutine, Stubborn, Batch, Lanes)


class Ask(NamedTuple):
    target: int
    deed: Deed
    future: Any


async def end_of(future: Any) -> Any:
    try:
        return await future
    except ActorError as error:
        return error


class Storm:
    """Actors of every kind, supervised, with senders and an operator who means them no good."""

    def __init__(self, kernel: Kernel, *, capacity: int = 1_024, overflow: str = "reject") -> None:
        self.kernel = kernel
        self.worlds = [World() for _ in KINDS]
        self.asks: list[Ask] = []
        self.numbers: Counter[tuple[int, int]] = Counter()
        # The inner supervisor has never anything to charge: nobody here crashes without a culprit.
        inner = SupervisorSpec(
            name="inner", children=tuple(self._spec(i) for i in range(3)), intensity=0
        )
        root = SupervisorSpec(
            name="root", children=(inner, *(self._spec(i) for i in range(3, len(KINDS))))
        )
        self.system: ActorSystem = kernel.system(
            root,
            mailbox=mailbox_config(capacity=capacity, overflow=overflow, turn_messages_max=4),
            **NO_BACKOFF,
        )
        self.actors: list[AsyncioActor] = [
            self.system.registry.actor(kind.__name__) for kind in KINDS
        ]
        self.refs = [actor.ref for actor in self.actors]

    def _spec(self, index: int) -> ChildSpec:
        kind, world = KINDS[index], self.worlds[index]
        return ChildSpec(
            name=kind.__name__,
            factory=lambda: kind(world),
            service=kind.__name__,
            lanes=2 if kind is Lanes else 1,
            lane_of=(lambda deed: deed.sender % 2) if kind is Lanes else None,
            batch_messages_max=5 if issubclass(kind, Batch) else 0,
        )

    def ask(self, sender: int, target: int, how: str, timeout: float | None = None) -> Any:
        """Ask without waiting, so that a sender's asks overlap."""
        number = self.numbers[sender, target]
        self.numbers[sender, target] += 1
        deed = Deed(sender, number, how)
        future = self.refs[target].ask(deed, block=False, timeout=timeout)
        self.asks.append(Ask(target, deed, future))
        return future

    def disturb(self, what: str, target: int) -> None:
        """Do what an operator can."""
        names = [*(kind.__name__ for kind in KINDS), "inner", "root"]
        name = names[target % len(names)]
        if what in {"suspend", "resume"} and target % len(names) >= len(KINDS):
            return
        getattr(self.system, what)(name)

    async def calm(self) -> None:
        """Resume all; every ask ends, each once, and no message is left."""
        for kind in KINDS:
            self.system.resume(kind.__name__)
        # What has ended stays so, and is not asked again at each turn: there are thousands.
        open_asks = [ask.future for ask in self.asks]

        def all_ended() -> bool:
            while open_asks and open_asks[-1].ended:
                open_asks.pop()
            return not open_asks

        await until(all_ended)
        await until(lambda: not any(actor.stats().mailbox_depth for actor in self.actors))
        await turns()

    async def check(self) -> None:
        """State the properties that must hold after the storm."""
        for target, deed, future in self.asks:
            end = await end_of(future)
            key = (deed.sender, deed.number)
            if isinstance(end, ActorError):
                assert isinstance(end, ENDS), end
            elif deed.how == "refuse":
                assert end is NO
            else:
                assert end == key, (end, deed)
                assert key in self.worlds[target].effects
        for actor, world, kind in zip(self.actors, self.worlds, KINDS, strict=True):
            for numbers in world.first_effects().values():
                assert numbers == sorted(numbers), "FIFO per sender"
            assert len(set(world.effects)) == len(world.effects), "an effect happened twice"
            if not kind.redelivers:  # a redelivered one that a kill overtook may run once more
                assert max(world.runs.values(), default=0) <= 1
            assert actor.stats().state == "running"
        self.kernel.check_accounts()
        await self._check_incarnations()

    async def _check_incarnations(self) -> None:
        for target, (actor, ref) in enumerate(zip(self.actors, self.refs, strict=True)):
            assert actor.ref is ref
            reply = await self.ask(0, target, "well")
            assert reply == self.worlds[target].effects[-1]
        self.asks.clear()
        gc.collect()
        for actor, world in zip(self.actors, self.worlds, strict=True):
            alive = [life() for life in world.lives if life() is not None]
            assert [behavior and behavior.incarnation for behavior in alive] == [
                actor.stats().incarnation
            ]
            assert len(world.lives) == actor.stats().incarnation


async def test_a_thousand_kills_suspensions_and_restarts(seed: int) -> None:
    """Under concurrent asks each ends once, refs stay good, the dead are garbage, FIFO holds."""
    rng = Rng(seed)
    async with running_kernel(seed=seed) as kernel:
        storm = Storm(kernel)
        await storm.system.start()
        calm = asyncio.Event()

        async def sender(number: int) -> None:
            while not calm.is_set():
                target = rng.randrange(len(KINDS))
                for _ in range(rng.randint(1, BURST)):
                    how = rng.choices(["well", "slow", "refuse", "crash"], weights=[10, 4, 2, 1])[0]
                    timeout = rng.choice([None, None, 0.05, 1.0])
                    storm.ask(number, target, how, timeout)
                await turns(rng.randint(1, 10))

        senders = [asyncio.create_task(sender(number)) for number in range(SENDERS)]
        for _ in range(OPERATIONS):
            what = rng.choices(["kill", "restart", "suspend", "resume"], weights=[4, 3, 1, 3])[0]
            # The supervisors' turn comes too, but a tree that always falls serves nobody.
            target = rng.randrange(len(KINDS) + (2 if rng.random() < 0.1 else 0))
            storm.disturb(what, target)
            kernel.clock.advance(rng.uniform(0.0, 0.01))
            await turns(rng.randint(0, 6))
            kernel.check_accounts()
        calm.set()
        await asyncio.gather(*senders)
        count = len(storm.asks)
        await storm.calm()
        ends = Counter([type(await end_of(ask.future)).__name__ for ask in storm.asks])
        await storm.check()
        # A storm in which nothing happened would prove nothing.
        assert count > 1_000
        assert ends["tuple"] > count / 10, ends
        assert {error.__name__ for error in ENDS[:3]} <= set(ends), ends
        assert sum(actor.stats().incarnation for actor in storm.actors) > OPERATIONS / 10


operations = st.lists(
    st.one_of(
        st.tuples(
            st.just("ask"),
            st.integers(0, len(KINDS) - 1),
            st.sampled_from(["well", "well", "slow", "refuse", "crash"]),
        ),
        st.tuples(
            st.sampled_from(["kill", "restart", "suspend", "resume"]),
            st.integers(0, len(KINDS) + 1),
            st.none(),
        ),
        st.tuples(st.just("turn"), st.integers(1, 8), st.none()),
        st.tuples(st.just("advance"), st.sampled_from([1, 2]), st.none()),
    ),
    max_size=60,
)


@few(8)
@given(
    ops=operations,
    capacity=st.sampled_from([2, 4, 1_024]),
    overflow=st.sampled_from(["reject", "drop_oldest", "drop_newest", "wait"]),
)
async def test_every_sequence_of_operations(
    ops: list[tuple[str, int, Any]], capacity: int, overflow: str
) -> None:
    """The storm's properties hold after any short sequence, under every overflow policy."""
    async with running_kernel() as kernel:
        storm = Storm(kernel, capacity=capacity, overflow=overflow)
        await storm.system.start()
        for number, (op, target, how) in enumerate(ops):
            match op:
                case "ask":
                    timeout = 1.5 if number % 3 == 0 else None
                    storm.ask(number % 2, target, how, timeout)
                case "turn":
                    await turns(target)
                case "advance":
                    await kernel.advance(target)
                case _:
                    storm.disturb(op, target)
            kernel.check_accounts()
        await storm.calm()
        await storm.check()


async def test_the_same_seed_gives_the_same_storm(seed: int) -> None:
    """Nothing in the kernel draws or reads a clock of its own: equal seeds, equal events."""

    async def storm_of(seed: int) -> list[Any]:
        rng = Rng(seed)
        async with running_kernel(seed=seed) as kernel:
            storm = Storm(kernel)
            await storm.system.start()
            for _ in range(100):
                storm.ask(rng.randrange(3), rng.randrange(len(KINDS)), "slow", 1.0)
                storm.disturb(rng.choice(["kill", "restart"]), rng.randrange(len(KINDS)))
                await turns(rng.randint(0, 4))
            await storm.calm()
            await asyncio.gather(*(ask.future for ask in storm.asks), return_exceptions=True)
            return list(kernel.events)

    assert await storm_of(seed) == await storm_of(seed)
