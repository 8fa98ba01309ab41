"""What both stores promise of events: who gets them, from where on, and how many are kept."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from actors.errors import Fenced, OutboxFull
from tests.store.correspondents import (
    Heard,
    Told,
    catalog,
    labels_to,
    made,
    outbox,
    publishes,
    sends,
    wants,
    write,
)
from tests.store.ledger import STORES, Do, Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.clock import ManualClock
    from actors.store.transaction import Transaction


@pytest.fixture(params=STORES)
def ann(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Ledger:
    """The sender, once on each kind of store."""
    return made(request.param, tmp_path, "ann", clock)


async def test_event_is_a_message_to_each_subscriber_and_to_no_other(ann: Ledger) -> None:
    """Numbered with what else goes to them; one nobody subscribes to is only kept."""
    ann.limit(catalog=catalog(wants("bob", Told), wants("cat", Told), wants("cat", Heard)))
    async with ann.opened() as store:
        result = await write(
            ann,
            store,
            publishes(Told(label="1")),
            sends("bob", "2"),
            publishes(Heard(label="3"), Told(label="4")),
        )
        assert result.crash is None
        assert outbox(ann) == [
            ("bob", 1, "Told", "1"),
            ("bob", 2, "Add", "2"),
            ("bob", 3, "Told", "4"),
            ("cat", 1, "Told", "1"),
            ("cat", 2, "Heard", "3"),
            ("cat", 3, "Told", "4"),
        ]
        assert ann.rows("event") == 3


async def test_kept_events_are_bounded(ann: Ledger) -> None:
    """The oldest beyond events_kept_max go, whoever had them or not."""
    ann.limit(events_kept_max=5)
    async with ann.opened() as store:
        for number in range(12):
            await write(ann, store, publishes(Told(label=str(number))))
            assert ann.rows("event") <= 5
        await write(ann, store, publishes(*[Told(label=str(number)) for number in range(12, 20)]))
    ann.limit(catalog=catalog(wants("bob", Told, "beginning")))
    async with ann.opened():
        assert labels_to(ann, "bob") == ["15", "16", "17", "18", "19"]


async def test_new_subscriber_starts_from_where_it_declares(ann: Ledger) -> None:
    """From now, or with all that is kept, in the order of publication over all types."""
    async with ann.opened() as store:
        for number in range(3):
            await write(ann, store, publishes(Told(label=f"t{number}"), Heard(label=f"h{number}")))
    ann.limit(
        catalog=catalog(
            wants("bob", Told),
            wants("bob", Heard, "beginning"),
            wants("cat", Told, "beginning"),
            wants("cat", Heard, "beginning"),
        )
    )
    async with ann.opened() as store:
        await write(ann, store, publishes(Told(label="t3"), Heard(label="h3")))
        assert labels_to(ann, "bob") == ["h0", "h1", "h2", "t3", "h3"]
        assert labels_to(ann, "cat") == ["t0", "h0", "t1", "h1", "t2", "h2", "t3", "h3"]
    async with ann.opened() as store:  # it is new once
        assert len(labels_to(ann, "cat")) == 8


async def test_subscriber_that_comes_back_goes_on_where_it_left_off(ann: Ledger) -> None:
    """What was published meanwhile follows what it had left; it makes no odds how it starts."""
    bob_and_cat = catalog(wants("bob", Told), wants("cat", Told, "beginning"))
    for number, these in enumerate(
        [bob_and_cat, catalog(), catalog(wants("cat", Told, "beginning")), bob_and_cat]
    ):
        ann.limit(catalog=these)
        async with ann.opened() as store:
            await write(ann, store, publishes(Told(label=str(number)), Heard(label="x")))
    assert labels_to(ann, "bob") == ["0", "1", "2", "3"]
    assert labels_to(ann, "cat") == ["0", "1", "2", "3"]


async def test_failed_start_does_not_count_as_having_been_there(ann: Ledger) -> None:
    """Nothing is noted of subscribers by an incarnation that did not get the store."""
    async with ann.opened() as store:
        await write(ann, store, publishes(Told(label="1")))
    ann.limit(catalog=catalog(wants("bob", Told, "beginning")))
    dead = ann.make()
    dead._abandoned = True
    with pytest.raises(Fenced):
        await dead.open(verify=False, first=False)
    await dead.abandon()
    assert (ann.rows("subscription"), outbox(ann)) == (0, [])
    async with ann.opened():
        assert labels_to(ann, "bob") == ["1"]


async def test_event_is_sent_to_all_subscribers_or_to_none(ann: Ledger) -> None:
    """Even where a handler looks away from the full outbox of one of them."""
    ann.limit(outbox_messages_max=1, catalog=catalog(wants("bob", Told), wants("cat", Told)))

    def publish_regardless(tx: Transaction) -> None:
        with contextlib.suppress(OutboxFull):
            tx.publish(Told(label="2"))

    async with ann.opened() as store:
        await write(ann, store, publishes(Told(label="1")))
        store.acknowledge("bob", 1)
        assert isinstance(
            (await write(ann, store, publishes(Told(label="2")))).outcomes[0], OutboxFull
        )
        await write(ann, store, Do(what=publish_regardless))
        assert (labels_to(ann, "bob"), labels_to(ann, "cat")) == ([], ["1"])
        assert ann.rows("event") == 1
