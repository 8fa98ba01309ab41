"""What an object does when it is asked one thing at a time: what a history is judged by."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from actors.simulation.check.history import Operation

S = TypeVar("S", bound="Hashable")


class Unknown(enum.Enum):
    """The type of `UNKNOWN`."""

    RESULT = "unknown"


# Stands for a result that nobody saw. No operation can answer it.
UNKNOWN: Final = Unknown.RESULT


class Model(Protocol[S]):
    """A sequential specification of one object.

    A state is hashable, is compared by value and is never None. A step depends on nothing but its
    arguments, and of the operation on `process`, `name` and `argument` alone.
    """

    def init(self) -> S:
        """Return the state before the first operation."""
        ...

    def step(self, state: S, operation: Operation, result: Any) -> S | None:
        """Return the state after `operation` answered `result`; None where it cannot have.

        With `UNKNOWN`, return the state after it took effect, whatever it would have answered.
        """
        ...


class Deterministic(ABC, Model[S]):
    """A model in which state and operation alone decide the answer."""

    @abstractmethod
    def apply(self, state: S, operation: Operation) -> tuple[S, Any]:
        """Return the state after `operation`, and the one right answer."""

    def step(self, state: S, operation: Operation, result: Any) -> S | None:
        after, expected = self.apply(state, operation)
        return after if result is UNKNOWN or result == expected else None
