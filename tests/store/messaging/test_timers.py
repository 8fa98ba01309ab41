"""A store's timers: rows that come with a commit, and go with the one that applies them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.errors import DeadLettered, OutboxFull
from actors.kernel.messages import Refusal
from actors.store.messaging.many_rows import NUMBERS_MIN
from actors.store.messaging.origin import TimerOrigin
from actors.store.messaging.service_catalog import ServiceCatalog
from actors.store.messaging.timers import DuePlace, TimerTypes, count_timers, load_due
from tests.store.ledger import (
    ADD,
    STORES,
    STORES_THEN_LONG,
    Add,
    Crash,
    Do,
    Ledger,
    Mishap,
    Refuse,
    handlers,
)
from tests.store.mortal import make_mortal

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.clock import ManualClock
    from actors.kernel.envelope import Envelope
    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.inline_store import InlineStore
    from actors.store.messaging.timers import Due
    from actors.store.store import WriteResult
    from actors.store.transaction import Transaction

    AnyStore = AiosqliteStore | InlineStore

PEERS = ServiceCatalog(
    handled={
        "ledger": frozenset({"Add", "Refuse", "Crash", "Do"}),
        "other": frozenset({"Add"}),
    }
)
ALL = TimerTypes((), included=False)


def new_ledger(kind: str, folder: Path, clock: ManualClock | None = None) -> Ledger:
    ledger = Ledger(kind, folder, clock)
    ledger.limit(catalog=PEERS)
    return ledger


@pytest.fixture(params=STORES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Ledger:
    """The test's service, once on each kind of store."""
    return new_ledger(request.param, tmp_path, clock)


def plan(tx: Transaction, cmd: Do) -> Any:
    """Put off the messages of `what`, each with its delay; end as the last item says."""
    *timers, end = cmd.what
    for delay_s, message in timers:
        tx.after(delay_s, message)
    if isinstance(end, Exception):
        raise end
    return end


def adds(*delays: float) -> list[tuple[float, Add]]:
    return [(delay_s, Add(label=str(delay_s))) for delay_s in delays]


async def write(ledger: Ledger, store: AnyStore, *messages: Any) -> WriteResult:
    return await store.write(ledger.batch(*messages), handlers(plan))


async def fire(ledger: Ledger, store: AnyStore, *timers: tuple[int, Any]) -> WriteResult:
    """Hand over due timers, as (number, message)."""
    batch = [ledger.envelope(message, origin=TimerOrigin(seq)) for seq, message in timers]
    return await store.write(batch, handlers(plan))


async def due(store: AnyStore, now_us: int, *, types: TimerTypes = ALL, limit: int = 100) -> Due:
    after = DuePlace().after()
    return await store.look(
        lambda c: load_due(
            c, types=types, after=after, now_us=now_us, limit=limit, at_once_max=limit
        )
    )


def numbers(ledger: Ledger) -> list[int]:
    return [seq for (seq,) in ledger.query("SELECT seq FROM timer ORDER BY seq")]


async def test_timers_come_with_the_commit_of_what_asked_for_them(ledger: Ledger) -> None:
    """None of a command that is refused or crashes; their numbers have no gap for it."""
    async with ledger.opened() as store:
        no = Refusal.conflict("no")
        batch = [
            Do(what=[*adds(1.0), None]),
            Do(what=[*adds(2.0), no]),
            Do(what=[*adds(3.0, 4.0), None]),
            Do(what=[*adds(5.0), Mishap()]),
        ]
        result = await write(ledger, store, *batch)
        assert result.outcomes == [None, no, None]
        assert result.culprit == 3
        (output,) = result.outputs
        assert [(each.seq, each.message) for each in output.timers] == [
            (1, Add(label="1.0")),
            (2, Add(label="3.0")),
            (3, Add(label="4.0")),
        ]
        assert numbers(ledger) == [1, 2, 3]


async def test_timer_is_due_by_the_time_of_its_transaction(
    ledger: Ledger, clock: ManualClock
) -> None:
    """To the microsecond; what is past is due at once, whatever the clock says later."""
    async with ledger.opened() as store:
        await write(ledger, store, Do(what=[*adds(0.000001, 1.5, 0.0, -1.0), None]))
        now_us = clock.now_us()
        found = ledger.query("SELECT due_us FROM timer ORDER BY seq")
        assert [due_us for (due_us,) in found] == [now_us + 1, now_us + 1_500_000, 0, 0]


async def test_number_is_never_given_twice(ledger: Ledger) -> None:
    """Neither to the next incarnation, nor once all rows are gone, nor after a failed commit."""
    for first in (1, 4, 7):
        async with ledger.opened() as store:
            await write(ledger, store, Do(what=[*adds(1.0, 2.0), None]))
            assert numbers(ledger) == [first, first + 1]
            orphan = Do(what=[*adds(3.0), None])

            def broken(tx: Transaction, cmd: Do) -> Any:
                tx.execute("INSERT INTO entry (label, account) VALUES ('x', 'nobody')")
                return plan(tx, cmd)

            failed = await store.write(ledger.batch(orphan), handlers(broken))
            assert failed.culprit == 0
            await write(ledger, store, Do(what=[*adds(3.0), None]))
            assert numbers(ledger) == [first, first + 1, first + 2]
            await fire(ledger, store, *[(seq, Add(label=str(seq))) for seq in numbers(ledger)])
            assert numbers(ledger) == []


async def test_timer_is_applied_once_however_often_it_is_delivered(ledger: Ledger) -> None:
    """In one batch, in the next, and to the next incarnation."""
    timers = [(1, Add(label="one")), (2, Add(label="two"))]
    async with ledger.opened() as store:
        await write(ledger, store, Do(what=[*adds(0.0, 0.0), None]))
        result = await fire(ledger, store, timers[0], timers[0], timers[1], timers[0])
        assert [result.outcomes[index] for index in (1, 3)] == [None, None]
        assert (await fire(ledger, store, *timers)).outcomes == [None, None]
    async with ledger.opened() as store:
        assert (await fire(ledger, store, *timers)).outcomes == [None, None]
    assert ledger.labels() == ["one", "two"]
    assert numbers(ledger) == []
    assert ledger.query("SELECT batch FROM epoch") == [(1,)]  # the command's: a timer needs none


async def test_many_timers_of_a_batch_are_applied_once_each(ledger: Ledger) -> None:
    """They are looked for and removed together, and some of them were applied before."""
    many = 3 * NUMBERS_MIN
    timers = [(seq, Add(label=str(seq))) for seq in range(1, many + 1)]
    async with ledger.opened() as store:
        await write(ledger, store, Do(what=[*adds(*[0.0] * many), None]))
        assert numbers(ledger) == [seq for seq, _ in timers]
        first = await fire(ledger, store, *timers[:-5], timers[0])
        assert first.outcomes[-1] is None
        assert numbers(ledger) == [seq for seq, _ in timers[-5:]]
        again = await fire(ledger, store, *timers, timers[-1])
        assert [each is None for each in again.outcomes] == [True] * (many - 5) + [False] * 5 + [
            True
        ]
    assert ledger.labels() == [each.label for _, each in timers]
    assert numbers(ledger) == []


async def test_timer_that_is_refused_is_gone_and_one_that_crashes_stays(ledger: Ledger) -> None:
    """Until its attempts are spent: then its row is a dead letter, in one transaction."""
    async with ledger.opened() as store:
        messages = [Refuse(label="refused"), Crash(label="crashed"), Add(label="behind")]
        await write(ledger, store, Do(what=[*[(0.0, each) for each in messages], None]))
        result = await fire(ledger, store, *enumerate(messages, 1))
        assert result.outcomes == [Refusal.conflict("no refused")]
        assert result.culprit == 1
        assert numbers(ledger) == [2, 3]
        given_up = ledger.envelope(messages[1], origin=TimerOrigin(2), attempt=3, error="why")
        for _ in range(2):  # the second is a duplicate, and no second letter
            result = await store.write([given_up], handlers(plan))
        assert result.outcomes == [None]
        assert numbers(ledger) == [3]
        assert ledger.query("SELECT message_type, attempts, reason FROM dead_letter") == [
            ("Crash", 3, "why")
        ]
        await fire(ledger, store, (3, messages[2]))
        assert ledger.labels() == ["behind"]


async def test_timer_whose_handler_finds_an_outbox_full_stays(ledger: Ledger) -> None:
    """It was not its fault, and is neither applied nor an attempt."""
    ledger.limit(outbox_messages_max=1)

    def send(tx: Transaction, cmd: Do) -> None:
        tx.execute(ADD, "rolled back")
        tx.send("other", Add(label="x"))

    async with ledger.opened() as store:
        await store.write(ledger.batch(Do()), handlers(send))
        await write(ledger, store, Do(what=[(0.0, Do()), None]))
        envelope = ledger.envelope(Do(), origin=TimerOrigin(1))
        result = await store.write([envelope], handlers(send))
        assert [type(outcome) for outcome in result.outcomes] == [OutboxFull]
        assert numbers(ledger) == [1]
        store.acknowledge("other", 1)
        result = await store.write([envelope], handlers(send))
        assert result.outcomes == [None]
        assert numbers(ledger) == []


async def test_due_timers_are_loaded_in_order_and_within_limits(
    ledger: Ledger, clock: ManualClock
) -> None:
    """By their time and then their number; `next_us` is when the next look is worth it."""
    async with ledger.opened() as store:
        await write(ledger, store, Do(what=[*adds(3.0, 1.0, 2.0, 1.0, 9.0), None]))
        now_us = clock.now_us()
        found = await due(store, now_us)
        assert (list(found.timers), found.next_us) == ([], now_us + 1_000_000)
        found = await due(store, now_us + 3_000_000)
        assert [each.seq for each in found.timers] == [2, 4, 3, 1]
        assert found.next_us == now_us + 9_000_000
        found = await due(store, now_us + 9_000_000, limit=3)
        assert [each.seq for each in found.timers] == [2, 4, 3]
        assert found.next_us is None
        first = found.timers[0]
        assert (first.message_type, first.message) == ("Add", None)
        assert msgspec.json.decode(first.blob, type=Add) == Add(label="1.0")


async def test_of_those_due_at_once_and_those_that_are_late_the_older_go_first(
    ledger: Ledger, clock: ManualClock
) -> None:
    """Each in their own order: neither waits for the other for ever, whatever the clock says."""
    async with ledger.opened() as store:
        await write(ledger, store, Do(what=[*adds(3.0, 0.0, 1.0, 0.0, 2.0, 0.0, 9.0), None]))
        now_us = clock.now_us()
        found = await due(store, now_us + 3_000_000)
        assert [each.seq for each in found.timers] == [2, 3, 4, 5, 1, 6]
        found = await due(store, now_us + 3_000_000, limit=4)
        assert [each.seq for each in found.timers] == [2, 3, 4, 5]
        found = await due(store, now_us - 86_400_000_000)
        assert [each.seq for each in found.timers] == [2, 4, 6]
        assert found.next_us == now_us + 1_000_000
    clock.advance(-86_400.0)
    async with ledger.opened() as store:
        assert store.backlog.timer_us == 0  # at once


async def test_due_timers_are_loaded_by_type(ledger: Ledger, clock: ManualClock) -> None:
    """Those named, or all others: each timer is in exactly one of the two."""
    async with ledger.opened() as store:
        timers = [(0.0, Add(label="a")), (0.0, Refuse(label="b")), (0.0, Crash(label="c"))]
        await write(ledger, store, Do(what=[*timers, None]))
        for names in ((), ("Add",), ("Crash", "Add"), ("Nothing",), ('x"]', "'")):
            types = [TimerTypes(names, included=included) for included in (True, False)]
            these, others = [
                [
                    each.message_type
                    for each in (await due(store, clock.now_us(), types=each)).timers
                ]
                for each in types
            ]
            assert these == [name for name in ("Add", "Refuse", "Crash") if name in names]
            assert others == [name for name in ("Add", "Refuse", "Crash") if name not in names]


async def test_timers_are_counted(ledger: Ledger, clock: ManualClock) -> None:
    """All, those that are due, and when the first is, or was."""
    async with ledger.opened() as store:
        now_us = clock.now_us()
        counts = await store.look(lambda c: count_timers(c, now_us=now_us))
        assert (counts.pending, counts.due, counts.next_due_us) == (0, 0, None)
        await write(ledger, store, Do(what=[*adds(1.0, 2.0, 3.0), None]))
        counts = await store.look(lambda c: count_timers(c, now_us=now_us + 2_000_000))
        assert (counts.pending, counts.due, counts.next_due_us) == (3, 2, now_us + 1_000_000)


async def test_store_that_opens_says_when_its_first_timer_is_due(
    ledger: Ledger, clock: ManualClock
) -> None:
    """Or was; and nothing where there is none."""
    due_us = clock.now_us() + 5_000_000
    async with ledger.opened() as store:
        assert store.backlog.timer_us is None
        await write(ledger, store, Do(what=[*adds(9.0, 5.0), None]))
    clock.advance(7.0)
    async with ledger.opened() as store:
        assert store.backlog.timer_us == due_us


async def test_timer_remembers_the_request_it_was_caused_by(ledger: Ledger) -> None:
    """For the logs; each its own."""
    async with ledger.opened() as store:
        batch = [
            ledger.envelope(Do(what=[*adds(float(number)), None]), trace=trace)
            for number, trace in enumerate(["r1", None, "r3"])
        ]
        await store.write(batch, handlers(plan))
        assert ledger.query("SELECT trace FROM timer ORDER BY seq") == [("r1",), (None,), ("r3",)]


# --- A death at every statement ----------------------------------------------------------------


def chain(tx: Transaction, cmd: Do) -> None:
    """Note the label, and put off the next; the odd ones crash after all that."""
    tx.execute(ADD, str(cmd.what))
    if cmd.what < 6:
        tx.after(0.0, Do(what=cmd.what + 1))
    if cmd.what == 3:
        raise Mishap


async def serve(ledger: Ledger, store: AnyStore, attempts: dict[int, int], dead: Any) -> None:
    """Fire what is due, as scheduler and mailbox do, until nothing is left or the world ends."""
    while not dead():
        found = await due(store, ledger.clock.now_us())
        batch: list[Envelope] = [
            ledger.envelope(
                msgspec.json.decode(each.blob, type=Do),
                origin=TimerOrigin(each.seq),
                attempt=attempts.get(each.seq, 0),
            )
            for each in found.timers
        ]
        if not batch:
            return
        result = await store.write(batch, handlers(chain))
        if result.culprit is not None and not dead():
            seq = batch[result.culprit].origin.seq
            attempts[seq] = attempts.get(seq, 0) + 1
        for outcome in result.outcomes:
            assert outcome is None or isinstance(outcome, DeadLettered)


@pytest.mark.parametrize("kind", STORES_THEN_LONG)
async def test_chain_of_timers_goes_on_after_a_death_at_any_statement(
    kind: str, tmp_path: Path
) -> None:
    """Each link is applied once, and the next is put off with it; the one that crashes ends it."""
    for statements in count(1):
        folder = tmp_path / str(statements)
        folder.mkdir()
        ledger = new_ledger(kind, folder)
        async with ledger.opened() as store:
            await store.write(ledger.batch(Do(what=0), Do(what=10)), handlers(chain))
        store = await ledger.open()
        mortal = make_mortal(store)
        mortal.statements_left = statements
        attempts: dict[int, int] = {}
        await serve(ledger, store, attempts, mortal.is_dead)
        await store.abandon()
        async with ledger.opened() as store:
            await serve(ledger, store, attempts, lambda: False)
        assert ledger.labels() == ["0", "10", "1", "2"]
        assert numbers(ledger) == []
        assert ledger.rows("dead_letter") == 1
        if not mortal.dead:
            break
    assert statements > 20
