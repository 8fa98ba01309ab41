"""Faults put into running services: each does what it says, to whom it says, and leaves nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from actors.errors import DeadLettered, DeadlineExceeded, FaultRefused, FaultsBlocked, NoSuchFault
from actors.faults.lab.fault_order import FaultOrder
from actors.kernel.clock import SystemClock
from actors.kernel.lifecycle import Crashed
from actors.kernel.messages import Command
from actors.service.service import command, effect
from actors.service.stateless.replicas import Replicas
from actors.store.transaction import Transaction
from tests.kernel.kernel_harness import turns
from tests.service import hosted
from tests.service.desks import Desk, Do, Labels, Note, SteppingClock, office
from tests.service.test_stateless import Counts, Length

if TYPE_CHECKING:
    from pathlib import Path

    from actors.service.assembly import AnyService
    from tests.service.desks import Office

SETTINGS = ("channel.retry_s=0.02", "channel.retry_s_max=0.02", "effect.backoff_s_min=0.01")


class Begin(Command):
    label: str


class AskOutside(Command):
    label: str


class Asker(Desk):
    """Asks the outside world, which notes when."""

    asked: ClassVar[list[str]] = []

    @command
    def begin(self, tx: Transaction, cmd: Begin) -> None:
        tx.run(AskOutside(label=cmd.label))

    @effect
    async def ask_outside(self, message: AskOutside) -> Note:
        self.asked.append(message.label)
        return Note(label=message.label)


def send_all(tx: Transaction, cmd: Do) -> None:
    """Send the other desk a note for each label."""
    for label in cmd.what:
        tx.send("b", Note(label=label))


def services() -> dict[str, AnyService]:
    return {
        "a": lambda: Desk(send_all),
        "b": Desk,
        "c": Asker,
        "count": Replicas(Counts, 2),
    }


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture(autouse=True)
def nobody_asked() -> None:
    Asker.asked.clear()


def running(folder: Path, clock: SteppingClock, *settings: str, seed: int = 1) -> Any:
    return office(folder, services(), clock=clock, settings=[*SETTINGS, *settings], seed=seed)


def begin(run: Office, **said: Any) -> str:
    return run.system.faults.begin(FaultOrder(**said)).id


def seams(run: Office) -> dict[str, Any]:
    """Return all places where a fault could stand, with what stands there."""
    lab = run.system.faults
    found: dict[str, Any] = {"routes": lab.routes, "timers": dict(lab._timers)}
    for name, seam in lab._seams.items():
        found[name] = seam.batches, seam.effects
        for actor in run.system.registry.replicas(name):
            found[actor.name] = actor.actor_inbox.arrivals
    return found


def is_untouched(run: Office) -> bool:
    return all(each in (None, {}, (None, None)) for each in seams(run).values())


async def parcels(run: Office, how_many: int, first: int = 0) -> list[str]:
    labels = [str(number) for number in range(first, first + how_many)]
    assert await run.through(run.ask("a", Do(what=labels))) is None
    return labels


# --- Requests ---------------------------------------------------------------------------------


async def test_a_request_is_late_and_the_others_are_not(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """By as long as was ordered; of one service, of one type, and of queries alone."""
    async with running(tmp_path, clock) as run:
        begin(run, kind="latency", service="b", latency_ms=200, message_type="Note")
        late, other, query = (
            run.ask("b", Note(label="late")),
            run.ask("a", Note(label="at once")),
            run.ask("b", Labels()),
        )
        await turns()
        assert (late.done(), other.done(), await query) == (False, True, [])
        await run.advance(0.19)
        assert not late.done()
        await run.advance(0.02)
        assert late.done()
        assert run.system.faults.mend_all()[0].hits == 1
        begin(run, kind="latency", service="b", of="queries", latency_ms=200)
        asked = run.ask("b", Labels())
        assert await run.ask("b", Note(label="quick")) is None
        await run.advance(0.3)
        assert await asked == ["late", "quick"]


async def test_a_request_that_is_lost_ends_by_its_deadline(
    tmp_path: Path, clock: SteppingClock
) -> None:
    async with running(tmp_path, clock) as run:
        begin(run, kind="drop", service="b", of="requests", first=1)
        with pytest.raises(DeadlineExceeded):
            await run.through(run.ask("b", Note(label="lost"), timeout_s=1.0))
        await run.ask("b", Note(label="found"))
        assert run.labels("b") == ["found"]
        assert is_untouched(run)


async def test_the_first_two_are_two_of_all_that_come_at_once(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """And once these have waited it is over, and out of the way."""
    async with running(tmp_path, clock) as run:
        begin(run, kind="latency", service="b", latency_ms=500, first=2)
        asked = [run.ask("b", Note(label=str(number))) for number in range(50)]
        await turns()
        assert [each.done() for each in asked].count(False) == 2
        assert not is_untouched(run)
        await run.advance(0.6)
        assert all(each.done() for each in asked)
        assert (run.system.faults.stats(), is_untouched(run)) == ([], True)
        assert sorted(run.labels("b")) == sorted(str(number) for number in range(50))


async def test_who_waits_for_a_fault_does_not_when_that_is_gone(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """By its own time, by mending, by the lever, or as the system stops."""
    async with running(tmp_path, clock) as run:
        lab = run.system.faults
        for end in ("time", "mend", "lever"):
            begin(run, kind="latency", service="b", latency_ms=10_000, for_s=0.05)
            asked = run.ask("b", Note(label="x"))
            await turns()
            assert not asked.done()
            if end == "time":
                await run.advance(0.06)
            elif end == "mend":
                lab.mend_all()
            else:
                lab.stop()
            await turns()
            assert asked.done()
            assert (lab.stats(), is_untouched(run)) == ([], True)
            lab.release()
        begin(run, kind="latency", service="b", of="commits", latency_ms=10_000)
        last = run.ask("b", Note(label="y"))
        await turns()
    assert await last is None


async def test_a_fault_goes_with_its_client(tmp_path: Path, clock: SteppingClock) -> None:
    """It lasts for as long as somebody renews its lease, and no longer than it was to."""
    async with running(tmp_path, clock) as run:
        lab = run.system.faults
        fault = begin(run, kind="error", service="b", lease_s=2.0, for_s=5.0)
        for _ in range(2):
            await run.advance(1.9)
            assert lab.renew(fault).id == fault
        await run.advance(1.1)
        assert len(lab.stats()) == 1
        await run.advance(0.2)
        assert (lab.stats(), is_untouched(run)) == ([], True)
        fault = begin(run, kind="suspend", service="b", lease_s=2.0)
        await run.advance(2.1)
        assert (lab.stats(), run.system.state_of("b")) == ([], "running")
        with pytest.raises(NoSuchFault):
            lab.renew(fault)


# --- Messages between services ----------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "latency", "latency_ms": 30, "jitter_ms": 30},
        {"kind": "drop"},
        {"kind": "duplicate"},
        {"kind": "reorder", "latency_ms": 15},
        {"kind": "partition", "sender": "a"},
    ],
    ids=lambda each: each["kind"],
)
async def test_messages_take_effect_once_and_in_order_all_the_same(
    tmp_path: Path, clock: SteppingClock, said: dict[str, Any], seed: int
) -> None:
    """Whatever is done to a third of them on their way."""
    async with running(tmp_path, clock) as run:
        fault = begin(run, service="b", of="messages", percent=30, seed=seed, **said)
        sent = []
        for number in range(20):
            sent += await parcels(run, 5, 5 * number)
        await run.until(lambda: len(run.labels("b")) >= len(sent))
        ended = run.system.faults.mend(fault)
        assert 0 < ended.hits < ended.seen
        await run.advance(1.0, steps=10)
        assert run.labels("b") == sent
        assert is_untouched(run)


async def test_services_are_cut_off_one_way_or_both(tmp_path: Path, clock: SteppingClock) -> None:
    """What one sends waits; clients reach both; and the way back is open unless both are cut."""
    async with running(tmp_path, clock) as run:
        lab = run.system.faults
        for both_ways in (None, True):
            fault = begin(run, kind="partition", service="b", sender="a", both_ways=both_ways)
            doors = {
                name: run.system.registry.actor(name).actor_inbox.arrivals for name in ("a", "b")
            }
            assert (doors["a"] is not None, doors["b"] is not None) == (bool(both_ways), True)
            before = len(run.labels("b"))
            sent = await parcels(run, 3, before)
            await run.advance(1.0, steps=10)
            assert len(run.labels("b")) == before
            await run.ask("b", Labels())
            lab.mend(fault)
            await run.until(lambda: len(run.labels("b")) == before + len(sent))  # noqa: B023 - used at once
            assert is_untouched(run)


# --- Handlers and commits ---------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_handler_that_raises_twice_is_tried_three_times(
    tmp_path: Path, clock: SteppingClock, when: Any
) -> None:
    """Its message is the culprit: nothing of it is kept, its neighbours go on, and then it is."""
    async with running(tmp_path, clock) as run:
        begin(run, kind="error", service="b", message_type="Note", when=when, first=2)
        assert await run.through(run.ask("b", Note(label="kept"))) is None
        assert run.labels("b") == ["kept"]
        assert len(run.happened(Crashed)) == 2
        begin(run, kind="error", service="b")
        with pytest.raises(DeadLettered, match="InjectedFault"):
            await run.through(run.ask("b", Note(label="never")))
        run.system.faults.mend_all()
        assert await run.through(run.ask("b", Note(label="again"))) is None
        assert run.labels("b") == ["kept", "again"]
        assert is_untouched(run)


async def test_one_replica_alone_raises(tmp_path: Path, clock: SteppingClock) -> None:
    """A stateless service's, too; one that comes later is struck as all are."""
    async with running(tmp_path, clock) as run:
        begin(run, kind="error", service="count", replica="count-2", first=1)
        for _ in range(4):
            await run.through(run.ask("count", Length(text="abc")))
        assert [each.name for each in run.happened(Crashed)] == ["count-2"]
        begin(run, kind="latency", service="count", latency_ms=100)
        await run.through(run.system.scale("count", 3))
        asked = [run.ask("count", Length(text="abc")) for _ in range(6)]
        await turns()
        assert not any(each.done() for each in asked)
        await run.advance(0.2)
        assert all(each.done() for each in asked)
        run.system.faults.mend_all()
        assert is_untouched(run)


async def test_a_commit_is_slow(tmp_path: Path, clock: SteppingClock) -> None:
    """Reads are not, and one service's disk is not another's."""
    async with running(tmp_path, clock) as run:
        begin(run, kind="latency", service="b", of="commits", latency_ms=100)
        write, other = run.ask("b", Note(label="slow")), run.ask("a", Note(label="quick"))
        read = run.ask("b", Labels())
        await turns()
        assert (write.done(), other.done(), read.done()) == (False, True, True)
        await run.advance(0.11)
        assert write.done()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_at_a_commit_loses_and_doubles_nothing(
    tmp_path: Path, clock: SteppingClock, when: Any
) -> None:
    """Before it, it is done anew; after it, it is known to be done."""
    async with running(tmp_path, clock) as run:
        begin(run, kind="kill", service="b", of="commits", when=when, first=1, message_type="Note")
        assert await run.through(run.ask("b", Note(label="once"))) is None
        assert run.labels("b") == ["once"]
        (crashed,) = run.happened(Crashed)
        assert crashed.killed
        assert is_untouched(run)


async def test_kills_come_at_once_and_again_each_period(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """They spend no restart budget; a suspension ends with its fault."""
    async with running(tmp_path, clock, "supervisor.intensity=0") as run:
        begin(run, kind="kill", service="b")
        await turns()
        assert run.system.faults.stats() == []
        begin(run, kind="kill", service="b", period_s=1.0, for_s=3.5)
        await run.advance(4.0, steps=40)
        assert len(run.happened(Crashed)) == 5
        begin(run, kind="suspend", service="b", for_s=1.0)
        await turns()
        asked = run.ask("b", Note(label="waits"))
        await run.advance(0.9)
        assert (asked.done(), run.system.state_of("b")) == (False, "suspended")
        await run.advance(0.2)
        await turns()
        assert (asked.done(), run.system.state_of("b")) == (True, "running")
        assert is_untouched(run)


@pytest.mark.real_time
async def test_a_handler_is_slow_or_hangs_on_its_own_thread(tmp_path: Path, seed: int) -> None:
    """A slow one answers late; one that hangs is interrupted, and is tried again; mended, it ends.

    Queries on their thread, and other services, notice nothing.
    """
    async with hosted.running(tmp_path, seed, "b", "a") as run:
        lab, clock = run.system.faults, SystemClock()

        async def took_s(message: Any) -> float:
            begun_s = clock.monotonic()
            await run.ask("b", message)
            return clock.monotonic() - begun_s

        def on(**said: Any) -> str:
            return lab.begin(FaultOrder(service="b", message_type="Add", **said)).id

        on(kind="latency", of="handlers", latency_ms=100, first=1)
        slow = asyncio.ensure_future(took_s(hosted.Add(label="slow")))
        await asyncio.gather(run.ask("a", hosted.Add(label="x")), run.ask("b", hosted.Labels()))
        assert not slow.done()
        assert await slow >= 0.1
        on(kind="hang", first=1)
        assert await took_s(hosted.Add(label="hung once")) >= hosted.HANDLER_S_MAX
        assert run.stats("b").restarts == 1
        on(kind="hang", when="after")
        hangs = asyncio.ensure_future(run.ask("b", hosted.Add(label="mended")))
        while not lab.stats()[0].hits:  # noqa: ASYNC110 - as an operator would look
            await asyncio.sleep(0.001)
        lab.mend_all()
        assert (await hangs).seq == 3
        assert run.stats("b").restarts == 1
        assert await run.ask("b", hosted.Labels()) == ["slow", "hung once", "mended"]


# --- Effects ----------------------------------------------------------------------------------


async def test_the_outside_world_fails_is_slow_and_says_nothing(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Before it is asked, or after it has done what it was asked."""
    async with running(tmp_path, clock) as run:

        async def outside(**said: Any) -> tuple[int, float]:
            """Return how often it was asked, and how long that took."""
            fault = begin(run, service="c", of="effects", **said)
            Asker.asked.clear()
            begun_s, before = clock.monotonic(), len(run.labels("c"))
            await run.ask("c", Begin(label="x"))
            await run.until(lambda: len(run.labels("c")) > before)
            if fault in [each.id for each in run.system.faults.stats()]:
                run.system.faults.mend(fault)
            assert is_untouched(run)
            return len(Asker.asked), clock.monotonic() - begun_s

        assert (await outside(kind="error", first=2))[0] == 1
        assert (await outside(kind="error", when="after", first=2))[0] == 3
        times, took_s = await outside(kind="latency", latency_ms=500)
        assert (times, took_s > 0.5) == (1, True)
        times, took_s = await outside(kind="hang", first=1)  # spent, it lets go
        assert times == 1


async def test_a_hang_lasts_for_as_long_as_an_attempt_may(
    tmp_path: Path, clock: SteppingClock
) -> None:
    async with running(tmp_path, clock, "effect.effect_s_max=0.5") as run:
        begin(run, kind="hang", service="c", of="effects", for_s=0.9)
        await run.ask("c", Begin(label="x"))
        await run.advance(0.45, steps=45)
        assert run.system.faults.stats()[0].hits == 1
        await run.until(lambda: run.labels("c") == ["x"])
        assert is_untouched(run)


# --- What holds of all ------------------------------------------------------------------------


EVERY_KIND: tuple[dict[str, Any], ...] = (
    {"kind": "latency", "service": "b", "latency_ms": 500},
    {"kind": "latency", "service": "b", "of": "requests", "latency_ms": 500},
    {"kind": "latency", "service": "b", "of": "queries", "latency_ms": 500},
    {"kind": "latency", "service": "b", "of": "messages", "latency_ms": 500},
    {"kind": "latency", "service": "b", "of": "commits", "latency_ms": 500},
    {"kind": "latency", "service": "c", "of": "effects", "latency_ms": 500},
    {"kind": "error", "service": "b"},
    {"kind": "error", "service": "b", "when": "after"},
    {"kind": "error", "service": "c", "of": "effects"},
    {"kind": "hang", "service": "c", "of": "effects"},
    {"kind": "drop", "service": "b"},
    {"kind": "drop", "service": "b", "of": "requests"},
    {"kind": "duplicate", "service": "b"},
    {"kind": "reorder", "service": "b", "latency_ms": 500},
    {"kind": "partition", "service": "b", "sender": "a", "both_ways": True},
    {"kind": "kill", "service": "b", "of": "commits"},
    {"kind": "kill", "service": "b", "of": "commits", "when": "after"},
    {"kind": "latency", "service": "b", "of": "handlers", "latency_ms": 500},
    {"kind": "hang", "service": "b"},
)


async def what_happens(folder: Path, said: dict[str, Any] | None) -> tuple[Any, ...]:
    """Return all that a little work leads to, while this fault is on; none of it was struck."""
    clock = SteppingClock()
    async with running(folder, clock) as run:
        if said is not None:
            begin(run, percent=0, **said)
        await parcels(run, 5)
        await run.ask("b", Note(label="asked"))
        await run.ask("c", Begin(label="x"))
        labels = await run.ask("b", Labels())
        await run.until(lambda: run.labels("c") == ["x"] and len(run.labels("b")) == 6)
        if said is not None:
            (stats,) = run.system.faults.mend_all()
            assert stats.hits == 0
            assert stats.seen > 0
        assert is_untouched(run)
        actors = [
            (each.name, each.handled, each.refused, each.restarts) for each in run.system.actors()
        ]
        return labels, run.rows("b", "SELECT label, at_us FROM entry"), actors, clock.now_us()


async def test_a_fault_at_no_percent_is_no_fault(tmp_path: Path) -> None:
    """Of each kind: what happens, and when, is what happens without it."""
    folders = [tmp_path / str(number) for number in range(len(EVERY_KIND) + 1)]
    for folder in folders:
        folder.mkdir()
    without = await what_happens(folders.pop(), None)
    for folder, said in zip(folders, EVERY_KIND, strict=True):
        assert await what_happens(folder, said) == without, said


async def test_what_reaches_too_far_or_nowhere_is_refused(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Before anything is touched, and with what to do about it."""
    settings = ("faults.active_max=2", 'faults.untouched=["a"]', "faults.percent_max=50")
    async with running(tmp_path, clock, *settings) as run:
        lab = run.system.faults

        def refused(match: str, **said: Any) -> None:
            said = {"kind": "latency", "service": "b", "latency_ms": 1, "percent": 10, **said}
            with pytest.raises(FaultRefused, match=match):
                lab.begin(FaultOrder(**said), routes={"GET /x"})
            assert (lab.stats(), is_untouched(run)) == ([], True)

        refused("no service is called 'x'; there are a, b", service="x")
        refused("a supervisor", service="root")
        refused("no replica 'b-2'", replica="b-2")
        refused("own timers are no messages", sender="b")
        refused("count has no commits", service="count", of="commits")
        refused("GET /x", service=None, route="GET /y")
        refused("untouched", service="a")
        refused("untouched", service="b", sender="a")
        refused("percent_max, 50", percent=51)
        lab.begin(FaultOrder(kind="kill", service="b"))  # it strikes no share
        first = begin(run, kind="error", service="b", percent=1)
        begin(run, kind="error", service="b", percent=1)
        with pytest.raises(FaultsBlocked, match="active_max"):
            begin(run, kind="error", service="b", percent=1)
        lab.mend(first)
        with pytest.raises(NoSuchFault, match="there are: f3"):
            lab.mend(first)
        assert [each.id for each in lab.stop()] == ["f3"]
        with pytest.raises(FaultsBlocked, match="release"):
            begin(run, kind="error", service="b", percent=1)
        lab.release()
        begin(run, kind="error", service="b", percent=1)


async def test_the_lever_ends_all_at_once(tmp_path: Path, clock: SteppingClock) -> None:
    """Within its own call, whatever is amid it: no time passes."""
    async with running(tmp_path, clock) as run:
        for said in EVERY_KIND[:10]:
            begin(run, **said)
        asked = [run.ask("b", Note(label=str(number))) for number in range(5)]
        await turns()
        begun_s = asyncio.get_running_loop().time()
        assert len(run.system.faults.stop()) == 10
        assert is_untouched(run)
        await turns(50)
        assert asyncio.get_running_loop().time() - begun_s < 0.1
        assert all(each.done() for each in asked)
