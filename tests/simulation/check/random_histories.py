"""Small histories at random, and the slow, plain way to judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from actors.simulation.check.history import Operation, Outcome
from actors.simulation.check.model import UNKNOWN
from actors.simulation.check.standard_models import Counter, Members, Register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.kernel.rng import Rng
    from actors.simulation.check.model import Deterministic

VALUES = (1, 2, 3)
KEYS = ("x", "y")
PROCESSES = ("a", "b", "c", "d")
OUTCOMES: tuple[Outcome, ...] = ("ok", "ok", "ok", "unknown", "fail")


class Kind(NamedTuple):
    """A model, the operations to draw for it, and the answers that a mistake may give."""

    model: Deterministic[Any]
    calls: tuple[tuple[str, Any], ...]
    answers: tuple[Any, ...]


REGISTER = Kind(
    Register(),
    (("read", None), *(("write", value) for value in VALUES)),
    (None, *VALUES),
)
CAS = Kind(
    Register(),
    (("read", None), ("write", 1), ("cas", (None, 1)), ("cas", (1, 2)), ("cas", (2, 1))),
    (None, 1, 2, True, False),
)
PUT_IF_ABSENT = Kind(
    Register(),
    (("read", None), *(("put_if_absent", value) for value in VALUES)),
    (None, *VALUES),
)
COUNTER = Kind(
    Counter(),
    (("get", None), ("add", 1), ("add", 2), ("add", -1)),
    (0, 1, 2, 3),
)
MEMBERS = Kind(
    Members(),
    tuple((name, item) for name in ("add", "remove", "has") for item in (1, 2)),
    (True, False),
)
KINDS = {
    "register": REGISTER,
    "cas": CAS,
    "put_if_absent": PUT_IF_ABSENT,
    "counter": COUNTER,
    "set": MEMBERS,
}


def draw_history(rng: Rng, kind: Kind, *, operations_max: int) -> list[Operation]:
    """Draw what a right object could have answered; every other time, change one answer."""
    count = rng.randint(1, operations_max)
    spans = draw_spans(rng, count)
    outcomes = [rng.choice(OUTCOMES) for _ in range(count)]
    calls = [rng.choice(kind.calls) for _ in range(count)]
    keys = [rng.choice(KEYS) if rng.random() < 0.3 else KEYS[0] for _ in range(count)]
    answers: dict[int, Any] = {}
    states: dict[str, Any] = {}
    # When each takes effect: somewhere in its span; one of unknown outcome also later or never.
    moments = [
        (rng.uniform(low, high if outcome == "ok" else 2 * count + 1), number)
        for number, ((low, high), outcome) in enumerate(zip(spans, outcomes, strict=True))
        if outcome == "ok" or (outcome == "unknown" and rng.random() < 0.5)
    ]
    for _, number in sorted(moments):
        key, (name, argument) = keys[number], calls[number]
        operation = Operation(number=number, process="", name=name, argument=argument, invoked=0)
        state = states.get(key, kind.model.init())
        states[key], answers[number] = kind.model.apply(state, operation)
    if rng.random() < 0.5:
        answers[rng.randrange(count)] = rng.choice(kind.answers)
    return [
        Operation(
            number=number,
            process=rng.choice(PROCESSES),
            name=calls[number][0],
            argument=calls[number][1],
            key=keys[number],
            outcome=outcomes[number],
            result=answers.get(number) if outcomes[number] == "ok" else None,
            invoked=spans[number][0],
            returned=spans[number][1],
        )
        for number in range(count)
    ]


def draw_spans(rng: Rng, count: int) -> list[tuple[int, int]]:
    """Draw invocations and returns, all different; now and then with little at the same time."""
    events = [number for number in range(count) for _ in range(2)]
    if rng.random() < 0.5:
        rng.shuffle(events)
    else:
        for at in range(len(events) - 1):
            if rng.random() < 0.5:
                events[at], events[at + 1] = events[at + 1], events[at]
    places: list[list[int]] = [[] for _ in range(count)]
    for place, number in enumerate(events, 1):
        places[number].append(place)
    return sorted((low, high) for low, high in places)


def is_linearizable(operations: Sequence[Operation], model: Deterministic[Any]) -> bool:
    """Try every order of all keys' operations that respects real time, with no memory."""
    return _some_order([each for each in operations if each.outcome != "fail"], {}, model)


def _some_order(left: list[Operation], states: dict[str, Any], model: Deterministic[Any]) -> bool:
    if all(operation.outcome == "unknown" for operation in left):
        return True
    for operation in left:
        if any(precedes(other, operation) for other in left):
            continue
        result = operation.result if operation.outcome == "ok" else UNKNOWN
        after = model.step(states.get(operation.key, model.init()), operation, result)
        if after is not None:
            rest = [other for other in left if other is not operation]
            if _some_order(rest, {**states, operation.key: after}, model):
                return True
    return False


def precedes(one: Operation, other: Operation) -> bool:
    """Whether `one` had its effect before `other` was asked for."""
    return one.outcome == "ok" and one.returned is not None and one.returned < other.invoked
