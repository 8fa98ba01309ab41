"""The breaker against a tiny model, and what it says in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from actors.config import BreakerConfig, load_config
from actors.errors import ConfigError
from actors.kernel.clock import ManualClock
from actors.resilience.breaker import Breaker, Call, Probe, State

if TYPE_CHECKING:
    from collections.abc import Sequence

Report = Literal["succeeded", "failed", "withdrawn"]
# "enter", seconds, or what the call of that number says, of those so far.
Step = str | float | tuple[Report, int]

# Quarters are exact in binary, so that "exactly open_s later" is exact as well.
QUARTERS = st.integers(1, 12).map(lambda quarters: quarters / 4)
CONFIGS = st.integers(1, 6).flatmap(
    lambda calls: st.builds(
        BreakerConfig,
        window_calls=st.just(calls),
        calls_min=st.integers(1, calls),
        failed_share=st.sampled_from([0.25, 0.5, 0.95, 1.0]),
        slow_s=st.sampled_from([0.0, 0.5, 100.0]),
        open_s=QUARTERS,
        probes_max=st.integers(1, 3),
        probe_s_max=QUARTERS,
    )
)
REPORTS = st.tuples(
    st.sampled_from(["succeeded", "failed", "failed", "withdrawn"]), st.integers(0, 8)
)
STEPS = st.lists(
    st.one_of(st.just("enter"), REPORTS, st.sampled_from([0.25, 0.5, 1.0, 3.0])), max_size=120
)


class Made(msgspec.Struct):
    """A call of the model's: when it began, in which spell, and whether it runs."""

    spell: tuple[str, int]
    begun_s: float
    runs: bool = True
    cancelled: bool = False


class Model:
    """The same, from its whole history: every call that was made, and what they have said."""

    def __init__(self, config: BreakerConfig) -> None:
        self.config = config
        self.now_s = 0.0
        self.openings = 0
        self.opened_s: float | None = None
        self.made: list[Made] = []
        # Of the closed spell: whether each failed.
        self.said: list[bool] = []

    @property
    def state(self) -> str:
        if self.opened_s is None:
            return "closed"
        return "open" if self.now_s - self.opened_s < self.config.open_s else "half_open"

    def probes(self) -> list[Made]:
        return [each for each in self.made if each.runs and each.spell[0] == "half_open"]

    def has_room(self) -> bool:
        return self.state == "closed" or (
            self.state == "half_open" and len(self.probes()) < self.config.probes_max
        )

    def is_one_late(self) -> bool:
        late_s = self.now_s - self.config.probe_s_max
        late = any(not each.cancelled and each.begun_s <= late_s for each in self.probes())
        return self.state == "half_open" and late

    def enter(self) -> bool:
        if self.has_room():
            self.made.append(Made((self.state, self.openings), self.now_s))
            return True
        if self.state == "half_open":
            for each in self.probes():
                each.cancelled |= self.now_s - each.begun_s >= self.config.probe_s_max
        return False

    def report(self, number: int, what: Report) -> None:
        call = self.made[number]
        is_new, call.runs = call.runs, False
        if not is_new or what == "withdrawn" or call.spell != (self.state, self.openings):
            return
        if what == "failed" or 0.0 < self.config.slow_s <= self.now_s - call.begun_s:
            self.failed()
        elif self.state == "closed":
            self.said.append(False)
        else:
            self.opened_s, self.said = None, []

    def failed(self) -> None:
        self.said.append(True)
        window = self.said[-self.config.window_calls :]
        share = sum(window) / len(window)
        enough = len(window) >= self.config.calls_min and share >= self.config.failed_share
        if self.state != "closed" or enough:
            self.opened_s = self.now_s
            self.openings += 1


class Both:
    """The breaker, its model, and the calls that either has let in."""

    def __init__(self, config: BreakerConfig) -> None:
        self.clock = ManualClock()
        self.breaker = Breaker("cards", config=config, clock=self.clock)
        self.model = Model(config)
        self.calls: list[Call] = []
        self.cancelled: list[int] = []

    def step(self, step: Step) -> None:
        if isinstance(step, float):
            self.clock.advance(step)
            self.model.now_s += step
        elif isinstance(step, str):
            call = self.breaker.enter()
            assert (call is not None) == self.model.enter()
            if call is not None:
                number = len(self.calls)
                if isinstance(call, Probe):
                    call.cancel = lambda: self.cancelled.append(number)
                self.calls.append(call)
        elif self.calls:
            what, number = step
            # Of the latest: those of long ago have nothing to say.
            number = max(0, len(self.calls) - 1 - number)
            getattr(self.calls[number], what)()
            self.model.report(number, what)


@given(config=CONFIGS, steps=STEPS)
def test_the_breaker_does_what_the_model_does(config: BreakerConfig, steps: Sequence[Step]) -> None:
    """Whatever is called, reported, twice or late or never, and however much time passes."""
    both = Both(config)
    for step in steps:
        both.step(step)
        breaker, model = both.breaker, both.model
        assert (breaker.state, breaker.openings) == (model.state, model.openings), step
        assert (breaker.retry_after_s == 0.0) == (model.has_room() or model.is_one_late())
        assert len(model.probes()) <= config.probes_max
        cancelled = [number for number, each in enumerate(model.made) if each.cancelled]
        assert sorted(both.cancelled) == cancelled  # each once
        assert len(breaker._window) <= config.window_calls
        assert len(breaker._probes) <= config.probes_max


@given(config=CONFIGS, steps=STEPS)
def test_waiting_as_long_as_it_says_is_enough_and_no_less_is(
    config: BreakerConfig, steps: Sequence[Step]
) -> None:
    """It lets in after exactly `retry_after_s`, or once those that it cancels then have ended."""
    both = Both(config)
    for step in steps:
        both.step(step)
    breaker, clock = both.breaker, both.clock
    wait_s = breaker.retry_after_s
    assert 0.0 <= wait_s <= max(config.open_s, config.probe_s_max)
    late = list(both.cancelled)
    if wait_s:
        clock.advance(wait_s - 0.125)
        assert breaker.enter() is None
        assert both.cancelled == late
        clock.advance(0.125)
    if breaker.enter() is None:
        assert both.cancelled
        for number in both.cancelled:
            both.calls[number].withdrawn()
        assert breaker.enter() is not None


def breaker_of(clock: ManualClock, *, probes_max: int = 1, **changes: float) -> Breaker:
    """Return one that opens after three failures in a row, whatever was before."""
    config = BreakerConfig(
        window_calls=3,
        calls_min=3,
        failed_share=1.0,
        slow_s=0.0,
        open_s=5.0,
        probes_max=probes_max,
        probe_s_max=30.0,
    )
    return Breaker("cards", config=msgspec.structs.replace(config, **changes), clock=clock)


def state_of(breaker: Breaker) -> State:
    return breaker.state


def let_in(breaker: Breaker) -> Call:
    call = breaker.enter()
    assert call is not None
    return call


def probe_of(breaker: Breaker) -> Probe:
    call = let_in(breaker)
    assert isinstance(call, Probe)
    return call


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        let_in(breaker).failed()


def succeed(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        let_in(breaker).succeeded()


def test_the_share_of_the_last_calls_opens_it(clock: ManualClock) -> None:
    """Not those before the window, and not with fewer than calls_min."""
    breaker = breaker_of(clock, window_calls=10, calls_min=5, failed_share=0.8)
    fail(breaker, 4)
    assert state_of(breaker) == "closed"
    succeed(breaker, 10)
    for _ in range(20):  # four of five, but seven of ten
        succeed(breaker, 3)
        fail(breaker, 7)
    assert state_of(breaker) == "closed"
    fail(breaker, 1)
    assert state_of(breaker) == "open"
    assert breaker.enter() is None
    assert breaker.retry_after_s == 5.0


def test_who_succeeds_opens_nothing(clock: ManualClock) -> None:
    """Also where it is the one by which there are enough."""
    breaker = breaker_of(clock, window_calls=10, calls_min=5, failed_share=0.8)
    fail(breaker, 4)
    succeed(breaker, 1)
    assert state_of(breaker) == "closed"
    fail(breaker, 1)
    assert state_of(breaker) == "open"


def test_an_answer_that_takes_too_long_is_a_failure(clock: ManualClock) -> None:
    """A probe's, too; and one that says nothing stays what it is."""
    breaker = breaker_of(clock, slow_s=2.0)
    calls = [let_in(breaker) for _ in range(4)]
    clock.advance(1.75)
    calls.pop().succeeded()
    clock.advance(0.25)
    calls.pop().withdrawn()
    for call in calls:
        call.succeeded()
    assert state_of(breaker) == "closed"
    fail(breaker, 1)
    assert state_of(breaker) == "open"
    for took_s, state in ((2.0, "open"), (1.75, "closed")):
        clock.advance(5.0)
        probe = let_in(breaker)
        clock.advance(took_s)
        probe.succeeded()
        assert state_of(breaker) == state


def test_one_probe_decides(clock: ManualClock) -> None:
    """While it is out nobody else may call; its failure opens for open_s again, success closes."""
    breaker = breaker_of(clock)
    fail(breaker, 3)
    for _ in range(3):
        clock.advance(5.0)
        before = state_of(breaker)
        probe = let_in(breaker)
        assert breaker.enter() is None
        probe.failed()
        assert (before, state_of(breaker)) == ("half_open", "open")
    clock.advance(5.0)
    let_in(breaker).succeeded()
    assert state_of(breaker) == "closed"
    fail(breaker, 2)
    assert state_of(breaker) == "closed"


def test_no_more_probes_run_than_may(clock: ManualClock) -> None:
    """Those of before it opened again, and of before it closed, among them."""
    breaker = breaker_of(clock, probes_max=3)
    fail(breaker, 3)
    clock.advance(5.0)
    first, second, third = let_in(breaker), let_in(breaker), let_in(breaker)
    assert breaker.enter() is None
    first.failed()
    clock.advance(5.0)
    fourth = let_in(breaker)
    assert breaker.enter() is None
    second.succeeded()  # of the time before: it says nothing, but has ended
    assert state_of(breaker) == "half_open"
    let_in(breaker).succeeded()
    assert state_of(breaker) == "closed"
    fail(breaker, 3)
    clock.advance(5.0)
    let_in(breaker)
    assert breaker.enter() is None
    third.withdrawn()
    fourth.withdrawn()
    let_in(breaker)


def test_a_probe_that_is_out_for_too_long_is_cancelled_and_has_its_place_until_it_ends(
    clock: ManualClock,
) -> None:
    """When somebody else would come in, and once; the hint says when that is."""
    breaker = breaker_of(clock, probes_max=2)
    cancelled: list[str] = []
    fail(breaker, 3)
    clock.advance(5.0)
    first = probe_of(breaker)
    first.cancel = lambda: cancelled.append("first")
    clock.advance(20.0)
    second = probe_of(breaker)
    second.cancel = lambda: cancelled.append("second")
    assert breaker.retry_after_s == 10.0
    clock.advance(9.75)
    assert breaker.enter() is None
    assert cancelled == []
    clock.advance(0.25)
    with structlog.testing.capture_logs() as logs:
        assert breaker.enter() is None
        assert breaker.enter() is None
    assert cancelled == ["first"]
    assert [line["event"] for line in logs] == ["probe does not end"]
    assert breaker.retry_after_s == 20.0  # until the second one's time is up
    clock.advance(20.0)
    assert breaker.enter() is None
    assert cancelled == ["first", "second"]
    assert breaker.retry_after_s == 5.0  # nobody knows: not at once, again and again
    first.withdrawn()
    let_in(breaker).succeeded()
    assert state_of(breaker) == "closed"


def test_a_probe_that_was_not_made_leaves_its_place_to_another(clock: ManualClock) -> None:
    """It says neither yes nor no."""
    breaker = breaker_of(clock)
    fail(breaker, 3)
    clock.advance(5.0)
    probe = let_in(breaker)
    assert breaker.enter() is None
    probe.withdrawn()
    assert (state_of(breaker), breaker.retry_after_s) == ("half_open", 0.0)
    probe = let_in(breaker)
    assert breaker.enter() is None
    probe.succeeded()
    assert state_of(breaker) == "closed"


def test_calls_that_are_never_reported_change_nothing_while_closed(clock: ManualClock) -> None:
    """However many there are."""
    breaker = breaker_of(clock)
    assert all(breaker.enter() for _ in range(1_000))
    assert state_of(breaker) == "closed"


def test_a_call_of_before_changes_nothing(clock: ManualClock) -> None:
    """Those that were under way when it opened: while it is open, a probe is out, or it closed."""
    breaker = breaker_of(clock)
    late = [let_in(breaker) for _ in range(8)]
    fail(breaker, 3)
    clock.advance(4.0)
    late.pop().succeeded()
    late.pop().failed()
    assert (state_of(breaker), breaker.retry_after_s) == ("open", 1.0)
    clock.advance(1.0)
    late.pop().failed()
    late.pop().succeeded()
    assert state_of(breaker) == "half_open"
    probe = let_in(breaker)
    late.pop().failed()
    late.pop().succeeded()
    assert state_of(breaker) == "half_open"
    probe.succeeded()
    fail(breaker, 2)
    late.pop().failed()
    assert state_of(breaker) == "closed"
    fail(breaker, 1)
    assert state_of(breaker) == "open"


def test_a_call_says_once_how_it_ended(clock: ManualClock) -> None:
    """What it says after that is nothing."""
    breaker = breaker_of(clock)
    call = let_in(breaker)
    for _ in range(10):
        call.failed()
    assert state_of(breaker) == "closed"
    fail(breaker, 2)
    clock.advance(5.0)
    probe = let_in(breaker)
    probe.withdrawn()
    probe.succeeded()
    assert state_of(breaker) == "half_open"


@pytest.mark.parametrize("before", ["closed", "open", "half_open"])
def test_an_operator_holds_it_open_until_he_lifts_that(clock: ManualClock, before: State) -> None:
    """Nobody is let in, whatever those say that were; then it is tried with care."""
    breaker = breaker_of(clock)
    late = [let_in(breaker) for _ in range(4)]
    if before != "closed":
        fail(breaker, 3)
    if before == "half_open":
        clock.advance(5.0)
        late.append(let_in(breaker))
    openings = breaker.openings
    breaker.force("open")
    clock.advance(1e6)
    for call in late:
        call.succeeded()
    assert (breaker.enter(), state_of(breaker)) == (None, "open")
    stats = breaker.stats()
    assert (stats.forced, stats.retry_after_s, stats.openings) == ("open", None, openings)
    assert breaker.retry_after_s == 5.0  # who waits looks again
    breaker.force(None)
    assert (state_of(breaker), breaker.retry_after_s) == ("half_open", 0.0)
    probe = let_in(breaker)
    assert breaker.enter() is None
    probe.succeeded()
    assert state_of(breaker) == "closed"


def test_an_operator_holds_it_closed_until_he_lifts_that(clock: ManualClock) -> None:
    """Everybody is let in, whatever they say; it begins with an empty window then."""
    breaker = breaker_of(clock)
    fail(breaker, 3)
    breaker.force("closed")
    fail(breaker, 100)
    assert (state_of(breaker), breaker.retry_after_s) == ("closed", 0.0)
    assert (breaker.stats().forced, breaker.stats().failures) == ("closed", 3)
    late = let_in(breaker)
    breaker.force(None)
    late.failed()
    fail(breaker, 2)
    assert state_of(breaker) == "closed"
    fail(breaker, 1)
    assert state_of(breaker) == "open"


def test_what_an_operator_forces_is_logged_once(clock: ManualClock) -> None:
    """As what it is, and what it was; to say the same again is nothing."""
    breaker = breaker_of(clock)
    with structlog.testing.capture_logs() as logs:
        for forced in ("open", "open", None, None):
            breaker.force(forced)
    said = {"event": "breaker forced", "log_level": "warning", "breaker": "cards"}
    assert logs == [
        {**said, "state": "open", "was": "closed"},
        {**said, "state": "auto", "was": "open"},
    ]


def test_every_change_of_state_is_one_line(clock: ManualClock) -> None:
    """Opened is a warning with the hint; a refused or an ordinary call is no line at all."""
    breaker = breaker_of(clock)
    with structlog.testing.capture_logs() as logs:
        succeed(breaker, 1)
        assert logs == []
        fail(breaker, 3)
        breaker.enter()
        clock.advance(5.0)
        probe = let_in(breaker)
        breaker.enter()
        probe.succeeded()
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
        "calls": 3,
        "retry_after_s": 5.0,
    }
    assert {line["breaker"] for line in logs} == {"cards"}


def test_one_message_that_always_fails_does_not_open_the_shipped_breaker(
    clock: ManualClock,
) -> None:
    """All its attempts, with nobody else's success in between; as many as calls_min do."""
    config = load_config()
    breaker = Breaker("cards", config=config.breaker, clock=clock)
    fail(breaker, config.effect.attempts_max)
    before = state_of(breaker)
    fail(breaker, config.breaker.calls_min - config.effect.attempts_max)
    assert (before, state_of(breaker)) == ("closed", "open")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        # By which a probe is cancelled that has time left.
        ("breaker.probe_s_max=1", r"effect\.effect_s_max is at most breaker\.probe_s_max"),
        # By which it never opens.
        ("breaker.calls_min=51", r"breaker\.calls_min is at most breaker\.window_calls"),
    ],
)
def test_numbers_that_do_not_fit_each_other_are_refused(setting: str, says: str) -> None:
    """Naming both."""
    with pytest.raises(ConfigError, match=says):
        load_config(settings=[setting])


def test_other_limits_count_from_the_next_call_on(clock: ManualClock) -> None:
    """A window that is cut keeps its latest calls."""
    few = msgspec.structs.replace(
        load_config().breaker, window_calls=2, calls_min=2, failed_share=1.0
    )
    many = msgspec.structs.replace(few, window_calls=4, calls_min=4)
    breaker = Breaker("x", config=many, clock=clock)
    for failed in (False, False, True):
        call = breaker.enter()
        assert call is not None
        (call.failed if failed else call.succeeded)()
    breaker.reconfigured(few)
    assert (breaker.stats().calls, breaker.stats().failures) == (2, 1)
    call = breaker.enter()
    assert call is not None
    call.failed()
    assert breaker.state == "open"
