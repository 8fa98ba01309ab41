"""What both stores promise of channels: messages leave with their commit and take effect once."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from structlog.testing import capture_logs

from actors.errors import (
    Busy,
    DeadLettered,
    Fenced,
    NoSuchActor,
    OutboxFull,
    OutOfOrder,
    StoreError,
    StoreUnwritable,
)
from actors.kernel.messages import Refusal, Refused, type_name, type_of
from actors.store.messaging.origin import ChannelOrigin
from actors.store.messaging.outbox import ChannelBacklog, load_oldest, load_outgoing
from tests.store.correspondents import (
    Told,
    adds,
    arriving,
    catalog,
    labels_to,
    made,
    mark,
    outbox,
    sends,
    wants,
    write,
)
from tests.store.ledger import (
    ADD,
    STORES,
    Add,
    Added,
    Crash,
    Do,
    Ledger,
    Refuse,
    Unknown,
    handlers,
    writer_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.clock import ManualClock
    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.inline_store import InlineStore
    from actors.store.messaging.output import Outgoing
    from actors.store.transaction import Transaction

    AnyStore = AiosqliteStore | InlineStore


@pytest.fixture(params=STORES)
def ann(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Ledger:
    """The sender, once on each kind of store."""
    return made(request.param, tmp_path, "ann", clock)


@pytest.fixture(params=STORES)
def bob(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Ledger:
    """A receiver, once on each kind of store."""
    return made(request.param, tmp_path, "bob", clock)


# --- Leaving ---------------------------------------------------------------------------------


async def test_messages_leave_with_their_commit_numbered_per_receiver(ann: Ledger) -> None:
    """Before it nobody sees them; after it the outbox and the result tell the same."""
    seen: list[int] = []
    look = Do(what=lambda _tx: seen.append(len(outbox(ann))))
    async with ann.opened() as store:
        result = await write(
            ann, store, sends("bob", "1", "2"), sends("cat", "x"), sends("bob", "3"), look
        )
        assert result.crash is None
        assert seen == [0]
        assert outbox(ann) == [
            ("bob", 1, "Add", "1"),
            ("bob", 2, "Add", "2"),
            ("bob", 3, "Add", "3"),
            ("cat", 1, "Add", "x"),
        ]
        (left,) = result.outputs
        assert sorted(
            (each.receiver, each.number, each.message.label) for each in left.messages
        ) == [(row.receiver, row.number, row.label) for row in outbox(ann)]
        (left,) = (await write(ann, store, sends("cat", "y"))).outputs
        assert [(each.receiver, each.number) for each in left.messages] == [("cat", 2)]


def refused_after_sending(tx: Transaction) -> Refusal:
    tx.execute(ADD, "undone")
    tx.send("bob", Add(label="undone"))
    tx.publish(Told(label="undone"))
    return Refusal.conflict("no")


def crashed_after_sending(tx: Transaction) -> None:
    refused_after_sending(tx)
    raise RuntimeError


async def test_refused_or_crashed_command_sends_nothing_and_its_neighbours_do(ann: Ledger) -> None:
    """Nor does it use up a number."""
    ann.limit(catalog=catalog(wants("bob", Told)))
    async with ann.opened() as store:
        result = await write(
            ann,
            store,
            sends("bob", "1"),
            Do(what=refused_after_sending),
            sends("bob", "2"),
            Do(what=crashed_after_sending),
            sends("bob", "not run yet"),
        )
        assert result.culprit == 3
        assert [type(outcome) for outcome in result.outcomes] == [type(None), Refusal, type(None)]
        assert labels_to(ann, "bob") == ann.labels() == ["1", "2"]
        assert ann.rows("event") == 0
        await write(ann, store, sends("bob", "3"))
        assert [row.number for row in outbox(ann)] == [1, 2, 3]


async def test_batch_that_does_not_commit_sends_nothing(ann: Ledger) -> None:
    """A full disk and a fenced incarnation leave no message and no gap."""
    old = await ann.open()
    await write(ann, old, sends("bob", "1"))
    (pages,) = writer_of(old).execute("PRAGMA page_count").fetchone()
    writer_of(old).execute(f"PRAGMA max_page_count = {pages}")
    refused = await write(ann, old, sends("bob", "x" * 100_000))
    assert [type(outcome) for outcome in refused.outcomes] == [StoreUnwritable]
    assert list(refused.outputs) == []
    writer_of(old).execute("PRAGMA max_page_count = 1000000")
    await write(ann, old, sends("bob", "2"))
    new = await ann.open()
    fenced = await write(ann, old, sends("bob", "late"))
    assert isinstance(fenced.crash, Fenced)
    assert list(fenced.outputs) == []
    await write(ann, new, sends("bob", "3"))
    assert [(row.number, row.label) for row in outbox(ann)] == [(1, "1"), (2, "2"), (3, "3")]
    await old.abandon()
    await new.close()


async def test_violation_that_only_the_commit_finds_takes_its_own_messages_along(
    ann: Ledger,
) -> None:
    """The others of the batch are committed one by one, and each commit's messages are told."""

    def violates(tx: Transaction) -> None:
        tx.send("bob", Add(label="undone"))
        tx.execute("INSERT INTO entry (label, account) VALUES ('x', 'nobody')")

    async with ann.opened() as store:
        result = await write(
            ann, store, sends("bob", "1"), sends("bob", "2"), Do(what=violates), sends("bob", "3")
        )
        assert result.culprit == 2
        told = [each.message.label for left in result.outputs for each in left.messages]
        assert told == labels_to(ann, "bob") == ["1", "2"]


@pytest.mark.parametrize(
    ("receiver", "message", "error", "says"),
    [
        ("dan", Add(label="x"), NoSuchActor, "no service is called 'dan'; there are ann, bob, cat"),
        ("bob", Unknown(), TypeError, "bob has no handler for Unknown"),
        ("ann", Add(label="x"), TypeError, "ann is this service's own name: write tx.run"),
        ("bob", Do(what=object()), TypeError, "Encoding objects of type object is unsupported"),
    ],
)
async def test_message_that_could_never_arrive_is_the_senders_crash_at_once(
    ann: Ledger, receiver: str, message: Any, error: type[Exception], says: str
) -> None:
    """An author's mistake is heard where it was made, before anything is committed."""
    async with ann.opened() as store:
        result = await write(ann, store, Do(what=lambda tx: tx.send(receiver, message)))
        assert result.culprit == 0
        assert isinstance(result.crash, error)
        assert says in str(result.crash)
        assert outbox(ann) == []


async def test_what_an_incarnation_left_is_found_by_the_next(ann: Ledger) -> None:
    """Backlog and table together are all that memory held, page by page; time too."""
    async with ann.opened() as store:
        await write(ann, store, sends("bob", *"12345"), sends("cat", "x"))
        at_us = ann.clock.now_us()
        store.acknowledge("bob", 2)
        store.acknowledge("cat", 1)
        await write(ann, store, Add(label="y"))
        identity = store.backlog.store
    async with ann.opened() as store:
        assert store.backlog.store == identity
        assert store.backlog.channels == {"bob": ChannelBacklog(3, 5), "cat": ChannelBacklog(2, 1)}
        load = partial(load_outgoing, receiver="bob")
        page: list[Outgoing] = await store.look(partial(load, after=2, limit=2))
        assert [(each.number, msgspec.json.decode(each.blob)) for each in page] == [
            (3, {"label": "3"}),
            (4, {"label": "4"}),
        ]
        assert [each.number for each in await store.look(partial(load, after=4, limit=2))] == [5]
        oldest = partial(load_oldest, acknowledged={"bob": 2, "cat": 1})
        assert await store.look(oldest) == {"bob": at_us}
        await write(ann, store, sends("cat", "z"))
        assert labels_to(ann, "cat") == ["z"]
        assert outbox(ann)[-1].number == 2


# --- Acknowledgement -------------------------------------------------------------------------


async def test_acknowledged_rows_go_with_the_next_batch_and_in_no_commit_of_their_own(
    ann: Ledger,
) -> None:
    """Acknowledging writes nothing; what follows writes anyway, and takes the rows along."""
    async with ann.opened() as store:
        await write(ann, store, sends("bob", *"123"), sends("cat", "x"))
        statements: list[str] = []
        writer_of(store).set_trace_callback(statements.append)
        for number in (1, 2):
            store.acknowledge("bob", number)
        assert statements == []
        assert labels_to(ann, "bob") == ["1", "2", "3"]
        await write(ann, store, Add(label="y"))
        assert labels_to(ann, "bob") == ["3"]
        assert labels_to(ann, "cat") == ["x"]
        assert statements.count("COMMIT") == 1
        assert sum("DELETE FROM outbox" in statement for statement in statements) == 1
        await write(ann, store, Add(label="y"))  # nothing new was acknowledged: nothing is removed
        assert sum("DELETE FROM outbox" in statement for statement in statements) == 1
        writer_of(store).set_trace_callback(None)


async def test_acknowledgement_survives_a_batch_that_does_not_commit(ann: Ledger) -> None:
    """The rows go with the first batch that does."""
    async with ann.opened() as store:
        await write(ann, store, sends("bob", *"123"))
        store.acknowledge("bob", 2)
        writer_of(store).execute("PRAGMA query_only = ON")
        refused = await write(ann, store, sends("bob", "x"))
        assert isinstance(
            refused.outcomes[0] if refused.outcomes else refused.crash, StoreUnwritable
        )
        writer_of(store).execute("PRAGMA query_only = OFF")
        assert labels_to(ann, "bob") == ["1", "2", "3"]
        await write(ann, store, Add(label="y"))
        assert labels_to(ann, "bob") == ["3"]


# --- Arriving --------------------------------------------------------------------------------


async def test_duplicate_is_settled_and_not_applied_again(bob: Ledger) -> None:
    """In the same batch, in the next, and by the next incarnation."""
    async with bob.opened() as store:
        batch = arriving(bob, *adds("12")) + arriving(bob, *adds("123"))
        result = await store.write(batch, handlers())
        assert result.crash is None
        assert [outcome is None for outcome in result.outcomes] == [False, False, True, True, False]
        again = await store.write(arriving(bob, *adds("123")), handlers())
        assert list(again.outcomes) == [None, None, None]
    async with bob.opened() as store:
        again = await store.write(arriving(bob, *adds("1234")), handlers())
        assert list(again.outcomes) == [None, None, None, Added(label="4", count=4)]
        assert bob.labels() == ["1", "2", "3", "4"]
        assert mark(bob) == 4


async def test_duplicate_of_a_message_that_now_crashes_is_not_run(bob: Ledger) -> None:
    """The mark decides, before any handler is looked for."""
    async with bob.opened() as store:
        await store.write(arriving(bob, Add(label="1")), handlers())
        late = arriving(bob, Crash(label="1")) + arriving(bob, Unknown())
        result = await store.write(late, handlers())
        assert (result.crash, list(result.outcomes)) == (None, [None, None])
        assert bob.rows("dead_letter") == 0


async def test_mark_moves_in_the_transaction_that_applies(bob: Ledger) -> None:
    """Handled, refused and buried ones are settled; a crash or a lost transaction settles none."""
    bob.limit(catalog=catalog())
    store = await bob.open()
    batch = arriving(bob, Add(label="1"), Refuse(label="2"), Crash(label="3"), Add(label="4"))
    result = await store.write(batch, handlers())
    assert (result.culprit, mark(bob), bob.labels()) == (2, 2, ["1"])
    batch[2].attempt = bob.spec.attempts_max
    buried = await store.write(batch[2:], handlers())
    assert isinstance(buried.outcomes[0], DeadLettered)
    assert (mark(bob), bob.rows("dead_letter"), bob.labels()) == (4, 1, ["1", "4"])
    (pages,) = writer_of(store).execute("PRAGMA page_count").fetchone()
    writer_of(store).execute(f"PRAGMA max_page_count = {pages}")
    large = arriving(bob, Add(label="x" * 100_000), Add(label="6"), first=5)
    refused = await store.write(large, handlers())
    assert [type(outcome) for outcome in refused.outcomes] == [StoreUnwritable] * 2
    assert mark(bob) == 4
    writer_of(store).execute("PRAGMA max_page_count = 1000000")
    new = await bob.open()
    fenced = await store.write(arriving(bob, Add(label="5"), first=5), handlers())
    assert isinstance(fenced.crash, Fenced)
    assert mark(bob) == 4
    after = await new.write(arriving(bob, Add(label="5"), first=5), handlers())
    assert list(after.outcomes) == [Added(label="5", count=3)]
    assert mark(bob) == 5
    await store.abandon()
    await new.close()


async def test_message_that_comes_too_early_is_refused_and_changes_nothing(bob: Ledger) -> None:
    """Its neighbours of the batch are applied; it is taken when its turn has come."""
    async with bob.opened() as store:
        await store.write(arriving(bob, *adds("1")), handlers())
        batch = [
            *arriving(bob, *adds("34"), first=3),
            bob.envelope(Add(label="asked")),
            *arriving(bob, *adds("2"), first=2),
        ]
        result = await store.write(batch, handlers())
        assert result.crash is None
        assert [type(outcome) for outcome in result.outcomes] == [OutOfOrder] * 2 + [Added] * 2
        assert bob.labels() == ["1", "asked", "2"]
        assert mark(bob) == 2
        await store.write(arriving(bob, *adds("34"), first=3), handlers())
        assert bob.labels() == ["1", "asked", "2", "3", "4"]


async def test_gap_after_a_restored_backup_is_accepted_with_a_warning(
    bob: Ledger, tmp_path: Path
) -> None:
    """What the sender no longer has cannot be waited for; what it has comes in order."""
    async with bob.opened() as store:
        await store.write(arriving(bob, *adds("12")), handlers())
    shutil.copy(bob.spec.path, tmp_path / "backup")
    async with bob.opened() as store:
        await store.write(arriving(bob, *adds("345"), first=3), handlers())
    shutil.copy(tmp_path / "backup", bob.spec.path)
    async with bob.opened() as store:
        with capture_logs() as logs:
            early = await store.write(arriving(bob, *adds("7"), first=7, base=6), handlers())
            assert isinstance(early.outcomes[0], OutOfOrder)
            assert logs == []
            result = await store.write(arriving(bob, *adds("678"), first=6, base=6), handlers())
        assert [type(outcome) for outcome in result.outcomes] == [Added] * 3
        (warning,) = logs
        assert warning["event"] == "channel gap"
        assert warning["log_level"] == "warning"
        assert (warning["sender"], warning["receiver"]) == ("ann", "bob")
        assert (warning["applied"], warning["next"]) == (2, 6)
        assert bob.labels() == ["1", "2", "6", "7", "8"]
        assert mark(bob) == 8


async def test_nothing_of_a_sender_that_has_forgotten_what_it_sent_is_swallowed(
    bob: Ledger,
) -> None:
    """Its new messages have numbers that were applied: they wait with it, and that is seen."""
    async with bob.opened() as store:
        await store.write(arriving(bob, *adds("12345"), last=5), handlers())
        with capture_logs() as logs:
            await store.write(arriving(bob, *adds("45"), first=4, last=5), handlers())
            assert logs == []
            result = await store.write(arriving(bob, *adds("xy"), first=3, last=4), handlers())
        assert [type(outcome) for outcome in result.outcomes] == [OutOfOrder] * 2
        (error,) = logs
        assert (error["event"], error["log_level"]) == ("channel rewound", "error")
        assert (error["applied"], error["last"]) == (5, 4)
        assert bob.labels() == ["1", "2", "3", "4", "5"]


async def test_sender_whose_messages_a_dead_receiver_had_in_hand_is_not_called_rewound(
    bob: Ledger,
) -> None:
    """Each was sent when it was its sender's last; all were applied, and nobody heard of it."""
    batch = [
        each
        for number in (1, 2, 3)
        for each in arriving(bob, *adds(str(number)), first=number, last=number)
    ]
    async with bob.opened() as store:
        await store.write(batch, handlers())
    for envelope in batch:
        envelope.started = True
    async with bob.opened() as store:
        with capture_logs() as logs:
            await store.write(batch, handlers())
        assert logs == []
        assert bob.labels() == ["1", "2", "3"]


async def test_replaced_file_of_a_sender_is_heard_from_its_first_message_on(
    bob: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    """A new file has a new identity: its numbers have nothing to do with the old one's."""
    ann = made("inline", tmp_path, "ann", clock)
    async with ann.opened() as store:
        old = store.backlog.store
    for file in ann.spec.path.parent.glob("ann.db*"):
        file.unlink()
    clock.advance(1.0)
    ann._opened = False  # by the next process
    async with ann.opened() as store:
        new = store.backlog.store
    assert old != new
    async with bob.opened() as store:
        await store.write(arriving(bob, *adds("12345"), store=old), handlers())
        with capture_logs() as logs:
            result = await store.write(arriving(bob, *adds("abb"), store=new), handlers())
            assert [type(outcome) for outcome in result.outcomes] == [Added] * 3
            again = await store.write(arriving(bob, *adds("ab"), store=new), handlers())
        assert logs == []
        assert list(again.outcomes) == [None, None]
    async with bob.opened() as store:
        again = await store.write(arriving(bob, *adds("abbc"), store=new), handlers())
        assert [type(outcome) for outcome in again.outcomes] == [type(None)] * 3 + [Added]
        assert bob.labels() == list("12345abbc")


async def test_senders_do_not_share_a_mark(bob: Ledger) -> None:
    """The same number of two senders are two messages."""
    async with bob.opened() as store:
        batch = [
            bob.envelope(Add(label=sender), origin=ChannelOrigin(sender, "a file", 1, 1, 1))
            for sender in ("ann", "cat", "ann", "bob")
        ]
        await store.write(batch, handlers())
        assert bob.labels() == ["ann", "cat", "bob"]
        assert [mark(bob, sender) for sender in ("ann", "bob", "cat")] == [1, 1, 1]


# --- Refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", ["Refused[Do]", "Unheard[Do]"])
async def test_refused_command_is_told_to_its_sender_once_and_in_order(
    bob: Ledger, stored: str
) -> None:
    """In the transaction that settles it; its own work and what it sent are undone.

    The row says whether its sender listens to it.
    """
    if stored == "Refused[Do]":
        handled = bob.spec.catalog.handled
        hears = {**handled, "ann": handled["ann"] | {stored}}
        bob.limit(catalog=msgspec.structs.replace(bob.spec.catalog, handled=hears))

    def refuse_if_odd(tx: Transaction, cmd: Do) -> Refusal | None:
        tx.execute(ADD, cmd.what)
        tx.send("cat", Add(label=cmd.what))
        return Refusal.conflict(cmd.what) if int(cmd.what) % 2 else None

    commands = [Do(what=label) for label in "12345"]
    async with bob.opened() as store:
        batch = arriving(bob, *commands, trace="r-1") + arriving(bob, *commands)
        result = await store.write(batch, handlers(refuse_if_odd))
        assert [type(outcome) for outcome in result.outcomes[5:]] == [type(None)] * 5
        (left,) = result.outputs
        told = [each for each in left.messages if each.receiver == "ann"]
        assert [each.message for each in told] == [
            Refused(command=Do(what=label), refusal=Refusal.conflict(label)) for label in "135"
        ]
        assert {type_name(type_of(each.message)) for each in told} == {"Refused[Do]"}
        assert {(each.message_type, each.trace) for each in told} == {(stored, "r-1")}
        assert labels_to(bob, "cat") == bob.labels() == ["2", "4"]
    rows = bob.query("SELECT number, message_type FROM outbox WHERE receiver = 'ann'")
    assert rows == [(1, stored), (2, stored), (3, stored)]


async def test_refused_ask_is_told_to_its_caller_only(bob: Ledger) -> None:
    """No channel brought it, so none takes the refusal back."""
    async with bob.opened() as store:
        await write(bob, store, Refuse(label="x"))
        assert outbox(bob) == []


# --- A full outbox ---------------------------------------------------------------------------


async def test_full_outbox_refuses_visibly_and_loses_nothing(ann: Ledger) -> None:
    """Only who sends to that receiver is refused, as busy; what it did is undone."""
    ann.limit(outbox_messages_max=3)
    async with ann.opened() as store:
        await write(ann, store, sends("bob", *"123"))
        result = await write(
            ann, store, sends("cat", "x"), sends("bob", "4"), sends("cat", "y"), Add(label="z")
        )
        assert result.crash is None
        full = result.outcomes[1]
        assert isinstance(full, OutboxFull)
        assert isinstance(full, Busy)
        assert full.retry_after_s == 1.0
        assert "bob" in str(full)
        assert "channel.outbox_messages_max" in str(full) or "store.outbox_messages_max" in str(
            full
        )
        assert [type(outcome) for outcome in result.outcomes] == [
            type(None), OutboxFull, type(None), Added
        ]  # fmt: skip
        assert ann.labels() == ["1", "2", "3", "x", "y", "z"]
        assert labels_to(ann, "bob") == ["1", "2", "3"]
        store.acknowledge("bob", 1)
        assert (await write(ann, store, sends("bob", "4"))).outcomes == [None]
        assert isinstance((await write(ann, store, sends("bob", "5"))).outcomes[0], OutboxFull)
        assert labels_to(ann, "bob") == ["2", "3", "4"]


async def test_full_outbox_is_still_full_for_the_next_incarnation(ann: Ledger) -> None:
    """What was left untaken counts, and not what was ever sent."""
    ann.limit(outbox_messages_max=3)
    async with ann.opened() as store:
        for label in "12345":
            await write(ann, store, sends("bob", label))
            store.acknowledge("bob", int(label) - 2)
        await write(ann, store, sends("bob", "6"))
    async with ann.opened() as store:
        assert isinstance((await write(ann, store, sends("bob", "7"))).outcomes[0], OutboxFull)
        store.acknowledge("bob", 6)
        assert (await write(ann, store, sends("bob", "7"))).outcomes == [None]


async def test_message_whose_handler_finds_the_outbox_full_comes_again(bob: Ledger) -> None:
    """It is not applied, and nothing behind it; the receiver's receiver sets the pace."""
    bob.limit(outbox_messages_max=1)

    def forward(tx: Transaction, cmd: Do) -> None:
        tx.execute(ADD, cmd.what)
        tx.send("cat", Add(label=cmd.what))

    commands = [Do(what=label) for label in "123"]
    async with bob.opened() as store:
        await store.write(arriving(bob, commands[0]), handlers(forward))
        stuck = await store.write(arriving(bob, *commands), handlers(forward))
        assert [type(outcome) for outcome in stuck.outcomes] == [type(None), OutboxFull, OutOfOrder]
        assert (mark(bob), bob.labels()) == (1, ["1"])
        store.acknowledge("cat", 1)
        await store.write(arriving(bob, *commands), handlers(forward))
        assert (mark(bob), bob.labels()) == (3, ["1", "2", "3"])


async def test_full_outbox_does_not_hide_that_the_transaction_is_over(ann: Ledger) -> None:
    """The next command's savepoint would begin, and commit, a transaction that nobody fences."""
    ann.limit(outbox_messages_max=1)

    def look_away(tx: Transaction) -> None:
        with contextlib.suppress(sqlite3.IntegrityError):
            tx.execute("INSERT OR ROLLBACK INTO entry (seq, label) VALUES (1, 'again')")
        tx.send("bob", Add(label="2"))

    async with ann.opened() as store:
        await write(ann, store, sends("bob", "1"))
        result = await write(ann, store, Add(label="x"), Do(what=look_away), Add(label="y"))
        assert (result.outcomes, result.culprit) == ((), 1)
        assert isinstance(result.crash, StoreError)
        assert ann.labels() == ["1"]


async def test_refusals_go_back_through_a_full_outbox(bob: Ledger) -> None:
    """They are no more than what came, and to hold them up would stop the channel for ever."""
    bob.limit(outbox_messages_max=1)
    async with bob.opened() as store:
        batch = arriving(bob, *[Refuse(label=label) for label in "123"])
        for envelope in batch:
            (outcome,) = (await store.write([envelope], handlers())).outcomes
            assert isinstance(outcome, Refusal)
        assert labels_to(bob, "ann") == ["1", "2", "3"]
