"""What both stores promise: batches, replies, request keys, dead letters, fencing, bad disks."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog

from actors.errors import (
    DeadLettered,
    Fenced,
    ReplyUnreadable,
    StoreCorrupt,
    StoreError,
    StoreRefused,
)
from actors.kernel.messages import Later, Refusal
from actors.store.messaging.dead_letter_table import latest
from actors.store.messaging.origin import LetterOrigin
from actors.store.store import BoundHandler
from tests.store.ledger import (
    ADD,
    STORES,
    Add,
    Added,
    Count,
    Crash,
    Do,
    Ledger,
    Look,
    Mishap,
    Refuse,
    Unknown,
    count,
    damage,
    handlers,
    writer_of,
)
from tests.store.leftovers import connections, open_files

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.behavior import BatchResult
    from actors.kernel.clock import ManualClock
    from actors.store.transaction import ReadTransaction, Transaction


@pytest.fixture(params=STORES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Ledger:
    """The test's service, once on each kind of store."""
    return Ledger(request.param, tmp_path, clock)


def put_off(tx: Transaction, _cmd: Do) -> Later:
    return Later(request=tx.new_id(), so_far=None)


DEFERRING = {**handlers(), Do: BoundHandler(put_off, msgspec.json.Decoder(Any), defers=True)}


def added(label: str, number: int) -> Added:
    return Added(label=label, count=number)


# --- Pages -----------------------------------------------------------------------------------


async def test_a_page_is_never_the_whole_table(ledger: Ledger) -> None:
    """A limit below 1 is said to be wrong: SQL takes -1 for all."""
    said = []

    def do(tx: Transaction, _cmd: Do) -> None:
        for limit in (0, -1, -2):
            with pytest.raises(ValueError, match="at least one row") as caught:
                tx.page("SELECT rowid AS seq FROM entry ORDER BY seq LIMIT ?", limit=limit)
            said.append(str(caught.value))

    async with ledger.opened() as store:
        result = await store.write(ledger.batch(Do()), handlers(do))
    assert result.crash is None
    assert said[1] == "limit is -1: a page holds at least one row"


# --- Group commit ----------------------------------------------------------------------------


async def test_batch_runs_in_order_and_commits_as_one(ledger: Ledger) -> None:
    """Each command sees those before it; another connection sees none of them before the commit."""
    seen: list[int] = []

    def do(_tx: Transaction, _cmd: Do) -> None:
        seen.append(ledger.rows("entry"))

    async with ledger.opened() as store:
        batch = ledger.batch(Add(label="a"), Do(), Add(label="b"), Do())
        result = await store.write(batch, handlers(do))
        assert result.crash is None
        assert list(result.outcomes) == [added("a", 1), None, added("b", 2), None]
        assert seen == [0, 0]
        assert ledger.labels() == ["a", "b"]


async def test_reply_is_readable_by_the_next_query(ledger: Ledger) -> None:
    """Whoever holds the reply to a write finds the write in every query after it."""
    async with ledger.opened() as store:
        for number in range(1, 30):
            await store.write(ledger.batch(Add(label="x")), handlers())
            result = await store.read(ledger.batch(Count()), handlers())
            assert list(result.outcomes) == [number]


async def test_refusal_undoes_its_own_work_and_no_other(ledger: Ledger) -> None:
    """A refused command leaves no row, is no crash, and its neighbours commit."""
    async with ledger.opened() as store:
        batch = ledger.batch(Add(label="a"), Refuse(label="b"), Add(label="c"))
        result = await store.write(batch, handlers())
        assert result.crash is None
        assert list(result.outcomes) == [added("a", 1), Refusal.conflict("no b"), added("c", 2)]
        assert ledger.labels() == ["a", "c"]


@pytest.mark.parametrize("place", [0, 1, 3])
async def test_crash_keeps_what_came_before_and_names_its_culprit(
    ledger: Ledger, place: int
) -> None:
    """Those before the culprit are committed with their replies; those after have no outcome."""
    labels = ["a", "b", "c", "d"]
    messages: list[Any] = [Add(label=label) for label in labels]
    messages[place] = Crash(label="x")
    async with ledger.opened() as store:
        result = await store.write(ledger.batch(*messages), handlers())
        assert isinstance(result.crash, Mishap)
        assert result.culprit == place
        assert list(result.outcomes) == [added(labels[i], i + 1) for i in range(place)]
        assert ledger.labels() == labels[:place]
        after = await store.write(ledger.batch(Add(label="z")), handlers())
        assert list(after.outcomes) == [added("z", place + 1)]


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(1),
        GeneratorExit(),
        StopIteration(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_handler_raises_is_its_own_crash(
    ledger: Ledger, error: BaseException
) -> None:
    """Not even an exception that is meant for the process reaches more than its own message."""

    def do(_tx: Transaction, _cmd: Do) -> None:
        raise error

    async with ledger.opened() as store:
        result = await store.write(ledger.batch(Add(label="a"), Do()), handlers(do))
        assert (result.crash, result.culprit) == (error, 1)
        assert ledger.labels() == ["a"]
        asked = await store.read(ledger.batch(Count(), Look()), handlers(look=do))
        assert (asked.crash, asked.culprit, list(asked.outcomes)) == (error, 1, [1])
        assert (await store.write(ledger.batch(Add(label="b")), handlers())).crash is None


BAD_PARAMETERS = {
    "lone surrogate": "\ud800",
    "huge integer": 2**70,
    "no SQL type": object(),
    "NULL where none may be": None,
}


@pytest.mark.parametrize("value", BAD_PARAMETERS.values(), ids=BAD_PARAMETERS)
async def test_bad_parameter_is_the_culprits_crash(ledger: Ledger, value: Any) -> None:
    """What SQLite or its adapter cannot store ends its own message, not the store's thread."""

    def do(tx: Transaction, _cmd: Do) -> None:
        tx.execute(ADD, value)

    async with ledger.opened() as store:
        result = await store.write(ledger.batch(Add(label="a"), Do()), handlers(do))
        assert (result.culprit, list(result.outcomes)) == (1, [added("a", 1)])
        assert not isinstance(result.crash, StoreError)
        after = await store.write(ledger.batch(Add(label="b")), handlers())
        assert list(after.outcomes) == [added("b", 2)]


async def test_nul_in_a_text_is_stored_whole(ledger: Ledger) -> None:
    """A NUL character ends no text."""
    async with ledger.opened() as store:
        await store.write(ledger.batch(Add(label="a\0b")), handlers())
        assert ledger.query("SELECT CAST(label AS BLOB) FROM entry") == [(b"a\0b",)]


BAD_SQL = {
    "constraint": "INSERT INTO entry (label, amount) VALUES ('x', -1)",
    "syntax": "INSERT INTO",
    "no such table": "INSERT INTO nowhere VALUES (1)",
    "NUL": "SELECT 1\0",
    "invalid UTF-8": "SELECT CAST(x'ff' AS TEXT)",
    "rolls everything back": "INSERT OR ROLLBACK INTO account VALUES ('cash')",
}


@pytest.mark.parametrize("sql", BAD_SQL.values(), ids=BAD_SQL)
async def test_bad_sql_is_the_culprits_crash(ledger: Ledger, sql: str) -> None:
    """SQL that fails is its handler's crash, never the store's; its neighbours lose nothing."""

    def do(tx: Transaction, _cmd: Do) -> None:
        tx.execute(ADD, "half done")
        tx.all(sql)

    async with ledger.opened() as store:
        batch = ledger.batch(Add(label="a"), Do(), Add(label="c"))
        result = await store.write(batch, handlers(do))
        assert result.culprit == 1
        assert not isinstance(result.crash, StoreError)
        assert ledger.labels() == ["a"][: len(result.outcomes)]
        rest = batch[len(result.outcomes) :]
        rest.remove(batch[1])
        again = await store.write(rest, handlers(do))
        assert again.crash is None
        assert ledger.labels() == ["a", "c"]


async def test_violation_that_only_the_commit_finds_has_a_culprit(ledger: Ledger) -> None:
    """A deferred constraint is checked by the commit, and is still one message's crash."""

    def do(tx: Transaction, _cmd: Do) -> None:
        tx.execute("INSERT INTO entry (label, account) VALUES ('x', 'nowhere')")

    async with ledger.opened() as store:
        batch = ledger.batch(Add(label="a"), Refuse(label="b"), Do(), Add(label="c"))
        result = await store.write(batch, handlers(do))
        assert isinstance(result.crash, sqlite3.IntegrityError)
        assert result.culprit == 2
        assert list(result.outcomes) == [added("a", 1), Refusal.conflict("no b")]
        assert ledger.labels() == ["a"]
        after = await store.write(batch[3:], handlers(do))
        assert list(after.outcomes) == [added("c", 2)]


ENDINGS = {
    "rolled back by a conflict": "INSERT OR ROLLBACK INTO account VALUES ('cash')",
    "rolled back": "ROLLBACK",
}


@pytest.mark.parametrize("sql", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("refuses", [False, True])
async def test_handler_that_survives_its_transaction_writes_nothing(
    ledger: Ledger, sql: str, *, refuses: bool
) -> None:
    """A transaction that ended inside a handler is its crash; nothing is written without one."""

    def do(tx: Transaction, _cmd: Do) -> Refusal | None:
        with contextlib.suppress(sqlite3.Error):
            tx.execute(sql)
        if not refuses:
            tx.execute(ADD, "outside any transaction")
        return Refusal.conflict("no") if refuses else None

    async with ledger.opened() as store:
        batch = ledger.batch(Add(label="a"), Do(), Add(label="c"))
        result = await store.write(batch, handlers(do))
        assert result.crash is not None
        assert (result.culprit, list(result.outcomes)) == (1, [])
        assert ledger.labels() == []
        again = await store.write([batch[0], batch[2]], handlers())
        assert list(again.outcomes) == [added("a", 1), added("c", 2)]


async def test_reply_that_cannot_be_stored_is_the_culprits_crash(ledger: Ledger) -> None:
    """A reply that cannot be encoded is its handler's mistake, and costs its neighbours nothing."""
    async with ledger.opened() as store:
        batch = ledger.batch(Add(label="a"), Do())
        result = await store.write(batch, handlers(lambda _tx, _cmd: object()))
        assert isinstance(result.crash, TypeError)
        assert (result.culprit, list(result.outcomes)) == (1, [added("a", 1)])
        assert ledger.labels() == ["a"]


# --- Queries ---------------------------------------------------------------------------------


async def test_queries_of_a_batch_share_one_snapshot(ledger: Ledger) -> None:
    """What is committed between two queries of a batch is seen by neither."""

    def look(tx: ReadTransaction, _question: Look) -> int:
        with sqlite3.connect(ledger.spec.path) as other:
            other.execute(ADD, ("meanwhile",))
        other.close()
        return count(tx, Count())

    async with ledger.opened() as store:
        result = await store.read(ledger.batch(Count(), Look(), Count()), handlers(look=look))
        assert list(result.outcomes) == [0, 0, 0]
        result = await store.read(ledger.batch(Count()), handlers())
        assert list(result.outcomes) == [1]


async def test_query_that_writes_is_a_crash_and_writes_nothing(ledger: Ledger) -> None:
    """The reader's connection refuses to write; the store goes on."""

    def look(tx: Any, _question: Look) -> None:
        tx.all("INSERT INTO entry (label) VALUES ('x')")

    async with ledger.opened() as store:
        result = await store.read(ledger.batch(Count(), Look()), handlers(look=look))
        assert isinstance(result.crash, sqlite3.OperationalError)
        assert (result.culprit, list(result.outcomes)) == (1, [0])
        assert ledger.labels() == []
        assert list((await store.read(ledger.batch(Count()), handlers())).outcomes) == [0]


async def test_trouble_with_the_disk_in_a_query_answers_every_query_of_the_batch(
    ledger: Ledger,
) -> None:
    """A batch that ends without a crash has an outcome for every one of its messages."""

    def look(_tx: ReadTransaction, _question: Look) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        error.sqlite_errorname = "SQLITE_IOERR"
        raise error

    async with ledger.opened() as store:
        batch = ledger.batch(Count(), Look(), Count())
        result = await store.read(batch, handlers(look=look))
        assert result.crash is None
        assert len(result.outcomes) == len(batch)
        assert result.outcomes[0] == 0
        assert all(isinstance(outcome, StoreRefused) for outcome in result.outcomes[1:])


async def test_query_without_a_handler_is_a_dead_letter(ledger: Ledger) -> None:
    """So is one that has crashed as often as it may, however late; its neighbours are answered."""
    async with ledger.opened() as store:
        batch = [
            ledger.envelope(Look()),
            ledger.envelope(Count()),
            ledger.envelope(Count(), attempt=3, error="Mishap: again", deadline=0.0),
        ]
        result = await store.read(batch, handlers())
        assert isinstance(result.outcomes[0], DeadLettered)
        assert "no handler for Look" in str(result.outcomes[0])
        assert result.outcomes[1] == 0
        assert "Mishap: again" in str(result.outcomes[2])
        assert result.outcomes[2].letter_id is None


# --- Request keys ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        (Add(label="a"), added("a", 1)),
        (Refuse(label="a"), Refusal.conflict("no a")),
    ],
    ids=["done", "refused"],
)
@pytest.mark.parametrize("apart", ["one batch", "two batches", "two incarnations"])
async def test_same_key_gets_the_stored_reply(
    ledger: Ledger, message: Any, reply: Any, apart: str
) -> None:
    """The second request with a key is answered as the first, and does not run."""
    store = await ledger.open()
    first = ledger.envelope(message, key="k")
    second = ledger.envelope(msgspec.structs.replace(message), key="k")
    if apart == "one batch":
        outcomes = (await store.write([first, second], handlers())).outcomes
    else:
        (one,) = (await store.write([first], handlers())).outcomes
        # So that running again would be seen in a reply, too.
        await store.write(ledger.batch(Add(label="between")), handlers())
        if apart == "two incarnations":
            await store.abandon()
            store = await ledger.open()
        (two,) = (await store.write([second], handlers())).outcomes
        outcomes = [one, two]
    assert list(outcomes) == [reply, reply]
    assert ledger.labels().count("a") == (0 if isinstance(reply, Refusal) else 1)
    assert ledger.rows("client_key") == 1
    await store.close()


@pytest.mark.parametrize("apart", [False, True])
async def test_key_of_another_request_is_refused(ledger: Ledger, *, apart: bool) -> None:
    """One key with two bodies, or with two types of message, is a refusal that names the header."""
    async with ledger.opened() as store:
        messages = [Add(label="a"), Add(label="b"), Refuse(label="a")]
        batch = [ledger.envelope(message, key="k") for message in messages]
        outcomes: list[Any] = []
        for part in [batch[:1], batch[1:]] if apart else [batch]:
            outcomes.extend((await store.write(part, handlers())).outcomes)
        assert outcomes[0] == added("a", 1)
        for outcome in outcomes[1:]:
            assert isinstance(outcome, Refusal)
            assert (outcome.kind, outcome.field) == ("invalid", "Idempotency-Key")
        assert ledger.labels() == ["a"]


@pytest.mark.parametrize("apart", ["one batch", "two batches", "two incarnations"])
async def test_key_of_an_invalid_request_is_free(ledger: Ledger, apart: str) -> None:
    """What makes no sense did nothing and never would: corrected, it runs under the same key."""

    def do(tx: Transaction, cmd: Do) -> int | Refusal:
        if cmd.what == ["wrong"]:
            return Refusal.invalid("this is wrong", field="what")
        tx.execute("INSERT INTO entry (label) VALUES ('corrected')")
        return 7

    store = await ledger.open()
    bodies = (["wrong"], ["wrong"], ["right"], ["right"], ["other"])
    batch = [ledger.envelope(Do(what=what), key="k") for what in bodies]
    outcomes: list[Any] = []
    for part in [batch] if apart == "one batch" else [[each] for each in batch]:
        outcomes += (await store.write(part, handlers(do))).outcomes
        if apart == "two incarnations":
            await store.abandon()
            store = await ledger.open()
    wrong = Refusal.invalid("this is wrong", field="what")
    assert outcomes[:4] == [wrong, wrong, 7, 7]
    assert outcomes[4].field == "Idempotency-Key"
    assert ledger.labels() == ["corrected"]
    await store.close()


async def test_key_that_no_store_could_keep_is_refused(ledger: Ledger) -> None:
    """A key that is no text (a lone surrogate) is the sender's mistake, not the store's crash."""
    async with ledger.opened() as store:
        batch = [ledger.envelope(Add(label="a"), key="\udcff"), ledger.envelope(Add(label="b"))]
        result = await store.write(batch, handlers())
        assert isinstance(result.outcomes[0], Refusal)
        assert result.outcomes[0].field == "Idempotency-Key"
        assert result.outcomes[1] == added("b", 1)


async def test_key_of_a_crashed_command_is_free(ledger: Ledger) -> None:
    """What crashed left nothing behind, its key neither: the retry runs."""
    calls: list[int] = []

    def do(_tx: Transaction, _cmd: Do) -> int:
        calls.append(1)
        if len(calls) == 1:
            raise Mishap
        return 7

    async with ledger.opened() as store:
        assert (await store.write([ledger.envelope(Do(), key="k")], handlers(do))).culprit == 0
        again = await store.write([ledger.envelope(Do(), key="k")], handlers(do))
        assert list(again.outcomes) == [7]


@pytest.mark.parametrize("message", [Add(label="a"), Refuse(label="a")])
async def test_redelivered_message_gets_the_stored_reply(ledger: Ledger, message: Any) -> None:
    """A message without a key that an incarnation had in hand is recognised by its number."""
    store = await ledger.open()
    envelope = ledger.envelope(message)
    reply = (await store.write([envelope], handlers())).outcomes[0]
    await store.abandon()
    store = await ledger.open()
    envelope.started = True
    assert list((await store.write([envelope], handlers())).outcomes) == [reply]
    assert ledger.labels() == ([] if isinstance(reply, Refusal) else ["a"])
    assert ledger.rows("edge_key") == 0  # the process remembers
    await store.close()


async def test_redelivered_message_that_was_not_applied_runs(ledger: Ledger) -> None:
    """In hand is not yet done."""
    async with ledger.opened() as store:
        envelope = ledger.envelope(Add(label="a"), started=True)
        assert list((await store.write([envelope], handlers())).outcomes) == [added("a", 1)]


async def test_a_new_process_forgets_the_numbers_of_the_last(ledger: Ledger) -> None:
    """Mailboxes count from 1 in every process: an old number must not answer a new message."""
    async with ledger.opened() as store:
        envelope = ledger.envelope(Add(label="a"))
        await store.write([envelope, ledger.envelope(Add(label="k"), key="k")], handlers())
    again = Ledger("inline", ledger.spec.path.parent, ledger.clock)
    async with again.opened() as store:
        other = again.envelope(Add(label="b"), started=True)
        assert other.seq == envelope.seq
        outcomes = await store.write([other, again.envelope(Add(label="k"), key="k")], handlers())
        assert list(outcomes.outcomes) == [added("b", 3), added("k", 2)]


async def test_keys_expire_and_their_rows_stay_bounded(ledger: Ledger, clock: ManualClock) -> None:
    """Under steady load pruning keeps up, in steps of at most prune_rows_max rows a batch."""
    ledger.limit(prune_rows_max=64, client_keys_kept_s=60.0, edge_keys_kept_s=30.0)
    batch_messages = 16
    step_s = 1.0
    removed_max = 0
    async with ledger.opened() as store:
        known = 0
        for turn in range(300):
            batch = [
                ledger.envelope(Refuse(label="x"), key=f"{turn}-{index}")
                if index % 2
                else ledger.envelope(Do())
                for index in range(batch_messages)
            ]
            await store.write(batch, DEFERRING)
            clock.advance(step_s)
            rows = ledger.rows("client_key") + ledger.rows("edge_key")
            removed_max = max(removed_max, known + batch_messages - rows)
            known = rows
        slack = ledger.config.prune_rows_max
        assert 60 * batch_messages / 2 <= ledger.rows("client_key") <= 60 * 8 + slack
        assert 30 * batch_messages / 2 <= ledger.rows("edge_key") <= 30 * 8 + slack
        assert 0 < removed_max <= 2 * ledger.config.prune_rows_max
        # An expired key is free again, for any request.
        assert not ledger.query("SELECT 1 FROM client_key WHERE key = '0-1'")
        again = await store.write([ledger.envelope(Add(label="new"), key="0-1")], handlers())
        assert list(again.outcomes) == [added("new", 1)]


DAYS_400_S = 400 * 86_400.0


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("first_s", [DAYS_400_S, -DAYS_400_S])
async def test_keys_expire_by_true_time_whatever_the_wall_clock_says(
    ledger: Ledger, clock: ManualClock, first_s: float, *, restarted: bool
) -> None:
    """Ahead and put back, or behind and put right: none is forgotten early, and none stays."""
    ledger.limit(prune_rows_max=64, client_keys_kept_s=60.0, edge_keys_kept_s=30.0)
    store = await ledger.open()

    async def write(name: str, times: int) -> None:
        for second in range(times):
            batch = [
                ledger.envelope(Refuse(label="x"), key=f"{name}-{second}-{index}")
                if index % 2
                else ledger.envelope(Do())
                for index in range(16)
            ]
            await store.write(batch, DEFERRING)
            clock.advance(5.0)

    async def set_wall(seconds: float) -> None:
        nonlocal store
        clock.step(seconds)
        if restarted:
            await store.close()
            store = await ledger.open()

    await write("before", 4)
    await set_wall(first_s)
    await write("wrong", 4)
    await set_wall(-first_s)
    await write("right", 3)
    # All of it is of the last minute: a retry still gets its first answer.
    assert ledger.rows("client_key") == 11 * 8
    first = ledger.envelope(Refuse(label="other"), key="before-0-1")
    (outcome,) = (await store.write([first], handlers())).outcomes
    assert outcome.field == "Idempotency-Key"
    await write("later", 24)
    slack = ledger.config.prune_rows_max
    assert ledger.rows("client_key") <= 12 * 8 + slack
    assert ledger.rows("edge_key") <= 6 * 8 + slack
    assert not ledger.query("SELECT 1 FROM client_key WHERE key NOT LIKE 'later-%'")
    await store.close()


async def test_keys_that_a_wall_clock_dated_ahead_bar_nothing(
    ledger: Ledger, clock: ManualClock
) -> None:
    """A file of an earlier version: its keys are kept as if of now, and then they go."""
    ledger.limit(prune_rows_max=64, client_keys_kept_s=60.0, edge_keys_kept_s=30.0)
    await (await ledger.open()).close()
    with contextlib.closing(sqlite3.connect(ledger.spec.path)) as connection, connection:
        for number in range(600):
            ahead_s = 0.0 if number >= 550 else DAYS_400_S
            at_us = clock.now_us() + int(ahead_s * 1_000_000)
            connection.execute(
                "INSERT INTO client_key (key, fingerprint, refused, reply, at_us)"
                " VALUES (?, x'00', 0, x'00', ?)",
                (f"old-{number}", at_us),
            )
    store = await ledger.open()
    for second in range(50):
        keys = [f"{second}-{index}" for index in range(16)]
        batch = [ledger.envelope(Refuse(label="x"), key=key) for key in keys]
        await store.write(batch, handlers())
        if second == 11:
            assert ledger.query("SELECT count(*) FROM client_key WHERE key LIKE 'old-%'") == [
                (600,)
            ]
        clock.advance(5.0)
    assert not ledger.query("SELECT 1 FROM client_key WHERE key LIKE 'old-%'")
    assert ledger.rows("client_key") <= 12 * 16 + ledger.config.prune_rows_max
    await store.close()


async def test_a_backlog_of_expired_keys_shrinks(ledger: Ledger, clock: ManualClock) -> None:
    """Pruning removes more than a batch adds: what a quiet day left goes under the next load."""
    ledger.limit(prune_rows_max=64, client_keys_kept_s=60.0, edge_keys_kept_s=30.0)
    async with ledger.opened() as store:
        old = [ledger.envelope(Refuse(label="x"), key=f"old-{index}") for index in range(2000)]
        await store.write(old, handlers())
        clock.advance(1000.0)
        for turn in range(70):
            batch = [ledger.envelope(Refuse(label="x"), key=f"{turn}-{i}") for i in range(32)]
            await store.write(batch, handlers())
        assert not ledger.query("SELECT 1 FROM client_key WHERE key LIKE 'old-%'")


class Point(msgspec.Struct, frozen=True):
    x: int
    y: float


REPLIES: dict[str, tuple[Any, Any]] = {
    "nothing": (None, type(None)),
    "text": ("naïve \0 text \U0001f600", str),
    "number": (2**62, int),
    "bytes": (b"\x00\xff", bytes),
    "struct": (Point(1, 0.1), Point),
    "list": ([Point(1, 0.1), None], list[Point | None]),
    "tuple": ((1, "a"), tuple[int, str]),
    "map": ({"a": {1, 2}}, dict[str, set[int]]),
    "union": (Point(1, 2.5), Point | None),
}


@pytest.mark.parametrize(("reply", "annotation"), REPLIES.values(), ids=REPLIES)
async def test_stored_reply_decodes_back_equal(ledger: Ledger, reply: Any, annotation: Any) -> None:
    """A second delivery's reply has the type and the value of the first."""
    served = handlers(lambda _tx, _cmd: reply)
    handler = msgspec.structs.replace(served[Do], reply=msgspec.json.Decoder(annotation))
    served[Do] = handler
    async with ledger.opened() as store:
        for _ in range(2):
            (outcome,) = (await store.write([ledger.envelope(Do(), key="k")], served)).outcomes
            assert outcome == reply
            assert type(outcome) is type(reply)


async def test_stored_reply_of_an_older_type_is_a_typed_error(ledger: Ledger) -> None:
    """It was done, and is not done again; who asks is told, and it costs nobody else anything."""
    served = handlers(lambda _tx, _cmd: "text")
    changed = dict(served)
    changed[Do] = msgspec.structs.replace(served[Do], reply=msgspec.json.Decoder(int))
    async with ledger.opened() as store:
        await store.write([ledger.envelope(Do(), key="k")], served)
        batch = [ledger.envelope(Add(label="a")), ledger.envelope(Do(), key="k")]
        result = await store.write(batch, changed)
        assert result.crash is None
        first, second = result.outcomes
        assert first == added("a", 1)
        assert isinstance(second, ReplyUnreadable)
        assert "Expected `int`, got `str`" in str(second)


# --- Dead letters ----------------------------------------------------------------------------


async def test_message_that_crashed_too_often_becomes_a_dead_letter(ledger: Ledger) -> None:
    """At attempts_max it is not run again; its row tells what it was and why it died."""
    async with ledger.opened() as store:
        envelope = ledger.envelope(
            Crash(label="x"), key="k", attempt=3, started=True, error="Mishap: x"
        )
        batch = [ledger.envelope(Add(label="a")), envelope, ledger.envelope(Add(label="b"))]
        result = await store.write(batch, handlers())
        assert result.crash is None
        dead = result.outcomes[1]
        assert isinstance(dead, DeadLettered)
        assert "3 attempts" in str(dead)
        assert "Mishap: x" in str(dead)
        assert [result.outcomes[0], result.outcomes[2]] == [added("a", 1), added("b", 2)]
        (letter,) = await store.look(partial(latest, service="ledger", limit=10))
        assert letter.id == dead.letter_id
        assert (letter.actor, letter.message_type) == ("ledger", "Crash")
        assert msgspec.json.decode(letter.message) == {"label": "x"}
        assert (letter.reason, letter.attempts, letter.durable) == ("Mishap: x", 3, True)
        assert (letter.request_key, letter.at_us) == ("k", ledger.clock.now_us())


UNREADABLE: dict[str, dict[str, Any]] = {
    "unknown": {"message": Unknown(what={"a": 1})},
    "not encodable": {"message": Unknown(what=object())},
    "lone surrogate inside": {"message": Unknown(what="\ud800")},
    "huge number inside": {"message": Unknown(what=2**200)},
    "lone surrogate in the reason": {"message": Unknown(), "error": "ValueError: \ud800"},
    "lone surrogate in the key": {"message": Unknown(), "key": "\udcff"},
    "no message of ours": {"message": "just text"},
}


@pytest.mark.parametrize("fields", UNREADABLE.values(), ids=UNREADABLE)
async def test_any_message_can_be_buried(ledger: Ledger, fields: dict[str, Any]) -> None:
    """A message without a handler becomes a dead letter, however odd it is."""
    fields = dict(fields)
    async with ledger.opened() as store:
        batch = [
            ledger.envelope(Add(label="a")),
            ledger.envelope(fields.pop("message"), **fields),
            ledger.envelope(Add(label="b")),
        ]
        result = await store.write(batch, handlers())
        assert result.crash is None
        assert isinstance(result.outcomes[1], DeadLettered)
        assert ledger.labels() == ["a", "b"]
        (letter,) = await store.look(partial(latest, service="ledger", limit=10))
        assert letter.message_type == type(batch[1].message).__name__


async def test_dead_letters_are_bounded_and_newest_first(ledger: Ledger) -> None:
    """Beyond dead_letters_max rows the oldest goes, and the log says so each time."""
    async with ledger.opened() as store:
        with structlog.testing.capture_logs() as logs:
            for number in range(12):
                await store.write([ledger.envelope(Unknown(what=number))], handlers())
        assert [line["letters"] for line in logs if "forgotten" in line["event"]] == [1] * 7
        letters = await store.look(partial(latest, service="ledger", limit=100))
        numbers = [msgspec.json.decode(letter.message)["what"] for letter in letters]
        assert numbers == [11, 10, 9, 8, 7]
        assert len(await store.look(partial(latest, service="ledger", limit=2))) == 2
        assert ledger.rows("dead_letter") == ledger.spec.dead_letters_max


async def test_a_letter_that_is_run_again_makes_room_for_those_of_its_batch(
    ledger: Ledger,
) -> None:
    """No older one goes for it: as many as may be kept are."""
    most = ledger.spec.dead_letters_max
    async with ledger.opened() as store:
        buried = [ledger.envelope(Unknown(what=number), attempt=3) for number in range(most - 1)]
        buried.append(ledger.envelope(Add(label="a"), attempt=3, error="Mishap: a"))
        result = await store.write(buried, handlers())
        dead = result.outcomes[-1]
        assert isinstance(dead, DeadLettered)
        assert dead.letter_id is not None
        origin = LetterOrigin(dead.letter_id, sender=None, attempts=3)
        again = ledger.envelope(Add(label="a"), origin=origin)
        await store.write([again, ledger.envelope(Unknown(what="new"))], handlers())
        letters = await store.look(partial(latest, service="ledger", limit=most))
        whats = [msgspec.json.decode(letter.message)["what"] for letter in letters]
        assert whats == ["new", *reversed(range(most - 1))]
        assert ledger.labels() == ["a"]


# --- Fencing ---------------------------------------------------------------------------------


async def test_older_incarnations_late_write_is_fenced(ledger: Ledger) -> None:
    """Once a newer store is open, the older one's commit fails and leaves no row."""
    old = await ledger.open()
    await old.write(ledger.batch(Add(label="before")), handlers())
    new = await ledger.open()
    late = await old.write(ledger.batch(Add(label="late")), handlers())
    assert isinstance(late.crash, Fenced)
    assert late.culprit is None
    assert list(late.outcomes) == []
    result = await new.write(ledger.batch(Add(label="after")), handlers())
    assert list(result.outcomes) == [added("after", 2)]
    assert ledger.labels() == ["before", "after"]
    await old.abandon()
    await new.close()


async def test_abandoned_store_keeps_nothing_open(ledger: Ledger) -> None:
    """Abandoning before the open, twice, or after a close harms nothing; the successor writes."""
    await ledger.make().abandon()
    old = await ledger.open()
    await old.write(ledger.batch(Add(label="a")), handlers())
    await old.abandon()
    await old.abandon()
    async with ledger.opened() as store:
        await store.write(ledger.batch(Add(label="b")), handlers())
    await store.abandon()
    assert ledger.labels() == ["a", "b"]


async def test_the_dead_leave_no_connection_and_what_they_opened_is_used_again(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Of incarnations that overlap SQLite keeps descriptors: as many as were open at once."""
    store = await ledger.open()
    for _ in range(5):
        old, store = store, await ledger.open()
        await old.abandon()
        assert connections(tmp_path) == 2
        assert open_files(tmp_path, suffix=".db") == 4
    await store.close()
    assert open_files(tmp_path) == 0


async def test_failed_open_leaves_the_file_to_the_next(ledger: Ledger) -> None:
    """A start that fails (here: an altered migration) holds no lock and no connection."""
    async with ledger.opened() as store:
        await store.write(ledger.batch(Add(label="a")), handlers())
    (file,) = (ledger.spec.path.parent / "schema").iterdir()
    text = file.read_text()
    file.write_text(f"{text} -- altered")
    again = Ledger(
        next(name for name, kind in STORES.items() if kind is ledger.kind),
        ledger.spec.path.parent,
        ledger.clock,
    )
    with pytest.raises(StoreError, match="altered"):
        await again.open()
    file.write_text(text)
    async with again.opened() as store:
        assert (await store.write(again.batch(Add(label="b")), handlers())).crash is None


# --- Bad disks -------------------------------------------------------------------------------

FILL = "INSERT INTO entry (label, filler) VALUES ('big', zeroblob(200000))"


def fill_up(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def make_room(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize("swallows", [False, True])
async def test_full_disk_refuses_the_whole_batch(ledger: Ledger, *, swallows: bool) -> None:
    """Every command is told so, nothing of the batch is kept, and it recovers.

    Even where the handler looks away: SQLite has rolled back under it.
    """

    def do(tx: Transaction, _cmd: Do) -> None:
        try:
            tx.execute(FILL)
        except sqlite3.Error:
            if not swallows:
                raise

    async with ledger.opened() as store:
        await store.write(ledger.batch(Add(label="before")), handlers())
        fill_up(writer_of(store))
        batch = ledger.batch(Add(label="a"), Do(), Add(label="c"))
        batch[0].key = "its reply must not outlive it"
        result = await store.write(batch, handlers(do))
        if swallows:
            assert result.culprit in {None, 1}
        else:
            assert result.crash is None
            assert len(result.outcomes) == 3
            assert all(isinstance(outcome, StoreRefused) for outcome in result.outcomes)
            assert "free some disk space" in str(result.outcomes[0])
        assert ledger.labels() == ["before"]
        assert list((await store.read(ledger.batch(Count()), handlers())).outcomes) == [1]
        make_room(writer_of(store))
        await store.write(ledger.batch(Refuse(label="x")), handlers())
        again = await store.write(batch, handlers(do))
        assert list(again.outcomes) == [added("a", 2), None, added("c", 4)]
        assert ledger.labels() == ["before", "a", "big", "c"]


async def test_disk_that_is_full_at_the_commit_refuses_the_whole_batch(ledger: Ledger) -> None:
    """The request keys need room, too: a batch without a large row fails the same way."""
    async with ledger.opened() as store:
        fill_up(writer_of(store))
        done: list[str] = []
        refused = 0
        for number in range(400):
            batch = [
                ledger.envelope(Refuse(label=f"{number}-{i}" * 20), key=f"{number}-{i}")
                for i in range(10)
            ]
            result = await store.write(batch, handlers())
            assert result.crash is None
            assert len(result.outcomes) == len(batch)
            if isinstance(result.outcomes[0], StoreRefused):
                assert all(isinstance(outcome, StoreRefused) for outcome in result.outcomes)
                refused += 1
            else:
                done.append(str(number))
        assert refused
        assert ledger.rows("client_key") == 10 * len(done)
        make_room(writer_of(store))
        after = await store.write(ledger.batch(Add(label="after")), handlers())
        assert list(after.outcomes) == [added("after", 1)]


@pytest.mark.parametrize("by", ["command", "query"])
async def test_damage_is_a_crash_without_a_culprit_and_found_at_the_next_open(
    ledger: Ledger, by: str
) -> None:
    """No message is to blame for a damaged file; a verified open says what to do about it."""
    async with ledger.opened() as store:
        await store.write(ledger.batch(Add(label="a")), handlers())
    store = await ledger.open()
    damage(ledger.spec.path, "entry")
    result: BatchResult
    if by == "command":
        result = await store.write(ledger.batch(Add(label="b")), handlers())
    else:
        result = await store.read(ledger.batch(Count()), handlers())
    assert isinstance(result.crash, StoreCorrupt)
    assert result.culprit is None
    assert list(result.outcomes) == []
    await store.abandon()
    with pytest.raises(StoreCorrupt, match=r"ledger\.db is damaged"):
        await ledger.open(verify=True)


async def test_damaged_dead_letters_are_a_typed_error(ledger: Ledger) -> None:
    """Whoever lists dead letters hears of the damage in the store's own words."""
    async with ledger.opened() as store:
        await store.write([ledger.envelope(Unknown())], handlers())
    store = await ledger.open()
    damage(ledger.spec.path, "dead_letter")
    with pytest.raises(StoreCorrupt):
        await store.look(partial(latest, service="ledger", limit=10))
    await store.abandon()


async def test_a_close_whose_last_word_fails_holds_no_lock(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails then, the next incarnation can write."""
    ledger.limit(busy_s_max=0.1)
    store = await ledger.open()
    commit = store._commit
    assert commit is not None
    connection = commit._connection

    def fail() -> None:
        connection.execute("BEGIN IMMEDIATE")
        raise RuntimeError

    monkeypatch.setattr(commit, "retire", fail)
    with pytest.raises(RuntimeError):
        await store.close()
    async with ledger.opened():
        pass  # it has taken the epoch, and so written
