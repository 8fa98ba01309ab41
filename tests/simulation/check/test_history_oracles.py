"""Exactly once, and nothing lost: checks of a history against an end state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.simulation.check.conservation import check_conserved, check_sum
from actors.simulation.check.exactly_once import check_exactly_once
from actors.simulation.check.history import Operation, Outcome
from actors.simulation.check.search_exceeded import SearchExceeded

OUTCOMES: tuple[Outcome, ...] = ("ok", "fail", "unknown")


def op(outcome: Outcome, argument: Any, result: Any = None, number: int = 0) -> Operation:
    return Operation(
        number=number,
        process="a",
        name="do",
        argument=argument,
        result=result,
        outcome=outcome,
        invoked=1,
        returned=2,
    )


def argument_of(operation: Operation) -> Any:
    return operation.argument


@pytest.mark.parametrize(
    ("outcomes", "allowed"),
    [
        (["ok"], [1]),
        (["unknown"], [0, 1]),
        (["fail"], [0]),
        (["unknown", "ok"], [1]),
        (["unknown", "fail"], [0, 1]),
        (["fail", "ok"], [1]),
        (["unknown", "unknown"], [0, 1]),
    ],
)
def test_an_effect_exists_as_often_as_its_attempts_allow(
    outcomes: list[Outcome], allowed: list[int]
) -> None:
    """Acknowledged once, unknown once or never, failed never; retries count as one request."""
    operations = [op(outcome, "booking-1") for outcome in outcomes]
    for count in range(4):
        troubles = check_exactly_once(operations, ["booking-1"] * count, effect_of=argument_of)
        assert bool(troubles) == (count not in allowed), (count, troubles)


def test_what_is_wrong_is_said() -> None:
    """Lost, doubled, undone and never asked for; in order of the history."""
    operations = [op("ok", "a"), op("ok", "b"), op("fail", "c"), op("ok", None)]
    troubles = check_exactly_once(operations, ["b", "c", "b", "d"], effect_of=argument_of)
    assert [trouble.split(":")[0] for trouble in troubles] == [
        "'a' exists never, but should once",
        "'b' exists 2 times, but should once",
        "'c' exists once, but should never",
        "'d' exists once, and nobody asked for it",
    ]
    assert "#0 a: do('a') -> None" in troubles[0]


def test_an_answer_may_be_a_no() -> None:
    """A refusal is an answer, and has no effect."""
    operations = [op("ok", "a", "refused"), op("ok", "b", "done")]

    def acknowledged(operation: Operation) -> bool:
        return operation.outcome == "ok" and operation.result == "done"

    def troubles(effects: list[str]) -> tuple[str, ...]:
        return check_exactly_once(
            operations, effects, effect_of=argument_of, acknowledged=acknowledged
        )

    assert not troubles(["b"])
    assert len(troubles(["a", "b"])) == 1


@given(
    done=st.lists(st.tuples(st.sampled_from(OUTCOMES), st.integers(-5, 5), st.booleans())),
    error=st.integers(-100, 100),
)
def test_a_sum_is_what_was_added(done: list[tuple[Outcome, int, bool]], error: int) -> None:
    """Right whichever of the unknown took effect; wrong where no choice of them explains it."""
    operations = [op(outcome, delta) for outcome, delta, _ in done]
    after = 7 + sum(
        delta
        for outcome, delta, applied in done
        if outcome == "ok" or (outcome == "unknown" and applied)
    )
    assert not check_sum(operations, before=7, after=after, delta_of=argument_of)
    acknowledged = sum(delta for outcome, delta, _ in done if outcome == "ok")
    reachable = {0}
    for outcome, delta, _ in done:
        if outcome == "unknown":
            reachable = reachable | {total + delta for total in reachable}
    troubles = check_sum(operations, before=7, after=after + error, delta_of=argument_of)
    assert bool(troubles) == (after + error - 7 - acknowledged not in reachable)


def test_a_wrong_sum_is_explained() -> None:
    operations = [op("ok", 10), op("unknown", 5), op("fail", 99)]
    assert check_sum(operations, before=1, after=13, delta_of=argument_of) == (
        "1 became 13, a difference of +12; acknowledged are +10 and some of [5] of unknown outcome",
    )


def test_too_many_possible_sums_are_an_error() -> None:
    """Neither a yes nor a no."""
    operations = [op("unknown", 2**number) for number in range(11)]
    with pytest.raises(SearchExceeded, match="more than 1000"):
        check_sum(operations, before=0, after=3, delta_of=argument_of, sums_max=1000)


def test_two_accounts_of_the_same_have_one_sum() -> None:
    kept = {"kept": 70, "refunded": 30}
    assert not check_conserved("cents", {"charged": 100}, kept)
    assert check_conserved("cents", {"charged": 110}, kept) == (
        "10 cents were lost: 110 charged = 110, but 70 kept + 30 refunded = 100",
    )
    (trouble,) = check_conserved("cents", {"charged": 90}, kept)
    assert trouble.startswith("10 cents came from nowhere")
    assert not check_conserved("cents", {}, {})
