"""A request without a client's key, delivered again by the process that has had it in hand."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.store.ledger import STORES, Add, Added, Do, Ledger, Mishap, handlers
from tests.store.mortal import make_mortal

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.clock import ManualClock
    from actors.kernel.envelope import Envelope
    from actors.store.transaction import Transaction


@pytest.fixture(params=STORES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Ledger:
    """The test's service, once on each kind of store."""
    return Ledger(request.param, tmp_path, clock)


async def unheard(ledger: Ledger, *batch: Envelope) -> list[Any]:
    """Run the batch in an incarnation that dies before it could tell the outcomes."""
    store = await ledger.open()
    outcomes = list((await store.write(batch, handlers(do))).outcomes)
    await store.abandon()
    for envelope in batch:
        envelope.started = True
    return outcomes


def do(tx: Transaction, cmd: Do) -> None:
    if cmd.what == "crash":
        raise Mishap
    tx.execute("INSERT INTO entry (label, account) VALUES ('orphan', 'nobody')")


async def test_a_reply_is_known_until_it_was_told(ledger: Ledger) -> None:
    """However many incarnations die with it in hand, and whatever else they commit."""
    old = [ledger.envelope(Add(label=label)) for label in "ab"]
    first = await unheard(ledger, *old)
    new = ledger.envelope(Add(label="c"))
    second = await unheard(ledger, *old, new)
    assert second[:2] == first
    await unheard(ledger)
    async with ledger.opened() as store:
        outcomes = (await store.write([*old, new], handlers())).outcomes
        assert outcomes == second
    assert ledger.labels() == ["a", "b", "c"]


async def test_a_reply_is_known_also_where_the_crash_is_a_neighbours(ledger: Ledger) -> None:
    """Those before the culprit were committed, and nobody heard of that."""
    batch = [ledger.envelope(Add(label="a")), ledger.envelope(Do(what="crash"))]
    first = await unheard(ledger, *batch)
    assert first == [Added(label="a", count=1)]
    assert (await unheard(ledger, *batch)) == first
    assert ledger.labels() == ["a"]


async def test_each_commit_of_a_batch_that_is_taken_apart_is_remembered(ledger: Ledger) -> None:
    """Several commits, one by one, before anybody is told of the first."""
    batch = [ledger.envelope(Add(label="a")), ledger.envelope(Add(label="b"))]
    orphan = ledger.envelope(Do(what="orphan"))
    first = await unheard(ledger, *batch, orphan)
    assert first == [Added(label="a", count=1), Added(label="b", count=2)]
    async with ledger.opened() as store:
        assert (await store.write(batch, handlers())).outcomes == first
    assert ledger.labels() == ["a", "b"]


async def test_what_was_told_is_forgotten(ledger: Ledger, clock: ManualClock) -> None:
    """The next batch says so; and what will never come again, as its deadline has passed."""
    untold = ledger.spec.untold
    late, other = ledger.envelope(Add(label="a"), deadline=5.0), ledger.envelope(Add(label="b"))

    async def kept_after(*batch: Envelope) -> list[bool]:
        await store.write(batch, handlers())
        return [untold.find(each.seq, 0) is not None for each in (late, other)]

    await unheard(ledger, late, other)
    async with ledger.opened() as store:
        assert await kept_after(other) == [True, True]
        assert await kept_after(*ledger.batch(Add(label="c"))) == [True, False]
        clock.advance(6.0)
        assert await kept_after(late) == [True, False]  # it left the mailbox in time
        await unheard(ledger)
    async with ledger.opened() as store:
        assert await kept_after() == [True, False]
        assert await kept_after(*ledger.batch(Add(label="d"))) == [True, False]
        assert await kept_after(*ledger.batch(Add(label="e"))) == [False, False]
    assert ledger.labels() == ["a", "b", "c", "d", "e"]


async def test_an_older_copy_of_the_file_knows_nothing_of_what_came_after(ledger: Ledger) -> None:
    """What is not in it was not done there, however sure the process is that it has."""
    path = ledger.spec.path
    copy = path.with_name("copy.db")
    store = await ledger.open()
    await store.write(ledger.batch(Add(label="a")), handlers())
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    lost = ledger.envelope(Add(label="lost"))
    await store.write([lost], handlers())
    await store.abandon()
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    copy.rename(path)
    lost.started = True
    async with ledger.opened() as store:
        outcomes = (await store.write([lost], handlers())).outcomes
    assert outcomes == [Added(label="lost", count=2)]
    assert ledger.labels() == ["a", "lost"]


async def test_a_batch_of_another_process_is_not_taken_for_one_of_ours(ledger: Ledger) -> None:
    """It has the number that ours would have had, which died before its commit."""
    store = await ledger.open()
    mortal = make_mortal(store)
    statements = []
    for label in "ab":
        await store.write(ledger.batch(Add(label=label)), handlers())
        statements.append(mortal.statements)
    mortal.statements_left = 2 * statements[1] - statements[0] - 1
    ours = ledger.envelope(Add(label="ours"))
    await store.write([ours], handlers())
    assert mortal.dead
    await store.abandon()
    process = Ledger("inline", ledger.spec.path.parent, ledger.clock)
    async with process.opened() as other:
        await other.write(process.batch(Add(label="theirs")), handlers())
    ours.started = True
    async with ledger.opened() as store:
        await store.write([ours], handlers())
    assert ledger.labels() == ["a", "b", "theirs", "ours"]
