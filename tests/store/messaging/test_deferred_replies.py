"""Answers that were put off, in the store: open until a commit closes them, then kept by key."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.kernel.messages import Later, Refusal
from actors.store.messaging.deferred_replies import find_answers
from actors.store.store import BoundHandler
from tests.store.ledger import ADD, STORES, STORES_THEN_LONG, Add, Do, Ledger, Mishap, handlers
from tests.store.mortal import make_mortal

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.clock import ManualClock
    from actors.kernel.envelope import Envelope
    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.inline_store import InlineStore
    from actors.store.store import WriteResult
    from actors.store.transaction import Transaction

    AnyStore = AiosqliteStore | InlineStore


@pytest.fixture(params=STORES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Ledger:
    """The test's service, once on each kind of store."""
    return Ledger(request.param, tmp_path, clock)


def act(tx: Transaction, cmd: Do) -> Any:
    """Do what the message says: its action, and the name of the request."""
    action, request, *value = cmd.what
    tx.execute(ADD, f"{action} {request}")
    match action:
        case "later":
            return Later(request=request, so_far=f"so far {request}")
        case "reply":
            tx.reply(request, value[0])
        case "refuse":
            tx.reply(request, "never")
            return Refusal.conflict("no")
        case "crash":
            tx.reply(request, "never")
            raise Mishap
    return None


def deferring() -> dict[type, BoundHandler]:
    return {
        **handlers(),
        Do: BoundHandler(act, msgspec.json.Decoder(Any), defers=True),
    }


def later(ledger: Ledger, request: str, **fields: Any) -> Envelope:
    return ledger.envelope(Do(what=["later", request]), **fields)


def reply(ledger: Ledger, request: str, value: Any = "final") -> Envelope:
    return ledger.envelope(Do(what=["reply", request, value]))


async def write(store: AnyStore, *batch: Envelope) -> WriteResult:
    return await store.write(batch, deferring())


def pending(request: str) -> Later:
    return Later(request=request, so_far=f"so far {request}")


@pytest.mark.parametrize("key", [None, "k"])
async def test_redelivery_is_put_off_again_until_there_is_an_answer(
    ledger: Ledger, key: str | None
) -> None:
    """It runs once; so far and the answer stand under its key, or its number in the mailbox."""
    async with ledger.opened() as store:
        envelope = later(ledger, "r", key=key)
        assert (await write(store, envelope)).outcomes == [pending("r")]
        envelope.started = True
        assert (await write(store, envelope)).outcomes == [pending("r")]
        await write(store, reply(ledger, "r"))
        assert (await write(store, envelope)).outcomes == ["final"]
        assert ledger.labels() == ["later r", "reply r"]
        assert ledger.rows("later") == 0


@pytest.mark.parametrize("value", ["yes", Refusal.not_found("none"), None, {"a": [1]}])
async def test_answer_is_kept_as_it_was_given(ledger: Ledger, value: Any) -> None:
    """A refusal is a refusal, under the key as well."""
    async with ledger.opened() as store:
        await write(store, later(ledger, "r", key="k"))
        result = await write(store, reply(ledger, "r", value))
        assert result.outputs[0].replies == [("r", value)]
        assert (await write(store, later(ledger, "r", key="k"))).outcomes == [value]


async def test_answer_in_the_same_batch_counts(ledger: Ledger) -> None:
    """Whoever hears of the batch settles it; whoever does not finds it under the key."""
    async with ledger.opened() as store:
        first = later(ledger, "r", key="k")
        result = await write(store, first, reply(ledger, "r"), later(ledger, "r", key="k"))
        assert result.outcomes[:2] == [pending("r"), None]
        assert result.outputs[0].replies == [("r", "final")]
        assert ledger.rows("later") == 0
        assert (await write(store, first)).outcomes == ["final"]


async def test_every_message_of_a_key_is_put_off_under_the_same_name(ledger: Ledger) -> None:
    """In its own batch too; another body is refused."""
    async with ledger.opened() as store:
        batch = [later(ledger, "r", key="k") for _ in range(3)]
        assert (await write(store, *batch)).outcomes == [pending("r")] * 3
        assert (await write(store, *batch)).outcomes == [pending("r")] * 3
        (refused,) = (await write(store, later(ledger, "other", key="k"))).outcomes
        assert isinstance(refused, Refusal)
        assert ledger.labels() == ["later r"]


async def test_name_that_is_open_is_its_second_commands_crash(ledger: Ledger) -> None:
    """Those before it commit, and nothing of it stays."""
    async with ledger.opened() as store:
        await write(store, later(ledger, "r"))
        before = ledger.envelope(Add(label="before"))
        result = await write(store, before, later(ledger, "r"), later(ledger, "s"))
        assert (len(result.outcomes), result.culprit) == (1, 1)
        assert ledger.labels() == ["later r", "before"]
        assert ledger.query("SELECT request FROM later") == [("r",)]


async def test_what_is_rolled_back_neither_opens_nor_closes(ledger: Ledger) -> None:
    """A reply of a command that is refused or crashes was never given."""
    async with ledger.opened() as store:
        envelope = later(ledger, "r", key="k")
        await write(store, envelope)
        result = await write(
            store,
            ledger.envelope(Do(what=["refuse", "r"])),
            ledger.envelope(Do(what=["crash", "r"])),
        )
        assert result.culprit == 1
        assert result.outputs[0].replies == []
        assert (await write(store, envelope)).outcomes == [pending("r")]


async def test_reply_that_nobody_waits_for_is_no_error(ledger: Ledger) -> None:
    """Never asked, or answered already: the first answer stands."""
    async with ledger.opened() as store:
        assert (await write(store, reply(ledger, "never"))).outcomes == [None]
        envelope = later(ledger, "r", key="k")
        await write(store, envelope)
        await write(store, reply(ledger, "r", "first"), reply(ledger, "r", "second"))
        await write(store, reply(ledger, "r", "third"))
        assert (await write(store, envelope)).outcomes == ["first"]


async def test_process_forgets_who_waited_without_a_key(ledger: Ledger) -> None:
    """Numbers in a mailbox start anew; what has a key waits on, and the other's answer is void."""
    async with ledger.opened() as store:
        await write(store, later(ledger, "keyed", key="k"), later(ledger, "r"))
        seq = ledger._seq
    ledger._opened = False  # the next process
    async with ledger.opened() as store:
        stranger = ledger.envelope(Add(label="stranger"))
        stranger.seq = seq
        await write(store, stranger)
        await write(store, reply(ledger, "r"), reply(ledger, "keyed"))
        stranger.started = True
        (outcome,) = (await write(store, stranger)).outcomes
        assert outcome.label == "stranger"
        assert (await write(store, later(ledger, "keyed", key="k"))).outcomes == ["final"]
        assert ledger.rows("later") == 0


async def test_answers_are_found_for_those_who_did_not_hear_of_them(ledger: Ledger) -> None:
    """By key and by number; what is open still, or was never put off, has none."""
    async with ledger.opened() as store:
        batch = [
            later(ledger, "keyed", key="k"),
            later(ledger, "unkeyed"),
            later(ledger, "refused", key="no"),
            later(ledger, "open", key="open"),
        ]
        await write(store, *batch)
        await write(
            store,
            reply(ledger, "keyed", 1),
            reply(ledger, "unkeyed", 2),
            reply(ledger, "refused", Refusal.conflict("no")),
        )
        waiting = [
            *[(each.message.what[1], each.key, each.seq) for each in batch],
            ("unknown", "unknown", 99),
            ("unknown too", None, 99),
        ]
        found = await store.look(lambda c: find_answers(c, waiting))
        assert {request: refused for request, (refused, _) in found.items()} == {
            "keyed": False,
            "unkeyed": False,
            "refused": True,
        }
        assert (bytes(found["keyed"][1]), bytes(found["unkeyed"][1])) == (b"1", b"2")


async def test_one_that_may_not_put_off_crashes(ledger: Ledger) -> None:
    """Its second delivery would take what is known so far for the answer."""
    async with ledger.opened() as store:
        for key in (None, "k"):
            batch = [ledger.envelope(Do(what=["later", "r"]), key=key)]
            result = await store.write(batch, handlers(act))
            assert isinstance(result.crash, TypeError)
            assert result.culprit == 0
        assert ledger.labels() == []
        assert ledger.rows("later") == 0


@pytest.mark.parametrize("kind", STORES_THEN_LONG)
async def test_put_off_and_answered_once_after_a_death_at_any_statement(
    kind: str, tmp_path: Path
) -> None:
    """Whatever is delivered again: each runs once, and every caller's end is the answer."""
    for statements in count(1):
        folder = tmp_path / str(statements)
        folder.mkdir()
        ledger = Ledger(kind, folder)
        batches = [
            [later(ledger, "r", key="k"), later(ledger, "s")],
            [reply(ledger, "s", "for s"), later(ledger, "r", key="k")],
            [reply(ledger, "r", "for r"), later(ledger, "t"), reply(ledger, "t", "for t")],
        ]
        store = await ledger.open()
        mortal = make_mortal(store)
        mortal.statements_left = statements
        heard = 0
        for batch in batches:
            for envelope in batch:
                envelope.started = True
            await write(store, *batch)
            if mortal.dead:
                break
            heard += 1
        await store.abandon()
        async with ledger.opened() as store:
            for batch in batches[heard:]:  # the kernel gives back what it did not hear of
                await write(store, *batch)
            for envelope, answer in (
                (batches[0][0], "for r"),
                (batches[0][1], "for s"),
                (batches[1][1], "for r"),
                (batches[2][1], "for t"),
            ):
                envelope.started = True
                assert (await write(store, envelope)).outcomes == [answer]
        ran = [f"{what} {request}" for what in ("later", "reply") for request in "rst"]
        assert sorted(ledger.labels()) == ran
        assert ledger.rows("later") == 0
        if not mortal.dead:
            break
    assert statements > 20
