"""A no leaves nothing behind, and its neighbours' work stands, with savepoints and without."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.errors import OutboxFull
from actors.kernel.clock import ManualClock
from actors.kernel.messages import Refusal
from actors.store.group_commit import UNDOING_BATCHES
from tests.store.correspondents import arriving, made, outbox
from tests.store.ledger import ADD, STORES, Do, Ledger, Mishap, handlers, writer_of

if TYPE_CHECKING:
    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.inline_store import InlineStore
    from actors.store.transaction import Transaction

    AnyStore = AiosqliteStore | InlineStore

# What a handler does before it ends, and how it ends.
WRITES = {
    "a row": lambda tx: tx.execute(ADD, "x"),
    "a row that it returns": lambda tx: tx.one(f"{ADD} RETURNING seq", "x"),
    "rows that it returns": lambda tx: tx.all(f"{ADD} RETURNING seq", "x"),
    "a row that nobody reads": lambda tx: tx.execute(f"{ADD} RETURNING seq", "x"),
    "a table": lambda tx: tx.execute("CREATE TABLE more (x)"),
    "a table, as if it asked": lambda tx: tx.all("CREATE TABLE more (x)"),
    "another table, as if it asked": lambda tx: tx.one("CREATE TABLE more (x)"),
    "a setting": lambda tx: tx.one("PRAGMA user_version = 7"),
}
STATE = (
    "SELECT (SELECT group_concat(label) FROM entry), (SELECT count(*) FROM sqlite_schema),"
    " user_version FROM pragma_user_version"
)
ENDINGS = ("replies", "refuses", "crashes", "is full", "looks")


@pytest.fixture(params=STORES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Ledger:
    """Ann's, on each kind of store."""
    return made(request.param, tmp_path, "ann", clock)


class Counting:
    """A handler that counts its runs, by message."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    def __call__(self, tx: Transaction, cmd: Do) -> Any:
        writes, ending, name = cmd.what
        self.runs.append(name)
        if writes is not None:
            WRITES[writes](tx)
        if ending == "looks":
            return tx.all("SELECT count(*) FROM entry")[0][0]
        tx.send("bob", Do(what=name))
        if ending == "refuses":
            return Refusal.conflict("no")
        if ending == "crashes":
            raise Mishap
        if ending == "is full":
            raise OutboxFull("no room", retry_after_s=1.0)
        return name


def statements(store: AnyStore) -> list[str]:
    said: list[str] = []
    writer_of(store).set_trace_callback(said.append)
    return said


def do(writes: str | None, ending: str, name: str) -> Do:
    return Do(what=(writes, ending, name))


def sent(ledger: Ledger) -> list[str]:
    return [row.label for row in outbox(ledger)]


async def test_a_no_that_wrote_nothing_costs_nobody_anything(ledger: Ledger) -> None:
    """There is nothing to undo but what it sent: no savepoint is opened, and none runs twice."""
    counting = Counting()
    async with ledger.opened() as store:
        said = statements(store)
        batch = [
            do("a row", "replies", "a"),
            do(None, "refuses", "b"),
            do(None, "is full", "c"),
            do("a row", "replies", "d"),
            do(None, "crashes", "e"),
        ]
        result = await store.write(ledger.batch(*batch), handlers(counting))
        assert result.culprit == 4
    assert counting.runs == ["a", "b", "c", "d", "e"]
    assert not [each for each in said if "SAVEPOINT" in each]
    assert sent(ledger) == ["a", "d"]
    assert ledger.labels() == ["x", "x"]


@pytest.mark.parametrize("writes", WRITES)
@pytest.mark.parametrize("ending", ["refuses", "is full", "crashes"])
async def test_what_a_no_wrote_is_undone(ledger: Ledger, writes: str, ending: str) -> None:
    """Whatever it was. Its neighbours run again for it, and take effect once; a crash does not."""
    counting = Counting()
    async with ledger.opened() as store:
        ((_, tables, version),) = ledger.query(STATE)
        batch = [
            do("a row", "replies", "a"),
            do(writes, ending, "no"),
            do("a row", "replies", "b"),
        ]
        result = await store.write(ledger.batch(*batch), handlers(counting))
    if ending == "crashes":
        assert (result.culprit, list(result.outcomes)) == (1, ["a"])
        assert counting.runs == ["a", "no", "a"]
        assert ledger.query(STATE) == [("x", tables, version)]
        assert sent(ledger) == ["a"]
    else:
        assert result.crash is None
        assert [result.outcomes[0], result.outcomes[2]] == ["a", "b"]
        assert counting.runs == ["a", "no", "a", "no", "b"]
        assert ledger.query(STATE) == [("x,x", tables, version)]
        assert sent(ledger) == ["a", "b"]


async def test_rows_that_nobody_reads_hold_nothing_up(ledger: Ledger) -> None:
    """A statement that has more to give would be at work still, and let nobody open a savepoint."""
    batch = [do("a row that nobody reads", "replies", name) for name in ("a", "b")]
    async with ledger.opened() as store:
        await store.write(ledger.batch(do("a row", "refuses", "no")), handlers(Counting()))
        said = statements(store)
        result = await store.write(ledger.batch(*batch), handlers(Counting()))
        assert (result.crash, result.outcomes) == (None, ["a", "b"])
    assert said.count("SAVEPOINT command") == 2
    assert ledger.labels() == ["x", "x"]


async def test_a_sender_is_told_once_of_a_no_that_was_undone(ledger: Ledger) -> None:
    """Also where what was refused runs again, or what stands behind it."""
    async with ledger.opened() as store:
        batch = arriving(ledger, do("a row", "refuses", "a"), do("a row", "refuses", "b"))
        await store.write(batch, handlers(Counting()))
    told = ledger.query("SELECT receiver FROM outbox")
    assert told == [("ann",), ("ann",)]
    assert ledger.query("SELECT applied FROM inbox") == [(2,)]


async def test_where_one_was_undone_the_next_batches_have_savepoints(ledger: Ledger) -> None:
    """For a while: a service that undoes often would run all of its batches twice."""
    counting = Counting()
    no = do("a row", "refuses", "no")
    async with ledger.opened() as store:
        said = statements(store)
        for _ in range(1 + UNDOING_BATCHES):
            batch = [do("a row", "replies", "a"), no]
            await store.write(ledger.batch(*batch), handlers(counting))
        assert len(counting.runs) == 2 + 2 * (1 + UNDOING_BATCHES)
        said.clear()
        await store.write(ledger.batch(do("a row", "replies", "a")), handlers(counting))
        assert not [each for each in said if "SAVEPOINT" in each]


async def test_what_comes_again_after_a_crash_has_savepoints(ledger: Ledger) -> None:
    """The culprit may be among it, and crash again: nobody runs twice for that."""
    counting = Counting()
    async with ledger.opened() as store:
        batch = ledger.batch(do("a row", "replies", "a"), do("a row", "crashes", "b"))
        for envelope in batch:
            envelope.started = True
        result = await store.write(batch, handlers(counting))
    assert (result.culprit, list(result.outcomes)) == (1, ["a"])
    assert counting.runs == ["a", "b"]


commands = st.tuples(st.none() | st.sampled_from(sorted(WRITES)), st.sampled_from(ENDINGS))


@settings(max_examples=40)
@given(batches=st.lists(st.lists(commands, min_size=1, max_size=5), max_size=3))
async def test_nobody_can_tell_whether_there_were_savepoints(
    batches: list[list[tuple[str | None, str]]],
) -> None:
    """The same outcomes, the same culprit, the same tables and messages."""
    came_of_it = []
    for always in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            ledger = made("inline", Path(folder), "ann", ManualClock())
            told: list[Any] = []
            async with ledger.opened() as store:
                assert store._commit is not None
                for batch in batches:
                    store._commit._undoing_batches = int(always)
                    named = [do(*each, str(index)) for index, each in enumerate(batch)]
                    result = await store.write(ledger.batch(*named), handlers(Counting()))
                    told.append(
                        (result.culprit, repr(result.crash), list(map(str, result.outcomes)))
                    )
            came_of_it.append((told, ledger.query(STATE), sent(ledger)))
    assert came_of_it[0] == came_of_it[1]
