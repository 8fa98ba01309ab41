"""The budget of retries, as those who ask the outside world and those who wait for it meet it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.errors import Starting
from actors.kernel.messages import GaveUp
from actors.service.effects import SPENT
from actors.service.service import effect, on
from actors.store.transaction import Transaction
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
)
from tests.service.desks import Do, SteppingClock, note, office

if TYPE_CHECKING:
    from pathlib import Path

    from actors.measures.effect_counts import EffectCounts
    from tests.service.desks import Office

# The hotel's cards have so many attempts.
CARD_ATTEMPTS = 4
REFUSED_S_MAX = 30.0


def retries(*, kept_max: int, share: float = 0.0, s_min: float = 0.0) -> list[str]:
    return [
        *NO_BREAKER,
        f"effect.retries_kept_max={kept_max}",
        f"effect.retries_share={share}",
        f"effect.retries_s_min={s_min}",
    ]


async def counted(run: Office, kind: str) -> EffectCounts:
    (service,) = (await run.system.measured(look_s_max=1.0)).services
    return service.effects[kind]


class Pairs(Caller):
    """Takes lists, of which each message may be the one that fails."""

    @effect
    async def call(self, cmds: list[Call]) -> list[Called]:  # type: ignore[override]
        for cmd in cmds:
            await self.world.call(cmd.label)
        return [Called(label=cmd.label) for cmd in cmds]

    @on(GaveUp[Call])
    def gave_up(self, tx: Transaction, event: GaveUp[Call]) -> None:
        note(tx, f"gave up {event.command.label}")


async def test_a_retry_beyond_the_budget_is_not_made_and_has_failed(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Whoever gives up says how many were not made, and why the others failed."""
    world.answer = failing
    settings = [*retries(kept_max=4), "effect.attempts_max=4"]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x"))
        await run.until(lambda: run.labels("a"))
        await run.ask("a", calls("y"))
        await run.until(lambda: len(run.labels("a")) == 2)
        assert world.calls == {"x": 4, "y": 2}
        assert run.labels("a") == [
            "gave up x: ConnectionError: x 4",
            f"gave up y: ConnectionError: y 2; of 4 attempts 2 were not made: {SPENT}",
        ]
        counts = await counted(run, "Call")
        assert (counts.retries, counts.retries_refused) == (4, 2)


async def test_a_share_of_the_first_attempts_and_time_give_more(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Two of four firsts are one retry; so are two seconds."""

    async def answer(label: str, attempt: int) -> Any:
        return await (failing if label.startswith("bad") else at_once)(label, attempt)

    world.answer = answer
    settings = [*retries(kept_max=2, share=0.25), "effect.attempts_max=8"]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("bad 1"))
        await run.until(lambda: run.labels("a"))
        assert world.calls == {"bad 1": 3}
        await run.ask("a", calls("a", "b", "c", "bad 2"))
        await run.until(lambda: len(run.labels("a")) == 5)
        assert world.calls["bad 2"] == 2


async def test_each_kind_has_a_budget_and_it_outlives_the_incarnation(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """A restart of ours makes no storm; what it has under way then begins anew, which is none."""
    world.answer = failing
    settings = [*retries(kept_max=1), "effect.attempts_max=3"]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x"))
        await run.until(lambda: run.count("a", "timer") == 0)
        run.system.kill("a")
        await run.ask("a", Do(what=[Call(label="y"), Mail(label="mail")]))
        await run.until(lambda: run.count("a", "timer") == 0)
        assert world.calls == {"x": 2, "y": 1, "mail": 2}


async def test_what_was_not_asked_is_no_retry(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """A service of ours that is starting is waited for, however often one has to look."""

    async def answer(label: str, attempt: int) -> Any:
        if attempt == 1:
            raise ConnectionError
        if attempt < 9:
            raise Starting("b is starting", retry_after_s=1.0)
        return await at_once(label, attempt)

    world.answer = answer
    settings = [*retries(kept_max=1), "effect.attempts_max=2"]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x"))
        await run.until(lambda: run.count("a", "timer") == 0)
        assert (world.calls, run.labels("a")) == ({"x": 9}, ["x"])


async def test_those_whom_another_made_fail_cost_nothing(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """One in each list fails always, and takes none of the others with it, however long it goes on.

    It has what it may have of the budget, and no more.
    """

    async def answer(label: str, attempt: int) -> Any:
        return await (failing if label.startswith("bad") else at_once)(label, attempt)

    world.answer = answer
    settings = [*retries(kept_max=4), "effect.attempts_max=3"]
    async with office(tmp_path, {"a": lambda: Pairs(world)}, clock=clock, settings=settings) as run:
        good = []
        for number in range(50):
            good += [f"{number} {each}" for each in "pqr"]
            await run.ask("a", calls(f"bad {number}", *good[-3:]))
            await run.until(lambda: run.count("a", "timer") == 0)
        assert sorted(each for each in run.labels("a") if "bad" not in each) == sorted(good)
        # Each once together and once alone; then four retries, all in all.
        bad = sum(number for label, number in world.calls.items() if label.startswith("bad"))
        assert bad == 2 * 50 + 4


async def test_cards_that_never_answer_are_refused_in_time(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Though they are twice as many as have places, beside others: with the shipped numbers."""

    async def answer(label: str, attempt: int) -> Any:
        return await (never if label.startswith("card") else at_once)(label, attempt)

    world.answer = answer
    settings = [f"effect.attempts_max={CARD_ATTEMPTS}"]
    async with office(
        tmp_path, {"a": lambda: Listener(world)}, clock=clock, settings=settings
    ) as run:
        begun_s = clock.monotonic()
        await run.ask("a", calls(*[f"card {number}" for number in range(128)]))
        for number in range(10 * int(REFUSED_S_MAX)):
            await run.ask("a", calls(f"good {number}"))
            await run.advance(0.1)
            if run.count("a", "timer") == 0:
                break
        assert clock.monotonic() - begun_s < REFUSED_S_MAX
        refused = {label.partition(":")[0] for label in run.labels("a") if "card" in label}
        assert refused == {f"gave up card {number}" for number in range(128)}
