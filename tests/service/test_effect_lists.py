"""An effect over a list: one attempt for all, and none fails for its neighbour."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from actors.kernel.lifecycle import Crashed
from actors.kernel.messages import Command, GaveUp
from actors.service.service import effect, on, outcome
from actors.store.transaction import Transaction
from tests.kernel.kernel_harness import turns
from tests.service.callers import NO_BREAKER, Call, Called, Caller, ask_for, calls
from tests.service.desks import Desk, Do, HoppingStore, Poison, SteppingClock, note, office

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from actors.kernel.rng import Rng
    from tests.service.desks import Office


class Lists:
    """The world outside, which takes lists: it notes them, and answers as the test wants."""

    def __init__(self, clock: SteppingClock) -> None:
        self.asked: list[list[str]] = []
        self.at_s: list[float] = []
        self.running = self.running_most = 0
        self.answer: Callable[[list[str]], Awaitable[Any]] = self.doubled
        self._clock = clock

    async def call(self, labels: list[str]) -> Any:
        self.asked.append(labels)
        self.at_s.append(self._clock.monotonic())
        self.running += 1
        self.running_most = max(self.running_most, self.running)
        try:
            return await self.answer(labels)
        finally:
            self.running -= 1

    async def doubled(self, labels: list[str]) -> list[str]:
        return [label * 2 for label in labels]

    async def but_the_bad(self, labels: list[str]) -> list[str]:
        if any(label.startswith("bad") for label in labels):
            raise ConnectionError("one of these is bad")
        return await self.doubled(labels)


class Lister(Desk):
    """Notes what each was answered, or that it was given up."""

    def __init__(self, world: Lists) -> None:
        super().__init__(ask_for)
        self.world = world

    @effect(attempts_max=3)
    async def call(self, cmds: list[Call]) -> list[str]:
        answers: list[str] = await self.world.call([cmd.label for cmd in cmds])
        return answers

    @outcome(call)
    def called(self, tx: Transaction, cmd: Call, answer: str) -> None:
        note(tx, f"{cmd.label}: {answer}")


class Giver(Lister):
    """Notes which was given up."""

    @on(GaveUp[Call])
    def gave_up(self, tx: Transaction, event: GaveUp[Call]) -> None:
        note(tx, f"{event.command.label}: {event.reason}")


class Stubborn(Lister):
    """Never gives up."""

    @effect(attempts_max=3, again_s=0.02)
    async def call(self, cmds: list[Call]) -> list[str]:
        return await super().call(cmds)

    @outcome(call)
    def called(self, tx: Transaction, cmd: Call, answer: str) -> None:
        super().called(tx, cmd, answer)


class Ring(Command):
    label: str


class Several(Caller):
    """Ends in commands, and in nothing."""

    @effect
    async def call(self, cmds: list[Call]) -> list[Called | None]:  # type: ignore[override]
        await self.world.call(",".join(cmd.label for cmd in cmds))
        return [Called(label=cmd.label) if cmd.label != "mute" else None for cmd in cmds]

    @effect(again_s=30.0, attempts_max=1)
    async def ring(self, cmds: list[Ring]) -> None:
        await self.world.call("+".join(cmd.label for cmd in cmds))


@pytest.fixture
def world(clock: SteppingClock) -> Lists:
    return Lists(clock)


async def applied(run: Office) -> list[str]:
    """Let all come to its end; return what was noted of it."""
    await run.until(lambda: run.count("a", "timer") == 0)
    return run.labels("a")


async def test_what_a_commit_asks_for_is_one_call(
    tmp_path: Path, clock: SteppingClock, world: Lists
) -> None:
    """In its order, of so many at most; each has the outcome that stands in its place."""
    settings = ["effect.together_max=3"]
    async with office(
        tmp_path, {"a": lambda: Lister(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls(*"abcdefgh"))
        assert await applied(run) == [f"{label}: {label * 2}" for label in "abcdefgh"]
        assert world.asked == [["a", "b", "c"], ["d", "e", "f"], ["g", "h"]]
        await run.ask("a", calls("alone"))
        await applied(run)
        assert world.asked[3:] == [["alone"]]


async def test_so_many_at_most_as_its_author_says(
    tmp_path: Path, clock: SteppingClock, world: Lists
) -> None:
    """By a number or a function of the service; the configuration's are the others'."""

    class Pairs(Lister):
        pair = 2

        @effect(together_max=lambda self: self.pair)
        async def call(self, cmds: list[Call]) -> list[str]:
            return await super().call(cmds)

        @outcome(call)
        def called(self, tx: Transaction, cmd: Call, answer: str) -> None:
            super().called(tx, cmd, answer)

    async with office(tmp_path, {"a": lambda: Pairs(world)}, clock=clock) as run:
        await run.ask("a", calls(*"abc"))
        await applied(run)
        assert world.asked == [["a", "b"], ["c"]]


async def test_one_that_always_fails_takes_no_other_with_it(
    tmp_path: Path, clock: SteppingClock, world: Lists
) -> None:
    """Each is tried alone, at once; it has all of its own attempts, and ends as it would."""
    world.answer = world.but_the_bad
    async with office(
        tmp_path, {"a": lambda: Giver(world)}, clock=clock, settings=[*NO_BREAKER]
    ) as run:
        with structlog.testing.capture_logs() as logs:
            await run.ask("a", calls("a", "bad", "c"))
            await turns()
        assert world.asked[:4] == [["a", "bad", "c"], ["a"], ["bad"], ["c"]]
        assert run.labels("a") == ["a: aa", "c: cc"]
        (line,) = [line for line in logs if line["event"] == "effects failed together"]
        assert (line["messages"], line["reason"]) == (3, "ConnectionError: one of these is bad")
        assert "test_effect_lists.py, line" in line["at"]
        await applied(run)
        assert run.labels("a")[2:] == ["bad: ConnectionError: one of these is bad"]
        assert Counter(map(tuple, world.asked))["bad",] == 3


async def test_a_list_is_an_attempt_of_one(
    tmp_path: Path, clock: SteppingClock, world: Lists
) -> None:
    """In one place and within one limit; who goes on alone is not among the first."""

    async def answer(labels: list[str]) -> Any:
        if labels != ["late"]:
            await asyncio.get_running_loop().create_future()
        return await world.doubled(labels)

    world.answer = answer
    settings = [*NO_BREAKER, "effect.effect_s_max=1.0", "effect.running_max=4"]
    async with office(
        tmp_path, {"a": lambda: Lister(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls(*"abcdef"))
        await run.advance(0.99, steps=10)
        assert (world.asked, world.running_most) == ([list("abcdef")], 1)
        await run.advance(0.02)
        assert (world.asked[1:], world.running) == ([["a"], ["b"]], 2)
        await run.ask("a", calls("late"))
        assert (await run.ask("a", calls()), run.labels("a")) == (None, ["late: latelate"])
        world.answer = world.doubled
        wanted = [f"{label}: {label * 2}" for label in (*"abcdef", "late")]
        assert sorted(await applied(run)) == wanted


@pytest.mark.parametrize(
    ("returned", "told"),
    [(["one"], "1 outcomes"), ("ab", "'ab'"), ((1, 2), "(1, 2)")],
    ids=str,
)
async def test_not_one_outcome_each_is_a_failure(
    tmp_path: Path, clock: SteppingClock, world: Lists, returned: Any, told: str
) -> None:
    """Whose is whose, nobody could tell."""

    async def answer(labels: list[str]) -> Any:
        return returned if len(labels) > 1 else await world.doubled(labels)

    world.answer = answer
    async with office(tmp_path, {"a": lambda: Lister(world)}, clock=clock) as run:
        with structlog.testing.capture_logs() as logs:
            await run.ask("a", calls("a", "b"))
            await turns()
        (line,) = [line for line in logs if line["event"] == "effects failed together"]
        assert line["reason"] == f"TypeError: call returned {told} for 2 messages"
        assert run.labels("a") == ["a: aa", "b: bb"]


async def test_outcomes_are_commands_of_its_own_too_or_none(
    tmp_path: Path, clock: SteppingClock, world: Lists
) -> None:
    """Each is applied to its own request, in the transaction that marks that one done."""

    async def answer(labels: list[str]) -> None:
        if labels in (["x+y"], ["x"]):
            raise ConnectionError

    def call(label: str) -> Awaitable[Any]:
        return world.call([label])

    world.answer = answer
    outside: Any = type("Outside", (), {"call": staticmethod(call)})
    services = {"a": lambda: Several(outside)}
    async with office(tmp_path, services, clock=clock, settings=[*NO_BREAKER]) as run:
        await run.ask("a", calls("one", "mute", "refuse"))
        assert await applied(run) == ["one"]
        await run.ask("a", Do(what=[Ring(label=label) for label in "xy"]))
        # One is put off; the other has been done.
        await run.until(lambda: run.count("a", "timer") == 1)
        assert world.asked[1:] == [["x+y"], ["x"], ["y"]]
        await run.advance(31.0, steps=10)
        assert world.asked[4:] == [["x"]]


async def test_those_of_a_list_that_crashes_the_service_go_on_alone(
    tmp_path: Path, clock: SteppingClock, world: Lists
) -> None:
    """It may be the doing of any of them, and only one of them backs off for ever."""

    async def answer(labels: list[str]) -> Any:
        if any(label.startswith("bad") for label in labels):
            await run.ask("a", Poison())
        return await world.doubled(labels)

    world.answer = answer
    async with office(tmp_path, {"a": lambda: Lister(world)}, clock=clock) as run:
        await run.ask("a", calls("a", "bad", "c"))
        await run.advance(20.0, steps=80)
        assert run.labels("a") == ["a: aa", "c: cc"]
        assert world.asked[0] == ["a", "bad", "c"]
        assert all("bad" not in labels or labels == ["bad"] for labels in world.asked[1:])
        world.answer = world.doubled
        await run.advance(6.0, steps=24)
        assert run.labels("a")[2:] == ["bad: badbad"]


async def test_kills_lose_none_of_a_list_and_double_no_outcome(
    tmp_path: Path, rng: Rng, clock: SteppingClock, world: Lists
) -> None:
    """Killed while it is gathered, while it runs, alone too, and while outcomes are applied."""

    async def answer(labels: list[str]) -> Any:
        await turns(rng.randrange(6))
        if rng.random() < 0.3:
            raise ConnectionError
        return await world.doubled(labels)

    world.answer = answer
    settings = [*NO_BREAKER, "effect.backoff_s_max=0.1", "effect.backoff_s_min=0.001"]
    settings += ["effect.together_max=4"]
    services = {"a": lambda: Stubborn(world)}
    async with office(
        tmp_path,
        services,
        clock=clock,
        seed=rng.getrandbits(32),
        settings=settings,
        store=HoppingStore,
    ) as run:
        wanted: list[str] = []
        for number in range(150):
            labels = [f"{number} {n}" for n in range(rng.randint(1, 6))]
            wanted += labels
            asked = asyncio.ensure_future(run.ask("a", calls(*labels)))
            await turns(rng.randrange(12))
            if rng.random() < 0.5:
                run.system.kill("a")
            await run.through(asked)
        noted = await applied(run)
        assert Counter(noted) == Counter(f"{label}: {label * 2}" for label in wanted)
        assert any(event.killed for event in run.happened(Crashed))  # type: ignore[attr-defined]
        assert any(len(labels) > 1 for labels in world.asked)
