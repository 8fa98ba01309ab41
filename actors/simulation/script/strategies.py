"""Schedules and workloads as Hypothesis strategies, for a user's own tests.

The one module of the package that imports hypothesis, which the extra `testing` brings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

from actors.simulation.script.profile import PROFILES, Profile, assemble, choose_slot, menu_of
from actors.simulation.script.workload import (
    CLIENTS,
    REQUESTS_MAX,
    ClientRequest,
    Workload,
    choose_request,
    present,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.simulation.script.chooser import Chooser
    from actors.simulation.script.schedule import Schedule
    from actors.simulation.script.targets import Targets

T = TypeVar("T")


@st.composite
def drawn(draw: st.DrawFn, function: Callable[[Chooser], T]) -> T:
    """Turn a function that draws by `Chooser` into a strategy."""
    return function(_Drawn(draw))


def schedules(
    targets: Targets, *, profile: Profile = PROFILES["chaos"], slots: int | None = None
) -> st.SearchStrategy[Schedule]:
    """Schedules of at most `slots` faults (the profile's own number, unless given) and their ends.

    They shrink to few steps, gaps of 0, the first targets and the mildest amounts.
    """
    menu = menu_of(profile, targets)
    slot = drawn(lambda choose: choose_slot(choose, menu, targets))
    return st.lists(slot, max_size=profile.slots if slots is None else slots).map(assemble)


def workloads(
    calls: st.SearchStrategy[T], *, clients: int = CLIENTS, requests_max: int = REQUESTS_MAX
) -> st.SearchStrategy[Workload[T]]:
    """Workloads of at most `requests_max` requests, each a value of `calls`.

    They shrink to few requests, all of client 0, one right after the other.
    """

    @st.composite
    def request(draw: st.DrawFn) -> ClientRequest[T] | None:
        return choose_request(_Drawn(draw), lambda _choose: draw(calls), clients)

    return st.lists(request(), max_size=requests_max).map(present)


class _Drawn:
    """Lets Hypothesis choose."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def __call__(self, count: int, /) -> int:
        return self._draw(st.integers(0, count - 1))

    def magnitude(self, limit: int, /) -> int:
        # One number and not a magnitude and a place in it: that would not shrink to one minimum.
        return self._draw(st.integers(0, limit - 1))
