"""The table of an actor's lifecycle: what it says is done, and what it does not say is refused."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import pytest

from actors.kernel import state_machine
from actors.kernel.incarnation import Incarnation
from actors.kernel.state_machine import (
    GONE,
    MADE,
    TRANSITIONS,
    IllegalTransition,
    Phase,
    StateMachine,
    Trigger,
)
from actors.kernel.stats import ActorState
from tests.kernel.kernel_harness import running_kernel, turns

if TYPE_CHECKING:
    from collections.abc import Iterable

PHASES = [each for each in vars(state_machine).values() if isinstance(each, Phase)]
TRIGGERS: tuple[Any, ...] = get_args(Trigger)


def reached(start: Phase) -> set[Phase]:
    """Return every phase that some triggers lead to from `start`, which is one of them."""
    found, new = {start}, [start]
    while new:
        after: Iterable[Phase] = TRANSITIONS[new.pop()].values()
        new += {each for each in after if each not in found}
        found.update(after)
    return found


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
async def test_every_trigger_in_every_phase_is_in_the_table_or_refused(phase: Phase) -> None:
    """What the table has is done; what it has not is an error that names both, and does nothing."""
    begun: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    for trigger in TRIGGERS:
        machine = StateMachine()
        machine.phase = phase
        machine.incarnation = life = Incarnation(1, begun)
        if (after := TRANSITIONS[phase].get(trigger)) is not None:
            machine.move(trigger)
            assert machine.phase is after
            assert machine.incarnation is (life if after.lives else None)
            continue
        assert machine.try_move(trigger) is False
        with pytest.raises(IllegalTransition, match=f"'{trigger}' .* that is {phase.name}$"):
            machine.move(trigger)
        assert (machine.phase, machine.incarnation) == (phase, life)


def test_the_table_is_whole() -> None:
    """Every phase has a row and a way to it, every trigger is used, every state has a phase."""
    assert list(TRANSITIONS) == PHASES
    assert reached(MADE) == set(PHASES)
    assert {trigger for row in TRANSITIONS.values() for trigger in row} == set(TRIGGERS)
    shown = {phase.state for phase in PHASES} | {"restarting"}
    assert shown == set(get_args(ActorState))


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_what_a_phase_says_of_itself_agrees_with_its_row(phase: Phase) -> None:
    """Only what lives can crash or be ended, what starts comes up, what ends ends; one is final."""
    row = TRANSITIONS[phase]
    assert phase.lives == ("crash" in row) == ("stop" in row) == ("drain" in row)
    assert phase.starts == ("up" in row) == ("up_suspended" in row)
    assert phase.lives or not (phase.serves or phase.starts or phase.ends)
    if phase.ends:
        ends = {"stop", "drain", "close", "crash"} | ({"up", "up_suspended"} & row.keys())
        assert row.keys() <= ends
        assert phase.state == "stopping"
    if not phase.lives and phase is not GONE:
        assert {"begin", "park", "stay_down", "terminate"} <= row.keys()
    # Whoever waits for the end of an incarnation is never left waiting by another trigger.
    assert GONE in reached(phase)
    assert (not row) == (phase is GONE)


def test_a_start_is_shown_as_a_restart_once_one_was_up() -> None:
    """Before the first life is up, whatever failed, the actor is starting."""
    machine = StateMachine()
    states = []
    for trigger in ("begin", "crash", "begin", "up", "crash", "begin"):
        machine.move(trigger)
        machine.ups += trigger == "up"
        states.append(machine.state)
    assert states == ["starting", "restarting", "starting", "running", "restarting", "restarting"]


async def test_what_cannot_happen_to_an_actor_is_refused() -> None:
    """Nobody begins, parks or lays down what lives, or does anything with what is gone."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        for impossible in (actor.begin, partial(actor.park, "Boom", 1.0), actor.stay_down):
            with pytest.raises(IllegalTransition, match="running"):
                impossible()
            assert await actor.ref.ask("still served", block=False) == "still served"
        await actor.ref.stop(block=False)
        for impossible in (actor.begin, partial(actor.park, "Boom", 1.0), actor.stay_down):
            with pytest.raises(IllegalTransition, match="gone"):
                impossible()
        assert actor.state == "stopped"


async def test_a_restart_that_a_decision_overtakes_is_none() -> None:
    """What is parked, or stays down, while a restart waits for its end is not begun by that."""
    async with running_kernel() as kernel:
        parked, down = kernel.start(name="parked"), kernel.start(name="down")
        for actor, decide in ((parked, partial(parked.park, "Boom", 1.0)), (down, down.stay_down)):
            actor.ref.restart()
            await turns(1)
            assert actor.state == "stopping"
            await actor.end()
            decide()
        await turns()
        assert (parked.state, down.state) == ("parked", "stopped")
