"""What nobody waits for gives way to clients: in slices, in turn, and never for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.resilience.background_gate import BackgroundQueue
from tests.resilience.gates import (
    CONFIG,
    DEPTH_MAX,
    INTERVAL_S,
    STALLED_S,
    HandMovedLoop,
    made_gate,
)

if TYPE_CHECKING:
    from actors.resilience.background_gate import BackgroundGate


class Backlog:
    """A numbered queue at the gate that sends all it may."""

    def __init__(self, gate: BackgroundGate, name: str) -> None:
        self.gate = gate
        self.sent = self.last = 0
        self.queue = BackgroundQueue(name, self.pump)

    def add(self, count: int) -> None:
        """Have so many more to send."""
        self.last += count
        self.pump()

    def pump(self) -> None:
        if self.sent < self.last:
            wanted = self.last - self.sent
            self.sent += self.gate.take(self.queue, wanted, sent=self.sent, last=self.last)


class Crowd:
    """Clients that ask one after the other, each as soon as it has its answer."""

    def __init__(self, gate: BackgroundGate, size: int) -> None:
        self.gate = gate
        self.size = size
        for _ in range(size):
            gate.entered()

    def go_on(self, loop: HandMovedLoop, seconds: float) -> None:
        """Have each ask anew every millisecond; between two rounds nobody waits."""
        for _ in range(round(seconds * 1000)):
            self.leave()
            loop.pass_time(0.001)
            for _ in range(self.size):
                self.gate.entered()

    def leave(self) -> None:
        for _ in range(self.size):
            self.gate.left()


@pytest.fixture
def loop() -> HandMovedLoop:
    return HandMovedLoop()


@pytest.fixture
def gate(loop: HandMovedLoop) -> BackgroundGate:
    return made_gate(loop)


def test_few_requests_hold_up_nothing(loop: HandMovedLoop, gate: BackgroundGate) -> None:
    """One client after the other is fewer than `requests_min`; no timer is made."""
    backlog = Backlog(gate, "a")
    crowd = Crowd(gate, CONFIG.requests_min - 1)
    for _ in range(10):
        backlog.add(1000)
        assert backlog.sent == backlog.last
        crowd.go_on(loop, 0.01)
    assert not loop.timers
    assert gate.stats().state == "open"


def test_many_requests_leave_the_background_its_share(
    loop: HandMovedLoop, gate: BackgroundGate
) -> None:
    """A slice every slice_s / share_min; and all of it once they are answered."""
    crowd = Crowd(gate, CONFIG.requests_min)
    backlog = Backlog(gate, "a")
    backlog.add(500)
    crowd.go_on(loop, 1.0)
    slices = 1.0 / INTERVAL_S
    assert (slices - 1) * CONFIG.slice_messages <= backlog.sent
    assert backlog.sent <= (slices + 1) * CONFIG.slice_messages
    crowd.leave()
    loop.pass_time(CONFIG.quiet_s + 2 * INTERVAL_S)
    assert backlog.sent == backlog.last
    assert not loop.pending()


def test_on_a_slow_machine_the_share_is_one_of_the_work(
    loop: HandMovedLoop, gate: BackgroundGate
) -> None:
    """Time does not tell what a slice costs there: nine requests for each message, at least."""
    crowd = Crowd(gate, CONFIG.requests_min)
    backlog = Backlog(gate, "a")
    backlog.add(500)
    loop.pass_time(INTERVAL_S)
    sent = backlog.sent
    for _ in range(100):
        loop.pass_time(0.02)
        gate.entered()
        gate.left()
    slices = 2.0 / CONFIG.slice_wait_s_max
    assert backlog.sent - sent <= CONFIG.slice_messages * (slices + 1)
    for _ in range(20):
        crowd.go_on(loop, 0.1)
    assert backlog.sent - sent > 2 * CONFIG.slice_messages * (slices + 1)


def test_no_slice_waits_for_clients_for_whom_nothing_moves(
    loop: HandMovedLoop, gate: BackgroundGate
) -> None:
    """They wait for something else, maybe for what is held: each slice has its time, and goes."""
    Crowd(gate, CONFIG.requests_min)
    backlog = Backlog(gate, "a")
    backlog.add(500)
    loop.pass_time(INTERVAL_S)
    sent = backlog.sent
    loop.pass_time(1.2 * INTERVAL_S)
    assert backlog.sent - sent == CONFIG.slice_messages
    assert gate.stats().state == "yields"


def test_those_who_wait_have_their_turns(loop: HandMovedLoop, gate: BackgroundGate) -> None:
    """One with a long queue holds up nobody's short one."""
    crowd = Crowd(gate, CONFIG.requests_min)
    backlogs = [Backlog(gate, name) for name in "abc"]
    for each in backlogs:
        each.add(100)
    crowd.go_on(loop, 12 * INTERVAL_S)
    sent = [each.sent for each in backlogs]
    assert max(sent) - min(sent) <= CONFIG.slice_messages
    assert min(sent) >= 3 * CONFIG.slice_messages


def test_the_share_grows_with_the_fullest_queue(loop: HandMovedLoop, gate: BackgroundGate) -> None:
    """Half full, it is half; full, all goes: requests are slowed down before anything overflows."""
    crowd = Crowd(gate, CONFIG.requests_min)
    backlog = Backlog(gate, "a")
    backlog.add(DEPTH_MAX // 2)
    crowd.go_on(loop, 3 * INTERVAL_S)
    assert gate.stats().share == pytest.approx(0.5, abs=0.05)
    backlog.add(DEPTH_MAX)
    crowd.go_on(loop, 2 * INTERVAL_S)
    assert backlog.sent == backlog.last


def test_what_has_waited_long_waits_no_longer(
    loop: HandMovedLoop, gate: BackgroundGate, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many ask: the share grows with the lag, which is shown, and told of once a spell."""
    crowd = Crowd(gate, CONFIG.requests_min)
    backlog, lags = Backlog(gate, "a to b"), []
    for _ in range(160):
        backlog.add(100)  # more than all slices
        crowd.go_on(loop, 0.1)
        lags += [each.lag_s for each in gate.stats().waiting]
    assert CONFIG.lag_s_max - 1.0 < max(lags) <= CONFIG.lag_s_max + 1.0
    assert backlog.sent > 100 * 100
    assert capsys.readouterr().out.count("background work waits") == 1


@pytest.mark.parametrize("asks", [False, True])
def test_who_waits_for_what_does_not_move_holds_up_nothing(
    loop: HandMovedLoop, gate: BackgroundGate, *, asks: bool
) -> None:
    """A service hangs with a full mailbox, say; those who still come have slices between them."""
    crowd = Crowd(gate, 10 * CONFIG.requests_min)
    backlog = Backlog(gate, "a")
    backlog.add(40)
    for _ in range(20):
        loop.pass_time(STALLED_S)
        if asks:
            gate.entered()
    assert backlog.sent == backlog.last
    crowd.leave()


def test_work_for_a_client_counts_as_its_asking_does(
    loop: HandMovedLoop, gate: BackgroundGate
) -> None:
    """A saga goes on for seconds: as long as it moves, others' background gives way."""
    Crowd(gate, CONFIG.requests_min)
    backlog = Backlog(gate, "a")
    backlog.add(1000)
    for _ in range(10):
        loop.pass_time(STALLED_S / 2)
        gate.hurried()
    assert backlog.sent < backlog.last
    loop.pass_time(2 * STALLED_S)
    assert backlog.sent == backlog.last


def test_nothing_is_left_of_who_has_left(loop: HandMovedLoop, gate: BackgroundGate) -> None:
    """Of an incarnation that is over: no turn, and no timer for it."""
    Crowd(gate, CONFIG.requests_min)
    backlog = Backlog(gate, "a")
    backlog.add(1000)
    assert gate.holds(backlog.queue)
    gate.leave(backlog.queue)
    assert not gate.holds(backlog.queue)
    assert not loop.pending()
    assert gate.stats().waiting == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "leave", "hurry", "add", "pass", "end"]),
        st.integers(0, 2),
        st.integers(1, 300),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(STEPS, st.sampled_from([1, 3]), st.sampled_from([1, 5]), st.sampled_from([0.02, 0.5, 1.0]))
def test_nothing_is_held_for_ever(
    steps: list[tuple[str, int, int]], requests_min: int, slice_messages: int, share_min: float
) -> None:
    """Whoever asks, and however long: each queue has what its share of the time lets through."""
    config = msgspec.structs.replace(
        CONFIG, requests_min=requests_min, slice_messages=slice_messages, share_min=share_min
    )
    loop = HandMovedLoop()
    gate = made_gate(loop, config)
    backlogs = [Backlog(gate, name) for name in "abc"]
    for step, which, count in steps:
        if step == "enter":
            gate.entered()
        elif step == "leave" and gate.requests:
            gate.left()
        elif step == "hurry":
            gate.hurried()
        elif step == "add":
            backlogs[which].add(count)
        elif step == "end":  # the next incarnation has all that was not sent
            old = backlogs[which]
            gate.leave(old.queue)
            backlogs[which] = Backlog(gate, old.queue.name)
            backlogs[which].add(old.last - old.sent)
        else:
            loop.pass_time(count / 1000)
        for each in backlogs:
            assert each.sent == each.last or gate.holds(each.queue)
    left = sum([each.last - each.sent for each in backlogs])
    gate.entered()
    for _ in range(2 + left // slice_messages):
        gate.hurried()
        loop.pass_time(config.slice_wait_s_max + config.slice_s / share_min)
    assert [each.last - each.sent for each in backlogs] == [0, 0, 0]
