"""What an effect returns, applied by a method: once, and by whoever replays it if it crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.errors import DeadLettered
from actors.kernel.lifecycle import Crashed
from actors.kernel.messages import Command
from actors.service.service import Service, effect, outcome
from actors.store.transaction import Transaction
from tests.kernel.kernel_harness import turns
from tests.service.callers import World, ask_for
from tests.service.desks import Desk, Do, SteppingClock, note, office
from tests.store.ledger import Mishap

if TYPE_CHECKING:
    from pathlib import Path


class Weigh(Command):
    label: str


class Ring(Command):
    label: str


class Weight(msgspec.Struct, frozen=True):
    grams: int


class Scale(Desk):
    """Notes each weight, or crashes where the world wants that."""

    def __init__(self, world: World) -> None:
        super().__init__(ask_for)
        self.world = world

    @effect
    async def weigh(self, cmd: Weigh) -> Weight | None:
        await self.world.call(cmd.label)
        return Weight(int(cmd.label)) if cmd.label.isdigit() else None

    @outcome(weigh)
    def weighed(self, tx: Transaction, cmd: Weigh, weight: Weight | None) -> None:
        note(tx, f"{cmd.label}: {weight}")
        if self.world.crashes:
            raise Mishap(cmd.label)

    @effect
    async def ring(self, cmd: Ring) -> None:
        await self.world.call(cmd.label)

    @outcome(ring)
    def rung(self, tx: Transaction, cmd: Ring, done: None) -> None:
        del done
        note(tx, cmd.label)


async def test_outcome_is_given_what_the_effect_was_asked_and_has_returned(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """None as well, whether it is one of several answers or the only one."""
    async with office(tmp_path, {"a": lambda: Scale(world)}, clock=clock) as run:
        await run.ask("a", Do(what=[Weigh(label="5"), Weigh(label="air"), Ring(label="ding")]))
        await turns()
        assert sorted(run.labels("a")) == ["5: Weight(grams=5)", "air: None", "ding"]
        assert run.count("a", "timer") == 0
        assert set(world.calls.values()) == {1}


async def test_outcome_that_crashes_is_a_dead_letter_that_a_later_program_replays(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """It holds the effect's answer; the effect itself runs no more."""
    world.crashes = True
    async with office(tmp_path, {"a": lambda: Scale(world)}, clock=clock) as run:
        await run.ask("a", Do(what=[Weigh(label="5")]))
        await run.until(lambda: run.count("a", "timer") == 0)
        await turns()
        (letter,) = await run.letters()
        assert letter.message_type == "EffectOutcome[Weigh]"
        assert letter.message == '{"command":{"label":"5"},"value":{"grams":5}}'
        assert "Mishap" in letter.reason
        kinds = {getattr(each, "message_type", None) for each in run.happened(Crashed)}
        assert kinds == {"EffectOutcome[Weigh]"}
        calls = dict(world.calls)
        with pytest.raises(DeadLettered):
            await run.system.replay(letter.id)
    world.crashes = False
    async with office(tmp_path, {"a": lambda: Scale(world)}, clock=clock) as run:
        replayed = await run.system.replay(letter.id)
        assert (replayed.actor, replayed.outcome) == ("a", "handled")
        assert run.labels("a") == ["5: Weight(grams=5)"]
        assert await run.letters() == []
        assert world.calls == calls


# --- When the class is made, and before it by mypy -----------------------------------------------


class Weighing(Service):
    @effect
    async def weigh(self, cmd: Weigh) -> Weight: ...  # type: ignore[empty-body]

    @outcome(weigh)
    def weighed(self, tx: Transaction, cmd: Weigh, weight: Weight) -> None: ...


def test_outcome_of_another_type_is_told_and_mypy_finds_it() -> None:
    """The value's, or the message's: each `type: ignore` is one that mypy needs."""
    with pytest.raises(TypeError, match=r"Wrong\.weighed is @outcome\(weigh\): it must be typed"):

        class Wrong(Service):
            @effect
            async def weigh(self, cmd: Weigh) -> Weight: ...  # type: ignore[empty-body]

            @outcome(weigh)  # type: ignore[arg-type]
            def weighed(self, tx: Transaction, cmd: Weigh, weight: int) -> None: ...

    with pytest.raises(TypeError, match=r"message: Weigh, outcome: Weight\) -> None"):

        class Other(Service):
            @effect
            async def weigh(self, cmd: Weigh) -> Weight: ...  # type: ignore[empty-body]

            @outcome(weigh)  # type: ignore[arg-type]
            def weighed(self, tx: Transaction, cmd: Ring, weight: Weight) -> None: ...


def test_outcome_of_no_effect_of_the_class_is_told() -> None:
    """Another class's effect is none of it, nor is a method that is no effect at all."""
    with pytest.raises(TypeError, match=r"Lost\.weighed is @outcome\(weigh\), and Lost has no"):

        class Lost(Service):
            @outcome(Weighing.weigh)
            def weighed(self, tx: Transaction, cmd: Weigh, weight: Weight) -> None: ...

    with pytest.raises(
        TypeError, match=r"Plain\.weighed is @outcome\(weigh\), which is no @effect"
    ):

        class Plain(Service):
            async def weigh(self, cmd: Weigh) -> Weight: ...  # type: ignore[empty-body]

            @outcome(weigh)
            def weighed(self, tx: Transaction, cmd: Weigh, weight: Weight) -> None: ...


def test_effect_has_one_outcome_handler() -> None:
    """Which of two it would be, nobody could tell."""
    says = r"Twice\.again and Twice\.weighed both handle EffectOutcome\[Weigh\]"
    with pytest.raises(TypeError, match=says):

        class Twice(Weighing):
            @outcome(Weighing.weigh)
            def again(self, tx: Transaction, cmd: Weigh, weight: Weight) -> None: ...


def test_outcome_never_awaits_and_is_readable() -> None:
    """It runs in a transaction, and is stored where it crashes."""
    with pytest.raises(TypeError, match=r"Awaits\.weighed: handlers never await"):

        class Awaits(Service):
            @effect
            async def weigh(self, cmd: Weigh) -> Weight: ...  # type: ignore[empty-body]

            @outcome(weigh)  # type: ignore[arg-type]
            async def weighed(self, tx: Transaction, cmd: Weigh, weight: Weight) -> None: ...

    with pytest.raises(TypeError, match=r"Blurred\.weighed: its outcome could be stored, and not"):

        class Blurred(Service):
            @effect
            async def weigh(self, cmd: Weigh) -> Weight | Ring: ...  # type: ignore[empty-body]

            @outcome(weigh)
            def weighed(self, tx: Transaction, cmd: Weigh, weight: Weight | Ring) -> None: ...


def test_subclass_overrides_effect_and_outcome_together() -> None:
    """By name; the effect alone, with another answer, would leave its outcome behind."""

    class Finer(Weighing):
        @effect
        async def weigh(self, cmd: Weigh) -> int: ...  # type: ignore[override,empty-body]

        @outcome(weigh)
        def weighed(self, tx: Transaction, cmd: Weigh, weight: int) -> None: ...  # type: ignore[override]

    assert [spec.stored for spec in Finer.handlers.values()] != [
        spec.stored for spec in Weighing.handlers.values()
    ]
    says = r"Half\.weighed is @outcome\(weigh\), which returns something else in Half"
    with pytest.raises(TypeError, match=says):

        class Half(Weighing):
            @effect
            async def weigh(self, cmd: Weigh) -> int: ...  # type: ignore[override,empty-body]
