"""How many retries there are to first calls, by a count that keeps no tokens."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.resilience.retry_budget import RetryBudget

# Of a second, so that no sum is rounded.
STEP_S = 1 / 128


def budget(*, share: float, s_min: float, kept_max: int) -> tuple[RetryBudget, ManualClock]:
    clock = ManualClock()
    config = msgspec.structs.replace(
        load_config().effect, retries_share=share, retries_s_min=s_min, retries_kept_max=kept_max
    )
    return RetryBudget(config, clock), clock


@given(
    share=st.sampled_from((0.0, 0.125, 0.5)),
    s_min=st.sampled_from((0.0, 0.5, 5.0)),
    kept_max=st.integers(1, 5),
    steps=st.lists(
        st.tuples(st.sampled_from(("first", "retry", "not made", "wait")), st.integers(1, 200))
    ),
)
def test_no_more_retries_are_made_than_first_calls_and_time_allow(
    share: float, s_min: float, kept_max: int, steps: list[tuple[str, int]]
) -> None:
    """From any moment on; and one that is refused would have been too many from some moment on."""
    spent, clock = budget(share=share, s_min=s_min, kept_max=kept_max)
    # By moment since the beginning: what was allowed since, and how many were made.
    since: list[list[float]] = [[float(kept_max), 0.0]]

    def allow(tokens: float) -> None:
        for each in since:
            each[0] += tokens
        since.append([float(kept_max), 0.0])

    for what, number in steps:
        if what == "first":
            spent.deposit()
            allow(share)
        elif what == "wait":
            clock.advance(number * STEP_S)
            allow(number * STEP_S * s_min)
        else:
            fits = all(made + 1 <= allowed for allowed, made in since)
            assert spent.withdraw() is fits
            if fits and what == "retry":
                for each in since:
                    each[1] += 1
                since.append([float(kept_max), 0.0])
            elif fits:
                spent.refund()


def test_it_never_keeps_more_than_it_may() -> None:
    """Whatever has come in: an hour of rest makes no storm."""
    spent, clock = budget(share=1.0, s_min=5.0, kept_max=3)
    clock.advance(3600.0)
    for _ in range(100):
        spent.deposit()
        spent.refund()
    assert spent.tokens == pytest.approx(3.0)
    assert [spent.withdraw() for _ in range(4)] == [True, True, True, False]
