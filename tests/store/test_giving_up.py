"""A message is given up once, and only if no attempt of it was applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.errors import DeadLettered, StoreRefused
from tests.store.ledger import STORES, Add, Added, Crash, Ledger, Refuse, handlers

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.clock import ManualClock


@pytest.fixture(params=STORES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Ledger:
    """The test's service, once on each kind of store."""
    return Ledger(request.param, tmp_path, clock)


async def test_a_burial_that_nobody_heard_of_is_not_repeated(ledger: Ledger) -> None:
    """The incarnation dies between the burial's commit and its reply: one letter, the same id."""
    envelope = ledger.envelope(Crash(label="x"), attempt=3, started=True, error="Mishap: x")
    ids = []
    for _ in range(2):
        store = await ledger.open()
        (dead,) = (await store.write([envelope], handlers())).outcomes
        assert isinstance(dead, DeadLettered)
        ids.append(dead.letter_id)
        await store.abandon()
    assert ids[0] == ids[1]
    assert ledger.rows("dead_letter") == 1


@pytest.mark.parametrize("key", [None, "k"])
async def test_an_attempt_that_was_applied_after_all_is_answered(
    ledger: Ledger, key: str | None
) -> None:
    """A last attempt that was given up and committed all the same has a reply, and no letter."""
    envelope = ledger.envelope(Add(label="x"), key=key)
    async with ledger.opened() as store:
        await store.write([envelope], handlers())
    envelope.attempt, envelope.started, envelope.error = 3, True, "HandlerTimeout: lost"
    async with ledger.opened() as store:
        (reply,) = (await store.write([envelope], handlers())).outcomes
    assert reply == Added(label="x", count=1)
    assert ledger.labels() == ["x"]
    assert ledger.rows("dead_letter") == 0


async def test_keys_expire_on_a_quiet_service_too(ledger: Ledger, clock: ManualClock) -> None:
    """A few requests a day and a restart a day: nothing stays for many days.

    For no time between two openings counts as more than half of what keys are kept: the next test.
    """
    ledger.limit(client_keys_kept_s=86400.0)
    for day in range(10):
        async with ledger.opened() as store:
            batch = [ledger.envelope(Refuse(label="x"), key=f"{day}-{i}") for i in range(20)]
            await store.write(batch, handlers())
        clock.advance(86_401)
    assert ledger.rows("client_key") <= 3 * 20


async def test_a_boot_on_a_clock_that_is_ahead_forgets_no_key_of_today(
    ledger: Ledger, clock: ManualClock
) -> None:
    """What was done minutes ago is not done again, however far ahead the clock is at a start."""
    ledger.limit(client_keys_kept_s=86400.0)
    once = [ledger.envelope(Add(label="once"), key="k")]
    async with ledger.opened() as store:
        await store.write(once, handlers())
    clock.advance(60)
    clock.step(400 * 86_400)
    async with ledger.opened() as store:
        other = [ledger.envelope(Add(label="other"), key="o")]
        await store.write(other, handlers())
    clock.step(-400 * 86_400)
    async with ledger.opened() as store:
        again = [ledger.envelope(Add(label="once"), key="k")]
        await store.write(again, handlers())
    assert ledger.labels() == ["once", "other"]


async def test_a_file_that_was_removed_is_not_replaced_by_an_empty_one(ledger: Ledger) -> None:
    """The next incarnation refuses to start, naming the file; nothing pretends to be fresh."""
    async with ledger.opened() as store:
        await store.write(ledger.batch(Add(label="x")), handlers())
    for file in ledger.spec.path.parent.glob("ledger.db*"):
        file.unlink()
    with pytest.raises(StoreRefused, match=r"ledger\.db was removed while it was in use"):
        await ledger.open()
    assert not ledger.spec.path.exists()
