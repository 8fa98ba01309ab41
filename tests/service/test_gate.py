"""Requests that never get an answer, beside others: who is let in, and when a breaker opens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.config import load_config
from actors.errors import DeadlineExceeded, NoSuchBreaker, Starting
from actors.measures.effect_counts import EffectCounts
from actors.resilience.breaker import Breaker
from actors.resilience.breaker import Call as Attempted
from actors.service.gate import Gate
from tests.kernel.kernel_harness import turns
from tests.service.callers import (
    NO_BREAKER,
    Call,
    Caller,
    Listener,
    World,
    ask_for,
    at_once,
    calls,
    failing,
    never,
    opens_after,
)
from tests.service.desks import Do, SteppingClock, office

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng
    from actors.store.transaction import Transaction

EFFECT_S_MAX = load_config().effect.effect_s_max
# What an attempt at the gate itself may take.
LIMIT_S = 2.0


async def hanging_or_fine(label: str, attempt: int) -> Any:
    return await (never(label, attempt) if label.startswith("bad") else at_once(label, attempt))


def late_s(world: World, asked_s: dict[str, float]) -> list[float]:
    """How long each good one waited for its attempt, in order of length."""
    return sorted(world.at_s[label][0] - at_s for label, at_s in asked_s.items())


async def test_requests_that_never_answer_hold_up_the_others_for_seconds_only(
    tmp_path: Path, clock: SteppingClock, world: World, rng: Rng
) -> None:
    """Their first attempts take their turns; after that, repeated ones never fill all places."""
    world.answer = hanging_or_fine
    asked_s: dict[str, float] = {}
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, seed=rng.getrandbits(32)
    ) as run:
        await run.ask("a", calls(*[f"bad {number}" for number in range(128)]))
        for number in range(400):
            label = f"good {number}"
            asked_s[label] = clock.monotonic()
            await run.ask("a", calls(label))
            await run.advance(0.1, steps=5)
        await run.until(lambda: run.count("a", "timer") == 0)
        found = late_s(world, asked_s)
        assert found[-1] <= 2 * EFFECT_S_MAX + 0.1, found[-20:]
        # Once the last first attempt is over, nobody waits for anybody.
        assert sum(each > 0.1 for each in found) <= 2 * EFFECT_S_MAX / 0.1
        assert max(world.calls.values()) <= load_config().effect.attempts_max
        assert len([label for label in run.labels("a") if label.startswith("gave up bad")]) == 128
        assert world.running_most == 64


async def test_breaker_that_was_opened_by_silence_is_closed_by_who_comes_next(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """However many are still queued that never get an answer."""
    world.answer = hanging_or_fine
    asked_s: dict[str, float] = {}
    async with office(tmp_path, {"a": lambda: Listener(world)}, clock=clock) as run:
        await run.ask("a", calls(*[f"bad {number}" for number in range(512)]))
        for number in range(100):
            label = f"good {number}"
            asked_s[label] = clock.monotonic()
            await run.ask("a", calls(label))
            await run.advance(0.2, steps=4)
        found = late_s(world, asked_s)
        assert found[-1] <= 512 / 64 * EFFECT_S_MAX + 2.0, found[-20:]


async def test_requests_that_never_answer_and_go_on_coming_stop_nobody(
    tmp_path: Path, clock: SteppingClock, world: World, rng: Rng
) -> None:
    """One in ten of twenty a second: the good ones' p99 stays below a few seconds."""
    world.answer = hanging_or_fine
    asked_s: dict[str, float] = {}
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, seed=rng.getrandbits(32)
    ) as run:
        for number in range(500):
            bad = rng.random() < 0.1
            label = f"{'bad' if bad else 'good'} {number}"
            if not bad:
                asked_s[label] = clock.monotonic()
            await run.ask("a", calls(label))
            await run.advance(0.05)
        await run.until(lambda: run.count("a", "timer") == 0, step_s=1.0)
        found = late_s(world, asked_s)
        assert found[len(found) * 99 // 100] < EFFECT_S_MAX, found[-20:]


async def test_waiting_requests_beyond_their_bound_stay_in_the_table(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """At most running_max and waiting_max are in memory, however long the other side is down."""
    world.answer = failing
    settings = [
        "effect.running_max=2",
        "effect.waiting_max=6",
        *opens_after(1),
        "breaker.open_s=100",
    ]
    labels = [f"{number:02}" for number in range(50)]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls(*labels))
        await run.advance(50.0, steps=50)
        (stats,) = await run.system.timers()
        assert (stats.pending, stats.effects_running) == (50, 8)
        world.answer = at_once
        await run.advance(200.0, steps=400)
        assert sorted(run.labels("a")) == labels


async def test_what_waits_for_long_leaves_its_room_to_others(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Also more than half of what may be in memory: what is due beside it, and what is new."""

    async def answer(label: str, attempt: int) -> Any:
        return await (failing if label.startswith("dead") else at_once)(label, attempt)

    def do(tx: Transaction, cmd: Do) -> None:
        ask_for(tx, cmd)
        tx.after(1.0, Call(label="due"))

    world.answer = answer
    settings = [
        *NO_BREAKER,
        "effect.running_max=3",
        "effect.waiting_max=3",
        "effect.backoff_s_min=100000",
        "effect.backoff_s_max=100000",
    ]
    async with office(
        tmp_path, {"a": lambda: Caller(world, do)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("dead 1", "dead 2", "dead 3", "dead 4"))
        await run.advance(5.0, steps=50)
        await run.ask("a", calls("new"))
        await run.advance(5.0, steps=50)
        assert sorted(run.labels("a")) == ["due", "due", "new"]


# --- The gate itself ---------------------------------------------------------------------------


class Entrance:
    """A gate and who is inside."""

    def __init__(self, clock: SteppingClock, *, places: int, opens_at: int = 4) -> None:
        self.clock = clock
        config = load_config()
        breaker = msgspec.structs.replace(
            config.breaker,
            window_calls=opens_at,
            calls_min=opens_at,
            open_s=1.0,
            probes_max=1,
        )
        self.breaker = Breaker("test", config=breaker, clock=clock)
        self.gate = Gate(
            self.breaker,
            EffectCounts(),
            running_max=places,
            limit_s=LIMIT_S,
            silence_s=10.0,
            clock=clock,
        )
        self.inside: list[str] = []
        self.calls: dict[str, Attempted] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def state(self) -> str:
        return self.breaker.state

    def come(self, *names: str, first: bool = True) -> None:
        for name in names:
            self.tasks[name] = asyncio.ensure_future(self._enter(name, first=first))

    async def _enter(self, name: str, *, first: bool) -> None:
        self.calls[name] = await self.gate.enter(first=first)
        self.inside.append(name)

    async def go(
        self, name: str, error: BaseException | None = None, *, first: bool = True
    ) -> None:
        self.inside.remove(name)
        if error is None:
            self.gate.succeeded(self.calls[name])
        else:
            self.gate.failed(self.calls[name], error)
        self.gate.leave(first=first)
        await turns()

    async def time_out(self) -> None:
        """Let one come in, and say nothing for a second."""
        self.come("x")
        await turns()
        self.clock.advance(1.0)
        await self.go("x", TimeoutError())


async def test_first_attempts_go_before_repeated_ones_which_have_half_the_places(
    clock: SteppingClock,
) -> None:
    """Each in the order of their coming."""
    door = Entrance(clock, places=4)
    door.come("r1", "r2", "r3", first=False)
    await turns()
    assert door.inside == ["r1", "r2"]
    door.come("f1", "f2", "f3")
    await turns()
    assert door.inside == ["r1", "r2", "f1", "f2"]
    await door.go("r1", first=False)
    assert door.inside == ["r2", "f1", "f2", "f3"]
    await door.go("f1")
    assert door.inside == ["r2", "f2", "f3", "r3"]
    door.gate.close()


async def test_who_leaves_the_queue_takes_no_place(clock: SteppingClock) -> None:
    """Cancelled while waiting, or in the moment of being let in."""
    door = Entrance(clock, places=1)
    door.come("a", "b", "c", "d")
    await turns()
    door.tasks["b"].cancel()
    await turns()
    await door.go("a")
    assert door.inside == ["c"]
    door.inside.remove("c")
    door.gate.leave(first=True)  # d is let in, and does not know it yet
    door.tasks["d"].cancel()
    await turns()
    door.come("e")
    await turns()
    assert door.inside == ["e"]
    door.gate.close()


async def test_time_outs_open_the_breaker_only_where_nothing_succeeds(
    clock: SteppingClock,
) -> None:
    """For silence_s of trying: then all since the last success count. Others open it at once."""
    door = Entrance(clock, places=4)
    for _ in range(50):
        for _ in range(9):
            await door.time_out()
        door.come("good")
        await turns()
        await door.go("good")
    assert door.state == "closed"
    for _ in range(9):
        await door.time_out()
    assert door.state == "closed"
    await door.time_out()
    assert door.state == "open"

    fresh = Entrance(clock, places=8)
    fresh.come("a", "b", "c", "d")
    await turns()
    for name in "abcd":
        await fresh.go(name, ConnectionError())
    assert fresh.state == "open"


async def test_time_outs_before_a_success_never_count(clock: SteppingClock) -> None:
    """However long the silence is that follows: only its own."""
    door = Entrance(clock, places=4, opens_at=8)
    for _ in range(9):
        await door.time_out()
    door.come("good")
    await turns()
    await door.go("good")
    door.come("slow")
    await turns()
    clock.advance(10.0)
    for _ in range(6):
        await door.time_out()
    await door.go("slow", TimeoutError())
    assert door.state == "closed"
    await door.time_out()
    assert door.state == "open"


async def test_in_silence_no_more_ask_again_than_a_breaker_has_probes(
    clock: SteppingClock,
) -> None:
    """That is: when nothing has succeeded for as long as an attempt may take."""
    door = Entrance(clock, places=8)
    door.come("f1", "f2")
    await turns()
    clock.advance(LIMIT_S)
    door.come("r1", "r2", "r3", "r4", first=False)
    door.come("f3", "f4")
    await turns()
    assert door.inside == ["f1", "f2", "r1", "f3", "f4"]
    assert door.gate.enter_at_once(first=False) is None
    await door.go("r1", TimeoutError(), first=False)
    assert door.inside == ["f1", "f2", "f3", "f4", "r2"]
    await door.go("f1")
    assert door.inside == ["f2", "f3", "f4", "r2", "r3", "r4"]
    door.gate.close()


async def test_silence_while_nobody_tries_says_nothing(clock: SteppingClock) -> None:
    """A time-out of yesterday does not make the first ones of today an outage."""
    door = Entrance(clock, places=50)
    await door.time_out()
    clock.advance(86_400.0)
    names = [str(number) for number in range(40)]
    door.come(*names)
    await turns()
    clock.advance(2.0)
    for name in names:
        await door.go(name, DeadlineExceeded("too late"))
    assert door.state == "closed"


async def test_probe_that_times_out_says_that_it_is_not_back(clock: SteppingClock) -> None:
    """Silence is an answer to the question that a probe asks; a success closes the breaker."""
    door = Entrance(clock, places=8, opens_at=1)
    door.come("a")
    await turns()
    await door.go("a", ConnectionError())
    assert door.state == "open"
    door.come("b", "c")
    await turns()
    assert door.inside == []
    clock.advance(1.0)
    door.gate._look_again()
    await turns()
    assert door.inside == ["c"]  # the newest
    await door.go("c", TimeoutError())
    assert (door.state, door.inside) == ("open", [])
    clock.advance(1.0)
    door.gate._look_again()
    await turns()
    assert door.inside == ["b"]
    door.come("d", "e")
    await turns()
    assert door.inside == ["b"]
    await door.go("b")
    assert (door.state, door.inside) == ("closed", ["d", "e"])
    door.gate.close()


async def test_what_an_operator_holds_back_goes_on_when_he_lifts_that(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It costs no attempt, and who begins meanwhile waits as well; whoever asks is told."""
    settings = ["breaker.open_s=1.0"]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        assert [each.name for each in run.system.breakers()] == ["a.Call", "a.Mail"]
        assert run.system.force_breaker("a.Call", "open").state == "open"
        await run.ask("a", calls("x", "y"))
        await run.advance(100.0, steps=200)
        run.system.kill("a")
        await run.advance(100.0, steps=200)
        assert (world.calls, run.system.breaker("a.Call").forced) == ({}, "open")
        run.system.force_breaker("a.Call", None)
        await run.advance(1.1, steps=20)
        assert sorted(run.labels("a")) == ["x", "y"]
        assert run.system.breaker("a.Call").state == "closed"
        with pytest.raises(NoSuchBreaker, match=r"a\.Cull; look at /admin/breakers"):
            run.system.force_breaker("a.Cull", "closed")


async def test_a_probe_that_does_not_end_in_time_is_cancelled_before_another_is_let_in(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Also one that goes on after its time: that was a time-out, and the next one is a probe."""
    ends: list[float] = []

    async def answer(label: str, attempt: int) -> Any:
        if sum(world.calls.values()) != 2:
            return await (failing if sum(world.calls.values()) == 1 else at_once)(label, attempt)
        begun_s = clock.monotonic()
        try:
            await asyncio.sleep(1000.0)
        except asyncio.CancelledError:  # its limit_s; it goes on
            try:
                await asyncio.sleep(1000.0)
            except asyncio.CancelledError:
                ends.append(clock.monotonic() - begun_s)
                raise

    world.answer = answer
    settings = [
        *opens_after(1),
        "breaker.open_s=1.0",
        "breaker.probes_max=1",
        "breaker.probe_s_max=4.0",
    ]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x", "y"))
        await run.until(lambda: run.count("a", "timer") == 0)
        assert ends == [pytest.approx(4.0, abs=0.1)]
        assert world.running_most == 1
        assert sorted(run.labels("a")) == ["x", "y"]
        # x, which opened it; the probe, which was cancelled and tried again; and the other.
        assert sum(world.calls.values()) == 4
        counts = run.hosted["a"].breakers.counts_of("Call")
        assert {key: number for key, number in counts.attempts.items() if number} == {
            "succeeded": 2,
            "failed": 1,
            "timed_out": 1,
        }


async def test_a_probe_that_meets_a_service_that_starts_is_made_again_at_once(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It was not made: what was let in after it need not wait until it counts as lost."""

    async def answer(label: str, attempt: int) -> Any:
        if attempt == 1:
            raise ConnectionError
        if attempt == 2:
            raise Starting("b is starting", retry_after_s=1.0)
        return await at_once(label, attempt)

    world.answer = answer
    settings = [*opens_after(1), "breaker.probes_max=1", "breaker.probe_s_max=1000"]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x"))
        await run.advance(5.0, steps=50)
        assert run.labels("a") == ["x"]
