"""The breaker against a tiny model, and what it says in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from actors.config import BreakerConfig, load_config
from actors.errors import ConfigError
from actors.kernel.clock import ManualClock
from actors.resilience.breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import Sequence

# Quarters are exact in binary, so that "exactly open_s later" is exact as well.
QUARTERS = st.integers(1, 12).map(lambda quarters: quarters / 4)
CONFIGS = st.builds(
    BreakerConfig,
    failures_max=st.integers(1, 4),
    open_s=QUARTERS,
    probes_max=st.integers(1, 3),
    probe_s_max=QUARTERS,
)
STEPS = st.lists(
    st.sampled_from(["allow", "allow", "succeeded", "failed", "withdrawn", 0.25, 0.5, 1.0, 3.0]),
    max_size=80,
)


class Model:
    """The same, from its whole history: the lengths of the spells and the grants in the last."""

    def __init__(self, config: BreakerConfig) -> None:
        self.config = config
        self.now_s = 0.0
        self.failed_in_a_row = 0
        self.opened_s: float | None = None
        self.probes_s: list[float] = []

    @property
    def state(self) -> str:
        if self.opened_s is None:
            return "closed"
        return "open" if self.now_s - self.opened_s < self.config.open_s else "half_open"

    def holding(self) -> list[float]:
        """When those probes began that still hold a slot."""
        return [at for at in self.probes_s if self.now_s - at < self.config.probe_s_max]

    def would_allow(self) -> bool:
        if self.state == "half_open":
            return len(self.holding()) < self.config.probes_max
        return self.state == "closed"

    def allow(self) -> bool:
        allowed = self.would_allow()
        if allowed and self.state == "half_open":
            self.probes_s = [*self.probes_s, self.now_s][-self.config.probes_max :]
        return allowed

    def withdrawn(self) -> None:
        self.probes_s = self.probes_s[:-1]

    def succeeded(self) -> None:
        if self.state == "closed" or self.probes_s:
            self.failed_in_a_row, self.opened_s, self.probes_s = 0, None, []

    def failed(self) -> None:
        if self.state == "closed":
            self.failed_in_a_row += 1
            if self.failed_in_a_row < self.config.failures_max:
                return
        elif not self.probes_s:
            return
        self.opened_s, self.probes_s = self.now_s, []


@given(config=CONFIGS, steps=STEPS)
def test_the_breaker_does_what_the_model_does(
    config: BreakerConfig, steps: Sequence[str | float]
) -> None:
    """Whatever is called, reported or never reported, and however much time passes."""
    clock, model = ManualClock(), Model(config)
    breaker = Breaker("cards", config=config, clock=clock)
    for step in steps:
        if isinstance(step, float):
            clock.advance(step)
            model.now_s += step
        else:
            assert getattr(breaker, step)() == getattr(model, step)(), step
        assert breaker.state == model.state
        assert (breaker.retry_after_s == 0.0) == model.would_allow()
        slots = config.probes_max if model.state == "half_open" else 0
        assert len(breaker._slots_until_s) <= slots


@given(config=CONFIGS, steps=STEPS)
def test_waiting_as_long_as_it_says_is_enough_and_no_less_is(
    config: BreakerConfig, steps: Sequence[str | float]
) -> None:
    """`allow` says yes after exactly `retry_after_s`: no caller is locked out for ever."""
    clock = ManualClock()
    breaker = Breaker("cards", config=config, clock=clock)
    for step in steps:
        if isinstance(step, float):
            clock.advance(step)
        else:
            getattr(breaker, step)()
    wait_s = breaker.retry_after_s
    assert 0.0 <= wait_s <= max(config.open_s, config.probe_s_max)
    if wait_s:
        clock.advance(wait_s - 0.125)
        assert not breaker.allow()
        clock.advance(0.125)
    assert breaker.allow()


def breaker_of(clock: ManualClock, *, probes_max: int = 1) -> Breaker:
    config = BreakerConfig(failures_max=3, open_s=5.0, probes_max=probes_max, probe_s_max=30.0)
    return Breaker("cards", config=config, clock=clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        assert breaker.allow()
        breaker.failed()


def test_only_failures_in_a_row_open_it(clock: ManualClock) -> None:
    """A success in between starts the count over; the last one of the row opens."""
    breaker = breaker_of(clock)
    for _ in range(10):
        fail(breaker, 2)
        breaker.succeeded()
    fail(breaker, 2)
    before = breaker.state
    fail(breaker, 1)
    assert (before, breaker.state) == ("closed", "open")
    assert not breaker.allow()
    assert breaker.retry_after_s == 5.0


def test_one_probe_decides(clock: ManualClock) -> None:
    """While it is out nobody else may call; its failure opens for open_s again, success closes."""
    breaker = breaker_of(clock)
    fail(breaker, 3)
    for _ in range(3):
        clock.advance(5.0)
        before = breaker.state
        assert [breaker.allow(), breaker.allow()] == [True, False]
        breaker.failed()
        assert (before, breaker.state) == ("half_open", "open")
    clock.advance(5.0)
    assert breaker.allow()
    breaker.succeeded()
    assert breaker.state == "closed"
    fail(breaker, 2)
    assert breaker.state == "closed"


def test_as_many_probes_as_it_may_have_are_out_at_a_time(clock: ManualClock) -> None:
    """No more than probes_max until one of them reports."""
    breaker = breaker_of(clock, probes_max=3)
    fail(breaker, 3)
    clock.advance(5.0)
    assert [breaker.allow() for _ in range(5)] == [True, True, True, False, False]


def test_a_probe_that_is_never_reported_holds_its_slot_for_probe_s_max(clock: ManualClock) -> None:
    """Its caller was killed: the next one may probe, and still decides."""
    breaker = breaker_of(clock)
    fail(breaker, 3)
    clock.advance(5.0)
    assert breaker.allow()
    clock.advance(29.5)
    assert not breaker.allow()
    assert breaker.retry_after_s == 0.5
    clock.advance(0.5)
    assert [breaker.allow(), breaker.allow()] == [True, False]
    breaker.succeeded()
    assert breaker.state == "closed"


def test_the_probe_that_has_been_out_longest_loses_its_slot_first(clock: ManualClock) -> None:
    """Which is what the hint says, too; the slot is gone once, and not once a caller."""
    breaker = breaker_of(clock, probes_max=2)
    fail(breaker, 3)
    clock.advance(5.0)
    assert breaker.allow()
    clock.advance(20.0)
    assert breaker.allow()
    assert breaker.retry_after_s == 10.0
    clock.advance(10.0)
    assert [breaker.allow(), breaker.allow()] == [True, False]
    assert breaker.retry_after_s == 20.0


def test_a_probe_that_was_not_made_leaves_its_slot_to_another(clock: ManualClock) -> None:
    """It says neither yes nor no."""
    breaker = breaker_of(clock)
    breaker.withdrawn()
    fail(breaker, 3)
    clock.advance(5.0)
    assert [breaker.allow(), breaker.allow()] == [True, False]
    breaker.withdrawn()
    assert (breaker.state, breaker.retry_after_s) == ("half_open", 0.0)
    assert [breaker.allow(), breaker.allow()] == [True, False]
    breaker.succeeded()
    assert breaker.state == "closed"


def test_calls_that_are_never_reported_change_nothing_while_closed(clock: ManualClock) -> None:
    """However many incarnations are killed in the middle of a call."""
    breaker = breaker_of(clock)
    assert all(breaker.allow() for _ in range(1_000))
    assert breaker.state == "closed"


def test_a_report_from_before_changes_nothing_until_a_probe_is_out(clock: ManualClock) -> None:
    """Calls that were under way when it opened neither close it nor keep it open longer."""
    breaker = breaker_of(clock)
    assert all(breaker.allow() for _ in range(3))
    fail(breaker, 3)
    clock.advance(4.0)
    breaker.succeeded()
    breaker.failed()
    assert (breaker.state, breaker.retry_after_s) == ("open", 1.0)
    clock.advance(1.0)
    breaker.failed()
    breaker.succeeded()
    assert breaker.state == "half_open"
    assert breaker.allow()


def test_every_change_of_state_is_one_line(clock: ManualClock) -> None:
    """Opened is a warning with the hint; a refused or an ordinary call is no line at all."""
    breaker = breaker_of(clock)
    with structlog.testing.capture_logs() as logs:
        breaker.allow()
        breaker.succeeded()
        assert logs == []
        fail(breaker, 3)
        breaker.allow()
        clock.advance(5.0)
        breaker.allow()
        breaker.allow()
        breaker.succeeded()
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("warning", "breaker opened"),
        ("info", "breaker half open"),
        ("info", "breaker closed"),
    ]
    assert logs[0] == {
        "event": "breaker opened",
        "log_level": "warning",
        "breaker": "cards",
        "failures": 3,
        "retry_after_s": 5.0,
    }
    assert {line["breaker"] for line in logs} == {"cards"}


def test_one_message_that_always_fails_does_not_open_the_shipped_breaker(
    clock: ManualClock,
) -> None:
    """All its attempts, with nobody else's success in between; as many again do."""
    config = load_config()
    breaker = Breaker("cards", config=config.breaker, clock=clock)
    fail(breaker, config.effect.attempts_max)
    before = breaker.state
    fail(breaker, config.breaker.failures_max - config.effect.attempts_max)
    assert (before, breaker.state) == ("closed", "open")


def test_a_probe_keeps_its_slot_for_as_long_as_an_effect_may_take() -> None:
    """Numbers by which two probes would be out where one may be are refused, naming both."""
    with pytest.raises(ConfigError, match=r"effect\.effect_s_max is at most breaker\.probe_s_max"):
        load_config(settings=["breaker.probe_s_max=1"])
