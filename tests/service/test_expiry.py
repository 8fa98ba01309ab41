"""What is of no use any more is not run: messages, timers and effects that were given a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from actors.errors import DeadLettered, DeadlineExceeded
from actors.kernel.messages import Expired, GaveUp
from actors.service.service import StatelessService, command, effect, on, query
from actors.store.transaction import ReadTransaction, Transaction
from tests.kernel.kernel_harness import turns
from tests.service.callers import (
    NO_BREAKER,
    Call,
    Called,
    Caller,
    World,
    failing,
    never,
    opens_after,
)
from tests.service.callers import Listener as Told
from tests.service.desks import Desk, Do, Labels, Note, SteppingClock, note, office

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from actors.service.assembly import AnyService
    from tests.service.desks import Office

S = 1_000_000


class Teller(Desk):
    """Notes what of its own was too late."""

    @on(Expired[Note])
    def late(self, tx: Transaction, event: Expired[Note]) -> None:
        note(tx, f"late {event.command.label}")


def send(*labels: str, in_us: int | None = None, to: str = "b") -> Callable[..., None]:
    """Send a note for each label, good for so long."""

    def do(tx: Transaction, cmd: Do) -> None:
        for label in labels:
            by_us = None if in_us is None or label == "plain" else tx.now_us + in_us
            tx.send(to, Note(label=label), by_us=by_us)

    return do


def run_by(in_us: int, *labels: str) -> Callable[..., None]:
    def do(tx: Transaction, cmd: Do) -> None:
        for label in labels:
            tx.run(Call(label=label), by_us=tx.now_us + in_us)

    return do


def expired(run: Office, name: str) -> dict[str, int]:
    """Return where something of it expired."""
    stats = run.system.registry.actor(name).stats()
    ended = stats.handled + stats.refused + stats.dead_lettered + stats.mailbox_depth
    assert stats.accepted == ended
    return {place: count for place, count in stats.expired.items() if count}


async def suspend(run: Office, name: str) -> None:
    run.system.suspend(name)
    await turns()


# --- Whose time it is ------------------------------------------------------------------------


async def test_a_request_s_time_is_seen_and_a_message_has_what_it_was_given(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """A client's deadline, by the wall clock; of a message its `by_us`; else there is none."""
    seen: list[Any] = []

    def first(tx: Transaction, cmd: Do) -> None:
        seen.append(tx.deadline_us)
        tx.send("b", Do(what="timed"), by_us=tx.deadline_us)
        tx.send("b", Do(what="plain"))

    def second(tx: Transaction, cmd: Do) -> None:
        seen.append((cmd.what, tx.deadline_us))

    services = {"a": lambda: Desk(first), "b": lambda: Desk(second)}
    async with office(tmp_path, services, clock=clock) as run:
        by_us = clock.now_us() + 5 * S
        await run.through(run.ask("a", Do(), timeout_s=5.0))
        await run.until(lambda: len(seen) == 3)
    assert seen == [by_us, ("timed", by_us), ("plain", None)]


async def test_a_message_s_time_can_only_shrink_and_a_request_s_bounds_nothing(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """What a message leads to is given no longer than it has; none is given none."""
    seen: dict[str, int | None] = {}
    start_us = clock.now_us()
    times = {"longer": 60 * S, "shorter": 1 * S}

    def first(tx: Transaction, cmd: Do) -> None:
        tx.send("b", Do(), by_us=start_us + 10 * S)  # a client that waits for 1 s bounds nothing

    def second(tx: Transaction, cmd: Do) -> None:
        seen["own"] = tx.deadline_us
        for name, in_us in times.items():
            tx.send("c", Do(what=name), by_us=start_us + in_us)
        tx.send("c", Do(what="none"))

    def third(tx: Transaction, cmd: Do) -> None:
        seen[cmd.what] = tx.deadline_us

    services = {"a": lambda: Desk(first), "b": lambda: Desk(second), "c": lambda: Desk(third)}
    async with office(tmp_path, services, clock=clock) as run:
        await run.through(run.ask("a", Do(), timeout_s=1.0))
        await run.until(lambda: len(seen) == 4)
    ten_us = start_us + 10 * S
    assert seen == {"own": ten_us, "longer": ten_us, "shorter": start_us + S, "none": None}


@pytest.mark.parametrize("by_us", [1.5, "soon", True, -1, 2**63])
async def test_a_time_is_whole_microseconds(
    tmp_path: Path, clock: SteppingClock, by_us: Any
) -> None:
    """Else the handler crashes, and is told what to write."""

    def do(tx: Transaction, cmd: Do) -> None:
        tx.send("b", Note(label="x"), by_us=by_us)

    async with office(tmp_path, {"a": lambda: Desk(do), "b": Desk}, clock=clock) as run:
        with pytest.raises(DeadLettered, match=r"by_us=.*: write whole microseconds .*deadline_us"):
            await run.through(run.ask("a", Do()))


# --- Messages between services ---------------------------------------------------------------


async def test_what_is_too_late_is_not_run_and_its_sender_is_told_in_order(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Its number is applied: what comes behind it arrives, and none of it arrives twice."""
    services: dict[str, AnyService] = {
        "a": lambda: Teller(send("x", "plain", "y", in_us=2 * S)),
        "b": Desk,
    }
    async with office(tmp_path, services, clock=clock) as run:
        await suspend(run, "b")
        await run.through(run.ask("a", Do()))
        await run.advance(2.5, steps=5)
        run.system.resume("b")
        await run.until(lambda: len(run.labels("a")) == 2)
        assert run.labels("a") == ["late x", "late y"]
        assert run.labels("b") == ["plain"]
        assert expired(run, "b") == {"channel": 2}
        assert run.rows("b", "SELECT applied FROM inbox") == [(3,)]
        assert await run.letters() == []


async def test_what_comes_in_time_is_run(tmp_path: Path, clock: SteppingClock) -> None:
    """A time that is not up changes nothing, and what is sent without one is never too late."""
    services: dict[str, AnyService] = {
        "a": lambda: Teller(send("x", "plain", in_us=2 * S)),
        "b": Desk,
    }
    async with office(tmp_path, services, clock=clock) as run:
        await run.through(run.ask("a", Do()))
        await run.until(lambda: run.labels("b") == ["x", "plain"])
        assert (run.labels("a"), expired(run, "b")) == ([], {})


async def test_a_time_outlives_the_process(tmp_path: Path, clock: SteppingClock) -> None:
    """It stands in the sender's file, and in the receiver's for what that sends."""
    services: dict[str, AnyService] = {"a": lambda: Teller(send("x", in_us=2 * S)), "b": Desk}
    async with office(tmp_path, services, clock=clock) as run:
        await suspend(run, "b")
        await run.through(run.ask("a", Do()))
    clock.step(3.0)
    async with office(tmp_path, services, clock=clock) as run:
        await run.until(lambda: run.labels("a") == ["late x"])
        assert (run.labels("b"), expired(run, "b")) == ([], {"channel": 1})


async def test_who_does_not_want_to_know_is_not_told_and_the_log_says_so_once(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """No dead letter is made of what was of no use; it is counted."""
    services: dict[str, AnyService] = {"a": lambda: Desk(send("x", "y", in_us=-1)), "b": Desk}
    with structlog.testing.capture_logs() as said:
        async with office(tmp_path, services, clock=clock) as run:
            await run.through(run.ask("a", Do()))
            await run.until(lambda: expired(run, "b") == {"channel": 2})
            assert (run.labels("b"), await run.letters()) == ([], [])
    told = [each for each in said if each["event"] == "message expired"]
    assert [(each["sender"], each["message_type"]) for each in told] == [("a", "Note")]
    assert "@on(Expired[Note])" in told[0]["advice"]


async def test_what_has_crashed_as_often_as_it_may_is_a_letter_and_runs_again_whenever(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Who has a dead letter run again wants it now."""
    fails = [True] * 3

    def do(tx: Transaction, cmd: Do) -> None:
        if fails:
            raise RuntimeError(fails.pop())
        note(tx, "ran")

    def ask(tx: Transaction, cmd: Do) -> None:
        tx.send("b", Do(), by_us=tx.now_us + 2 * S)

    services = {"a": lambda: Desk(ask), "b": lambda: Desk(do)}
    async with office(tmp_path, services, clock=clock) as run:
        await run.through(run.ask("a", Do()))
        await run.until(lambda: not fails)
        await run.advance(3.0)
        (letter,) = await run.letters()
        await run.through(asyncio.ensure_future(run.system.replay(letter.id)))
        assert (run.labels("b"), expired(run, "b")) == (["ran"], {})


# --- Timers ----------------------------------------------------------------------------------


def set_timers(tx: Transaction, cmd: Do) -> None:
    tx.after(2.0, Note(label="in time"), by_us=tx.now_us + 3 * S)
    tx.after(2.0, Note(label="missed"), by_us=tx.now_us + 3 * S)
    tx.after(60.0, Note(label="never"), by_us=tx.now_us + 1 * S)


@pytest.mark.parametrize("listens", [True, False])
async def test_a_timer_that_is_too_late_does_not_fire(
    tmp_path: Path, clock: SteppingClock, *, listens: bool
) -> None:
    """The service is told when its time is up, if it wants to know; its row goes either way."""
    services = {"a": lambda: (Teller if listens else Desk)(set_timers)}
    async with office(tmp_path, services, clock=clock) as run:
        await run.through(run.ask("a", Do()))
        await run.advance(1.5, steps=5)
        assert run.labels("a") == (["late never"] if listens else [])
        assert expired(run, "a") == {"timer": 1}
    clock.step(4.0)
    async with office(tmp_path, services, clock=clock) as run:
        await run.until(lambda: expired(run, "a") == {"timer": 2})
        late = ["late never", "late in time", "late missed"]
        assert (run.labels("a"), run.count("a", "timer")) == (late if listens else [], 0)
        assert await run.letters() == []


# --- Effects ---------------------------------------------------------------------------------


async def ended(run: Office) -> list[str]:
    await run.until(lambda: run.count("a", "timer") == 0)
    return run.labels("a")


async def test_an_attempt_has_what_is_left_and_says_nothing_of_the_world_outside(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It ends with its effect's time, and the breaker hears nothing of it."""
    world.answer = never
    services = {"a": lambda: Told(world, run_by(S // 2, "x"))}
    settings = [*opens_after(1), "effect.silence_s=0.01"]
    async with office(tmp_path, services, clock=clock, settings=settings) as run:
        begun_s = clock.monotonic()
        await run.through(run.ask("a", Do()))
        assert await ended(run) == ["gave up x: its time was up"]
        assert clock.monotonic() - begun_s == pytest.approx(0.5, abs=0.05)
        assert (world.calls, world.cancelled) == ({"x": 1}, 1)
        breakers = run.hosted["a"].breakers
        assert breakers.by_effect["Call"].state == "closed"
        counts = breakers.counts_of("Call")
        assert (counts.ends["expired"], counts.attempts["withdrawn"]) == (1, 1)
        assert expired(run, "a") == {"effect": 1}


async def test_what_waits_for_its_next_attempt_is_told_when_its_time_is_up(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """And not when the next one would have been made."""
    world.answer = failing
    services = {"a": lambda: Told(world, run_by(3 * S, "x"))}
    settings = [*NO_BREAKER, "effect.backoff_s_min=1e6", "effect.backoff_s_max=1e6"]
    async with office(tmp_path, services, clock=clock, settings=settings) as run:
        begun_s = clock.monotonic()
        await run.through(run.ask("a", Do()))
        assert await ended(run) == ["gave up x: its time was up"]
        assert clock.monotonic() - begun_s == pytest.approx(3.0, abs=0.1)
        assert world.calls == {"x": 1}


async def test_what_waits_for_a_place_is_told_when_its_time_is_up(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It makes no attempt, and leaves no place taken."""
    world.answer = never

    def do(tx: Transaction, cmd: Do) -> None:
        tx.run(Call(label="holds"))
        tx.run(Call(label="waits"), by_us=tx.now_us + S // 4)

    services = {"a": lambda: Told(world, do)}
    settings = [*NO_BREAKER, "effect.running_max=1", "effect.effect_s_max=1.0"]
    async with office(tmp_path, services, clock=clock, settings=settings) as run:
        await run.through(run.ask("a", Do()))
        await run.until(lambda: run.labels("a"))
        assert (run.labels("a"), world.calls) == (["gave up waits: its time was up"], {"holds": 1})

        async def answer(label: str, _attempt: int) -> Called:
            return Called(label=label)

        world.answer = answer
        assert await ended(run) == ["gave up waits: its time was up", "holds"]


async def test_what_is_too_late_when_it_is_due_is_not_tried(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Who does not want to know gets no dead letter of it."""
    services = {"a": lambda: Caller(world, run_by(0, "x"))}
    async with office(tmp_path, services, clock=clock) as run:
        await run.through(run.ask("a", Do()))
        assert (await ended(run), world.calls, await run.letters()) == ([], {}, [])
        assert expired(run, "a") == {"effect": 1}


async def test_what_came_of_an_effect_is_told_however_late(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It has happened; its handler knows whose time it was."""
    seen: list[int | None] = []

    class Looker(Caller):
        @command
        def called(self, tx: Transaction, cmd: Called) -> None:
            seen.append(tx.deadline_us)

    async def answer(label: str, _attempt: int) -> Called:
        await suspend(run, "a")
        return Called(label=label)

    world.answer = answer
    by_us = clock.now_us() + S

    def do(tx: Transaction, cmd: Do) -> None:
        tx.run(Call(label="x"), by_us=by_us)

    async with office(tmp_path, {"a": lambda: Looker(world, do)}, clock=clock) as run:
        await run.through(run.ask("a", Do()))
        await run.advance(2.0, steps=4)
        run.system.resume("a")
        await ended(run)
        assert (seen, expired(run, "a")) == ([by_us], {})


async def test_who_tries_for_as_long_as_it_takes_does_so_until_the_time_is_up(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """An effect with again_s gives up then, and at no time sooner."""
    world.answer = failing

    class Patient(Desk):
        @effect(attempts_max=2, again_s=2.0)
        async def call(self, cmd: Call) -> None:
            await world.call(cmd.label)

        @on(GaveUp[Call])
        def gave_up(self, tx: Transaction, event: GaveUp[Call]) -> None:
            note(tx, event.reason)

    services = {"a": lambda: Patient(run_by(5 * S, "x"))}
    async with office(tmp_path, services, clock=clock, settings=[*NO_BREAKER]) as run:
        begun_s = clock.monotonic()
        await run.through(run.ask("a", Do()))
        assert await ended(run) == ["its time was up"]
        assert clock.monotonic() - begun_s == pytest.approx(5.0, abs=0.1)
        assert world.calls == {"x": 6}


async def test_one_of_a_list_that_has_little_time_cuts_no_other_short(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It goes alone; those with time enough go together."""
    together: list[list[str]] = []

    class Many(Desk):
        @effect(limit_s=1.0)
        async def call(self, cmds: list[Call]) -> None:
            together.append([each.label for each in cmds])
            await world.call(cmds[0].label)

    def do(tx: Transaction, cmd: Do) -> None:
        tx.run(Call(label="hurried"), by_us=tx.now_us + S // 2)
        tx.run(Call(label="timed"), by_us=tx.now_us + 5 * S)
        tx.run(Call(label="plain"))

    async with office(tmp_path, {"a": lambda: Many(do)}, clock=clock) as run:
        await run.through(run.ask("a", Do()))
        await ended(run)
        assert sorted(together) == [["hurried"], ["timed", "plain"]]


# --- In a batch ------------------------------------------------------------------------------


class SlowReader(StatelessService):
    def __init__(self, clock: SteppingClock) -> None:
        self._clock = clock

    @query
    def labels(self, question: Labels) -> str:
        self._clock.advance(0.4)
        return "read"


async def test_a_request_behind_slow_ones_in_its_batch_is_not_run_after_its_deadline(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Commands, queries and what a stateless service is asked: each is looked at in its turn."""
    ran: list[str] = []

    def do(tx: Transaction, cmd: Do) -> None:
        ran.append(cmd.what)
        clock.advance(0.4)

    class Reader(Desk):
        @query
        def labels(self, tx: ReadTransaction, question: Labels) -> list[str]:
            ran.append("read")
            clock.advance(0.4)
            return []

    services: dict[str, AnyService] = {"a": lambda: Reader(do), "s": lambda: SlowReader(clock)}
    async with office(tmp_path, services, clock=clock) as run:
        commands = [run.ask("a", Do(what=f"{n}"), timeout_s=1.0) for n in range(4)]
        await asyncio.wait(commands)
        assert ran == ["0", "1", "2"]
        assert isinstance(commands[3].exception(), DeadlineExceeded)
        queries = [run.ask("a", Labels(), timeout_s=1.0) for _ in range(4)]
        await asyncio.wait(queries)
        assert ran[3:] == ["read"] * 3
        assert isinstance(queries[3].exception(), DeadlineExceeded)
        asked = [run.ask("s", Labels(), timeout_s=1.0) for _ in range(4)]
        await asyncio.wait(asked)
        assert isinstance(asked[3].exception(), DeadlineExceeded)
        assert (expired(run, "a"), expired(run, "s")) == ({"batch": 2}, {"batch": 1})
