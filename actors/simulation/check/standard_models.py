"""Sequential models of the commonest objects; a system's own are written the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.simulation.check.model import Deterministic

if TYPE_CHECKING:
    from actors.simulation.check.history import Operation

# A register's value, boxed: it may be None, and a state may not.
Boxed = tuple[Any]


class Register(Deterministic[Boxed]):
    """One value, None at first.

    | operation | answers |
    | --- | --- |
    | `read()` | the value |
    | `write(new)` | None |
    | `cas((old, new))` | whether the value was `old` and is now `new` |
    | `put_if_absent(new)` | the value it has now: `new` if it was None |
    """

    def init(self) -> Boxed:
        return (None,)

    def apply(self, state: Boxed, operation: Operation) -> tuple[Boxed, Any]:
        argument = operation.argument
        match operation.name:
            case "read":
                return state, state[0]
            case "write":
                return (argument,), None
            case "cas":
                old, new = argument
                return ((new,), True) if state[0] == old else (state, False)
            case "put_if_absent":
                after = (argument,) if state[0] is None else state
                return after, after[0]
        raise ValueError(f"a register has no {operation.name}")


class Counter(Deterministic[int]):
    """An integer, zero at first: `add(n)` answers the new count, `get()` the count."""

    def init(self) -> int:
        return 0

    def apply(self, state: int, operation: Operation) -> tuple[int, Any]:
        match operation.name:
            case "add":
                return state + operation.argument, state + operation.argument
            case "get":
                return state, state
        raise ValueError(f"a counter has no {operation.name}")


class Members(Deterministic[frozenset[Any]]):
    """A set, empty at first.

    | operation | answers |
    | --- | --- |
    | `add(item)` | whether the item is new |
    | `remove(item)` | whether the item was there |
    | `has(item)` | whether the item is there |
    """

    def init(self) -> frozenset[Any]:
        return frozenset()

    def apply(self, state: frozenset[Any], operation: Operation) -> tuple[frozenset[Any], Any]:
        item = operation.argument
        match operation.name:
            case "add":
                return state | {item}, item not in state
            case "remove":
                return state - {item}, item in state
            case "has":
                return state, item in state
        raise ValueError(f"a set has no {operation.name}")
