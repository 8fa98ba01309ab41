"""The authors' pace: even, exact in the long run, and without a backlog."""

from __future__ import annotations

import pytest

from actors.kernel.clock import ManualClock
from actors.systems.x_platform.authors.pacing import TICK_S_MIN, Pacing


@pytest.mark.parametrize("rate", [0.1, 1.0, 2.0, 3.7, 99.0, 250.0, 10_000.0])
def test_the_rate_is_kept(rate: float) -> None:
    """Over many ticks, whether each is one tweet or many."""
    clock = ManualClock()
    pacing = Pacing(rate, clock.monotonic)
    ticks = 500
    count = 0
    for _ in range(ticks):
        clock.advance(pacing.wait_s())
        count += pacing.due()
    assert count == pytest.approx(rate * clock.monotonic(), abs=1.01)
    assert clock.monotonic() == pytest.approx(ticks * max(1 / rate, TICK_S_MIN))


def test_work_between_the_ticks_does_not_slow_them() -> None:
    """As long as it ends in time."""
    clock = ManualClock()
    pacing = Pacing(2.0, clock.monotonic)
    for _ in range(20):
        clock.advance(pacing.wait_s())
        assert pacing.due() == 1
        clock.advance(0.3)
    assert clock.monotonic() == pytest.approx(20 * 0.5 + 0.3)


def test_what_was_missed_is_not_made_up() -> None:
    """After an hour of nothing two ticks come at once, then one in its time."""
    clock = ManualClock()
    pacing = Pacing(2.0, clock.monotonic)
    clock.advance(3600.0)
    assert pacing.wait_s() == 0.0
    assert pacing.due() == 1
    assert [pacing.wait_s(), pacing.due()] == [0.0, 1]
    assert pacing.wait_s() == pytest.approx(0.5)
