"""Values that differ from request to request: what a plan's `[values]` are."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from actors.load.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.kernel.rng import Rng


class DrawnValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of a plan's values. Exactly one field says how it is drawn; `days` goes with `after`.

    In Python a class of one's own may draw otherwise: it overrides `draw`.
    """

    choice: tuple[Any, ...] | None = None  # one of these
    integer: tuple[int, int] | None = None  # from the first to the second, both included
    date: tuple[dt.date, dt.date] | None = None  # likewise
    after: str | None = None  # so many `days` after the date that this other value is
    days: tuple[int, int] = (1, 1)
    unique: str | None = None  # this text, and what no other request of any run has
    answered: str | None = None  # "room.id": what an earlier request's answer had there

    def __post_init__(self) -> None:
        """Raise ValueError where it says nothing, or several things, or draws from nothing."""
        if type(self) is not DrawnValue:
            return
        ways = (self.choice, self.integer, self.date, self.after, self.unique, self.answered)
        if sum(each is not None for each in ways) != 1:
            raise ValueError(
                "say one of choice, integer, date, after (with days), unique, answered"
            )
        if self.choice == ():
            raise ValueError("a choice needs something to choose from")
        for name, pair in (("integer", self.integer), ("date", self.date), ("days", self.days)):
            if pair is not None and pair[0] > pair[1]:  # type: ignore[operator] # of one type
                raise ValueError(f"{name}: the first must not be greater than the second")
        if self.answered is not None and self.answered.count(".") != 1:
            raise ValueError('answered: say whose answer and which field, as in "room.id"')

    def draw(self, draws: Draws) -> Any:
        """Return the value for the request that `draws` is about. Raises LoadError."""
        rng = draws.rng
        if self.choice is not None:
            return rng.choice(self.choice)
        if self.integer is not None:
            return rng.randint(*self.integer)
        if self.date is not None:
            first, last = self.date
            return first + dt.timedelta(days=rng.randint(0, (last - first).days))
        if self.after is not None:
            day, days = draws[self.after], rng.randint(*self.days)
            try:
                return day + dt.timedelta(days=days)
            except (TypeError, OverflowError) as error:
                raise LoadError(
                    f"there is no {days} days after {self.after!r}, which is {day}: make it a "
                    "date, or the days fewer"
                ) from error
        if self.unique is not None:
            return f"{self.unique}{draws.unique}"
        assert self.answered is not None, "one of them, see __post_init__"
        return rng.choice(draws.answers(self.answered))


class Draws:
    """One request's values: each is drawn when it is first asked for, and stays."""

    __slots__ = ("_answers", "_drawn", "_values", "rng", "unique")

    def __init__(
        self,
        values: Mapping[str, DrawnValue],
        rng: Rng,
        *,
        unique: str,
        answers: Callable[[str], Sequence[Any]],
    ) -> None:
        """`unique` is this request's alone; `answers` returns what was answered in "room.id"."""
        self.rng = rng
        self.unique = unique
        self._values = values
        self._answers = answers
        self._drawn: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return the value of that name. Raises LoadError where it cannot be drawn."""
        if name not in self._drawn:
            self._drawn[name] = self._values[name].draw(self)
        return self._drawn[name]

    def answers(self, whose: str) -> Sequence[Any]:
        """Return what requests were answered, as in "room.id". Raises LoadError without any."""
        found = self._answers(whose)
        if not found:
            request, _, field = whose.partition(".")
            raise LoadError(
                f"no {request!r} has been answered with {field!r} yet: have some made before, "
                f'with [[setup]] request = "{request}", count = 10'
            )
        return found
