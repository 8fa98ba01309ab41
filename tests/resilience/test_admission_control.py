"""However much more is asked than can be done, what is let in is answered in good time."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import pytest
import structlog

from actors.config import load_config
from actors.live_config import change_keys
from actors.resilience.admission_control import AdmissionControl

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.rng import Rng

CONFIG = load_config(None, [], ()).edge.admission
DEADLINE_S = 5.0
# A card processor of 64 at a time: some 150 a second.
SERVERS = 64
SERVICE_S = 0.43
CAPACITY = SERVERS / SERVICE_S
RUN_S = 25.0
# Until then it may still be finding out.
SETTLED_S = 8.0


@dataclass
class Shop:
    """A queue before so many servers: who waits beyond the deadline is served all the same."""

    rate: float
    servers: int = SERVERS
    service_s: float = SERVICE_S
    # The share of requests whose answer needs none of the servers.
    quick: float = 0.0
    # The share that is refused at once by the service.
    wrong: float = 0.0
    # From when until when its work takes so many times as long.
    spell: tuple[float, float, float] = (0.0, 0.0, 1.0)
    admission: AdmissionControl | None = None
    # When each was answered, after how long; how many came to no answer; who was turned away.
    answers: list[tuple[float, float]] = field(default_factory=list)
    too_late: int = 0
    most: int = 0

    def run(self, rng: Rng, until_s: float = RUN_S) -> Shop:
        self.admission = self.admission or AdmissionControl("x", CONFIG, deadline_s=DEADLINE_S)
        number = itertools.count()
        events: list[tuple[float, int, Callable[[float], None]]] = []
        queue: deque[list[float]] = deque()
        busy = 0

        def at(when_s: float, call: Callable[[float], None]) -> None:
            heapq.heappush(events, (when_s, next(number), call))

        def arrive(now_s: float) -> None:
            at(now_s + rng.expovariate(self.rate), arrive)
            assert self.admission is not None
            if not self.admission.enters(now_s):
                return
            self.most = max(self.most, self.admission.in_progress)
            drawn = rng.random()
            if drawn < self.quick + self.wrong:
                served = drawn < self.quick
                at(now_s + 0.002, lambda then_s: self._leave(now_s, then_s, served=served))
                return
            request = [now_s]
            queue.append(request)
            at(now_s + DEADLINE_S, lambda then_s: self._end(request, then_s, served=False))
            work(now_s)

        def work(now_s: float) -> None:
            nonlocal busy
            while queue and busy < self.servers:
                busy += 1
                request = queue.popleft()
                takes_s = self.service_s * (0.75 + rng.random() / 2)
                begins_s, ends_s, times = self.spell
                takes_s *= times if begins_s <= now_s < ends_s else 1.0
                at(now_s + takes_s, done(request))

        def done(request: list[float]) -> Callable[[float], None]:
            def call(now_s: float) -> None:
                nonlocal busy
                busy -= 1
                self._end(request, now_s, served=True)
                work(now_s)

            return call

        at(0.0, arrive)
        while events[0][0] < until_s:
            when_s, _, call = heapq.heappop(events)
            call(when_s)
        return self

    def _end(self, request: list[float], now_s: float, *, served: bool) -> None:
        if request:
            self._leave(request.pop(), now_s, served=served, too_late=not served)

    def _leave(
        self, entered_s: float, now_s: float, *, served: bool, too_late: bool = False
    ) -> None:
        assert self.admission is not None
        self.admission.leaves(entered_s, now_s, served=served, too_late=too_late)
        self.too_late += too_late
        if served and now_s - entered_s > 0.01:
            self.answers.append((now_s, now_s - entered_s))

    def settled(self) -> tuple[float, float]:
        """How many a second were answered, and the 99th percentile of how late."""
        took = sorted(took_s for at_s, took_s in self.answers if at_s >= SETTLED_S)
        return len(took) / (RUN_S - SETTLED_S), took[int(len(took) * 0.99)]


@pytest.mark.parametrize("times", [1, 2, 4, 10])
def test_overload_costs_no_goodput(times: int, rng: Rng) -> None:
    """Up to ten times the capacity: nine tenths of it are answered, nobody late."""
    shop = Shop(times * CAPACITY).run(rng)
    answered, p99_s = shop.settled()
    assert answered >= 0.9 * CAPACITY, (answered, shop.admission)
    assert p99_s <= 2 * CONFIG.target_s
    assert shop.too_late == 0


@pytest.mark.parametrize(("servers", "service_s"), [(SERVERS, SERVICE_S), (30, 0.2)])
@pytest.mark.parametrize("times", [2, 4, 10])
def test_nobody_is_late_before_the_bound_has_moved(
    times: int, servers: int, service_s: float, rng: Rng
) -> None:
    """What was let in while nothing was known yet is answered in time as well."""
    shop = Shop(times * CAPACITY, servers=servers, service_s=service_s).run(rng, until_s=5.0)
    late = [took_s for _, took_s in shop.answers if took_s > 2 * CONFIG.target_s]
    assert len(late) <= 0.01 * len(shop.answers)


@pytest.mark.parametrize("times", [3.0, 5.0])
def test_a_slow_spell_is_forgotten_while_the_overload_goes_on(times: float, rng: Rng) -> None:
    """What took long with little in progress is not usual any more once more of it takes less."""
    shop = Shop(3 * CAPACITY, servers=30, service_s=0.2, spell=(3.0, 13.0, times)).run(rng)
    took = sorted(took_s for at_s, took_s in shop.answers if at_s > 20.0)
    assert took[int(len(took) * 0.99)] <= 1.5 * CONFIG.target_s
    assert len(took) >= 0.9 * 150.0 * (RUN_S - 20.0)


@pytest.mark.parametrize(("quick", "wrong"), [(0.4, 0.0), (0.0, 0.4), (0.2, 0.2)])
def test_quick_answers_hide_no_queue(quick: float, wrong: float, rng: Rng) -> None:
    """Answers that need nothing of what is overloaded do not speak for those that wait."""
    answered, p99_s = Shop(10 * CAPACITY, quick=quick, wrong=wrong).run(rng).settled()
    assert answered >= 0.9 * CAPACITY
    assert p99_s <= 3 * CONFIG.target_s


def test_without_it_overload_ends_in_no_answers_at_all(rng: Rng) -> None:
    """The shop of these tests collapses by itself: what holds it up is what is tested."""

    class Open(AdmissionControl):
        def enters(self, now_s: float) -> bool:
            self.in_progress_max = 10**9
            return super().enters(now_s)

    shop = Shop(10 * CAPACITY, admission=Open("x", CONFIG, deadline_s=DEADLINE_S)).run(rng)
    assert not [took_s for at_s, took_s in shop.answers if at_s >= SETTLED_S]


def test_a_bound_that_is_reached_while_answers_come_at_once_goes_up(rng: Rng) -> None:
    """What is quick is not refused for the number of those who ask."""
    shop = Shop(20_000, servers=4, service_s=4 / 16_000).run(rng, until_s=1.5)
    assert shop.most > 1.5 * CONFIG.in_progress_begin
    assert shop.admission is not None
    assert shop.too_late == 0


def test_who_came_before_a_bound_was_reached_does_not_raise_it() -> None:
    """That few were answered at once says nothing of how long the many after them will wait."""
    admission = AdmissionControl("x", CONFIG, deadline_s=DEADLINE_S)
    assert admission.enters(0.0)
    while admission.enters(CONFIG.window_s):
        pass
    admission.leaves(0.0, CONFIG.window_s, served=True, too_late=False)
    assert admission.in_progress_max == CONFIG.in_progress_begin


def test_what_is_slow_by_itself_is_not_taken_for_late(rng: Rng) -> None:
    """Two seconds of work with nobody waiting: nobody is refused."""
    shop = Shop(3.0, servers=8, service_s=2.0).run(rng)
    assert shop.admission is not None
    assert shop.admission.refusals.count == 0
    assert shop.admission.in_progress_max == CONFIG.in_progress_begin
    assert 3.0 < shop.admission.late_s <= 0.8 * DEADLINE_S


def test_a_pause_between_requests_is_no_wait() -> None:
    """One every three seconds, answered at once: that says nothing of how long answers take."""
    admission = AdmissionControl("x", CONFIG, deadline_s=DEADLINE_S)
    for number in range(20):
        assert admission.enters(3.0 * number)
        admission.leaves(3.0 * number, 3.0 * number + 0.01, served=True, too_late=False)
    assert admission.late_s == CONFIG.target_s


def test_a_stall_lowers_no_bound_below_what_may_always_be_in_progress(rng: Rng) -> None:
    """Sixty-four callers of a service that restarts are all there is, and all wait."""
    del rng
    admission = AdmissionControl("x", CONFIG, deadline_s=DEADLINE_S)
    for _ in range(CONFIG.in_progress_min):
        assert admission.enters(0.0)
    for _ in range(CONFIG.in_progress_min):
        admission.leaves(0.0, 4.0, served=True, too_late=False)
    assert all(admission.enters(4.0) for _ in range(CONFIG.in_progress_min))


def test_recovery_forgets_the_overload(rng: Rng) -> None:
    """Ten times too much, then quick answers again: soon nobody is refused."""
    shop = Shop(10 * CAPACITY).run(rng, until_s=10.0)
    admission = shop.admission
    assert admission is not None
    low = admission.in_progress_max
    for _ in range(admission.in_progress):
        admission.leaves(9.0, 19.0, served=False, too_late=True)
    entered = tick = 0
    for tick in range(4_000):
        # Answers of 10 ms, as many at a time as are let in.
        begun_s = 20.0 + tick * 0.01
        entered = sum(admission.enters(begun_s) for _ in range(600))
        for _ in range(entered):
            admission.leaves(begun_s, begun_s + 0.009, served=True, too_late=False)
        if entered == 600:
            break
    assert entered == 600 > low
    assert tick < 500


def test_a_bound_that_came_down_to_its_minimum_goes_up_again() -> None:
    """Where as many as may always be in progress are answered in good time, more are let in."""
    admission = AdmissionControl("x", CONFIG, deadline_s=DEADLINE_S)
    now_s = 0.0

    def round_of(took_s: float) -> None:
        nonlocal now_s
        entered_s = now_s
        entered = 0
        while admission.enters(entered_s):
            entered += 1
        now_s += took_s
        for _ in range(entered):
            admission.leaves(entered_s, now_s, served=True, too_late=False)

    for _ in range(20):
        round_of(4.0)
    assert admission.in_progress_max == CONFIG.in_progress_min
    for _ in range(200):
        round_of(0.2)
    assert admission.in_progress_max > 2 * CONFIG.in_progress_min


def test_the_log_tells_of_a_spell_once() -> None:
    """A flood of refusals is no flood of lines; after a time without any it is news again."""
    admission = AdmissionControl("CreateBooking of booking", CONFIG, deadline_s=DEADLINE_S)
    with structlog.testing.capture_logs() as logs:
        for at_s in (0.0, 1.0, 2.0, 30.0):
            entered = 0
            while admission.enters(at_s):
                entered += 1
            for _ in range(100):
                assert not admission.enters(at_s)
            for _ in range(entered):
                admission.leaves(at_s, at_s, served=False, too_late=False)
    assert [each["kind"] for each in logs] == ["CreateBooking of booking"] * 2
    assert admission.refusals.count == 404
    assert admission.in_progress == 0


def test_no_more_are_in_progress_than_may_ever_be() -> None:
    """From the first on, where that is fewer than it would begin with."""
    config = msgspec.structs.replace(CONFIG, in_progress_max=2)
    admission = AdmissionControl("x", config, deadline_s=DEADLINE_S)
    assert [admission.enters(0.0) for _ in range(4)] == [True, True, False, False]
    admission.leaves(0.0, 1.0, served=True, too_late=False)
    assert [admission.enters(1.0) for _ in range(2)] == [True, False]


def test_a_bound_moves_to_where_it_may_be_now() -> None:
    """Who has other limits from now on is within them at once."""
    config = msgspec.structs.replace(CONFIG)
    admission = AdmissionControl("x", config, deadline_s=DEADLINE_S)
    change_keys(config, {"in_progress_min": 2, "in_progress_max": 3})
    admission.reconfigured(deadline_s=0.1)
    assert [admission.enters(0.0) for _ in range(4)] == [True, True, True, False]
    assert admission.late_s < 0.1
