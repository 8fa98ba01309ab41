"""What an effect's author says of its attempts: their limit, their number, and to begin anew."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog

from actors.app import look_through
from actors.config import EffectTables, Section, load_config
from actors.errors import ConfigError
from actors.kernel.lifecycle import Crashed
from actors.kernel.messages import GaveUp
from actors.service.bound_effect import BoundEffect, bound_effects
from actors.service.service import effect, on, outcome
from actors.store.transaction import Transaction
from actors.system import System
from actors.systems import SYSTEMS
from tests.booting import app_of
from tests.kernel.kernel_harness import turns
from tests.service.callers import (
    NO_BREAKER,
    Call,
    Called,
    Caller,
    Mail,
    World,
    ask_for,
    at_once,
    calls,
    failing,
    never,
    opens_after,
)
from tests.service.desks import Desk, HoppingStore, SteppingClock, note, office

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng
    from actors.system import Wiring
    from tests.service.desks import Office


class Bounded(Caller):
    """Its attempts have limits of their own."""

    attempts = 2

    @effect(limit_s=5, attempts_max=lambda self: self.attempts)
    async def call(self, cmd: Call) -> None:
        await self.world.call(cmd.label)

    @on(GaveUp[Call])
    def gave_up(self, tx: Transaction, event: GaveUp[Call]) -> None:
        note(tx, event.reason)


class Stubborn(Desk):
    """Never gives up."""

    def __init__(self, world: World, again_s: float = 30.0) -> None:
        super().__init__(ask_for)
        self.world = world
        self.again_s = again_s

    @effect(attempts_max=3, again_s=lambda self: self.again_s)
    async def call(self, cmd: Call) -> str:
        await self.world.call(cmd.label)
        return f"{cmd.label} done"

    @outcome(call)
    def called(self, tx: Transaction, cmd: Call, done: str) -> None:
        assert done == f"{cmd.label} done"
        note(tx, cmd.label)


async def fail_often(label: str, attempt: int) -> None:
    """Fail until the eighth attempt."""
    if attempt < 8:
        await failing(label, attempt)


async def test_attempts_have_the_limit_and_the_number_that_are_declared(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """The configuration's are the others'; who reads the reason is told which limit it was."""
    world.answer = never
    settings = [*NO_BREAKER, "effect.backoff_s_min=0.1", "effect.backoff_s_max=0.1"]
    async with office(
        tmp_path, {"a": lambda: Bounded(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("slow"))
        await run.advance(4.99, steps=10)
        assert (world.calls, world.cancelled) == ({"slow": 1}, 0)
        await run.advance(0.2, steps=10)
        assert (world.calls, world.cancelled) == ({"slow": 2}, 1)
        await run.until(lambda: run.labels("a"))
        assert run.labels("a") == ["not done within 5 s (limit_s of Bounded.call)"]
        assert world.calls == {"slow": 2}


async def test_limit_of_the_configuration_is_named_in_the_reason(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """And an error without a text of its own leaves no colon that nothing follows."""

    async def answer(label: str, attempt: int) -> Any:
        if label == "raises":
            raise TimeoutError
        return await never(label, attempt)

    world.answer = answer
    settings = [*NO_BREAKER, "effect.attempts_max=1"]
    async with office(
        tmp_path, {"a": lambda: Caller(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("raises", "slow"))
        await run.until(lambda: run.count("a", "timer") == 0)
        assert {letter.reason for letter in await run.letters()} == {
            "the effect failed 1 times: TimeoutError",
            "the effect failed 1 times: not done within 2 s (effect.effect_s_max)",
        }


async def test_effect_that_never_gives_up_is_put_off_and_begins_anew(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Nobody is told of it but the log; among the timers it stands as one that is due later."""
    world.answer = fail_often
    async with office(
        tmp_path, {"a": lambda: Stubborn(world)}, clock=clock, settings=[*NO_BREAKER]
    ) as run:
        with structlog.testing.capture_logs() as logs:
            await run.ask("a", calls("x"))
            await run.until(lambda: run.rows("a", "SELECT 1 FROM timer WHERE due_us > 0"))
        (line,) = [line for line in logs if line["event"] == "effect put off"]
        assert (line["again_s"], line["reason"]) == (30.0, "ConnectionError: x 3")
        (stats,) = await run.system.timers()
        assert (stats.pending, stats.due, stats.effects_running) == (1, 0, 0)
        assert stats.next_due_us is not None
        await run.advance(29.0, steps=10)
        assert world.calls == {"x": 3}
        await run.advance(31.0, steps=100)
        assert world.calls == {"x": 6}
        await run.until(lambda: run.labels("a"))
        assert (world.calls, run.labels("a")) == ({"x": 8}, ["x"])
        assert (run.count("a", "timer"), await run.letters()) == (0, [])


async def killed(run: Office, folder: Path) -> None:
    """Leave the files in `folder` as a process that is killed now would."""
    await turns()
    shutil.copytree(run.folder, folder, ignore=shutil.ignore_patterns("*-shm"))


async def test_effect_that_is_put_off_outlives_the_process(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It begins anew at its time, or at the start if that has passed; its outcome counts once."""
    world.answer = fail_often
    services = {"a": lambda: Stubborn(world)}
    (tmp_path / "first").mkdir()
    async with office(tmp_path / "first", services, clock=clock, settings=[*NO_BREAKER]) as run:
        await run.ask("a", calls("x"))
        await run.until(lambda: run.rows("a", "SELECT 1 FROM timer WHERE due_us > 0"))
        await killed(run, tmp_path / "second")
    async with office(tmp_path / "second", services, clock=clock, settings=[*NO_BREAKER]) as run:
        await run.advance(29.0, steps=10)
        assert world.calls == {"x": 3}
        await run.until(lambda: world.calls == {"x": 6})
        await run.until(lambda: run.rows("a", "SELECT 1 FROM timer WHERE due_us > 0"))
        await killed(run, tmp_path / "third")
    clock.step(1000.0)
    async with office(tmp_path / "third", services, clock=clock, settings=[*NO_BREAKER]) as run:
        await run.advance(1.0, steps=100)
        assert (world.calls, run.labels("a")) == ({"x": 8}, ["x"])
        await run.advance(100.0, steps=10)
        assert (world.calls, run.labels("a")) == ({"x": 8}, ["x"])


async def test_kills_lose_no_effect_that_is_put_off_and_double_no_outcome(
    tmp_path: Path, rng: Rng, clock: SteppingClock, world: World
) -> None:
    """Killed while it runs, while it is put off and while its outcome is applied."""

    async def answer(_label: str, _attempt: int) -> None:
        await turns(rng.randrange(6))
        if rng.random() < 0.75:
            raise ConnectionError

    world.answer = answer
    settings = [*NO_BREAKER, "effect.backoff_s_max=0.1", "effect.backoff_s_min=0.001"]
    services = {"a": lambda: Stubborn(world, again_s=0.02)}
    seed = rng.getrandbits(32)
    async with office(
        tmp_path, services, clock=clock, seed=seed, settings=settings, store=HoppingStore
    ) as run:
        wanted: list[str] = []
        with structlog.testing.capture_logs() as logs:
            for number in range(150):
                labels = [f"{number} {n}" for n in range(2)]
                wanted += labels
                asked = run.ask("a", calls(*labels), key=labels[0])
                await run.advance(rng.random() * 0.01, steps=4)
                await turns(rng.randrange(60))
                run.system.kill("a")
                await run.through(asked)
            await run.until(lambda: run.count("a", "timer") == 0)
        assert Counter(run.labels("a")) == Counter(wanted)
        assert sum(line["event"] == "effect put off" for line in logs) > 20
        assert len(run.happened(Crashed)) >= 100


async def test_probe_within_its_effects_limit_keeps_its_slot(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Longer than breaker.probe_s_max, it is not taken for killed: no second one is let in."""
    world.answer = failing
    settings = [
        *opens_after(1),
        "breaker.open_s=1.0",
        "breaker.probes_max=1",
        "breaker.probe_s_max=2.0",
    ]
    async with office(
        tmp_path, {"a": lambda: Bounded(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("first", "second"))
        await turns()
        world.answer = never
        await run.until(lambda: world.running == 1)
        await run.advance(4.5, steps=100)
        assert world.running_most == 1


@pytest.mark.parametrize(
    ("attempts", "says"),
    [
        (0, r"Bounded\.call: @effect\(attempts_max=…\) is 0: Expected `int` >= 1"),
        (None, r"Bounded\.call: @effect\(attempts_max=…\) is None: Expected `int`, got `null`"),
        (
            property(lambda self: self.missing),
            r"its @effect\(attempts_max=…\) raised AttributeError: .*\(.*test_effect.*, line \d+\)",
        ),
    ],
)
async def test_option_that_a_function_gets_wrong_is_told_before_the_start(
    tmp_path: Path,
    clock: SteppingClock,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    attempts: Any,
    says: str,
) -> None:
    """By the handler's name; nothing of the system runs."""
    monkeypatch.setattr(Bounded, "attempts", attempts)
    with pytest.raises(ConfigError, match=says):
        async with office(tmp_path, {"a": lambda: Bounded(world)}, clock=clock):
            pass
    assert not (tmp_path / "a.db").exists()


async def test_what_an_effect_asks_may_take_as_long_as_its_attempt(tmp_path: Path) -> None:
    """As long as its author lets it; who asks outside of any has the configuration's limit."""
    limits: list[float] = []

    class Asks(Stubborn):
        @effect(limit_s=30.0)
        async def call(self, cmd: Call) -> str:
            return str(await wirings[0].ask("a", cmd))

        @outcome(call)
        def called(self, tx: Transaction, cmd: Call, done: str) -> None:
            note(tx, done)

    def services(wiring: Wiring) -> dict[str, Any]:
        wirings.append(wiring)
        return {"a": lambda: Asks(World(SteppingClock()))}

    async def answer(_service: str, _message: Any, *, timeout_s: float) -> str:
        limits.append(timeout_s)
        asked.set()
        return "done"

    wirings: list[Wiring] = []
    asked = asyncio.Event()
    app = app_of(services, tmp_path, load_config(), looked_through=True)
    await app.start()
    try:
        app.tree.ask_for_effect = answer  # type: ignore[method-assign, assignment]
        await app.tree.ask("a", calls("x"), timeout_s=100.0)
        await asked.wait()
        assert 2.0 < limits.pop() <= 30.0
        await wirings[0].ask("a", Call(label="x"))
        assert limits == [2.0]
    finally:
        await app.stop()


class Throttled(Caller):
    """Its author has said something of each option."""

    @effect(limit_s=3.0, attempts_max=2, running_max=lambda _: 3, slow_s=1.5)
    async def call(self, cmd: Call) -> Called | None:
        outcome: Called | None = await self.world.call(cmd.label)
        return outcome


class OfficeConfig(Section):
    """As a system's."""

    effects: EffectTables = msgspec.field(default_factory=dict)


OFFICE = System(name="office", services={}, config={"office": OfficeConfig})


def bound(clock: SteppingClock, *settings: str) -> BoundEffect:
    """Return the throttled one, of a service called a."""
    config = load_config(settings=[f"office.effects.{each}" for each in settings], systems=[OFFICE])
    return bound_effects("a", Throttled(World(clock)), config)[Call]


def test_what_the_configuration_says_of_an_effect_goes_before_its_author(
    clock: SteppingClock,
) -> None:
    """By the names of service and effect; what it does not say stays as it was."""
    mine = bound(clock)
    assert (mine.limit_s, mine.attempts_max, mine.running_max, mine.slow_s) == (3.0, 2, 3, 1.5)
    other = bound(clock, "a.Call.running_max=8", "a.Call.limit_s=4", "a.Call.slow_s=0", "b.X.y=1")
    assert (other.limit_s, other.attempts_max, other.running_max, other.slow_s) == (4.0, 2, 8, 0.0)
    assert other.limit_name == "office.effects.a.Call.limit_s"
    assert (mine.again_s, bound(clock, "a.Call.again_s=7").again_s) == (None, 7.0)
    shipped = load_config()
    (mail,) = (
        each
        for message, each in bound_effects("a", Throttled(World(clock)), shipped).items()
        if message is Mail
    )
    assert mail.running_max == shipped.effect.running_max
    assert mail.slow_s == shipped.breaker.slow_s


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("a.Cull.limit_s=1", r"\[office\.effects\.a\.Cull\] is of no effect: a has Call, Mail"),
        (
            "a.Call.limits=1",
            r"\[office\.effects\.a\.Call\] has no key 'limits'; it has limit_s, .*, slow_s",
        ),
        (
            "a.Call.running_max=0",
            r"office\.effects\.a\.Call\.running_max is 0: Expected `int` >= 1",
        ),
        ("a.Call.limit_s=soon", r"office\.effects\.a\.Call\.limit_s is 'soon': Expected `float`"),
        ("a.Call.together_max=2", r"is for an effect that takes a list; remove it"),
        ("a.Call=1", r"configuration: office\.effects"),
    ],
)
def test_what_the_configuration_gets_wrong_of_an_effect_is_told(
    clock: SteppingClock, setting: str, says: str
) -> None:
    """By where it stands, and with what may stand there."""
    with pytest.raises(ConfigError, match=says):
        bound(clock, setting)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (
            "hotel.effects.paymint.ChargeCard.limit_s=1",
            r"no service 'paymint'; there are .*payment",
        ),
        # Another system's.
        ("hotel.effects.tweets.ScoreTweet.limit_s=1", r"no service 'tweets'; there are .*payment"),
        (
            "hotel.effects.payment.ChargeCart.limit_s=1",
            r"payment has ChargeCard, VoidCharge, Refund",
        ),
    ],
)
def test_what_the_configuration_says_of_no_effect_is_told_before_the_start(
    tmp_path: Path, setting: str, says: str
) -> None:
    """With those that its system has."""
    config = load_config(settings=[setting], systems=SYSTEMS)
    with pytest.raises(ConfigError, match=says):
        look_through(SYSTEMS, config, tmp_path)


async def test_no_more_run_at_once_than_its_author_has_it(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """And what its breaker takes for too slow is its own as well."""

    async def slow(label: str, attempt: int) -> Any:
        await asyncio.sleep(2.0)
        return await at_once(label, attempt)

    world.answer = slow
    async with office(
        tmp_path, {"a": lambda: Throttled(world)}, clock=clock, settings=opens_after(3)
    ) as run:
        await run.ask("a", calls("p", "q", "r", "s"))
        await run.advance(1.0, steps=10)
        assert world.running == 3
        await run.until(lambda: run.count("a", "timer") == 0)
        assert run.system.breaker("a.Call").openings == 1
        assert world.running_most == 3
