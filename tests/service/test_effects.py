"""What a service does to the outside world: at least once, after the commit, its outcome once."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from actors.errors import DeadLettered, StoreError
from actors.kernel.clock import SystemClock
from actors.kernel.lifecycle import Crashed
from actors.kernel.messages import Refusal
from actors.service.service import command
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.transaction import Transaction
from tests.kernel.kernel_harness import turns
from tests.service.callers import (
    NO_BREAKER,
    Call,
    Called,
    Caller,
    Listener,
    Mail,
    World,
    at_once,
    calls,
    failing,
    never,
    opens_after,
)
from tests.service.desks import (
    Desk,
    Do,
    HeldStore,
    HoppingStore,
    Note,
    Poison,
    SteppingClock,
    note,
    office,
)
from tests.store.ledger import Mishap, writer_of

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng
    from tests.service.desks import Office

FINE = 0.001
COARSE = 0.02


async def test_effect_runs_only_after_the_commit_that_asked_for_it(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """What it sees of the store is there; a command that is refused or crashes asks for nothing."""
    seen: list[list[str]] = []

    async def answer(label: str, _attempt: int) -> Called:
        seen.append(run.labels("a"))
        return Called(label=label)

    def do(tx: Transaction, cmd: Do) -> Refusal | None:
        note(tx, f"asked {cmd.what}")
        tx.run(Call(label=cmd.what))
        if cmd.what == "refused":
            return Refusal.conflict("no")
        if cmd.what == "crashed":
            raise Mishap
        return None

    world.answer = answer
    services = {"a": lambda: Caller(world, do)}
    async with office(tmp_path, services, clock=clock, store=HoppingStore) as run:
        asked = [run.ask("a", Do(what=what)) for what in ("x", "refused", "crashed", "y")]
        await asyncio.wait(asked)
        await run.until(lambda: run.count("a", "timer") == 0)
        assert isinstance(asked[2].exception(), DeadLettered)
        # The crash of a neighbour ends the incarnation, and an effect under way begins anew.
        assert world.calls.keys() == {"x", "y"}
        assert all(labels[:1] == ["asked x"] for labels in seen)
        assert sorted(run.labels("a")) == ["asked x", "asked y", "x", "y"]


@pytest.mark.parametrize(
    ("do", "says"),
    [
        (
            lambda tx, _: tx.run(Note(label="x")),
            r"a has no @effect for Note; it has Call, Mail\. .* tx\.after\(0\.0, …\), .* tx\.send",
        ),
        (
            lambda tx, _: tx.send("a", Call(label="x")),
            r"a is this service's own name: write tx\.run\(…\) .* tx\.after\(0\.0, …\)",
        ),
    ],
)
async def test_only_effects_of_its_own_are_run_and_nothing_is_sent_to_itself(
    tmp_path: Path, clock: SteppingClock, world: World, do: Any, says: str
) -> None:
    """The handler that tries crashes, and is told what to write instead."""
    async with office(tmp_path, {"a": lambda: Caller(world, do)}, clock=clock) as run:
        with pytest.raises(DeadLettered, match=says):
            await run.ask("a", Do())
        assert run.count("a", "timer") == 0


@pytest.mark.parametrize(
    ("store", "kills"),
    [
        (HoppingStore, 80),
        pytest.param(AiosqliteStore, 40, marks=pytest.mark.real_time),
        pytest.param(HoppingStore, 250, marks=pytest.mark.long),
        # Of threads each takes longer.
        pytest.param(AiosqliteStore, 100, marks=[pytest.mark.real_time, pytest.mark.long]),
    ],
)
async def test_outcome_is_applied_once_whenever_the_service_is_killed(
    tmp_path: Path, rng: Rng, world: World, store: type[AiosqliteStore | HoppingStore], kills: int
) -> None:
    """However often the effect itself ran: at least once each."""

    async def answer(label: str, _attempt: int) -> Called | None:
        await turns(rng.randrange(6))
        if rng.random() < 0.1:
            raise ConnectionError
        return None if label.startswith("none") else Called(label=label)

    world.answer = answer
    settings = [*NO_BREAKER, "effect.attempts_max=1000", "effect.running_max=8"]
    async with office(
        tmp_path,
        {"a": lambda: Caller(world)},
        clock=SteppingClock() if store is HoppingStore else SystemClock(),
        seed=rng.getrandbits(32),
        settings=settings,
        store=store,
    ) as run:
        wanted: list[str] = []
        for number in range(kills):
            labels = [f"{rng.choice(['none', 'some'])} {number} {n}" for n in range(3)]
            wanted += labels
            asked = run.ask("a", calls(*labels), key=labels[0])
            await run.advance(rng.random() * 0.002)
            await turns(rng.randrange(60))
            run.system.kill("a")
            await run.through(asked)
        await run.until(lambda: run.count("a", "timer") == 0)
        assert set(world.calls) == set(wanted)
        assert sum(world.calls.values()) > len(wanted)
        some = [label for label in wanted if label.startswith("some")]
        assert Counter(run.labels("a")) == Counter(some)
        assert len(run.happened(Crashed)) >= kills * 0.8


async def test_effect_that_takes_too_long_has_failed(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It is cancelled at its time limit, and tried again."""

    async def answer(label: str, attempt: int) -> Any:
        return await (never(label, attempt) if attempt == 1 else at_once(label, attempt))

    world.answer = answer
    settings = ["effect.effect_s_max=2.0"]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("slow"))
        await run.advance(1.99, steps=10)
        assert (world.calls, world.cancelled) == ({"slow": 1}, 0)
        await run.advance(0.02, steps=2)
        assert (world.running, world.cancelled) == (0, 1)
        await run.advance(0.5, steps=10)
        assert world.calls == {"slow": 2}
        assert run.labels("a") == ["slow"]


async def test_an_effect_that_crashes_its_own_service_backs_off(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """What it asks ends its incarnation, and so itself: that must not be over and over at once."""

    async def answer(_label: str, _attempt: int) -> None:
        await run.ask("a", Poison())

    world.answer = answer
    async with office(tmp_path, {"a": lambda: Caller(world)}, clock=clock) as run:
        await run.ask("a", calls("x"))
        await run.advance(20.0, steps=80)
        # At once, then after half a second, a second and so on, up to five.
        assert 7 <= world.calls["x"] <= 14
        world.answer = at_once
        await run.advance(6.0, steps=24)
        assert run.labels("a") == ["x"]


async def attempts_of(
    run: Office, clock: SteppingClock, world: World, *labels: str, step_s: float = FINE
) -> dict[str, list[float]]:
    """Have the effects fail to the end; return the delays before each attempt but the first.

    Each is up to a step longer than it was to be.
    """
    world.answer = failing
    await run.ask("a", calls(*labels))
    for _ in range(20_000):
        await run.advance(step_s)
        if run.count("a", "timer") == 0:
            break
    return {
        label: [after - before for before, after in itertools.pairwise(world.at_s[label])]
        for label in labels
    }


BACKOFF = ["effect.backoff_s_min=0.1", "effect.backoff_s_max=0.25", "effect.attempts_max=6"]


async def test_retries_back_off_with_jitter_within_their_bounds(
    tmp_path: Path, clock: SteppingClock, world: World, rng: Rng
) -> None:
    """At most backoff_s_min, then twice as long, up to backoff_s_max; drawn from 0 up."""
    labels = [str(number) for number in range(100)]
    async with office(
        tmp_path,
        {"a": lambda: Listener(world)},
        clock=clock,
        seed=rng.getrandbits(32),
        settings=[*NO_BREAKER, *BACKOFF, "effect.retries_kept_max=1000"],
    ) as run:
        delays = await attempts_of(run, clock, world, *labels)
    for each in delays.values():
        assert len(each) == 5
        for delay_s, most_s in zip(each, (0.1, 0.2, 0.25, 0.25, 0.25), strict=True):
            assert 0.0 <= delay_s <= most_s + 2 * FINE
    # What failed together does not return together, be it for the first time.
    for number, most_s in enumerate((0.1, 0.2, 0.25, 0.25, 0.25)):
        tenths = {int(each[number] / most_s * 10) for each in delays.values()}
        assert tenths >= set(range(10))


async def test_shipped_numbers_ride_out_six_seconds_of_refused_connections(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """But for one in a thousand: each attempt fails at once, and the last is not made before."""
    labels = [str(number) for number in range(5)]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=[*NO_BREAKER]
    ) as run:
        delays = await attempts_of(run, clock, world, *labels, step_s=COARSE)
    steps_s = max(len(each) for each in delays.values()) * COARSE
    took_s = [sum(each) for each in delays.values()]
    assert min(took_s) - steps_s >= 6.0
    assert max(took_s) - steps_s <= 32.5


async def test_same_seed_draws_the_same_delays(tmp_path: Path, seed: int) -> None:
    """And another seed others."""

    async def delays(seed: int, folder: Path) -> Any:
        clock = SteppingClock()
        world = World(clock)
        async with office(
            folder,
            {"a": lambda: Listener(world)},
            clock=clock,
            seed=seed,
            settings=[*NO_BREAKER, *BACKOFF],
        ) as run:
            return await attempts_of(run, clock, world, "x", "y")

    for name in ("first", "same", "other"):
        (tmp_path / name).mkdir()
    first = await delays(seed, tmp_path / "first")
    assert await delays(seed, tmp_path / "same") == first
    assert await delays(seed + 1, tmp_path / "other") != first


async def test_service_is_told_when_the_last_attempt_has_failed(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Once, with the request and how the last attempt ended; nothing is left of it."""
    world.answer = failing
    settings = ["effect.attempts_max=4"]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x"))
        await run.until(lambda: run.count("a", "timer") == 0)
        assert world.calls == {"x": 4}
        assert run.labels("a") == ["gave up x: ConnectionError: x 4"]
        assert await run.letters() == []
        await run.advance(100.0, steps=10)
        assert world.calls == {"x": 4}


async def test_what_fails_during_the_drain_is_no_warning(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It is done after the next start; that nothing is reached any more is in order."""
    world.answer = failing
    for leaves, level in ((False, "warning"), (True, "info")):
        async with office(tmp_path, {"a": lambda: Caller(world)}, clock=clock) as run:
            if leaves:
                run.system.leave()
            with structlog.testing.capture_logs() as logs:
                await run.ask("a", calls(level))
                await run.until(lambda: any(line["event"] == "effect failed" for line in logs))
        lines = {line["log_level"] for line in logs if line["event"] == "effect failed"}
        assert lines == {level}


async def test_a_failed_attempt_says_where_in_its_authors_code_it_was(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It may be a slip of the author's, and no trouble outside."""
    world.answer = failing
    async with office(tmp_path, {"a": lambda: Caller(world)}, clock=clock) as run:
        with structlog.testing.capture_logs() as logs:
            await run.ask("a", calls("x"))
            await run.until(lambda: any(line["event"] == "effect failed" for line in logs))
    failed = next(line for line in logs if line["event"] == "effect failed")
    assert failed["at"].startswith(f"{failing.__code__.co_filename}, line ")


async def test_where_nobody_listens_the_request_is_a_dead_letter_that_can_be_replayed(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It says how the last attempt ended; a replay runs the effect anew."""
    world.answer = failing
    settings = ["effect.attempts_max=4"]
    async with office(
        tmp_path, {"a": lambda: Caller(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x"))
        await run.until(lambda: run.count("a", "timer") == 0)
        await turns()
        (letter,) = await run.letters()
        assert (letter.message_type, letter.attempts, letter.durable) == ("Call", 4, True)
        assert letter.reason == "the effect failed 4 times: ConnectionError: x 4"
        assert run.system.actors()[1].restarts == 0
        world.answer = at_once
        replayed = await run.system.replay(letter.id)
        assert (replayed.actor, replayed.outcome) == ("a", "handled")
        await turns()
        assert world.calls == {"x": 5}
        assert run.labels("a") == ["x"]
        assert await run.letters() == []


async def test_full_disk_does_not_make_a_given_up_effect_run_again(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Its dead letter waits for room; what it says is what happened."""
    world.answer = failing
    settings = ["effect.attempts_max=4", "service.attempts_max=3"]
    async with office(
        tmp_path, {"a": lambda: Caller(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x"))
        running = run.hosted["a"].current
        assert running is not None
        connection = writer_of(running.store)
        connection.execute("PRAGMA query_only = ON")
        await run.until(lambda: world.calls == {"x": 4})
        await run.advance(2.0, steps=20)
        assert await run.letters() == []
        connection.execute("PRAGMA query_only = OFF")
        await run.advance(2.0, steps=20)
        assert world.calls == {"x": 4}
        (letter,) = await run.letters()
        assert letter.reason == "the effect failed 4 times: ConnectionError: x 4"
        assert letter.attempts == 4


async def test_breaker_opens_waits_at_no_cost_and_closes(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """While the other side is down it is left alone, and nobody's attempts are spent."""
    settings = [
        *opens_after(3),
        "breaker.open_s=5.0",
        "breaker.probes_max=1",
        "effect.attempts_max=3",
        "effect.backoff_s_min=0.1",
        "effect.backoff_s_max=0.1",
    ]
    world.answer = failing
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("first"))
        await run.until(lambda: run.labels("a"))
        assert world.calls == {"first": 3}
        await run.ask("a", calls("second", "third"))
        await run.advance(4.0, steps=100)
        assert world.calls == {"first": 3}
        (stats,) = await run.system.timers()
        assert (stats.pending, stats.effects_running) == (2, 2)
        # Still down: one probe finds out, and the other does not even try.
        await run.advance(2.0, steps=200)
        assert sum(world.calls.values()) == 4
        world.answer = at_once
        await run.advance(15.0, steps=300)
        assert sorted(run.labels("a")[1:]) == ["second", "third"]
        assert sorted(world.calls.values()) == [1, 2, 3]


async def test_kinds_of_effects_have_a_breaker_each_and_it_outlives_the_incarnation(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """One dependency's outage is not the other's; a restart of ours does not end it."""
    settings = [*opens_after(3), "breaker.open_s=50.0", "effect.attempts_max=3"]

    async def answer(label: str, attempt: int) -> Any:
        return await (failing(label, attempt) if label == "call" else at_once(label, attempt))

    world.answer = answer
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("call"))
        await run.until(lambda: run.labels("a"))
        run.system.kill("a")
        await run.ask("a", Do(what=[Call(label="waits"), Mail(label="mail")]))
        await run.advance(1.0, steps=10)
        assert world.calls == {"call": 3, "mail": 1}


async def test_killed_incarnations_effects_end_and_the_next_runs_them_again(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """The one that was under way is cancelled; whatever it had reached, it starts over."""
    world.answer = never
    async with office(tmp_path, {"a": lambda: Listener(world)}, clock=clock) as run:
        await run.ask("a", calls("x"))
        await turns()
        for kills in range(1, 4):
            run.system.kill("a")
            await turns()
            assert (world.calls, world.running) == ({"x": 1 + kills}, 1)
        world.answer = at_once
        run.system.restart("a")
        await turns()
        assert (world.running, run.labels("a")) == (0, ["x"])


async def test_effect_that_cancels_itself_has_failed(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """What it awaited was cancelled by somebody else: an attempt like any other."""

    async def answer(label: str, attempt: int) -> Called:
        if attempt == 1:
            raise asyncio.CancelledError
        if attempt == 2:
            task = asyncio.ensure_future(asyncio.sleep(10.0))
            asyncio.get_running_loop().call_soon(task.cancel)
            await task
        return Called(label=label)

    world.answer = answer
    async with office(tmp_path, {"a": lambda: Listener(world)}, clock=clock) as run:
        await run.ask("a", calls("x"))
        await run.advance(1.0, steps=10)
        assert world.calls == {"x": 3}
        assert run.labels("a") == ["x"]


async def test_effect_without_an_outcome_is_only_marked_done(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It does not run again, at the next start either."""

    async def answer(_label: str, _attempt: int) -> None:
        return None

    world.answer = answer
    for _ in range(2):
        async with office(tmp_path, {"a": lambda: Caller(world)}, clock=clock) as run:
            if not world.calls:
                await run.ask("a", Do(what=[Call(label="x"), Mail(label="y")]))
            await turns()
            assert world.calls == {"x": 1, "y": 1}
            assert run.count("a", "timer") == 0
            assert run.labels("a") == []
            assert await run.letters() == []


async def test_at_most_running_max_of_a_kind_run_at_once(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """The rest waits in the table, and has its turn, in order."""

    async def answer(label: str, _attempt: int) -> Called:
        await asyncio.sleep(0.5)
        return Called(label=label)

    world.answer = answer
    settings = ["effect.running_max=4"]
    labels = [f"{number:02}" for number in range(30)]
    async with office(
        tmp_path, {"a": lambda: Caller(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls(*labels))
        await run.until(lambda: run.count("a", "timer") == 0)
        assert world.running_most == 4
        assert list(world.at_s) == labels
        assert sorted(run.labels("a")) == labels
        assert set(world.calls.values()) == {1}


async def test_timers_and_other_effects_go_on_while_an_effect_hangs(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """However many of its kind hang."""

    async def answer(label: str, attempt: int) -> Any:
        return await (never(label, attempt) if label == "hangs" else at_once(label, attempt))

    world.answer = answer
    settings = ["effect.running_max=3", "effect.effect_s_max=1000", "breaker.probe_s_max=1000"]
    async with office(
        tmp_path, {"a": lambda: Caller(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls(*["hangs"] * 20))
        await run.ask("a", Do(what=[Mail(label="mail"), Note(label="timer")]))
        await turns()
        assert world.running == 3
        assert world.calls["mail"] == 1
        assert run.labels("a") == ["timer"]


async def test_stop_ends_every_effect_and_the_next_start_runs_them(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Those under way, those that wait for their next attempt, and those behind the breaker."""

    async def answer(label: str, attempt: int) -> Any:
        return await (never(label, attempt) if label == "hangs" else failing(label, attempt))

    world.answer = answer
    settings = ["effect.backoff_s_min=50", "effect.backoff_s_max=50", *opens_after(4)]
    async with office(
        tmp_path, {"a": lambda: Caller(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("hangs", "p", "q", "r", "s"))
        await run.advance(0.1, steps=10)
        await run.ask("a", calls("behind"))
        await turns()
        (stats,) = await run.system.timers()
        assert (stats.pending, stats.effects_running) == (6, 6)
        assert "behind" not in world.calls
    assert world.running == 0
    world.answer = at_once
    async with office(tmp_path, {"a": lambda: Caller(world)}, clock=clock) as run:
        await turns()
        assert sorted(run.labels("a")) == ["behind", "hangs", "p", "q", "r", "s"]


async def test_outcome_that_crashes_is_a_dead_letter_and_one_that_is_refused_is_gone(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """The effect is done: it runs no more, and a replay is of its outcome alone."""
    async with office(tmp_path, {"a": lambda: Caller(world)}, clock=clock) as run:
        await run.ask("a", calls("crash", "refuse", "fine"))
        await run.until(lambda: run.count("a", "timer") == 0)
        await turns()
        assert run.labels("a") == ["fine"]
        (letter,) = await run.letters()
        assert (letter.message_type, letter.message) == ("Called", '{"label":"crash"}')
        assert letter.attempts == 3
        calls_before = dict(world.calls)
        with pytest.raises(DeadLettered):
            await run.system.replay(letter.id)
        await run.advance(10.0, steps=10)
        assert world.calls == calls_before


async def test_effect_whose_outcome_is_kept_is_not_tried_again(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Though its outcome had ended an incarnation, and the next one has begun it anew."""

    class Once(Listener):
        crashed = False

        @command
        def called(self, tx: Transaction, cmd: Called) -> None:
            note(tx, cmd.label)
            if not Once.crashed:
                Once.crashed = True
                raise Mishap

    async def answer(label: str, attempt: int) -> Any:
        return await (at_once if attempt == 1 else never)(label, attempt)

    world.answer = answer
    async with office(tmp_path, {"a": lambda: Once(world)}, clock=clock) as run:
        await run.ask("a", calls("x"))
        await run.until(lambda: run.count("a", "timer") == 0)
        await run.advance(100.0, steps=100)
        assert run.labels("a") == ["x"]
        assert world.calls["x"] <= 2
        assert world.cancelled == world.calls["x"] - 1
        # One more is run as ever.
        world.answer = at_once
        await run.ask("a", calls("y"))
        await run.until(lambda: run.labels("a") == ["x", "y"])


async def test_outcome_of_an_undeclared_type_is_a_visible_dead_letter(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """The effect is not run for ever because its author returns nonsense."""

    async def answer(_label: str, _attempt: int) -> Any:
        return {"non": "sense"}

    world.answer = answer
    async with office(tmp_path, {"a": lambda: Caller(world)}, clock=clock) as run:
        await run.ask("a", calls("x"))
        await run.advance(1.0)
        assert world.calls == {"x": 1}
        (letter,) = await run.letters()
        assert letter.message == '{"non":"sense"}'
        assert "no handler for dict" in letter.reason


async def test_effect_that_was_asked_for_from_elsewhere_runs_once_a_key(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """By an ask or over a channel, it is noted in a transaction first."""

    class Asker(Desk):
        def __init__(self) -> None:
            super().__init__(lambda tx, cmd: tx.send("a", Call(label=cmd.what)))

    services = {"a": lambda: Caller(world), "b": Asker}
    async with office(tmp_path, services, clock=clock, store=HoppingStore) as run:
        for _ in range(2):
            assert await run.ask("a", Call(label="asked"), key="k") is None
        for _ in range(2):
            await run.ask("b", Do(what="sent"), key="k")
        await turns(200)
        assert world.calls == {"asked": 1, "sent": 1}
        assert sorted(run.labels("a")) == ["asked", "sent"]


async def test_effect_that_is_done_does_not_run_for_a_look_that_saw_it_before(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Only a kill runs an effect again that has succeeded."""
    settings = ["effect.running_max=1", "effect.waiting_max=1"]
    async with office(
        tmp_path, {"a": lambda: Caller(world)}, clock=clock, settings=settings, store=HeldStore
    ) as run:
        answers = {label: asyncio.Event() for label in "xyz"}

        async def answer(label: str, _attempt: int) -> Called:
            await answers[label].wait()
            return Called(label=label)

        world.answer = answer
        await run.ask("a", calls("x", "y", "z"))
        await turns()
        with HeldStore.hold() as held:
            answers["x"].set()
            await turns()
            assert held.count == 1  # for z; y is still in hand and in the table
            answers["y"].set()
            await turns()
        answers["z"].set()
        await turns()
        assert world.calls == {"x": 1, "y": 1, "z": 1}
        assert run.labels("a") == ["x", "y", "z"]


async def test_request_for_an_effect_that_this_program_cannot_read_waits(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """A newer program's effect has other fields: the request is kept, and the rest goes on."""
    world.answer = never
    async with office(tmp_path, {"a": lambda: Caller(world)}, clock=clock) as run:
        await run.ask("a", calls("old", "new"))
        await turns()
        running = run.hosted["a"].current
        assert running is not None
        writer_of(running.store).execute(
            "UPDATE timer SET message = CAST('{\"old\":1}' AS BLOB) WHERE seq = 1"
        )
    world.answer = at_once
    async with office(tmp_path, {"a": lambda: Caller(world)}, clock=clock) as run:
        await run.advance(1.0, steps=10)
        assert run.labels("a") == ["new"]
        assert run.rows("a", "SELECT message_type, message FROM timer") == [("Call", b'{"old":1}')]
        assert await run.letters() == []
        (stats,) = await run.system.timers()
        assert "cannot read this Call" in stats.unreadable[0].reason


async def test_effect_that_swallows_its_cancellation_cannot_hold_up_a_restart(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Beyond shutdown_s the next incarnation starts without it, and its outcome counts once.

    The store of the one before is closed all the same: a thread a lane would be left, each time.
    """
    leave = asyncio.Event()

    async def answer(label: str, attempt: int) -> Called:
        while attempt == 1 and not leave.is_set():
            try:
                await leave.wait()
            except asyncio.CancelledError:
                continue
        return Called(label=label)

    world.answer = answer
    settings = ["effect.effect_s_max=1000", "breaker.probe_s_max=1000", "supervisor.shutdown_s=5"]
    async with office(
        tmp_path, {"a": lambda: Caller(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x"))
        await turns()
        before = run.hosted["a"].current
        assert before is not None
        run.system.restart("a")
        await run.advance(6.0, steps=24)
        with pytest.raises(StoreError, match="is not open"):
            before.store.look(lambda connection: connection)
        assert world.calls == {"x": 2}
        assert run.labels("a") == ["x"]
        leave.set()
        await run.advance(1.0)
        assert run.labels("a") == ["x"]
