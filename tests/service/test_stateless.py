"""Services that remember nothing: replicas behind one name, of which some may hang or die."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest

from actors.errors import ConfigError, DeadLettered, DeadlineExceeded, NoSuchActor
from actors.kernel.clock import SystemClock
from actors.kernel.lifecycle import Crashed
from actors.kernel.messages import Command, Event, Query, Refusal
from actors.service.service import StatelessService, command, effect, on, query
from actors.service.stateless.replicas import Replicas
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.transaction import Transaction
from tests.kernel.kernel_harness import turns
from tests.service.desks import Desk, Do, SteppingClock, note, office

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from actors.kernel.rng import Rng
    from actors.service.assembly import AnyService
    from actors.system import Process
    from tests.service.desks import Office

HANDLER_S_MAX = 0.2


class Length(Query):
    text: str


class Characters(msgspec.Struct, frozen=True, kw_only=True):
    count: int
    thread: str = ""


class Poison(Query):
    pass


class Hang(Query):
    """Never ends in Python, or not for a while in C."""

    in_c: bool = False


class Counts(StatelessService):
    """Counts characters, and misbehaves on demand."""

    runs: ClassVar[Counter[str]] = Counter()

    @query
    def length(self, question: Length) -> Characters | Refusal:
        if not question.text:
            return Refusal.invalid("there is nothing to count", field="text")
        return Characters(count=len(question.text), thread=threading.current_thread().name)

    @query
    def poison(self, question: Poison) -> None:
        self.runs["poison"] += 1
        raise ValueError("bad question")

    @query
    def hang(self, question: Hang) -> None:
        self.runs["hang"] += 1
        if question.in_c:
            time.sleep(6 * HANDLER_S_MAX)
        while not question.in_c:
            pass


@pytest.fixture(autouse=True)
def no_runs() -> None:
    Counts.runs.clear()


def threaded(folder: Path, services: Any, *settings: str) -> Any:
    """Return an office in real time, with threads."""
    return office(
        folder,
        services,
        clock=SystemClock(),
        settings=[f"service.handler_s_max={HANDLER_S_MAX}", *settings],
        store=AiosqliteStore,
    )


def files(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def test_replicas_answer_in_turns_and_are_seen_each(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Behind one name, each under its own; they have no file and are ready like any service."""
    services: dict[str, AnyService] = {"count": Replicas(Counts, 3), "single": Counts}
    async with office(tmp_path, services, clock=clock) as run:
        for text in ("a", "bc", "def", "ghij"):
            assert (await run.ask("count", Length(text=text))).count == len(text)
        handled = {each.name: each.handled for each in run.system.actors()[1:]}
        assert handled == {"count-1": 2, "count-2": 1, "count-3": 1, "single": 0}
        assert isinstance(await run.ask("count", Length(text="")), Refusal)
        names = {
            each.name: [replica.name for replica in each.replicas]
            for each in run.system.registry_snapshot()
        }
        assert names == {"count": ["count-1", "count-2", "count-3"], "single": ["single"]}
        assert run.system.unhealthy() == []
        for name in ("count-1", "count-2"):
            run.system.suspend(name)
        await turns()
        assert run.system.unhealthy() == []
        run.system.suspend("count-3")
        await turns()
        assert run.system.unhealthy() == ["count"]
    assert files(tmp_path) == []


async def test_the_others_answer_while_one_is_suspended(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """It gets no new question; those it had wait for it."""
    async with office(tmp_path, {"count": Replicas(Counts, 3)}, clock=clock) as run:
        run.system.suspend("count-2")
        await turns()
        for _ in range(20):
            assert (await run.ask("count", Length(text="x"))).count == 1
        assert run.system.registry.actor("count-2").stats().accepted == 0


@pytest.mark.real_time
async def test_question_in_hand_of_a_killed_replica_is_answered_all_the_same(
    tmp_path: Path, rng: Rng
) -> None:
    """By the next incarnation, whenever the kill comes."""
    async with threaded(tmp_path, {"count": Replicas(Counts, 2)}) as run:
        for number in range(150):
            asked = [run.ask("count", Length(text="x" * (n + 1))) for n in range(6)]
            await turns(rng.randrange(8))
            run.system.kill(f"count-{1 + number % 2}")
            assert [(await each).count for each in asked] == list(range(1, 7))
        # The other replica may have answered all of it before the last kill is heard.
        await run.until(lambda: len(run.happened(Crashed)) == 150)


async def test_question_that_crashes_its_handler_is_given_up_and_the_next_is_answered(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """After attempts_max runs, as in a service with a store; it costs no restart budget."""
    settings = ["service.attempts_max=3", "supervisor.intensity=0"]
    async with office(tmp_path, {"count": Counts}, clock=clock, settings=settings) as run:
        asked = [
            run.ask("count", message) for message in (Length(text="a"), Poison(), Length(text="bc"))
        ]
        await turns(200)
        assert asked[0].result().count == 1
        assert asked[2].result().count == 2
        with pytest.raises(DeadLettered, match="ValueError: bad question"):
            asked[1].result()
        assert Counts.runs["poison"] == 3
        (letter,) = await run.letters()
        assert (letter.actor, letter.message_type, letter.attempts) == ("count", "Poison", 3)
        assert run.system.actors()[1].state == "running"


async def test_question_that_nobody_answers_is_a_dead_letter(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """And no crash."""

    class Unknown(Query):
        pass

    async with office(tmp_path, {"count": Counts}, clock=clock) as run:
        with pytest.raises(DeadLettered, match="no handler for Unknown"):
            await run.ask("count", Unknown())
        assert run.happened(Crashed) == []


@pytest.mark.real_time
@pytest.mark.parametrize("in_c", [False, True])
async def test_handler_that_hangs_is_interrupted_and_the_loop_goes_on(
    tmp_path: Path, *, in_c: bool
) -> None:
    """Stuck in C code, its thread is given up; either way the next question is answered."""
    settings = ["service.attempts_max=1"]
    async with threaded(tmp_path, {"count": Counts}, *settings) as run:
        hanging = run.ask("count", Hang(in_c=in_c))
        late_s = 0.0
        begun_s = time.monotonic()
        while not hanging.done():
            before_s = time.monotonic()
            await asyncio.sleep(0.001)
            late_s = max(late_s, time.monotonic() - before_s)
        took_s = time.monotonic() - begun_s
        with pytest.raises(DeadLettered, match="HandlerTimeout"):
            hanging.result()
        assert late_s < took_s / 2  # the loop went on meanwhile
        reply = await run.ask("count", Length(text="abc"))
        assert (reply.count, reply.thread) == (3, "count")
        assert Counts.runs["hang"] == 1


class Measure(Command):
    text: str


class Measured(Command):
    text: str
    count: int


def send_all(tx: Transaction, cmd: Do) -> None:
    for message in cmd.what:
        tx.run(message)


class Author(Desk):
    """Has its texts counted by an effect."""

    def __init__(self, ask: Callable[[Query], Any]) -> None:
        super().__init__(send_all)
        self._count = ask

    @effect
    async def measure(self, cmd: Measure) -> Measured:
        reply = await self._count(Length(text=cmd.text))
        return Measured(text=cmd.text, count=reply.count)

    @command
    def measured(self, tx: Transaction, cmd: Measured) -> None:
        assert cmd.count == len(cmd.text)
        note(tx, cmd.text)


async def harass(run: Office, rng: Rng, ends: asyncio.Event) -> None:
    """Suspend, kill or hang one of three replicas at a time, and let go of it again."""
    while not ends.is_set():
        name = f"count-{rng.randrange(3) + 1}"
        match rng.randrange(3):
            case 0:
                run.system.suspend(name)
                await asyncio.sleep(rng.random() * 0.5)
                run.system.resume(name)
            case 1:
                for _ in range(rng.randrange(20)):
                    run.system.kill(name)
                    await asyncio.sleep(rng.random() * 0.01)
            case _:
                ref = run.system.registry.actor(name).ref
                hanging = ref.ask(Hang(), block=False, timeout=5.0)
                await asyncio.wait([asyncio.ensure_future(_wait(hanging))])
        await asyncio.sleep(rng.random() * 0.05)


async def _wait(asked: Any) -> None:
    with pytest.raises((DeadLettered, DeadlineExceeded)):
        await asked


@pytest.mark.real_time
async def test_every_effect_is_answered_while_one_of_three_replicas_is_out_of_order(
    tmp_path: Path, rng: Rng
) -> None:
    """Suspended, hung or killed in a loop: none of the questions is given up, or counted twice."""
    run: Office

    def ask(message: Query) -> Any:
        return run.system.ask("count", message, timeout_s=1.0)

    services: dict[str, AnyService] = {
        "author": lambda: Author(ask),
        "count": Replicas(Counts, 3),
    }
    settings = ["effect.effect_s_max=1.0", "effect.attempts_max=4", "service.attempts_max=1"]
    async with threaded(tmp_path, services, *settings) as run:
        ends = asyncio.Event()
        harassing = asyncio.ensure_future(harass(run, rng, ends))
        texts = [f"text {number}" for number in range(1200)]
        for start in range(0, len(texts), 8):
            what = [Measure(text=text) for text in texts[start : start + 8]]
            await run.ask("author", Do(what=what))
            await asyncio.sleep(0.02)
        await run.until(lambda: run.count("author", "timer") == 0)
        ends.set()
        await harassing
        assert Counter(run.labels("author")) == Counter(texts)
        assert [each for each in await run.letters() if each.message_type != "Hang"] == []


def test_stateless_service_has_queries_without_a_transaction_only() -> None:
    """The error says what is wrong, by name, when the class is made."""
    with pytest.raises(TypeError, match=r"Bad\.do is @command.*@query that others ask.*@effect"):

        class Bad(StatelessService):
            @command
            def do(self, tx: Transaction, cmd: Do) -> None: ...

    with pytest.raises(TypeError, match=r"Heard\.heard is @on"):

        class Heard(StatelessService):
            @on(Event)
            def heard(self, tx: Transaction, event: Event) -> None: ...

    with pytest.raises(TypeError, match=r"Typed\.length must be typed \(self, question"):

        class Typed(StatelessService):
            @query
            def length(self, tx: Transaction, question: Length) -> None: ...

    with pytest.raises(TypeError, match="never await"):

        class Awaits(StatelessService):
            @query
            async def length(self, question: Length) -> None: ...


async def test_nothing_durable_can_be_sent_to_it(tmp_path: Path, clock: SteppingClock) -> None:
    """The handler that tries is told to ask from an effect instead."""
    sender = lambda: Desk(lambda tx, cmd: tx.send("count", cmd))  # noqa: E731
    async with office(tmp_path, {"a": sender, "count": Counts}, clock=clock) as run:
        with pytest.raises(DeadLettered, match=r"count answers queries only.*@effect"):
            await run.ask("a", Do())


async def test_service_with_a_store_has_no_replicas(tmp_path: Path, clock: SteppingClock) -> None:
    """Its file has one writer; the system is not even made."""
    replicas: Any = Replicas(Desk, 2)
    with pytest.raises(ConfigError, match="service 'a': Desk has a store"):
        async with office(tmp_path, {"a": replicas}, clock=clock):
            pass
    with pytest.raises(ValueError, match="one at least"):
        Replicas(Counts, 0)


async def test_commit_of_a_service_without_a_store_cannot_be_waited_for(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """It has none."""
    async with office(tmp_path, {"a": Desk, "count": Counts}, clock=clock) as run:
        with pytest.raises(NoSuchActor, match=r"there are a$"):
            run.system.committed("count")


async def test_configuration_says_how_many_there_are_and_who_of_them_is_asked(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Before what the system says; one that had no replicas is called as one of several."""
    settings = [
        "service.replicas.count=4",
        'service.balance.count="key:text"',
        "service.replicas.single=2",
    ]
    services: dict[str, AnyService] = {"count": Replicas(Lengths, 2), "single": Lengths}
    async with office(tmp_path, services, clock=clock, settings=settings) as run:
        names = [each.name for each in run.system.actors()[1:]]
        assert names == ["count-1", "count-2", "count-3", "count-4", "single-1", "single-2"]
        for _ in range(8):
            await run.ask("count", Length(text="x"))
        handled = [each.handled for each in run.system.actors()[1:5]]
        assert sorted(handled) == [0, 0, 0, 8]
        assert await run.system.scale("count", 5) == 4
        assert (await run.ask("count", Length(text="ab"))).count == 2


class Lengths(StatelessService):
    @query
    def length(self, question: Length) -> Characters:
        return Characters(count=len(question.text))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("service.replicas.nobody=2", "there is no service 'nobody'; there are count"),
        ("service.replicas.count=65", "service.replicas.count is at most service.replicas_max"),
        ('service.balance.count="fastest"', "no balance 'fastest': choose least_loaded, "),
        ('service.balance.count="key:size"', "Length has no field 'size'"),
    ],
)
async def test_what_the_configuration_cannot_have_boots_nothing(
    tmp_path: Path, clock: SteppingClock, setting: str, said: str
) -> None:
    """The key is named, and what there is."""
    with pytest.raises(ConfigError, match=said):
        async with office(tmp_path, {"count": Lengths}, clock=clock, settings=[setting]):
            pass


async def test_a_service_hears_who_answers(tmp_path: Path, clock: SteppingClock) -> None:
    """By the process that it is wired to: each change once, until its time is over."""
    heard: list[dict[str, str]] = []

    class Watcher(Desk):
        def __init__(self, process: Process) -> None:
            super().__init__(lambda tx, cmd: None)
            self._process = process

        async def run(self) -> None:
            version = None
            while True:
                version, services = await self._process.registry(after=version, wait_s=60.0)
                rows = [each for row in services if row.name == "count" for each in row.replicas]
                heard.append({each.name: each.health for each in rows})

    services: Any = lambda wiring: {  # noqa: E731
        "count": Replicas(Lengths, 2),
        "watcher": lambda: Watcher(wiring.process),
    }
    async with office(tmp_path, services, clock=clock) as run:
        await turns()
        assert heard[-1] == {"count-1": "up", "count-2": "up"}
        run.system.suspend("count-2")
        await turns()
        assert heard[-1] == {"count-1": "up", "count-2": "suspended"}
        await run.system.scale("count", 1)
        await turns()
        assert heard[-1] == {"count-1": "up"}
        assert len(heard) < 12
