"""What a handler that does not end costs: its own message, and neither the commit nor the file."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from actors.errors import Fenced, HandlerTimeout, StoreError
from actors.kernel.clock import SystemClock
from actors.store import handler_watch, opening
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.files import migrations
from actors.store.handler_watch import HandlerWatch
from actors.store.messaging.dead_letter_table import latest
from actors.store.transaction import Transaction
from actors.store.watched_thread import ABANDON_S
from tests.store.ledger import (
    ADD,
    ENDLESS,
    Add,
    Added,
    Count,
    Do,
    Ledger,
    Look,
    Refuse,
    handlers,
)
from tests.store.leftovers import no_store_threads, open_files, store_threads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from actors.kernel.rng import Rng
    from actors.store.transaction import ReadTransaction

pytestmark = [
    pytest.mark.real_time,
    # A strike that meets a finalizer, run by the garbage collector in the handler, is lost there:
    # Python prints it and the next strike follows, but pytest would make it an error.
    pytest.mark.filterwarnings(
        "ignore:(?s)Exception ignored in.*_Struck:pytest.PytestUnraisableExceptionWarning"
    ),
]

ROOT = Path(__file__).parents[2]
BUDGET_S = 0.15
# What a machine under load may add to any wait of these tests.
SLACK_S = 60.0
# How often a race is run until it ends as it mostly does.
TRIES = 20
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A service whose handlers have little time; no thread and no file of it is left."""
    ledger = Ledger("aiosqlite", tmp_path, SystemClock())
    ledger.limit(handler_s_max=BUDGET_S)
    yield ledger
    assert store_threads() == []
    assert open_files(tmp_path) == 0


@contextlib.asynccontextmanager
async def opened(ledger: Ledger) -> AsyncIterator[AiosqliteStore]:
    """Open a store; close it in order, or strike until it ends what still runs there."""
    store = await ledger.open()
    assert isinstance(store, AiosqliteStore)
    try:
        yield store
    finally:
        if store._writer.watch.call or store._reader.watch.call:
            while store_threads():
                await store.abandon()
        else:
            await store.close()
        await no_store_threads()


# --- Handlers that hang ----------------------------------------------------------------------


def loop(_tx: Any, _cmd: Any) -> None:
    while True:
        pass


def loop_that_swallows_exceptions(tx: Any, _cmd: Any) -> None:
    while True:
        with contextlib.suppress(Exception):
            tx.all("SELECT count(*) FROM entry")


def endless_select(tx: Any, _cmd: Any) -> None:
    tx.all(ENDLESS)


def endless_insert(tx: Any, _cmd: Any) -> None:
    tx.execute(f"{NUMBERS} INSERT INTO entry (label) SELECT 'endless' FROM n")


def catches_once_in_python(_tx: Any, _cmd: Any) -> None:
    try:
        while True:
            pass
    except BaseException:  # noqa: BLE001 - as bad handlers do
        while True:
            pass


def catches_once_and_returns(_tx: Any, _cmd: Any) -> None:
    try:
        while True:
            pass
    except BaseException:  # noqa: BLE001, S110 - as bad handlers do
        pass


def catches_once_and_writes(tx: Any, _cmd: Any) -> None:
    with contextlib.suppress(BaseException):
        endless_insert(tx, _cmd)
    tx.execute(ADD, "written without a transaction")


def recursion(tx: Any, cmd: Any) -> None:
    try:
        recursion(tx, cmd)
    except RecursionError:
        loop(tx, cmd)


HANGS: list[Callable[[Any, Any], None]] = [
    loop,
    loop_that_swallows_exceptions,
    endless_select,
    endless_insert,
    catches_once_in_python,
    catches_once_and_returns,
    catches_once_and_writes,
    recursion,
]


@pytest.fixture
def no_garbage() -> Iterator[None]:
    """No finalizer of another test's leavings runs in the handlers of this one.

    There a strike that it meets is lost, and at the end of a recursion it fails itself: Python can
    only print either, and pytest makes an error of it.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.sampled
@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("hang", HANGS, ids=lambda hang: hang.__name__)
async def test_hanging_command_is_the_culprit_and_the_thread_survives(
    ledger: Ledger, hang: Callable[[Any, Any], None]
) -> None:
    """A handler beyond its budget crashes with HandlerTimeout; the next batch runs as ever."""
    for _ in range(TRIES):
        async with opened(ledger) as store:
            before = ledger.labels()
            started = time.monotonic()
            batch = ledger.batch(Add(label="a"), Do(), Add(label="c"))
            result = await store.write(batch, handlers(hang))
            spent_s = time.monotonic() - started
            assert isinstance(result.crash, HandlerTimeout)
            assert result.culprit == 1
            assert BUDGET_S <= spent_s < BUDGET_S + SLACK_S
            # Those before it are committed; or SQLite has rolled all of it back.
            kept = ledger.labels()
            assert kept == [*before, "a"] if result.outcomes else kept in (before, [*before, "a"])
            if "its thread is lost" in str(result.crash):
                continue  # a machine may be so slow that the second strike comes too late
            again = await store.write(ledger.batch(Add(label="z")), handlers())
            assert again.crash is None
            assert ledger.labels() == [*kept, "z"]
            return
    pytest.fail(f"{TRIES} handlers, and each was taken for lost")


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("hang", [loop, endless_select, loop_that_swallows_exceptions])
async def test_hanging_query_is_the_culprit_and_commands_do_not_wait(
    ledger: Ledger, hang: Callable[[Any, Any], None]
) -> None:
    """The reader's thread is struck; the writer's commits meanwhile."""
    async with opened(ledger) as store:
        for commits in range(TRIES):
            inside = threading.Event()

            def look(tx: Any, question: Any, inside: threading.Event = inside) -> None:
                inside.set()
                hang(tx, question)

            asked = asyncio.ensure_future(
                store.read(ledger.batch(Count(), Look()), handlers(look=look))
            )
            # Behind the count, which would see the commit otherwise.
            assert await asyncio.to_thread(inside.wait, SLACK_S)
            assert (await store.write(ledger.batch(Add(label="a")), handlers())).crash is None
            beside = not asked.done()
            result = await asked
            assert isinstance(result.crash, HandlerTimeout)
            assert result.culprit == 1
            assert list(result.outcomes) in ([commits], [])  # [] where the thread was given up
            reply = await store.read(ledger.batch(Count()), handlers())
            assert list(reply.outcomes) == [commits + 1]
            if beside:  # a disk may take longer for a commit than the handler's whole budget
                return
    pytest.fail(f"{TRIES} commits, and each came behind the query")


async def test_query_answers_while_a_command_holds_the_write_transaction(ledger: Ledger) -> None:
    """A query sees the last commit at once, however long a transaction is open beside it."""
    ledger.limit(handler_s_max=SLACK_S)
    inside, leave = threading.Event(), threading.Event()

    def do(tx: Transaction, _cmd: Do) -> None:
        tx.execute(ADD, "b")
        inside.set()
        leave.wait(SLACK_S)

    async with opened(ledger) as store:
        await store.write(ledger.batch(Add(label="a")), handlers())
        writing = asyncio.ensure_future(store.write(ledger.batch(Do()), handlers(do)))
        await asyncio.to_thread(inside.wait)
        for _ in range(20):
            assert list((await store.read(ledger.batch(Count()), handlers())).outcomes) == [1]
        assert not writing.done()
        leave.set()
        assert (await writing).crash is None
        assert list((await store.read(ledger.batch(Count()), handlers())).outcomes) == [2]


# --- Threads that are lost -------------------------------------------------------------------


class Stuck:
    """A handler that no strike ends, until the test lets it go; then it tries to go on."""

    def __init__(self, *, in_c: bool) -> None:
        self.errors: list[BaseException] = []
        self._let_go = threading.Event()
        self.let_go = self._let_go.set
        self._in_c = in_c

    def __call__(self, tx: Any, _cmd: Any) -> None:
        while True:
            try:
                self._stay(tx)
                self._go_on(tx)
            except StoreError as error:
                self.errors.append(error)
                return
            except BaseException:  # noqa: BLE001, S110 - as bad handlers do
                pass

    def _stay(self, tx: Any) -> None:
        while not self._let_go.is_set():
            if self._in_c:
                self._let_go.wait(SLACK_S)
                continue
            try:
                tx.all(ENDLESS)
            except (StoreError, sqlite3.Error):  # the strike itself arrives here or outside
                time.sleep(0.001)

    def _go_on(self, tx: Any) -> None:
        while True:
            tx.all("INSERT INTO entry (label) VALUES ('late')")


@contextlib.asynccontextmanager
async def stuck_in(ledger: Ledger, *, in_c: bool) -> AsyncIterator[tuple[AiosqliteStore, Stuck]]:
    """Open a store for a handler that gets stuck; afterwards it is let go, and gone."""
    stuck = Stuck(in_c=in_c)
    store = await ledger.open()
    assert isinstance(store, AiosqliteStore)
    try:
        yield store, stuck
    finally:
        stuck.let_go()
        await store.abandon()
        await no_store_threads()


@pytest.mark.parametrize("in_c", [True, False], ids=["in C", "in SQL"])
async def test_stuck_thread_is_given_up_and_the_next_incarnation_writes(
    ledger: Ledger, *, in_c: bool
) -> None:
    """Its message is the culprit, its lock is taken away, its later work is void."""
    async with stuck_in(ledger, in_c=in_c) as (store, stuck):
        result = await store.write(ledger.batch(Add(label="a"), Do()), handlers(stuck))
        assert isinstance(result.crash, HandlerTimeout)
        assert "its thread is lost" in str(result.crash)
        assert (result.culprit, list(result.outcomes)) == (1, [])
        started = time.monotonic()
        abandoning = asyncio.ensure_future(store.abandon())
        successor = await ledger.open()
        assert (await successor.write(ledger.batch(Add(label="b")), handlers())).crash is None
        await abandoning
        assert time.monotonic() - started < ABANDON_S + SLACK_S
        assert len(store_threads()) > 2
        stuck.let_go()
        await asyncio.sleep(0.05)
        assert (await successor.write(ledger.batch(Add(label="c")), handlers())).crash is None
        await successor.close()
    assert [type(error) for error in stuck.errors] == [Fenced]
    assert ledger.labels() == ["b", "c"]


async def test_stuck_query_holds_up_nothing_that_waits_for_it(ledger: Ledger) -> None:
    """What is queued behind a stuck query ends with an error when the store is abandoned."""
    async with stuck_in(ledger, in_c=True) as (store, stuck):
        result = await store.read(ledger.batch(Look()), handlers(look=stuck))
        assert isinstance(result.crash, HandlerTimeout)
        listing = asyncio.ensure_future(store.look(partial(latest, service="ledger", limit=10)))
        await asyncio.sleep(0)
        await store.abandon()
        with pytest.raises(StoreError, match="stuck"):
            await listing
        with pytest.raises(StoreError, match="not open"):
            await store.look(partial(latest, service="ledger", limit=10))


async def test_kill_in_the_middle_of_a_batch_ends_its_thread_at_once(ledger: Ledger) -> None:
    """An abandoned batch stops within a command, whatever its budget; nothing of it is kept."""
    ledger.limit(handler_s_max=100.0)
    for hang in (loop, endless_select, endless_insert):
        store = await ledger.open()
        writing = asyncio.ensure_future(
            store.write(ledger.batch(Add(label="a"), Do()), handlers(hang))
        )
        await asyncio.sleep(0.02)
        writing.cancel()
        started = time.monotonic()
        await store.abandon()
        await no_store_threads()
        assert time.monotonic() - started < SLACK_S
        with pytest.raises(asyncio.CancelledError):
            await writing


async def test_handler_that_begins_after_the_kill_is_struck_too(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at `abandoned` and the handler lies a moment; a kill in it is not lost."""
    ledger.limit(handler_s_max=100.0)
    arrived, go = threading.Event(), threading.Event()
    run = HandlerWatch.run

    def late(watch: HandlerWatch, *args: Any) -> Any:
        arrived.set()
        go.wait(SLACK_S)
        return run(watch, *args)

    monkeypatch.setattr(HandlerWatch, "run", late)
    store = await ledger.open()
    writing = asyncio.ensure_future(store.write(ledger.batch(Do()), handlers(loop)))
    await asyncio.to_thread(arrived.wait)
    writing.cancel()
    abandoning = asyncio.ensure_future(store.abandon())
    await asyncio.sleep(0.01)
    go.set()
    await abandoning
    await no_store_threads()


# --- Locks of others, and stores that are still opening --------------------------------------


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock, as an operator's own session would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_kill_while_waiting_for_a_lock_harms_nothing(ledger: Ledger) -> None:
    """A thread inside SQLite ends by itself: closing under it would crash the process."""
    await (await ledger.open()).close()
    for _ in range(5):
        store = await ledger.open()
        with locked(ledger.spec.path):
            writing = asyncio.ensure_future(store.write(ledger.batch(Add(label="a")), handlers()))
            await asyncio.sleep(0.02)
            writing.cancel()
            await store.abandon()
        await no_store_threads()
    assert ledger.labels() == []


async def test_open_that_waits_for_a_lock_is_refused_in_the_end(ledger: Ledger) -> None:
    """A lock that outlasts busy_s_max fails the start with a typed error, and leaves no thread."""
    await (await ledger.open()).close()
    ledger.limit(busy_s_max=0.05)
    store = ledger.make()
    with locked(ledger.spec.path), pytest.raises(StoreError, match="another connection"):
        await store.open(verify=False, first=False)
    await no_store_threads()


@pytest.mark.parametrize("patiently", [True, False])
async def test_kill_while_opening_leaves_no_thread_and_does_not_fence_the_next(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, *, patiently: bool
) -> None:
    """A start that was given up never takes the epoch after its successor has.

    Nor does it forget what the successor has answered, although both are the process's first open.
    """
    inside, leave = threading.Event(), threading.Event()
    migrate = migrations.migrate
    slow = [True]

    def migrate_slowly(*args: Any, **kwargs: Any) -> int:
        if slow:
            slow.clear()
            inside.set()
            leave.wait(SLACK_S)
        return migrate(*args, **kwargs)

    monkeypatch.setattr(opening, "migrate", migrate_slowly)
    old = ledger.make()
    starting = asyncio.ensure_future(old.open(verify=True, first=True))
    await asyncio.to_thread(inside.wait)
    starting.cancel()
    abandoning = asyncio.ensure_future(old.abandon())
    if patiently:
        await abandoning
    async with opened(ledger) as new:
        envelope = ledger.envelope(Add(label="a"))
        assert (await new.write([envelope], handlers())).crash is None
        leave.set()
        await abandoning
        await no_store_threads(but=2)
    envelope.started = True
    async with opened(ledger) as third:
        again = await third.write([envelope, ledger.envelope(Add(label="b"))], handlers())
        assert again.crash is None
        assert list(again.outcomes) == [Added(label="a", count=1), Added(label="b", count=2)]
    with pytest.raises(asyncio.CancelledError):
        await starting


async def test_kill_at_any_instant_of_an_open_leaks_nothing(ledger: Ledger, rng: Rng) -> None:
    """Connections and threads of starts that were killed are gone, wherever they were."""
    await (await ledger.open()).close()
    for _ in range(60):
        store = ledger.make()
        starting = asyncio.ensure_future(store.open(verify=True, first=rng.random() < 0.5))
        for _ in range(rng.randrange(8)):
            await asyncio.sleep(rng.choice([0, 0, 0.0005]))
        starting.cancel()
        await store.abandon()
        await asyncio.wait([starting])
    await no_store_threads()
    async with opened(ledger) as store:
        assert (await store.write(ledger.batch(Add(label="a")), handlers())).crash is None


async def test_an_open_that_is_abandoned_reads_no_further(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of a large file ends with the incarnation that began it; the next is not slowed."""
    begun = threading.Event()

    def check(connection: sqlite3.Connection) -> None:
        begun.set()
        connection.execute(ENDLESS).fetchall()

    monkeypatch.setattr(opening, "verify", check)
    store = ledger.make()
    starting = asyncio.ensure_future(store.open(verify=True, first=True))
    await asyncio.to_thread(begun.wait)
    starting.cancel()
    await store.abandon()
    await no_store_threads()


async def test_close_lets_queries_in_flight_end(ledger: Ledger) -> None:
    """Closing in order waits for what was asked before."""
    ledger.limit(handler_s_max=SLACK_S)

    def look(_tx: ReadTransaction, _question: Look) -> int:
        time.sleep(0.1)
        return 7

    store = await ledger.open()
    asked = asyncio.ensure_future(store.read(ledger.batch(Look()), handlers(look=look)))
    listed = asyncio.ensure_future(store.look(partial(latest, service="ledger", limit=10)))
    await asyncio.sleep(0.01)
    await store.close()
    assert list((await asked).outcomes) == [7]
    assert await listed == []
    await no_store_threads()


# --- The race between a strike and the end of a handler --------------------------------------


class Striker:
    """Strikes whatever runs, again and again, from a thread of its own."""

    def __init__(self, watch: HandlerWatch, rng: Rng | None = None) -> None:
        self._watch = watch
        self._rng = rng
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="striker")
        self.strikes = 0

    def _run(self) -> None:
        while not self._stop.is_set():
            call = self._watch.call
            if call is not None:
                self._watch.strike(call)
                self.strikes += call.struck
            if self._rng is not None:
                time.sleep(self._rng.random() * 0.0005)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads take turns every few microseconds, so that every race is run many times.

    Without the garbage collector: a strike that meets a finalizer which it runs is lost there,
    and pytest makes an error of what Python can only print.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.000005)
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("quick_switches")
def test_no_strike_is_felt_outside_its_handler() -> None:
    """Thousands of handlers struck at every instant: each ends in its result or its timeout."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    watch = HandlerWatch(SystemClock())
    watch.attach(connection)
    connection.execute("BEGIN")
    tx = Transaction(connection, 0, None, None)  # type: ignore[arg-type]

    def short(_tx: Any, message: int) -> int:
        total = 0
        for number in range(message % 100):
            total += number
        return total

    ends = {"result": 0, "timeout": 0}
    with Striker(watch) as striker:
        begun = time.monotonic()
        number = 0
        # 1.5 s, and longer where the cores are shared: until there was enough to mean something.
        while time.monotonic() - begun < 1.5 or min(ends.values()) <= 100 or striker.strikes <= 20:
            number += 1
            try:
                watch.run(0, short, tx, number)
                ends["result"] += 1
            except HandlerTimeout:
                ends["timeout"] += 1
            if number % 256 == 0:  # not each time: it lets the other thread run, outside a handler
                # An interrupt that leaked would end this statement.
                assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.close()


async def test_handler_that_ends_in_the_middle_of_a_strike_waits_for_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The striker has seen it at work: its strike must land in it, and not after it."""
    aiming, seen, strike = threading.Event(), threading.Event(), threading.Event()

    class SlowCall(handler_watch.HandlerCall):
        """Lets the test hold a striker between its look and its strike."""

        @property
        def struck(self) -> bool:
            return aiming.is_set() and strike.is_set()

        @struck.setter
        def struck(self, value: bool) -> None:
            if value:
                aiming.set()
                strike.wait(SLACK_S)

    monkeypatch.setattr(handler_watch, "HandlerCall", SlowCall)

    def do(_tx: Transaction, _cmd: Do) -> None:
        seen.set()
        aiming.wait(SLACK_S)

    ledger.limit(handler_s_max=100.0)
    async with opened(ledger) as store:
        watch = store._writer.watch
        writing = asyncio.ensure_future(store.write(ledger.batch(Do()), handlers(do)))
        await asyncio.to_thread(seen.wait)
        call = watch.call
        assert call is not None
        striking = asyncio.ensure_future(asyncio.to_thread(watch.strike, call))
        await asyncio.to_thread(aiming.wait)
        await asyncio.sleep(0.05)
        assert watch.call is None  # the handler has ended
        assert not writing.done()
        strike.set()
        await striking
        assert isinstance((await writing).crash, HandlerTimeout)
        monkeypatch.undo()
        again = await store.write(ledger.batch(Add(label="a")), handlers())
        assert again.crash is None


@pytest.mark.usefixtures("quick_switches")
async def test_strikes_never_reach_the_commit_or_the_next_handler(ledger: Ledger, rng: Rng) -> None:
    """Whoever is struck is the culprit; every other command is applied once, with its reply."""
    async with opened(ledger) as store:
        watch = store._writer.watch
        expected: list[str] = []
        timeouts = 0
        with Striker(watch, rng):
            # A thousand; on a busy machine, where most run between two strikes, some thousands.
            for first in range(0, 20_000, 1_000):
                waiting = [
                    ledger.envelope(Refuse(label=f"{n}") if n % 7 == 0 else Add(label=f"{n}"))
                    for n in range(first, first + 1_000)
                ]
                expected += [e.message.label for e in waiting if isinstance(e.message, Add)]
                while waiting:
                    batch, served = waiting[:25], handlers()
                    result = await store.write(batch, served)
                    del waiting[: len(result.outcomes)]
                    if result.crash is not None:
                        assert isinstance(result.crash, HandlerTimeout), result
                        timeouts += 1
                    else:
                        assert len(result.outcomes) == len(batch)
                if timeouts > 5:
                    break
        assert timeouts > 5
        assert ledger.labels() == expected


WATCHED = """
import sys, threading
from actors.kernel.clock import SystemClock
from actors.store.handler_watch import HandlerWatch

def refuse(tx, message):
    raise ValueError

def work():
    watch.attach(None)
    for handler in (refuse, lambda tx, message: watch.strike(watch.call)):
        try:
            watch.run(0, handler, None, None)
        except BaseException as error:
            print(type(error).__name__)

watch = HandlerWatch(SystemClock())
thread = threading.Thread(target=work)
thread.start()
thread.join()
sys.settrace(lambda *_: None)
(lambda: None)()
"""


def test_a_debugger_goes_on_after_a_strike() -> None:
    """CPython 3.11 never returns from a traced call while an exception is taken for pending."""
    command = [sys.executable, "-c", WATCHED]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.split() == ["ValueError", "HandlerTimeout"]


async def test_strike_meant_for_one_handler_spares_the_next(ledger: Ledger) -> None:
    """A call that has ended cannot be struck, and its successor is not mistaken for it."""
    async with opened(ledger) as store:
        watch = store._writer.watch
        calls: list[Any] = []

        def do(_tx: Transaction, _cmd: Do) -> None:
            for call in calls:
                threading.Thread(target=watch.strike, args=[call]).start()
            calls.append(watch.call)
            time.sleep(0.01)

        result = await store.write(ledger.batch(*[Do()] * 5), handlers(do))
        assert result.crash is None
        assert len(result.outcomes) == 5


async def test_budget_is_each_handlers_own(ledger: Ledger) -> None:
    """A batch may take many budgets, as long as none of its handlers takes more than one."""

    def do(_tx: Transaction, _cmd: Do) -> None:
        time.sleep(BUDGET_S / 4)

    async with opened(ledger) as store:
        result = await store.write(ledger.batch(*[Do()] * 12), handlers(do))
        assert result.crash is None
        assert len(result.outcomes) == 12
