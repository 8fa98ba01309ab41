"""What a service puts off comes once, in order, never early, and late rather than never."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import DeadLettered, StoreRefused
from actors.kernel.clock import SystemClock
from actors.kernel.lifecycle import Crashed
from actors.kernel.messages import Command, Refusal
from actors.service.service import command
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.store import WriteResult
from actors.store.transaction import Transaction
from tests.kernel.kernel_harness import turns
from tests.service.desks import (
    Desk,
    Do,
    HeldStore,
    HoppingStore,
    Note,
    Poison,
    SteppingClock,
    note,
    office,
)
from tests.store.ledger import Mishap, writer_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from tests.service.desks import Office

TIMERS = 1_000
KILLS = 200


class Decline(Command):
    """Is refused."""


class Planner(Desk):
    """`Do` a list of (delay in seconds, label) notes each label when it is due."""

    def __init__(self) -> None:
        super().__init__(plan)

    @command
    def decline(self, tx: Transaction, cmd: Decline) -> Refusal:
        note(tx, "declined")
        return Refusal.conflict("no")


def plan(tx: Transaction, cmd: Do) -> None:
    for delay_s, label in cmd.what:
        tx.after(delay_s, Note(label=label))


async def test_timer_fires_once_at_its_time(tmp_path: Path, clock: SteppingClock) -> None:
    """Not a moment before, however often the clock is looked at; and its row is gone."""
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        await run.ask("a", Do(what=[(10.0, "ten"), (2.5, "soon")]))
        await run.advance(2.4999, steps=100)
        assert run.labels("a") == []
        await run.advance(0.0002)
        assert run.labels("a") == ["soon"]
        await run.advance(7.49, steps=100)
        assert run.labels("a") == ["soon"]
        await run.advance(100.0, steps=100)
        assert run.labels("a") == ["soon", "ten"]
        assert run.count("a", "timer") == 0


async def test_timer_that_is_due_sooner_does_not_wait_for_the_one_before(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """A far-off timer is looked for now and then; a near one comes at its own time."""
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        await run.ask("a", Do(what=[(300.0, "far")]))
        await run.ask("a", Do(what=[(0.05, "near")]))
        await run.advance(0.051)
        assert run.labels("a") == ["near"]
        await run.ask("a", Do(what=[(0.4, "third"), (0.2, "second")]))
        await run.advance(0.201)
        assert run.labels("a") == ["near", "second"]


async def test_no_delay_fires_without_waiting(tmp_path: Path, clock: SteppingClock) -> None:
    """A delay of nothing, or of less, is due at once."""

    def do(tx: Transaction, cmd: Do) -> None:
        tx.after(0.0, Note(label="none"))
        tx.after(-5.0, Note(label="less"))

    async with office(tmp_path, {"a": lambda: Desk(do)}, clock=clock) as run:
        await run.ask("a", Do())
        await turns()
        assert run.labels("a") == ["none", "less"]


async def test_timers_fire_in_order_of_due_time(
    tmp_path: Path, clock: SteppingClock, rng: Rng
) -> None:
    """Whichever commit they come from, and beyond what is in hand at once; equals as asked for."""
    settings = ["timer.window_timers=7"]
    delays = [rng.choice([0.1, 0.2, 0.3, rng.random()]) for _ in range(200)]
    planned = [(delay_s, f"{number:03}") for number, delay_s in enumerate(delays)]
    async with office(tmp_path, {"a": Planner}, clock=clock, settings=settings) as run:
        for first in range(0, 200, 20):
            await run.ask("a", Do(what=planned[first : first + 20]))
        await run.advance(1.1, steps=rng.choice([1, 10, 100]))
        await run.until(lambda: run.count("a", "timer") == 0)
        in_order = sorted(planned, key=lambda each: (round(each[0] * 1_000_000), each[1]))
        assert run.labels("a") == [label for _, label in in_order]


async def test_timers_due_by_the_commit_that_asked_for_them_fire_in_order(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """A commit takes time; what has become due meanwhile still goes by its time."""

    def do(tx: Transaction, cmd: Do) -> None:
        for delay_s in (0.003, 0.001, 0.0, 0.002):
            tx.after(delay_s, Note(label=str(delay_s)))
        clock.advance(1.0)  # the disk is slow

    async with office(tmp_path, {"a": lambda: Desk(do)}, clock=clock) as run:
        await run.ask("a", Do())
        await turns()
        assert run.labels("a") == ["0.0", "0.001", "0.002", "0.003"]


async def test_timer_that_is_overdue_goes_before_one_that_was_just_committed(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Also where nobody has looked at the clock since it became due."""
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        await run.ask("a", Do(what=[(5.0, "overdue")]))
        clock.advance(10.0)
        await run.ask("a", Do(what=[(0.0, "new")]))
        await turns()
        assert run.labels("a") == ["overdue", "new"]


async def test_downtime_makes_timers_late_and_loses_none(
    tmp_path: Path, clock: SteppingClock, rng: Rng
) -> None:
    """What became due while the process was down fires at its start, in order; the rest waits."""
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        due = [(rng.uniform(1.0, 50.0), "due") for _ in range(300)]
        planned = [(delay_s, f"{label} {delay_s}") for delay_s, label in due]
        await run.ask("a", Do(what=[*planned, (100.0, "later")]))
    clock.advance(60.0)
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        await turns(500)
        assert run.labels("a") == [label for _, label in sorted(planned)]
        await run.advance(39.0)
        assert run.count("a", "timer") == 1
        await run.advance(1.0)
        assert run.labels("a")[-1] == "later"


async def test_service_that_is_suspended_or_parked_fires_late(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Nothing of it runs meanwhile, and everything runs afterwards, once."""
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        await run.ask("a", Do(what=[(1.0, "one"), (2.0, "two")]))
        run.system.suspend("a")
        await run.advance(1.5)
        assert run.labels("a") == []
        run.system.kill("a")
        await run.advance(10.0, steps=10)
        assert run.labels("a") == []
        run.system.resume("a")
        await turns()
        assert run.labels("a") == ["one", "two"]


def plan_and_say_when(tx: Transaction, cmd: Do) -> None:
    """Put off a note for each (delay in seconds, label) that says when it is due."""
    for delay_s, label in cmd.what:
        tx.after(delay_s, Note(label=f"{label} {tx.now_us + round(delay_s * 1_000_000)}"))


@pytest.mark.parametrize(
    ("store", "kills"),
    [
        (HoppingStore, KILLS // 3),
        pytest.param(AiosqliteStore, KILLS // 8, marks=pytest.mark.real_time),
        pytest.param(HoppingStore, KILLS, marks=pytest.mark.long),
        pytest.param(AiosqliteStore, KILLS, marks=[pytest.mark.real_time, pytest.mark.long]),
    ],
)
async def test_timers_fire_once_each_whenever_the_service_is_killed(
    tmp_path: Path, rng: Rng, store: type[AiosqliteStore | HoppingStore], kills: int
) -> None:
    """Two hundred kills over a thousand timers: none lost, none twice, none early."""
    async with office(
        tmp_path,
        {"a": lambda: Desk(plan_and_say_when)},
        clock=SteppingClock() if store is HoppingStore else SystemClock(),
        seed=rng.getrandbits(32),
        settings=["timer.window_timers=16", "service.batch_messages_max=8"],
        store=store,
    ) as run:
        planned: list[str] = []
        # Some kills hit an incarnation that is not there yet.
        while len(planned) < TIMERS * kills // KILLS or len(run.happened(Crashed)) < kills:
            delays = [rng.choice([0.0, 0.3 * rng.random()]) for _ in range(rng.randrange(1, 9))]
            what = [(delay_s, str(len(planned) + n)) for n, delay_s in enumerate(delays)]
            planned += [label for _, label in what]
            asked = run.ask("a", Do(what=what), key=what[0][1])
            await turns(rng.randrange(20))
            run.system.kill("a")
            await run.advance(rng.random() * 0.004)
            await run.through(asked)
        await run.until(lambda: run.count("a", "timer") == 0)
        happened = [
            (*label.split(), at_us)
            for label, at_us in run.rows("a", "SELECT label, at_us FROM entry")
        ]
        assert Counter(label for label, _, _ in happened) == Counter(planned)
        assert all(int(due_us) <= at_us for _, due_us, at_us in happened)
        assert await run.letters() == []


@pytest.mark.parametrize(
    ("delay_s", "due_s"), [(0.0, 0.0), (-1.0, 0.0), (0.5, 0.5), (5.0, 5.0)], ids=str
)
async def test_timer_committed_while_the_table_is_read_is_not_forgotten(
    tmp_path: Path, clock: SteppingClock, delay_s: float, due_s: float
) -> None:
    """A look that began before a commit and ends after it knows less than the commit said."""
    settings = ["timer.poll_s_max=1000"]
    async with office(
        tmp_path, {"a": Planner}, clock=clock, settings=settings, store=HeldStore
    ) as run:
        await run.ask("a", Do(what=[(1.0, "first")]))
        with HeldStore.hold() as release:
            await run.advance(1.0)
            assert release.count == 1
            await run.ask("a", Do(what=[(delay_s, "second")]))
        await turns()
        await run.advance(due_s)
        assert run.labels("a") == ["first", "second"]


@pytest.mark.parametrize("held", [False, True])
async def test_timer_of_a_clock_that_was_set_back_is_not_passed_over(
    tmp_path: Path, clock: SteppingClock, *, held: bool
) -> None:
    """It is due before what was read already, or is being read as it is committed."""
    async with office(tmp_path, {"a": Planner}, clock=clock, store=HeldStore) as run:
        await run.ask("a", Do(what=[(10.0, "first")]))
        if held:
            with HeldStore.hold() as looks:
                await run.advance(10.0)
                assert looks.count == 1
                clock.step(-8.0)
                await run.ask("a", Do(what=[(1.0, "second")]))
        else:
            await run.advance(10.0)
            clock.step(-8.0)
            await run.ask("a", Do(what=[(1.0, "second")]))
        await run.advance(2.0, steps=20)
        assert run.labels("a") == ["first", "second"]


async def test_clock_set_forward_brings_timers_forward(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """They go by the wall clock; a step is noticed within poll_s_max."""
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        await run.ask("a", Do(what=[(3600.0, "an hour")]))
        clock.step(3600.0)
        await run.advance(1.0)
        assert run.labels("a") == ["an hour"]


async def test_clock_set_backward_makes_timers_late_and_not_early(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """By the wall clock, again; new timers beside them are not held up."""
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        await run.ask("a", Do(what=[(10.0, "ten")]))
        await run.advance(9.0)
        clock.step(-3600.0)
        await run.advance(3500.0, steps=50)
        assert run.labels("a") == []
        await run.ask("a", Do(what=[(2.0, "new")]))
        await run.advance(3.0)
        assert run.labels("a") == ["new"]
        await run.advance(3610.0 - 3503.0 - 9.0 + 1.0)
        assert run.labels("a") == ["new", "ten"]
        assert run.count("a", "timer") == 0


async def test_what_is_due_at_once_does_not_wait_for_a_clock_set_backward(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Neither what is under way nor what a suspended, killed or restarted service finds."""
    settings = ["timer.window_timers=2"]
    async with office(tmp_path, {"a": Planner}, clock=clock, settings=settings) as run:
        run.system.suspend("a")
        await turns()
        asked = run.ask("a", Do(what=[(0.0, str(number)) for number in range(9)]))
        run.system.resume("a")
        clock.step(-3600.0)
        await asked
        clock.step(-3600.0)
        run.system.kill("a")
        await run.advance(1.0)
        assert run.labels("a") == [str(number) for number in range(9)]
        await run.ask("a", Do(what=[(0.0, "last"), (5.0, "later")]))
        run.system.suspend("a")
    clock.step(-3600.0)
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        await run.advance(1.0)
        assert run.labels("a")[9:] == ["last"]


async def commit_and_die(run: Office, plans: list[list[tuple[float, str]]]) -> None:
    """Have a's timers committed together, and kill it before it has started them."""
    run.system.suspend("a")
    await turns()
    asked = [run.ask("a", Do(what=plan)) for plan in plans]
    run.system.resume("a")
    await asyncio.wait(asked)
    run.system.kill("a")


async def test_neither_what_is_due_at_once_nor_what_is_late_holds_up_the_other(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Where there is more than the window holds, the older goes first."""
    settings = ["timer.window_timers=4"]
    async with office(tmp_path, {"a": Planner}, clock=clock, settings=settings) as run:
        plans = [[(1.0, "a"), (0.5, "b")], [(0.0, str(number)) for number in range(20)]]
        await commit_and_die(run, [*plans, [(0.2, "c")]])
    clock.advance(10.0)
    async with office(tmp_path, {"a": Planner}, clock=clock, settings=settings) as run:
        await run.advance(1.0, steps=10)
        labels = run.labels("a")
        assert sorted(labels) == sorted(["a", "b", "c", *map(str, range(20))])
        assert [each for each in labels if each.isdigit()] == [str(number) for number in range(20)]


async def test_what_is_due_at_once_behind_a_window_of_what_is_late_is_not_forgotten(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """However often the service starts again: those that are older take all that one look gives."""
    settings = ["timer.window_timers=2"]
    async with office(tmp_path, {"a": Planner}, clock=clock, settings=settings) as run:
        await commit_and_die(run, [[(1.0, "a"), (1.0, "b")], [(0.0, "c"), (0.0, "d"), (0.0, "e")]])
    clock.advance(10.0)
    async with office(tmp_path, {"a": Planner}, clock=clock, settings=settings) as run:
        await run.advance(1.0, steps=10)
        assert sorted(run.labels("a")) == ["a", "b", "c", "d", "e"]


async def test_no_more_than_the_window_is_in_hand(tmp_path: Path, clock: SteppingClock) -> None:
    """However many are due: the mailbox of a service that is suspended stays small."""
    settings = ["timer.window_timers=10"]
    async with office(tmp_path, {"a": Planner}, clock=clock, settings=settings) as run:
        await run.ask("a", Do(what=[(1.0, str(number)) for number in range(500)]))
        run.system.suspend("a")
        await run.advance(5.0, steps=20)
        for _ in range(5):  # nor does each incarnation add its own
            assert run.system.actors()[1].mailbox_depth == 10
            run.system.kill("a")
            await run.advance(1.0, steps=5)
        (stats,) = await run.system.timers()
        assert (stats.pending, stats.due) == (500, 500)
        run.system.resume("a")
        await run.until(lambda: run.count("a", "timer") == 0)
        assert run.labels("a") == [str(number) for number in range(500)]


async def test_timer_whose_command_crashes_is_a_dead_letter_and_its_row_is_gone(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """After attempts_max; those behind it go on, and nothing of the crashed attempts stays."""

    def do(tx: Transaction, cmd: Do) -> None:
        tx.after(1.0, Poison())
        tx.after(1.0, Note(label="behind"))

    async with office(tmp_path, {"a": lambda: Desk(do)}, clock=clock) as run:
        await run.ask("a", Do())
        await run.advance(1.0)
        await turns(200)
        assert run.labels("a") == ["behind"]
        assert run.count("a", "timer") == 0
        (letter,) = await run.letters()
        assert (letter.message_type, letter.attempts, letter.durable) == ("Poison", 3, True)
        assert letter.reason == "Mishap: poison"
        run.system.kill("a")
        await run.advance(10.0)
        assert len(await run.letters()) == 1


async def test_timer_whose_command_is_refused_is_gone(tmp_path: Path, clock: SteppingClock) -> None:
    """Nobody asked who could be told; what it wrote is rolled back."""
    async with office(tmp_path, {"a": Refusing}, clock=clock) as run:
        await run.ask("a", Do())
        await run.advance(2.0)
        assert run.labels("a") == []
        assert run.count("a", "timer") == 0
        assert await run.letters() == []


class Refusing(Planner):
    def __init__(self) -> None:
        super().__init__()
        self._do = lambda tx, _cmd: tx.after(1.0, Decline())


async def test_what_a_refused_or_crashed_command_put_off_does_not_come(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """It left with the commit, which there was none of; its neighbours' timers come."""

    def do(tx: Transaction, cmd: Do) -> Refusal | None:
        tx.after(1.0, Note(label=cmd.what))
        match cmd.what:
            case "refused":
                return Refusal.conflict("no")
            case "crashed":
                raise Mishap
        return None

    async with office(tmp_path, {"a": lambda: Desk(do)}, clock=clock) as run:
        asked = [run.ask("a", Do(what=what)) for what in ("b", "refused", "crashed", "c")]
        assert await asked[1] == Refusal.conflict("no")
        with pytest.raises(DeadLettered):
            await asked[2]
        await asked[0]
        await asked[3]
        await run.advance(10.0)
        assert run.labels("a") == ["b", "c"]


async def test_full_disk_delays_a_timer(
    tmp_path: Path, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, less and less often, until there is room, and fires once."""
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        await run.ask("a", Do(what=[(1.0, str(number)) for number in range(5)]))
        running = run.hosted["a"].current
        assert running is not None
        connection = writer_of(running.store)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        filler = Note(label="x" * 100_000)
        with pytest.raises(StoreRefused):
            await run.ask("a", filler)
        full = _Full(connection)
        assert running.store._commit is not None  # type: ignore[attr-defined]
        monkeypatch.setattr(running.store._commit, "_connection", full)  # type: ignore[attr-defined]
        await run.advance(3.0, steps=30)
        assert full.refused == 5  # behind the first by 0.1, 0.3, 0.7 and 1.5 s
        assert run.labels("a") == []
        assert run.count("a", "timer") == 5
        full.there_is_room = True
        await run.advance(1.0, steps=10)
        assert run.labels("a") == [str(number) for number in range(5)]
        assert await run.letters() == []


async def test_timers_keep_their_order_whatever_is_refused(
    tmp_path: Path, clock: SteppingClock, rng: Rng
) -> None:
    """What is due later, or is queued behind, does not go before it once there is room."""
    labels = [str(number) for number in range(200)]

    class OftenFullStore(HoppingStore):
        async def write(self, batch: Sequence[Envelope], *args: Any) -> WriteResult:
            if any(isinstance(each.message, Note) for each in batch) and rng.random() < 0.3:
                await turns(rng.randrange(4))
                return WriteResult(outcomes=[StoreRefused("disk full")] * len(batch))
            return await super().write(batch, *args)

    async with office(
        tmp_path,
        {"a": Planner},
        clock=clock,
        seed=rng.getrandbits(32),
        settings=["service.batch_messages_max=3"],
        store=OftenFullStore,
    ) as run:
        plans = [(1.0 + number // 4 * 0.03, label) for number, label in enumerate(labels)]
        await run.ask("a", Do(what=plans))
        await run.until(lambda: run.count("a", "timer") == 0)
        assert run.labels("a") == labels


class _Full:
    """A connection to a file on a disk that is full at the commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.there_is_room = False
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *params: Any) -> Any:
        if sql == "COMMIT" and not self.there_is_room:
            self.refused += 1
            error = sqlite3.OperationalError(f"database or disk is full ({errno.ENOSPC})")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        return self._connection.execute(sql, *params)


async def test_timer_that_this_program_cannot_read_waits(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """A message type that is gone, or has changed: the message stays, and the rest goes on."""
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        await run.ask("a", Do(what=[(1.0, "a"), (2.0, "b"), (3.0, "c")]))
        await turns()
        running = run.hosted["a"].current
        assert running is not None
        connection = writer_of(running.store)
        connection.execute("UPDATE timer SET message_type = 'Gone' WHERE seq = 1")
        connection.execute("UPDATE timer SET message = CAST('{}' AS BLOB) WHERE seq = 2")
        await run.advance(4.0)
        await turns(200)
        assert run.labels("a") == ["c"]
        assert run.rows("a", "SELECT seq FROM timer") == [(1,), (2,)]
        assert await run.letters() == []
        (stats,) = await run.system.timers()
        first, second = stats.unreadable
        assert (first.message_type, first.reason) == ("Gone", "a has no handler for Gone")
        assert second.message_type == "Note"
        assert "cannot read this Note" in second.reason


@pytest.mark.parametrize("delay_s", [float("nan"), float("inf"), 1e300, 1e16])
async def test_delay_beyond_the_calendar_is_the_commands_own_crash(
    tmp_path: Path, clock: SteppingClock, delay_s: float
) -> None:
    """Not its batch's: a number that no clock will reach must not be able to park a service."""
    async with office(
        tmp_path, {"a": Planner}, clock=clock, settings=["supervisor.intensity=0"]
    ) as run:
        asked = run.ask("a", Do(what=[(delay_s, "never")]))
        beside = run.ask("a", Note(label="beside"))
        with pytest.raises(DeadLettered):
            await run.through(asked)
        await run.through(beside)
        assert run.labels("a") == ["beside"]
        assert run.system.unhealthy() == []


async def test_timer_for_a_message_without_a_handler_is_the_commands_own_crash(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """It is told when it is asked for, and not when it is due."""

    def do(tx: Transaction, cmd: Do) -> None:
        tx.after(1.0, Decline())

    async with office(tmp_path, {"a": lambda: Desk(do)}, clock=clock) as run:
        with pytest.raises(DeadLettered, match="a has no handler for Decline"):
            await run.through(run.ask("a", Do()))


async def test_stop_leaves_what_is_not_due_for_the_next_start(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """In order, with or without time passing in between; no number is given twice."""
    for number in range(5):
        async with office(tmp_path, {"a": Planner}, clock=clock) as run:
            await run.ask("a", Do(what=[(1.0 + number / 10, str(number))]))
    async with office(tmp_path, {"a": Planner}, clock=clock) as run:
        (stats,) = await run.system.timers()
        assert (stats.pending, stats.due) == (5, 0)
        assert stats.next_due_us == clock.now_us() + 1_000_000
        await run.advance(2.0)
        assert run.labels("a") == ["0", "1", "2", "3", "4"]
        (stats,) = await run.system.timers()
        assert (stats.pending, stats.due, stats.next_due_us) == (0, 0, None)
