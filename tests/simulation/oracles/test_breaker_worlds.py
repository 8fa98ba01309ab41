"""What an oracle is sure of is so of the breaker itself, whatever is not told; and it is sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.resilience.breaker import Breaker, Call
from actors.simulation.oracles.outside.breaker_worlds import BreakerWorlds

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG = msgspec.structs.replace(
    load_config().breaker,
    window_calls=4,
    calls_min=2,
    failed_share=0.75,
    open_s=1.0,
    probes_max=2,
    probe_s_max=1000.0,
)
# What a call says, and whether the oracle is told so.
SAID = st.sampled_from(
    [("succeeded", True), ("failed", True), ("failed", True), ("failed", False), ("nothing", False)]
)
STEPS = st.lists(
    st.one_of(st.just("enter"), st.sampled_from([0.25, 1.0]), st.tuples(SAID, st.integers(0, 4))),
    max_size=80,
)


class Watched:
    """A breaker, and what is known of it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.breaker = Breaker("cards", config=CONFIG, clock=self.clock)
        self.worlds = BreakerWorlds()
        # With when each began.
        self.calls: list[tuple[Call, float]] = []

    def enter(self) -> bool:
        call = self.breaker.enter()
        if call is not None:
            self.calls.append((call, self.clock.monotonic()))
        return call is not None

    def end(self, number: int, said: str, *, told: bool, began: bool = True) -> None:
        """Have the call of that number end; `began`: the oracle knows when it did."""
        call, begun_s = self.calls.pop(number % len(self.calls))
        # As a gate does: a time-out, which may count or not, counts of a probe.
        failed = said == "failed" or (said == "nothing" and call.is_probe)
        heard = {failed} if told else {True, None}
        self.worlds.heard(heard, begun_s if began else None, self.clock.monotonic(), CONFIG)
        if said == "succeeded":
            call.succeeded()
        elif failed:
            call.failed()
        else:
            call.withdrawn()


@given(steps=STEPS, known=st.booleans())
def test_what_it_is_sure_of_is_so(steps: Sequence[str | float | tuple[tuple[str, bool], int]],
                                  known: bool) -> None:  # fmt: skip
    """Of those that are late, that say nothing and that nobody has seen begin, among others."""
    watched = Watched()
    for step in steps:
        if isinstance(step, float):
            watched.clock.advance(step)
        elif isinstance(step, str):
            watched.enter()
        elif watched.calls:
            (said, told), number = step
            watched.end(number, said, told=told, began=known or number > 0)
        now_s, state = watched.clock.monotonic(), watched.breaker.state
        assert not watched.worlds.is_closed or state == "closed"
        assert not now_s < watched.worlds.open_until_s or state == "open"
        assert not watched.worlds.is_half_open(now_s) or state == "half_open"


def test_it_is_sure_where_all_is_told() -> None:
    """It is open from the failure that opens it, half open then, and closed by a probe alone."""
    watched = Watched()
    worlds = watched.worlds
    assert all(watched.enter() for _ in range(8))
    watched.clock.advance(0.25)
    for said in ("succeeded", "failed", "failed"):
        watched.end(0, said, told=True)
        assert worlds.is_closed
    watched.end(0, "failed", told=True)
    assert (worlds.is_closed, worlds.open_until_s) == (False, watched.clock.monotonic() + 1.0)
    watched.clock.advance(1.0)
    assert watched.enter()
    watched.end(0, "succeeded", told=True)  # of before
    assert worlds.is_half_open(watched.clock.monotonic())
    watched.end(-1, "nothing", told=False)  # a probe that times out
    assert worlds.open_until_s == watched.clock.monotonic() + 1.0
    watched.clock.advance(1.0)
    assert watched.enter()
    watched.end(-1, "succeeded", told=True)
    assert (worlds.is_closed, worlds.open_until_s) == (True, 0.0)


def test_it_is_sure_of_nothing_where_a_time_out_decides() -> None:
    """Which may have counted; a success of one that began later says that it is closed."""
    watched = Watched()
    assert all(watched.enter() for _ in range(2))
    for _ in range(2):
        watched.clock.advance(0.25)
        assert watched.worlds.is_closed
        watched.end(0, "nothing", told=False)
    assert (watched.worlds.is_closed, watched.worlds.open_until_s) == (False, 0.0)
    watched.clock.advance(0.25)
    assert watched.enter()
    watched.end(0, "succeeded", told=True)
    assert watched.worlds.is_closed
