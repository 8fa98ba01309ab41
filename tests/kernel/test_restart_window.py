from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.kernel.supervision.restart_window import RestartWindow


@given(
    intensity=st.integers(0, 5),
    period_s=st.sampled_from([0.5, 1.0, 3.0]),
    steps=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.25, 3.0, "reset"]), max_size=60),
)
def test_the_window_counts_as_otp_does(
    intensity: int, period_s: float, steps: list[float | str]
) -> None:
    """A restart is allowed where at most `intensity` fall within the last period, both ends in."""
    window = RestartWindow(intensity, period_s)
    now_s = 0.0
    restarts: list[float] = []
    for step in steps:
        if isinstance(step, str):
            window.reset()
            restarts = []
            continue
        now_s += step
        restarts.append(now_s)
        counted = [at for at in restarts if now_s - at <= period_s]
        allowed = window.spend(now_s)
        assert allowed == (len(counted) <= intensity)
        assert len(window._restarts) <= intensity


def test_a_restart_exactly_a_period_ago_still_counts() -> None:
    """One within any closed interval of the period's length; a moment later it is forgotten."""
    window = RestartWindow(1, 10.0)
    assert window.spend(0.0)
    assert not window.spend(10.0)
    window.reset()
    assert window.spend(20.0)
    assert window.spend(30.0 + 1e-9)


def test_an_intensity_of_zero_allows_none() -> None:
    """The first restart is one too many."""
    assert not RestartWindow(0, 1.0).spend(5.0)
