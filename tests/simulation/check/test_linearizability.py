"""The checker says what trying every order says, and says why."""

from __future__ import annotations

import sys
from collections import Counter as Tally
from typing import TYPE_CHECKING, Any

import pytest

from actors.simulation.check.history import Operation
from actors.simulation.check.linearizability import LINES_MAX, check_linearizability
from actors.simulation.check.model import UNKNOWN
from actors.simulation.check.search_exceeded import SearchExceeded
from actors.simulation.check.standard_models import Counter, Members, Register
from tests.simulation.check.random_histories import KINDS, draw_history, is_linearizable, precedes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.kernel.rng import Rng
    from actors.simulation.check.linearizability import Counterexample

HISTORIES = [8_000, pytest.param(1_000_000, marks=pytest.mark.long)]


@pytest.mark.parametrize("histories", HISTORIES)
def test_it_agrees_with_trying_every_order(
    rng: Rng, capsys: pytest.CaptureFixture[str], histories: int
) -> None:
    """Histories over five models: ok, failed and unknown operations, one or two keys."""
    tally: Tally[tuple[str, bool]] = Tally()
    for number in range(histories):
        name = list(KINDS)[number % len(KINDS)]
        kind = KINDS[name]
        operations = draw_history(rng, kind, operations_max=6)
        # In any order: the numbers of the events are what counts.
        shuffled = rng.sample(operations, len(operations))
        verdict = check_linearizability(shuffled, kind.model)
        expected = is_linearizable(operations, kind.model)
        assert verdict.linearizable == expected, "\n".join(map(str, operations))
        tally[name, expected] += 1
        if verdict.counterexample is not None:
            check_counterexample(verdict.counterexample, operations, kind.model)
    assert tally.total() == histories
    # Neither answer may be rare for any model: agreement would mean little.
    assert min(tally[name, answer] for name in KINDS for answer in (True, False)) > histories / 100
    with capsys.disabled():
        shares = ", ".join(f"{name} {tally[name, True]}:{tally[name, False]}" for name in KINDS)
        sys.stdout.write(f"\nagreed on {tally.total()} histories (yes:no): {shares}\n")


def check_counterexample(
    found: Counterexample, operations: Sequence[Operation], model: Any
) -> None:
    """The order it shows is a right one, and the operation it blames cannot come next."""
    assert is_linearizable(found.placed, model)
    for at, operation in enumerate(found.placed):
        assert not any(precedes(later, operation) for later in found.placed[at:])
    mine = [each for each in operations if each.key == found.key and each.outcome != "fail"]
    left = [each for each in mine if each not in found.placed]
    assert found.stuck in found.under_way
    # What is left was asked for too late, or is under way.
    assert all(each in found.under_way or precedes(found.stuck, each) for each in left)
    # Nothing of it could have made the order longer.
    for each in found.under_way:
        result = each.result if each.outcome == "ok" else UNKNOWN
        after = model.step(found.state, each, result)
        assert after is None or (each.outcome == "unknown" and after == found.state)


def op(number: int, name: str, argument: Any = None, result: Any = None, **more: Any) -> Operation:
    """An operation that ended at once, one after the other, unless `more` says else."""
    fields: dict[str, Any] = {
        "process": f"client-{number}",
        "outcome": "ok",
        "invoked": 10 * number,
        "returned": 10 * number + 1,
        "invoked_us": 1_000 * number,
        "returned_us": 1_000 * number + 500,
    }
    return Operation(number=number, name=name, argument=argument, result=result, **fields | more)


def unknown(number: int, name: str, argument: Any = None, **more: Any) -> Operation:
    return op(number, name, argument, outcome="unknown", **more)


@pytest.mark.parametrize(
    ("operations", "linearizable"),
    [
        pytest.param([], True, id="nothing happened"),
        pytest.param(
            [op(0, "write", 1), op(1, "read", result=1)], True, id="read what was written"
        ),
        pytest.param([op(0, "write", 1), op(1, "read", result=None)], False, id="a stale read"),
        pytest.param(
            [op(0, "write", 1, returned=99), op(1, "read", result=1), op(2, "read", result=None)],
            False,
            id="new, then old",
        ),
        pytest.param(
            [op(0, "write", 1, returned=99), op(1, "read", result=None), op(2, "read", result=1)],
            True,
            id="old, then new",
        ),
        pytest.param(
            [op(0, "write", 1, outcome="fail"), op(1, "read", result=1)],
            False,
            id="a failed write is seen",
        ),
        pytest.param(
            [unknown(0, "write", 1), op(1, "read"), op(2, "read", result=1)],
            True,
            id="an unknown write takes effect late",
        ),
        pytest.param(
            [unknown(0, "write", 1), op(1, "read", result=1), op(2, "read")],
            False,
            id="an unknown write does not go away again",
        ),
        pytest.param(
            [op(0, "read", result=1), unknown(1, "write", 1)],
            False,
            id="an unknown write has no effect before it",
        ),
        pytest.param(
            [unknown(0, "write", 1, returned=None), op(1, "read", result=1)],
            True,
            id="a write that never returned",
        ),
        pytest.param(
            [op(0, "write", 1, key="x"), op(1, "read", key="y")], True, id="keys are apart"
        ),
        pytest.param(
            [op(0, "cas", [None, 1], True), op(1, "cas", [None, 2], True)],
            False,
            id="two winners",
        ),
    ],
)
def test_a_register(operations: list[Operation], linearizable: bool) -> None:
    """The cases that everybody draws on a whiteboard."""
    assert check_linearizability(operations, Register()).linearizable is linearizable


def test_a_counterexample_can_be_followed() -> None:
    """The order that can be found, the state it leads to, and what cannot come next."""
    verdict = check_linearizability(
        [
            op(0, "write", 1, key="room-7"),
            unknown(1, "write", 2, key="room-7", note="TimeoutError"),
            op(2, "read", result=2, key="room-7"),
            op(3, "read", result=1, key="room-7"),
            unknown(4, "read", key="room-7", invoked=21, invoked_us=2_000, returned_us=None),
        ],
        Register(),
    )
    assert str(verdict).splitlines() == [
        "not linearizable on room-7",
        "the longest order there is has 3 operations:",
        "  #0 client-0: room-7.write(1) -> None  [0.000000 s .. 0.000500 s]",
        "  #1 client-1: room-7.write(2) unknown (TimeoutError)  [0.001000 s .. 0.001500 s]",
        "  #2 client-2: room-7.read() -> 2  [0.002000 s .. 0.002500 s]",
        "and leads to the state (2,). Next returned, but is impossible there:",
        "  #3 client-3: room-7.read() -> 1  [0.003000 s .. 0.003500 s]",
        "as all else that was under way is, or has no effect:",
        "  #4 client-4: room-7.read() unknown  [0.002000 s ..]",
        "No other order comes further.",
    ]


def test_a_long_order_is_cut() -> None:
    """Its end is what matters."""
    operations = [op(number, "add", 1, number + 1) for number in range(100)]
    text = str(check_linearizability([*operations, op(100, "get", None, 99)], Counter()))
    assert f"({100 - LINES_MAX} before)" in text
    assert text.count("add(1)") == LINES_MAX


def test_a_limit_is_an_error_and_never_a_yes() -> None:
    """Twenty writes at once and a read of what nobody wrote: too many orders to try."""
    hard = [op(number, "write", number, returned=999) for number in range(20)]
    hard.append(op(20, "read", result=-1, returned=1000))
    with pytest.raises(SearchExceeded, match="no verdict on 21 operations on x after 10000 steps"):
        check_linearizability([each_on(each, "x") for each in hard], Register(), steps_max=10_000)
    # A key that certainly fails is reported, whatever is unknown of the others.
    stale = [op(30, "write", 1, key="y"), op(31, "read", key="y")]
    both = [*(each_on(each, "x") for each in hard), *stale]
    verdict = check_linearizability(both, Register(), steps_max=10_000)
    assert verdict.counterexample is not None
    assert verdict.counterexample.key == "y"


def each_on(operation: Operation, key: str) -> Operation:
    return op(
        operation.number,
        operation.name,
        operation.argument,
        operation.result,
        key=key,
        returned=operation.returned,
    )


def test_unknown_repeats_do_not_multiply() -> None:
    """One client's hundred lost increments and a count of forty: found in a line, not in 2^100."""
    lost = [unknown(number, "add", 1, process="a") for number in range(100)]
    verdict = check_linearizability([*lost, op(100, "get", None, 40)], Counter(), steps_max=10_000)
    assert verdict.linearizable


def test_unknown_reads_cost_nothing() -> None:
    """What changes nothing need not be placed."""
    lost = [unknown(number, "has", number) for number in range(200)]
    for answer in (True, False):
        verdict = check_linearizability([*lost, op(200, "add", 1, answer)], Members())
        assert verdict.linearizable == answer
        assert verdict.steps < 500


def test_a_long_history_takes_a_step_or_two_an_operation(rng: Rng) -> None:
    """10,000 operations of five clients on one register."""
    operations: list[Operation] = []
    value, event = None, 0
    for number in range(0, 10_000, 5):
        event += 20
        order = rng.sample(range(5), 5)
        for place, client in enumerate(order):
            writes = rng.random() < 0.5
            value = number + place if writes else value
            operations.append(
                op(
                    number + place,
                    "write" if writes else "read",
                    value if writes else None,
                    None if writes else value,
                    invoked=event + client,
                    returned=event + 5 + place,
                )
            )
    verdict = check_linearizability(operations, Register())
    assert verdict.linearizable
    assert verdict.steps < 10 * len(operations)


def test_the_models_errors_pass_through() -> None:
    """An operation that the model does not know is a mistake in the test."""
    with pytest.raises(ValueError, match="a counter has no increment"):
        check_linearizability([op(0, "increment")], Counter())
