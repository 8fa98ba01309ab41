"""A death at every statement of a batch: what was acknowledged stays, the rest happens once."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.errors import DeadLettered
from actors.kernel.messages import Refusal
from tests.store.ledger import STORES_THEN_LONG, Add, Added, Crash, Ledger, Refuse, handlers
from tests.store.mortal import Mortal, make_mortal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.kernel.envelope import Envelope
    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.inline_store import InlineStore

BATCH_MESSAGES = 3
# A page cache of a few pages: a transaction's own pages reach the WAL before its commit does.
CACHE_KIB_TINY = 8
PADDING = "." * 3000


class World:
    """A mailbox over incarnations, as the kernel keeps one: batches, redelivery, attempts."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.queue: list[Envelope] = []
        self.outcomes: dict[int, Any] = {}

    async def incarnate(
        self, after_each: Callable[[], None] | None = None
    ) -> tuple[AiosqliteStore | InlineStore, Mortal]:
        store = await self.ledger.open()
        return store, make_mortal(store, after_each)

    async def serve(self, store: AiosqliteStore | InlineStore, mortal: Mortal) -> None:
        """Handle what is queued, until the end of it or of the world."""
        while self.queue and not mortal.is_dead():
            batch = self.queue[:BATCH_MESSAGES]
            result = await store.write(batch, handlers())
            for envelope in batch:
                envelope.started = True
            if mortal.is_dead():  # nobody hears of it
                return
            for envelope, outcome in zip(batch, result.outcomes, strict=False):
                self.outcomes[envelope.seq] = outcome
            if result.crash is not None:
                assert result.culprit is not None, result
                batch[result.culprit].attempt += 1
                batch[result.culprit].error = repr(result.crash)
            del self.queue[: len(result.outcomes)]


# --- Shapes ----------------------------------------------------------------------------------

KINDS = {"add": Add, "refuse": Refuse, "crash": Crash}
Shape = list[tuple[str, str | None]]  # kind, and the client's key if it gives one

EVERYTHING: Shape = [
    ("add", None),
    ("refuse", None),
    ("add", "k1"),
    ("crash", None),
    ("add", "k1"),
    ("refuse", "k2"),
    ("crash", "k3"),
    ("add", "k1"),
    ("refuse", "k2"),
    ("add", None),
]

shapes = st.lists(
    st.tuples(st.sampled_from(["add", "add", "refuse", "crash"]), st.none() | st.just("k")),
    min_size=1,
    max_size=5,
)


def envelopes(ledger: Ledger, shape: Shape) -> Iterator[Envelope]:
    """Yield the shape's messages; those of one key and kind are one request, sent again."""
    for index, (kind, key) in enumerate(shape):
        label = f"{kind}-{index if key is None else key}{PADDING}"
        # A key is used for one request only; that misuse is refused is tested elsewhere.
        own_key = None if key is None else f"{kind}-{key}"
        yield ledger.envelope(KINDS[kind](label=label), key=own_key)


def wanted(sent: list[Envelope]) -> list[str]:
    """Return what must be in the table once everything is served, in order."""
    labels = [envelope.message.label for envelope in sent if isinstance(envelope.message, Add)]
    return list(dict.fromkeys(labels))


def check(world: World, sent: list[Envelope]) -> None:
    """Everything was applied once and answered; equal requests got equal answers."""
    assert Counter(world.ledger.labels()) == Counter(wanted(sent))
    answers: dict[str, set[bytes]] = {}
    for envelope in sent:
        outcome = world.outcomes[envelope.seq]
        expected = {Add: Added, Refuse: Refusal, Crash: DeadLettered}[type(envelope.message)]
        assert isinstance(outcome, expected)
        if envelope.key is not None and expected is not DeadLettered:
            answers.setdefault(envelope.key, set()).add(msgspec.json.encode(outcome))
    assert all(len(different) == 1 for different in answers.values())


def new_ledger(kind: str, folder: Path, template: Path | None = None) -> Ledger:
    ledger = Ledger(kind, folder)
    ledger.limit(cache_kib=CACHE_KIB_TINY, dead_letters_max=100)
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


# --- The incarnation dies --------------------------------------------------------------------


async def die_after(
    statements: int, kind: str, shape: Shape, template: Path, *, again: tuple[int, ...] = ()
) -> bool:
    """Serve the shape, dying on the way; return whether that was before the end.

    `again` are the statements after which the next ones die.
    """
    with tempfile.TemporaryDirectory() as folder:
        world = World(new_ledger(kind, Path(folder), template))
        sent = list(envelopes(world.ledger, shape))
        world.queue.extend(sent)
        store, mortal = await world.incarnate()
        mortal.statements_left = statements
        await world.serve(store, mortal)
        await store.abandon()
        acknowledged = [e for e in sent if isinstance(world.outcomes.get(e.seq), Added)]
        present = Counter(world.ledger.labels())
        assert all(present[envelope.message.label] == 1 for envelope in acknowledged)
        assert set(present.values()) <= {1}
        for left in again:
            store, successor = await world.incarnate()
            successor.statements_left = left
            await world.serve(store, successor)
            await store.abandon()
        if mortal.dead:
            store, successor = await world.incarnate()
            await world.serve(store, successor)
            await store.close()
        check(world, sent)
        return mortal.dead


@pytest.mark.parametrize("kind", STORES_THEN_LONG)
async def test_incarnation_that_dies_at_any_statement_loses_and_repeats_nothing(
    kind: str, template: Path
) -> None:
    """After the redelivery of what was in hand, every effect is there exactly once."""
    statements = 1
    while await die_after(statements, kind, EVERYTHING, template):
        statements += 1
    assert statements > 4 * len(EVERYTHING)


@settings(max_examples=40)
@given(
    shape=shapes,
    statements=st.integers(1, 50),
    again=st.lists(st.integers(1, 20), max_size=3).map(tuple),
)
async def test_incarnations_may_die_in_any_batch(
    template: Path, shape: Shape, statements: int, again: tuple[int, ...]
) -> None:
    """The same for batches of every shape, and however many die in a row."""
    await die_after(statements, "inline", shape, template, again=again)


# --- The process dies ------------------------------------------------------------------------


async def photograph(shape: Shape, template: Path, folder: Path) -> list[dict[int, Any]]:
    """Serve the shape, and copy the files after each statement; return what was acknowledged."""
    (folder / "alive").mkdir()
    world = World(new_ledger("inline", folder / "alive", template))
    path = world.ledger.spec.path
    acknowledged: list[dict[int, Any]] = []

    def copy() -> None:
        copies = folder / str(len(acknowledged))
        copies.mkdir()
        for suffix in ("", "-wal"):  # not -shm: it is memory, and does not survive
            shutil.copy(f"{path}{suffix}", copies / f"{path.name}{suffix}")
        acknowledged.append(dict(world.outcomes))

    world.queue.extend(envelopes(world.ledger, shape))
    store, mortal = await world.incarnate(copy)
    await world.serve(store, mortal)
    copy()
    await store.close()
    return acknowledged


async def reborn(shape: Shape, folder: Path, acknowledged: dict[int, Any], template: Path) -> None:
    """Open what was copied, as the next process does; its clients send again what has a key."""
    world = World(new_ledger("inline", folder))
    sent = list(envelopes(world.ledger, shape))
    first = await world.ledger.open(verify=True)
    await first.close()
    present = Counter(world.ledger.labels())
    assert set(present.values()) <= {1}
    for envelope in sent:
        if isinstance(acknowledged.get(envelope.seq), Added):
            assert present[envelope.message.label] == 1
    retried = [envelope for envelope in sent if envelope.key is not None]
    world.queue.extend(retried)
    store, mortal = await world.incarnate()
    await world.serve(store, mortal)
    await store.close()
    for envelope in retried:
        before, after = acknowledged.get(envelope.seq), world.outcomes[envelope.seq]
        assert before is None or isinstance(before, DeadLettered) or before == after
    final = Counter(world.ledger.labels())
    assert final == present + (Counter(wanted(retried)) - present)
    assert set(final.values()) <= {1}


@settings(max_examples=3)
@given(shape=shapes)
@example(shape=EVERYTHING)
async def test_process_that_dies_at_any_statement_loses_and_repeats_nothing(
    template: Path, shape: Shape
) -> None:
    """Whatever is on disk at any instant opens; it has all that was acknowledged, nothing twice."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        instants = await photograph(shape, template, folder)
        for number, acknowledged in enumerate(instants):
            await reborn(shape, folder / str(number), acknowledged, template)
