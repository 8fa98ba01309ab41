"""What an oracle of the engine might take for a fault, and is none."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

import msgspec
import pytest

from actors.config import load_config
from actors.errors import DeadLettered, HandlerTimeout
from actors.kernel import lifecycle
from actors.kernel.envelope import Envelope
from actors.kernel.future import AsyncioFuture
from actors.kernel.messages import Command, GaveUp, Later, Refusal
from actors.simulation.oracles.calm_oracle import RECOVERED_S, CalmOracle
from actors.simulation.oracles.deadline_oracle import ExpiryOracle, LastAnswers
from actors.simulation.oracles.effect_oracle import EffectLimits, EffectOracle
from actors.simulation.oracles.handled import Content, Handled, Run, Said
from actors.simulation.oracles.key_ages import KeyAges
from actors.simulation.oracles.key_oracle import DeferredOracle
from actors.simulation.oracles.once_oracle import PoisonOracle
from actors.simulation.oracles.order_oracle import OrderOracle
from actors.simulation.oracles.outside.retry_oracle import RetryOracle
from actors.simulation.oracles.past import Past
from actors.simulation.oracles.standstills import Standstills
from actors.simulation.oracles.timer_oracle import Set, TimerOracle
from actors.simulation.time.virtual_clock import VirtualClock
from actors.store.messaging.origin import ChannelOrigin, TimerOrigin

HOUR_US: Final = 3_600_000_000
DUE_US: Final = 2 * HOUR_US


class Ring(Command):
    pass


def _handled(outcome: Any = None, *, seq: int = 0, at_s: float = 0.0, **more: Any) -> Handled:
    envelope = Envelope(more.get("message", Ring()), origin=more.get("origin"))
    envelope.seq = seq
    now_us = more.get("now_us", 0)
    run = Run(now_us)
    run.said += more.get("said", ())
    keeps = not isinstance(outcome, Refusal)
    return Handled("bell", envelope, run, outcome, True, keeps, now_us, at_s)


def test_what_was_refused_in_its_turn_may_run_again() -> None:
    """With its batch, whose answers had not left; what was kept may not."""
    no, done = _handled(Refusal.conflict("no"), seq=1), _handled(seq=2)
    oracle = OrderOracle()
    assert [*oracle.hear("bell", [no, done]), *oracle.hear("bell", [no, done])] == []
    oracle.begin()
    assert list(oracle.hear("bell", [done, no])) != []
    assert list(oracle.hear("bell", [_handled(seq=3), done])) != []


def test_what_is_kept_may_go_before_what_is_asked() -> None:
    """It is half done; but neither before its own kind."""
    oracle = OrderOracle()
    kept = [_handled(seq=seq, origin=TimerOrigin(seq)) for seq in (2, 4)]
    asked = [_handled(seq=seq) for seq in (1, 3)]
    assert list(oracle.hear("bell", [*kept, *asked])) == []
    assert list(oracle.hear("bell", [_handled(seq=3, origin=TimerOrigin(3))])) != []
    assert list(oracle.hear("bell", [_handled(seq=2)])) != []


def _fired(oracle: TimerOracle, message: Any, at_s: float) -> list[str]:
    """Return what is said of a timer that fires an hour before it is due by the clock."""
    fired = _handled(message=message, origin=TimerOrigin(1), now_us=HOUR_US, at_s=at_s)
    return list(oracle.hear("bell", [fired], quiet_us=None))


@pytest.mark.parametrize(
    ("message", "opened_s", "at_s"),
    [(Ring(), 0.0, 101.0), (Ring(), 900.0, 901.0), (GaveUp(command=Ring(), reason=""), 0.0, 900.0)],
)
def test_what_was_due_before_the_clock_was_set_back_is_not_early(
    message: Any, opened_s: float, at_s: float
) -> None:
    """On its way, before an incarnation that has just begun, or an effect.

    But not in a process that has begun since, not where it was set since, and not at any time.
    """

    def oracle(*steps: str) -> TimerOracle:
        made = TimerOracle(Past(), Standstills(), ExpiryOracle(Past(), ()))
        said = [Said("after", Content.of(Ring()), due_us=DUE_US)]
        for step in steps:
            if step == "set":
                assert list(made.hear("bell", [_handled(said=said)], quiet_us=None)) == []
            elif step == "back":
                made.stepped(-HOUR_US, 100.0)
            else:
                made.begin()
        made.opened("bell", opened_s)
        return made

    assert _fired(oracle("set", "back"), message, at_s) == []
    for wrong in (("set",), ("set", "back", "boot"), ("back", "set")):
        assert "before it was due" in " ".join(_fired(oracle(*wrong), message, at_s))
    late = _fired(oracle("set", "back"), Ring(), 2_000.0)
    assert "before it was due" in " ".join(late)


async def test_a_probe_that_was_let_in_with_one_that_fails_is_not_too_soon() -> None:
    """At its own moment, where there may be several; not a moment later."""
    config = load_config()
    what = Content.of(Ring())

    async def attempt(oracle: EffectOracle, now_s: float, *, fails: bool) -> str:
        found = list(oracle.attempted("bell", [Ring()], now_s, {1: Set(0, what)}))
        if fails:
            found += oracle.finished("bell", [Ring()], now_s, (), OSError())
        return " ".join(found)

    for probes, at_s, too_soon in ((2, 0.0, False), (2, 0.001, True), (1, 0.0, True)):
        breaker = msgspec.structs.replace(config.breaker, probes_max=probes)
        oracle = EffectOracle(
            config.effect,
            breaker,
            Standstills(),
            ExpiryOracle(Past(), ()),
            RetryOracle(config.effect),
        )
        oracle.limits["bell", what.type] = EffectLimits(2.0, 7, running_max=64, slow_s=0.0)
        for _ in range(breaker.calls_min):
            assert await asyncio.create_task(attempt(oracle, 1.0, fails=True)) == ""
        found = await asyncio.create_task(attempt(oracle, 1.0 + at_s, fails=False))
        assert ("too soon" in found) is too_soon


@pytest.mark.parametrize(("took_s", "late"), [(1.0, True), (3.0, False)])
async def test_an_attempt_may_time_out_as_its_incarnation_ends(
    took_s: float, *, late: bool
) -> None:
    """Behind a pause, say: its breaker may have counted that, and have opened since."""
    config = load_config()
    what = Content.of(Ring())
    oracle = EffectOracle(
        config.effect,
        msgspec.structs.replace(config.breaker, calls_min=2),
        Standstills(),
        ExpiryOracle(Past(), ()),
        RetryOracle(config.effect),
    )
    oracle.limits["bell", what.type] = EffectLimits(2.0, 7, running_max=64, slow_s=0.0)
    began = partial(oracle.attempted, "bell", [Ring()], asked={1: Set(0, what)})
    ended = partial(oracle.finished, "bell", [Ring()], values=())

    async def cut_off() -> None:
        assert [*began(now_s=0.0)] == []
        oracle.ended("bell")
        assert [*ended(now_s=took_s, error=asyncio.CancelledError())] == []

    async def tried_again() -> list[str]:
        assert [*began(now_s=20.0)] == [*ended(now_s=20.0, error=OSError())] == []
        return [*began(now_s=60.0)]

    await asyncio.create_task(cut_off())
    assert ("later than it may be" in " ".join(await asyncio.create_task(tried_again()))) is late


def test_a_handler_that_overran_its_budget_has_crashed_once() -> None:
    """Of the attempts that a message has, as of those that it ends itself."""
    poisoned = _handled(DeadLettered("three times"))
    for overruns in (1, 2, 3):
        oracle = PoisonOracle(attempts_max=3)
        crashes = [HandlerTimeout("too long")] * overruns + [ValueError()] * (3 - overruns)
        for crash in crashes:
            assert list(oracle.crashed("bell", crash, poisoned.envelope)) == []
        assert list(oracle.hear("bell", [poisoned])) == []


@pytest.mark.parametrize(("culprit", "said"), [("Ring", 2), ("Look", 0), (None, 0)])
def test_a_crash_that_another_comes_before_is_no_attempt(culprit: str | None, said: int) -> None:
    """A query's, say: its incarnation ends of that, and nobody hears of the other."""
    poisoned = _handled(DeadLettered("three times"))
    oracle = PoisonOracle(attempts_max=3)
    found: list[str] = []
    for ended_by in ("Ring", "Ring", culprit, "Ring"):
        found += oracle.crashed("bell", ValueError(), poisoned.envelope)
        oracle.ended("bell", ended_by)
    found += oracle.hear("bell", [poisoned])
    assert len(found) == said


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize(
    ("ended", "crashes", "said"),
    [
        ("", 4, 2),
        ("tower", 6, 0),
        ("tower", 7, 2),
        ("bell", 4, 2),
        ("organ", 4, 2),
    ],
    ids=["by itself", "its sender", "its sender once", "its receiver", "another"],
)
def test_an_end_gives_as_many_attempts_to_what_is_sent_anew(
    ended: str, crashes: int, said: int, *, heard: bool
) -> None:
    """That of its sender, and once; nobody else's: it knows what its receiver has crashed of.

    Who is started again with another was not heard to end.
    """
    origin = ChannelOrigin("tower", "its file", number=1, base=1, last=1)
    poisoned = _handled(DeadLettered("three times"), origin=origin)
    oracle = PoisonOracle(attempts_max=3)
    found: list[str] = []
    for number in range(crashes):
        found += oracle.crashed("bell", ValueError(), poisoned.envelope)
        oracle.ended("bell", "Ring")
        oracle.up("bell")
        if ended and number == 1:
            if heard:
                oracle.ended(ended, None)
            oracle.up(ended)
    found += oracle.hear("bell", [poisoned])
    assert len(found) == said


@pytest.mark.parametrize(
    ("slow", "answered_s", "told_s", "late"),
    [
        ("bell", 5.0, 12.0, False),
        ("bell", 5.0, 17.0, True),
        ("tower", 5.0, 12.0, True),
        ("bell", 25.0, 30.0, False),
        ("bell", 31.0, 38.0, True),
    ],
    ids=["while it is slow", "later", "another", "amid a commit", "mended"],
)
async def test_an_answer_may_be_told_late_while_its_store_is_slow(
    slow: str, answered_s: float, told_s: float, *, late: bool
) -> None:
    """By a commit of its own that began then, which takes ten seconds; mended after twenty."""
    now_s = 0.0
    found: list[str] = []
    oracle = DeferredOracle(lambda: now_s, found, Standstills())
    oracle.up("bell", 0.0)
    oracle.slow(slow, 10.0)
    later: AsyncioFuture[Any] = AsyncioFuture()
    put_off = _handled(Later(request="one", so_far=Ring()))
    asked = put_off._replace(envelope=Envelope(Ring(), reply_to=later))
    said = [Said("reply", Content.of(Ring()), receiver="one")]
    oracle.hear("bell", [asked, _handled(said=said, at_s=answered_s)])
    if answered_s > 20.0:
        now_s = 20.0
        oracle.slow(slow, 0.0)
    now_s = told_s
    later.set(Ring())
    await asyncio.sleep(0)
    assert bool(found) is late


def test_a_clock_that_was_set_back_is_calm_once_it_has_caught_up() -> None:
    """By itself, or because it is set forward; set forward alone it is calm as after anything."""
    elapsed_s = 0.0
    clock, oracle = VirtualClock(lambda: elapsed_s), CalmOracle(roomy=True)

    def step(at_s: float, by_s: float) -> None:
        nonlocal elapsed_s
        elapsed_s = at_s
        clock.step(by_s)
        oracle.stepped(at_s, clock.behind_us / 1e6)

    step(10.0, 3_600.0)
    assert oracle.since_s(40.0) == 10.0 + RECOVERED_S
    step(100.0, -60.0)
    assert oracle.since_s(160.0 + RECOVERED_S - 1.0) is None
    assert oracle.since_s(200.0) == 160.0 + RECOVERED_S
    step(300.0, -600.0)
    assert oracle.since_s(800.0) is None
    step(400.0, 500.0)
    assert oracle.since_s(800.0) == 400.0 + RECOVERED_S
    spans_s = ((50.0, 90.0), (120.0, 130.0), (170.0, 290.0), (350.0, 360.0), (401.0, 900.0))
    assert [oracle.was_disturbed(*each) for each in spans_s] == [False, True, False, True, False]


@pytest.mark.parametrize(("status", "places", "wrong"), [(0, 3, 0), (0, 4_096, 1), (504, 3, 1)])
def test_who_lost_its_place_as_it_sent_is_answered_by_nobody(
    status: int, places: int, wrong: int
) -> None:
    """Where so few may be connected that an idle one has to go; no other answer is excused."""
    oracle = CalmOracle(roomy=False)
    assert len([*oracle.asked("client-0: POST /jobs", status, places=places)]) == wrong


def test_who_was_not_up_yet_has_rejected_nothing_for_want_of_room() -> None:
    """It is sent again, what is sent while a process boots; what is sent later found no room."""
    oracle = CalmOracle(roomy=True)
    oracle.serves([("bell", 2), ("tower", 0)])
    assert list(oracle.rejected([("bell", 2), ("tower", 0)])) == []
    found = [f"the mailbox of {name} has rejected 1 messages" for name in ("bell", "tower")]
    assert list(oracle.rejected([("bell", 3), ("tower", 1)])) == found


def test_who_comes_up_late_was_not_calm_before() -> None:
    """A process that begins with a service parked: its start, half a minute later, ends that."""
    oracle = CalmOracle(roomy=True)
    oracle.disturb(0.0)
    parked = lifecycle.Parked(name="bell", error="its file is locked", retry_s=30.0)
    assert list(oracle.hear(parked, 1.0)) == []
    assert oracle.since_s(30.0) is None
    assert list(oracle.hear(lifecycle.Started(name="bell", incarnation=1), 30.0)) == []
    assert oracle.since_s(31.0) is None
    assert oracle.since_s(30.0 + RECOVERED_S) == 30.0 + RECOVERED_S


@pytest.mark.parametrize("first", [lifecycle.Recovered, lifecycle.Resumed])
def test_who_is_suspended_and_degraded_is_not_up_until_both_are_over(first: Any) -> None:
    last = {lifecycle.Recovered: lifecycle.Resumed, lifecycle.Resumed: lifecycle.Recovered}[first]
    oracle = CalmOracle(roomy=True)
    oracle.disturb(0.0)
    degraded = lifecycle.Degraded(name="bell", error="its disk is full")
    events = [degraded, lifecycle.Suspended(name="bell"), first(name="bell")]
    assert [said for event in events for said in oracle.hear(event, 1.0)] == []
    assert oracle.since_s(1.0 + RECOVERED_S) is None
    assert list(oracle.hear(last(name="bell"), 40.0)) == []
    assert oracle.since_s(40.0 + RECOVERED_S) == 40.0 + RECOVERED_S


def test_a_clock_set_forward_makes_keys_older_where_a_file_is_opened_after_it() -> None:
    """By half of the time that they are kept for, at most, each time; never while it is open."""
    ages, hour_us = KeyAges(), 3_600_000_000
    ages.opened("bell", 0, 600.0)
    assert ages.added_us("bell") == 0
    assert not ages.may_be_gone(299.0, 600.0)
    assert ages.may_be_gone(300.0, 600.0)
    ages.opened("bell", hour_us, 600.0)
    assert ages.added_us("bell") == 300_000_000
    assert ages.may_be_gone(1.0, 600.0)
    ages.opened("bell", hour_us, 600.0)
    assert ages.added_us("bell") == 300_000_000
    ages.opened("bell", hour_us + 7_000_000, 600.0)
    assert ages.added_us("bell") == 307_000_000
    assert ages.added_us("other") == 0


def test_who_waited_through_a_pause_may_leave_before_the_last_answers() -> None:
    """Hotel, chaos, seed 73052: a pause had eaten eight of a client's ten seconds."""
    pauses = Standstills()
    last = LastAnswers(pauses)
    pauses.begin(0.0)
    pauses.end(60.0)
    last.begin(60.5)
    assert list(last.unanswered("POST /rooms", 52.0, 62.0)) == []
    assert list(last.unanswered("POST /rooms", 60.1, 62.0)) != []
