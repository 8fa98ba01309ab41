"""What is plainer than a call, as its scenario draws it: 0 is the simplest of every choice.

A call that is no struct, or that says what it means in texts, has no simpler field; but it was made
of choices, and a smaller number makes a plainer call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from actors.simulation.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.simulation.script.chooser import Chooser

    ChooseCall = Callable[[Chooser], Any]

# Of how many calls one is looked for: some tens of milliseconds.
CALLS_MAX: Final = 10_000
# Up to this number each smaller one is tried; of a larger, none, half and one less.
EACH_MAX: Final = 8
_NONE: Final = object()


class _ToldChooser:
    """Chooses what it is told, then 0; `taken` are the numbers, and of how many each was one."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.taken: list[tuple[int, int]] = []
        self._numbers = numbers

    def __call__(self, count: int, /) -> int:
        at = len(self.taken)
        number = min(self._numbers[at], count - 1) if at < len(self._numbers) else 0
        self.taken.append((number, count))
        return number

    def magnitude(self, limit: int, /) -> int:
        return self(limit)


def plainer_draws(choose_call: ChooseCall, call: Any) -> Iterator[Any]:
    """Yield the calls of smaller choices, the plainest first; none where its own are not found."""
    own = _numbers_of(choose_call, call)
    if own is None:
        return
    seen = [call]
    for numbers in ((), *_smaller(own)):
        plainer = _call(choose_call, _ToldChooser(numbers))
        if plainer is not _NONE and plainer not in seen:
            seen.append(plainer)
            yield plainer


def _smaller(own: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for at, number in enumerate(own):
        fewer = range(number) if number <= EACH_MAX else (0, number // 2, number - 1)
        for less in fewer:
            yield (*own[:at], less, *own[at + 1 :])


def _call(choose_call: ChooseCall, chooser: Chooser) -> Any:
    """Choose; what cannot be chosen is no plainer call."""
    try:
        return choose_call(chooser)
    except SimulationError:
        return _NONE


def _numbers_of(choose_call: ChooseCall, call: Any) -> tuple[int, ...] | None:
    """Return the least numbers that make the call, as if they were a word's letters."""
    numbers: tuple[int, ...] = ()
    for _ in range(CALLS_MAX):
        chooser = _ToldChooser(numbers)
        made = _call(choose_call, chooser)
        taken = chooser.taken
        if made == call and type(made) is type(call):
            return tuple([number for number, _ in taken])
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return None
        numbers = (*[number for number, _ in taken[:-1]], taken[-1][0] + 1)
    return None
