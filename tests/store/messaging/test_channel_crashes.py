"""A death at every statement of what receives and sends: each message is applied and sent once."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.errors import DeadLettered
from actors.kernel.clock import ManualClock
from actors.kernel.messages import Refusal
from tests.store.correspondents import (
    Told,
    arriving,
    catalog,
    labels_to,
    made,
    mark,
    outbox,
    wants,
)
from tests.store.ledger import ADD, STORES_THEN_LONG, Add, Do, Ledger, handlers
from tests.store.mortal import make_mortal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.kernel.envelope import Envelope
    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.inline_store import InlineStore
    from actors.store.transaction import Transaction
    from tests.store.mortal import Mortal

BATCH_MESSAGES = 3


def relay(tx: Transaction, cmd: Do) -> Any:
    """Note the label, pass it on and publish it; some are refused, or crash, after all that."""
    label: str = cmd.what
    tx.execute(ADD, label)
    tx.send("cat", Add(label=label))
    tx.publish(Told(label=label))
    tx.after(3600.0, Add(label=label))
    if label.startswith("refuse"):
        return Refusal.conflict("no")
    if label.startswith("crash"):
        raise RuntimeError(label)
    return None


class Bob:
    """Receives ann's messages over incarnations, as a kernel and a channel bring them."""

    def __init__(self, ledger: Ledger, labels: Sequence[str]) -> None:
        self.ledger = ledger
        self.messages = [Do(what=label) for label in labels]
        self.queue: list[Envelope] = []
        self.settled = 0

    def deliver(self, first: int) -> None:
        """Send from number `first` on; what is below was acknowledged, or is sent twice."""
        self.queue.extend(arriving(self.ledger, *self.messages[first - 1 :], first=first))

    async def incarnate(self) -> tuple[AiosqliteStore | InlineStore, Mortal]:
        store = await self.ledger.open()
        return store, make_mortal(store)

    async def serve(self, store: AiosqliteStore | InlineStore, mortal: Mortal) -> None:
        """Handle what is queued, until the end of it or of the world."""
        while self.queue and not mortal.is_dead():
            batch = self.queue[:BATCH_MESSAGES]
            result = await store.write(batch, handlers(relay))
            if mortal.is_dead():  # nobody hears of it
                return
            for envelope, outcome in zip(batch, result.outcomes, strict=False):
                assert outcome is None or isinstance(outcome, Refusal | DeadLettered)
                self.settled = max(self.settled, envelope.origin.number)
            if result.crash is not None:
                assert result.culprit is not None, result
                batch[result.culprit].attempt += 1
            del self.queue[: len(result.outcomes)]

    def check(self) -> None:
        """Everything was applied once, in order, and all that it sent is there once."""
        labels = [message.what for message in self.messages]
        kept = [label for label in labels if label.startswith("add")]
        refused = [label for label in labels if label.startswith("refuse")]
        crashed = [label for label in labels if label.startswith("crash")]
        assert self.ledger.labels() == kept
        # Cat gets the command and, as a subscriber, the event; numbered as they were sent.
        assert labels_to(self.ledger, "cat") == [label for label in kept for _ in range(2)]
        assert labels_to(self.ledger, "ann") == refused
        for receiver in ("ann", "cat"):
            numbers = [row.number for row in outbox(self.ledger) if row.receiver == receiver]
            assert numbers == list(range(1, len(numbers) + 1))
        assert self.ledger.rows("event") == self.ledger.rows("timer") == len(kept)
        assert self.ledger.rows("dead_letter") == len(crashed)
        assert mark(self.ledger) == len(labels)


EVERYTHING = ["add 1", "refuse 2", "add 3", "crash 4", "add 5", "add 6", "refuse 7"]

shapes = st.lists(st.sampled_from(["add", "add", "refuse", "crash"]), min_size=1, max_size=5).map(
    lambda kinds: [f"{kind} {number}" for number, kind in enumerate(kinds)]
)


def new_ledger(kind: str, folder: Path, template: Path | None = None) -> Ledger:
    ledger = made(kind, folder, "bob", ManualClock())
    ledger.limit(catalog=catalog(wants("cat", Told)), dead_letters_max=100)
    if template is not None:
        shutil.copy(template, ledger.spec.path)
    return ledger


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is migrated already: migrations at every death would take most of the time."""
    ledger = new_ledger("inline", tmp_path_factory.mktemp("template"))

    async def migrate() -> None:
        await (await ledger.open()).close()

    asyncio.run(migrate())
    return ledger.spec.path


async def die_after(
    statements: int, kind: str, labels: Sequence[str], template: Path, *, again_from: int | None
) -> bool:
    """Serve the labels, dying once on the way; return whether that was before the end.

    Ann sends again from what she heard was applied, or from `again_from`, if that is lower.
    """
    with tempfile.TemporaryDirectory() as folder:
        bob = Bob(new_ledger(kind, Path(folder), template), labels)
        bob.deliver(1)
        store, mortal = await bob.incarnate()
        mortal.statements_left = statements
        await bob.serve(store, mortal)
        await store.abandon()
        assert mark(bob.ledger) >= bob.settled
        if mortal.dead:
            # Behind what the dead one had in hand: a mailbox outlives its incarnations.
            bob.deliver(bob.settled + 1 if again_from is None else again_from)
            store, successor = await bob.incarnate()
            await bob.serve(store, successor)
            await store.close()
        bob.check()
        return mortal.dead


@pytest.mark.parametrize("again_from", [None, 1], ids=["unheard", "all"])
@pytest.mark.parametrize("kind", STORES_THEN_LONG)
async def test_receiver_that_dies_at_any_statement_applies_and_sends_once(
    kind: str, template: Path, again_from: int | None
) -> None:
    """Handled, refused or buried: one effect, one message onwards, one refusal back."""
    for statements in count(1):
        if not await die_after(statements, kind, EVERYTHING, template, again_from=again_from):
            break
    assert statements > 8 * len(EVERYTHING)


@settings(max_examples=40)
@given(labels=shapes, statements=st.integers(1, 60), again_from=st.integers(1, 5))
async def test_receiver_may_die_in_any_batch_and_hear_from_any_number_again(
    template: Path, labels: list[str], statements: int, again_from: int
) -> None:
    """The same for batches of every shape."""
    await die_after(statements, "inline", labels, template, again_from=again_from)


async def test_process_that_dies_at_any_statement_applies_and_sends_once(
    template: Path, tmp_path: Path
) -> None:
    """Whatever is on disk at any instant opens, and goes on when ann sends all she still has."""
    bob = Bob(new_ledger("inline", tmp_path, template), EVERYTHING)
    path = bob.ledger.spec.path
    instants: list[tuple[Path, int]] = []

    def copy() -> None:
        folder = tmp_path / f"instant-{len(instants)}" / "bob"
        folder.mkdir(parents=True)
        for suffix in ("", "-wal"):  # not -shm: it is memory, and does not survive
            shutil.copy(f"{path}{suffix}", folder / f"{path.name}{suffix}")
        instants.append((folder.parent, bob.settled))

    bob.deliver(1)
    store = await bob.ledger.open()
    await bob.serve(store, make_mortal(store, copy))
    copy()
    await store.close()
    assert len(instants) > 8 * len(EVERYTHING)
    for folder, settled in instants:
        reborn = Bob(new_ledger("inline", folder), EVERYTHING)
        reborn.deliver(settled + 1)
        store, mortal = await reborn.incarnate()
        assert mark(reborn.ledger) >= settled
        await reborn.serve(store, mortal)
        await store.close()
        reborn.check()


# --- Any interleaving ------------------------------------------------------------------------

STEPS = {
    "send": 4,
    "deliver": 6,
    "acknowledge": 3,
    "go back": 1,
    "sender dies": 1,
    "receiver dies": 1,
}
steps = st.lists(
    st.tuples(
        st.sampled_from([step for step, often in STEPS.items() for _ in range(often)]),
        st.integers(1, 4),
    ),
    max_size=40,
)


class Ends:
    """Ann's and bob's stores, and what lies between: bob's mailbox, and receipts for ann."""

    def __init__(self, ann: Ledger, bob: Ledger) -> None:
        self.ledgers = {"ann": ann, "bob": bob}
        self.stores: dict[str, AiosqliteStore | InlineStore] = {}
        self.sent: list[str] = []
        self.base = self.next = 1
        self.mailbox: list[Envelope] = []
        self.receipts: list[int] = []

    async def incarnate(self, name: str) -> None:
        if name in self.stores:
            await self.stores[name].abandon()
        self.stores[name] = await self.ledgers[name].open()
        if name == "ann":
            standing = self.stores[name].backlog.channels.get("bob")
            self.base = self.next = 1 if standing is None else standing.first
            self.receipts.clear()  # they were for the dead one

    async def send(self, how_many: int) -> None:
        first = len(self.sent)
        labels = [str(number) for number in range(first, first + how_many)]

        def what(tx: Transaction, cmd: Do) -> None:
            tx.send("bob", Add(label=cmd.what))

        batch = self.ledgers["ann"].batch(*[Do(what=label) for label in labels])
        assert (await self.stores["ann"].write(batch, handlers(what))).crash is None
        self.sent.extend(labels)

    async def deliver(self, how_many: int) -> None:
        """Put the next ones into the mailbox, and let bob take a batch."""
        rows = self.ledgers["ann"].query(
            "SELECT number, message FROM outbox WHERE number >= ? ORDER BY number LIMIT ?",
            self.next,
            how_many,
        )
        for number, blob in rows:
            message = msgspec.json.decode(blob, type=Add)
            store = self.stores["ann"].backlog.store
            self.mailbox += arriving(
                self.ledgers["bob"], message, first=number, base=self.base, store=store
            )
            self.next = number + 1
        batch = self.mailbox[:how_many]
        result = await self.stores["bob"].write(batch, handlers())
        assert result.crash is None
        for envelope, outcome in zip(batch, result.outcomes, strict=True):
            if not isinstance(outcome, Exception):
                self.receipts.append(envelope.origin.number)
        del self.mailbox[:how_many]

    def acknowledge(self, how_many: int) -> None:
        for number in self.receipts[:how_many]:
            self.stores["ann"].acknowledge("bob", number)
        del self.receipts[:how_many]


@settings(max_examples=25)
@given(schedule=steps)
async def test_any_interleaving_applies_each_message_once_and_in_order(
    template: Path, schedule: list[tuple[str, int]]
) -> None:
    """Whatever dies, whatever is delivered twice, whichever receipt is lost."""
    with tempfile.TemporaryDirectory() as folder:
        clock = ManualClock()
        ends = Ends(*[made("inline", Path(folder), name, clock) for name in ("ann", "bob")])
        for name in ("ann", "bob"):
            await ends.incarnate(name)
        for step, how_many in [*schedule, ("sender dies", 1), ("deliver", 1000)]:
            match step:
                case "send":
                    await ends.send(how_many)
                case "deliver":
                    await ends.deliver(how_many)
                case "acknowledge":
                    ends.acknowledge(how_many)
                case "go back":
                    ends.next = max(ends.base, ends.next - how_many)
                case "sender dies":
                    await ends.incarnate("ann")
                case "receiver dies":
                    await ends.incarnate("bob")
            labels = ends.ledgers["bob"].labels()
            assert labels == ends.sent[: len(labels)]
        assert ends.ledgers["bob"].labels() == ends.sent
        for store in ends.stores.values():
            await store.close()
