"""Whether a concurrent history could have been a sequential one, each step between call and return.

The search is that of J. Wing and C. Gong, "Testing and Verifying Concurrent Objects" (JPDC 1993),
with the memory of G. Lowe, "Testing for linearizability" (CCPE 2017): a set of placed operations
that led nowhere from a state is not tried again from that state. Objects are judged one by one,
which is enough: linearizability is local (Herlihy and Wing, TOPLAS 1990, theorem 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic

from actors.simulation.check.model import UNKNOWN, Model, S
from actors.simulation.check.search_exceeded import SearchExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from actors.simulation.check.history import Operation

# Model steps for one key. A history with few operations at once takes about one step for each of
# them; each step may keep a state, so that this also bounds the memory, to some 200 MB.
STEPS_MAX: Final = 500_000
# Of a long order only the end is printed: a person looks for the step that breaks it.
LINES_MAX: Final = 20


@dataclass(frozen=True, kw_only=True)
class Counterexample:
    """Where the search came furthest for an object that is not linearizable.

    `placed` is the longest of the orders that came as far, `state` the model's after it. `stuck`
    returned next, so that it has to be placed; `under_way` are all that might have been, `stuck`
    among them. None of them is possible in this state, or changes it.
    """

    key: str
    placed: tuple[Operation, ...]
    state: Any
    stuck: Operation
    under_way: tuple[Operation, ...]

    def __str__(self) -> str:
        others = [operation for operation in self.under_way if operation is not self.stuck]
        return "\n".join(
            [
                f"not linearizable{_on(self.key)}",
                f"the longest order there is has {len(self.placed)} operations:",
                *_lines(self.placed),
                f"and leads to the state {self.state!r}. Next returned, but is impossible there:",
                *_lines([self.stuck]),
                *(["as all else that was under way is, or has no effect:"] if others else []),
                *_lines(others),
                "No other order comes further.",
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check found: for the first key that fails, its counterexample.

    `operations` counts those that were judged, all but the failed; `steps` are model steps.
    """

    counterexample: Counterexample | None
    keys: int
    operations: int
    steps: int

    @property
    def linearizable(self) -> bool:
        """Whether an order was found for every key."""
        return self.counterexample is None

    def __str__(self) -> str:
        if self.counterexample is not None:
            return str(self.counterexample)
        return f"linearizable: {self.operations} operations on {self.keys} keys"


def check_linearizability(
    operations: Iterable[Operation], model: Model[S], *, steps_max: int = STEPS_MAX
) -> Verdict:
    """Judge each key's operations by `model`, in order of the keys' first invocations.

    `fail` is left out. `unknown` is placed anywhere after its invocation, or nowhere. The model's
    errors pass through. Raises `SearchExceeded` where some key takes more than `steps_max` steps
    and no other one fails.
    """
    by_key: dict[str, list[Operation]] = {}
    for operation in sorted(operations, key=lambda operation: operation.invoked):
        if operation.outcome != "fail":
            by_key.setdefault(operation.key, []).append(operation)
    steps = 0
    exceeded: SearchExceeded | None = None
    counterexample: Counterexample | None = None
    for key, chosen in by_key.items():
        search = _Search(chosen, model, steps_max=steps_max)
        try:
            counterexample = None if search.run() else search.counterexample(key)
        except SearchExceeded as error:
            exceeded = exceeded or error
        steps += search.steps
        if counterexample is not None:
            break
    if counterexample is None and exceeded is not None:
        raise exceeded
    return Verdict(
        counterexample=counterexample,
        keys=len(by_key),
        operations=sum(len(chosen) for chosen in by_key.values()),
        steps=steps,
    )


class _Search(Generic[S]):
    """The search for one key's order.

    Calls and returns stand in a doubly linked list, as in Lowe's paper, by position; position 0 is
    its head and its end. To place an operation is to lift its call and its return out.
    """

    def __init__(self, operations: Sequence[Operation], model: Model[S], *, steps_max: int) -> None:
        """`operations` are in order of invocation, without the failed ones."""
        self.operations = operations
        self.steps = 0
        self._model = model
        self._steps_max = steps_max
        events = [(operation.invoked, index) for index, operation in enumerate(operations)]
        events += [
            (operation.returned, ~index)
            for index, operation in enumerate(operations)
            if operation.outcome == "ok" and operation.returned is not None
        ]
        # By position: the index of the operation that is called, or the complement of that index.
        self._event = [0, *(event for _, event in sorted(events))]
        self._return = [0] * len(operations)
        for position, event in enumerate(self._event):
            if event < 0:
                self._return[~event] = position
        count = len(self._event)
        self._after = [*range(1, count), 0]
        self._before = [count - 1, *range(count - 1)]
        self._twin = _earlier_twins(operations)
        # The furthest return that could not be passed, the order before it, the state after that.
        self._furthest: tuple[int, list[int], S] = (0, [], model.init())

    def run(self) -> bool:
        """Whether every acknowledged operation finds its place."""
        state, placed, left = self._model.init(), 0, sum(map(bool, self._return))
        seen = {(placed, state)}
        trail: list[tuple[int, S]] = []
        position = self._after[0]
        while left:
            index = self._event[position]
            if index >= 0:
                after = self._step(state, placed, index)
                if after is not None and (placed | 1 << index, after) not in seen:
                    placed |= 1 << index
                    seen.add((placed, after))
                    trail.append((position, state))
                    self._lift(position)
                    left -= bool(self._return[index])
                    state, position = after, self._after[0]
                    continue
            else:
                self._note(position, trail, state)
                if not trail:
                    return False
                position, state = trail.pop()
                index = self._event[position]
                self._put_back(position)
                placed ^= 1 << index
                left += bool(self._return[index])
            position = self._after[position]
        return True

    def counterexample(self, key: str) -> Counterexample:
        """Say where a search that failed came furthest."""
        position, order, state = self._furthest
        placed = frozenset(order)
        under_way = tuple(
            self.operations[event]
            for event in self._event[1:position]
            if event >= 0 and event not in placed
        )
        return Counterexample(
            key=key,
            placed=tuple(self.operations[index] for index in order),
            state=state,
            stuck=self.operations[~self._event[position]],
            under_way=under_way,
        )

    def _step(self, state: S, placed: int, index: int) -> S | None:
        """Return the state after placing the operation, None if it cannot or need not be placed."""
        operation = self.operations[index]
        if operation.outcome == "ok":
            return self._asked(state, operation)
        # Of twins the earlier goes first: it may stand wherever the later may.
        twin = self._twin[index]
        if twin is not None and not placed >> twin & 1:
            return None
        after = self._asked(state, operation)
        # Without an effect it may as well never have happened.
        return None if after == state else after

    def _asked(self, state: S, operation: Operation) -> S | None:
        self.steps += 1
        if self.steps > self._steps_max:
            raise SearchExceeded(
                f"no verdict on {len(self.operations)} operations{_on(operation.key)} after "
                f"{self._steps_max} steps; check fewer operations, or raise steps_max"
            )
        return self._model.step(state, operation, _result(operation))

    def _note(self, position: int, trail: list[tuple[int, S]], state: S) -> None:
        furthest, order, _ = self._furthest
        if (position, len(trail)) > (furthest, len(order)):
            self._furthest = (position, [self._event[at] for at, _ in trail], state)

    def _lift(self, call: int) -> None:
        for position in (call, self._return[self._event[call]]):
            if position:
                self._after[self._before[position]] = self._after[position]
                self._before[self._after[position]] = self._before[position]

    def _put_back(self, call: int) -> None:
        for position in (self._return[self._event[call]], call):
            if position:
                self._after[self._before[position]] = position
                self._before[self._after[position]] = position


def _earlier_twins(operations: Sequence[Operation]) -> list[int | None]:
    """For each unknown operation, the last one before it that is the same to every model."""
    twins: list[int | None] = []
    latest: dict[str, int] = {}
    for index, operation in enumerate(operations):
        if operation.outcome == "ok":
            twins.append(None)
            continue
        same = repr((operation.process, operation.name, operation.argument))
        twins.append(latest.get(same))
        latest[same] = index
    return twins


def _lines(operations: Sequence[Operation]) -> list[str]:
    unseen = len(operations) - LINES_MAX
    before = [f"  ({unseen} before)"] if unseen > 0 else []
    return before + [f"  {operation}" for operation in operations[-LINES_MAX:]]


def _result(operation: Operation) -> Any:
    return operation.result if operation.outcome == "ok" else UNKNOWN


def _on(key: str) -> str:
    return f" on {key}" if key else ""
