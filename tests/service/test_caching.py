"""What is kept of a query's answers: read once, never told too late, and nobody else's."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from actors.errors import DeadLettered, DeadlineExceeded, StoreLost
from actors.kernel.messages import Command, Event, Query, Refusal
from actors.service.service import Service, command, on, query
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.inline_store import InlineStore
from actors.store.transaction import ReadTransaction, Transaction
from http_edge.metrics.system_families import system_families
from tests.kernel.kernel_harness import turns
from tests.service.desks import SteppingClock, office

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from actors.kernel.behavior import BatchResult
    from actors.kernel.envelope import Envelope
    from actors.store.store import BoundHandler
    from tests.service.desks import Office


class SetPrice(Command):
    item: str
    amount: int


class Discount(Command):
    """Changes every price, and tells nobody."""


class Greet(Command):
    """Changes a row, and publishes what no answer is about."""


class Look(Command):
    """Changes nothing."""


class Spoil(Command):
    """Changes every price, and is refused."""


class PriceSet(Event):
    item: str


class AllChanged(Event):
    pass


class Greeted(Event):
    pass


class GetPrice(Query):
    item: str
    crash: bool = False


class SumUp(Query):
    pass


class Price(Service):
    schema = "CREATE TABLE price (item TEXT PRIMARY KEY, amount INTEGER NOT NULL) STRICT;"
    reads: ClassVar[Counter[str]] = Counter()

    @command
    def set(self, tx: Transaction, cmd: SetPrice) -> int:
        tx.execute("INSERT OR REPLACE INTO price VALUES (?, ?)", cmd.item, cmd.amount)
        tx.publish(PriceSet(item=cmd.item))
        return cmd.amount

    @command
    def discount(self, tx: Transaction, cmd: Discount) -> None:
        tx.execute("UPDATE price SET amount = amount - 1")

    @command
    def greet(self, tx: Transaction, cmd: Greet) -> None:
        tx.execute("INSERT OR REPLACE INTO price VALUES ('greeted', 0)")
        tx.publish(Greeted())

    @command
    def look(self, tx: Transaction, cmd: Look) -> int:
        row = tx.one("SELECT count(*) FROM price")
        assert row is not None
        return int(row[0])

    @command
    def spoil(self, tx: Transaction, cmd: Spoil) -> Refusal:
        tx.execute("UPDATE price SET amount = 0")
        tx.publish(AllChanged())
        return Refusal.conflict("no")

    @query(cache_s=10.0, by="item", forget=[PriceSet, AllChanged])
    def get(self, tx: ReadTransaction, question: GetPrice) -> int | Refusal:
        self.reads[question.item] += 1
        if question.crash:
            raise ValueError("a bad question")
        row = tx.one("SELECT amount FROM price WHERE item = ?", question.item)
        return Refusal.not_found("no such item") if row is None else int(row[0])

    @query(cache_s=10.0)
    def sum_up(self, tx: ReadTransaction, question: SumUp) -> int:
        self.reads["sum"] += 1
        row = tx.one("SELECT coalesce(sum(amount), 0) FROM price")
        assert row is not None
        return int(row[0])


class Follower(Service):
    """Hears of prices from elsewhere."""

    schema = Price.schema

    @on(PriceSet)
    def heard(self, tx: Transaction, event: PriceSet) -> None:
        tx.execute("INSERT OR REPLACE INTO price VALUES (?, 1)", event.item)

    @query(cache_s=10.0, by="item", forget=[PriceSet])
    def get(self, tx: ReadTransaction, question: GetPrice) -> int | Refusal:
        row = tx.one("SELECT amount FROM price WHERE item = ?", question.item)
        return Refusal.not_found("not heard of") if row is None else int(row[0])


class SlowReads(InlineStore):
    """Reads at once, and says so when it is let."""

    gate: ClassVar[asyncio.Event | None] = None

    async def read(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> BatchResult:
        result = await super().read(batch, handlers)
        if self.gate is not None:
            await self.gate.wait()
        return result


@pytest.fixture(autouse=True)
def _nothing_read_yet() -> None:
    Price.reads.clear()
    SlowReads.gate = None


def counts(run: Office, name: str = "GetPrice") -> Any:
    return run.hosted["a"].cache_counts[name]


async def filled(run: Office) -> None:
    """Have the prices of x and y, and their sum, read."""
    for item in "xy":
        await run.ask("a", SetPrice(item=item, amount=5))
        assert await run.ask("a", GetPrice(item=item)) == 5
    assert await run.ask("a", SumUp()) == 10
    Price.reads.clear()


async def test_a_thousand_misses_of_one_question_are_one_reading(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Each is answered, and counted as a message that was handled; another question is its own."""
    async with office(tmp_path, {"a": Price}, clock=clock) as run:
        await run.ask("a", SetPrice(item="x", amount=5))
        asked = [run.ask("a", GetPrice(item="x")) for _ in range(1_000)]
        other = run.ask("a", GetPrice(item="y"))
        assert set(await asyncio.gather(*asked)) == {5}
        assert isinstance(await other, Refusal)
        assert Price.reads == {"x": 1, "y": 1}
        stats, count = run.system.registry.actor("a").stats(), counts(run)
        assert (stats.accepted, stats.handled, stats.refused) == (1_002, 1_001, 1)
        assert count.hits + count.waits == 999
        assert (count.misses, count.entries) == (2, 2)


@pytest.mark.parametrize(
    ("said", "forgotten"),
    [
        (SetPrice(item="x", amount=7), "x sum"),
        (Discount(), "x y sum"),
        (Greet(), "sum"),
        (Look(), ""),
        (Spoil(), ""),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_what_a_command_changes_is_forgotten(
    said: Command, forgotten: str, tmp_path: Path, clock: SteppingClock
) -> None:
    """By its events, or all where it has none; no more than that, and nothing of what was undone.

    Others in the same commit change nothing of it.
    """
    async with office(tmp_path, {"a": Price}, clock=clock) as run:
        await filled(run)
        await asyncio.gather(*(run.ask("a", each) for each in (Look(), Spoil(), said, Look())))
        for question in (GetPrice(item="x"), GetPrice(item="y"), SumUp()):
            await run.ask("a", question)
        assert sorted(Price.reads) == sorted(forgotten.split())


async def test_an_event_from_elsewhere_forgets_in_its_own_commit(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """What it has changed is seen with it, and not some time later."""
    async with office(tmp_path, {"a": Price, "b": Follower}, clock=clock) as run:
        for item in "xy":
            assert isinstance(await run.ask("b", GetPrice(item=item)), Refusal)
        await run.ask("a", SetPrice(item="x", amount=5))
        await run.until(lambda: run.count("b", "price"))
        await turns()
        assert await run.ask("b", GetPrice(item="x")) == 1
        assert run.hosted["b"].cache_counts["GetPrice"].forgotten == 1


async def test_a_reading_that_a_commit_has_overtaken_is_not_kept(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """It is told to who asked before; whoever asks after the commit reads anew."""
    async with office(tmp_path, {"a": Price}, clock=clock, store=SlowReads) as run:
        await run.ask("a", SetPrice(item="x", amount=5))
        SlowReads.gate = asyncio.Event()
        early = run.ask("a", GetPrice(item="x"))
        await turns()
        await run.ask("a", SetPrice(item="x", amount=7))
        SlowReads.gate.set()
        assert await early == 5
        assert await run.ask("a", GetPrice(item="x")) == 7
        assert counts(run).overtaken == 1


async def test_a_no_is_kept_for_a_part_of_the_time(tmp_path: Path, clock: SteppingClock) -> None:
    """A tenth of it, as shipped."""
    async with office(tmp_path, {"a": Price}, clock=clock) as run:
        await run.ask("a", SetPrice(item="x", amount=5))
        for wait_s in (0.0, 0.9, 0.2, 8.8, 0.2):
            await run.advance(wait_s)
            for item in ("x", "unknown"):
                await run.ask("a", GetPrice(item=item))
        assert Price.reads == {"x": 2, "unknown": 3}


async def test_each_question_is_counted_as_what_became_of_it(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """And each answer that was not kept on as what took it; `/metrics` has them by query."""
    async with office(tmp_path, {"a": Price}, clock=clock, settings=["cache.entries_max=2"]) as run:
        await filled(run)
        await asyncio.gather(*(run.ask("a", GetPrice(item=each)) for each in "xzz"))
        await run.ask("a", SetPrice(item="z", amount=1))
        measured = await run.system.measured(look_s_max=1.0)
    told = {
        (family.name.removeprefix("dress_rehearsal_cache_"), *sample.labels.values()): sample.value
        for family in system_families(measured)
        for sample in family.samples
        if sample.labels.get("query") == "GetPrice"
    }
    of_it = ("a", "GetPrice")
    assert told == {
        ("questions", *of_it, "hit"): 1,
        ("questions", *of_it, "miss"): 3,
        ("questions", *of_it, "waited"): 1,
        ("forgotten", *of_it, "changed"): 1,
        ("forgotten", *of_it, "evicted"): 1,
        ("forgotten", *of_it, "overtaken"): 0,
        ("entries", *of_it): 1,
        ("bytes", *of_it): told["bytes", *of_it],
    }
    assert 0 < told["bytes", *of_it] < 100


async def test_the_next_incarnation_knows_nothing(tmp_path: Path, clock: SteppingClock) -> None:
    """Whatever the last one died of."""
    async with office(tmp_path, {"a": Price}, clock=clock) as run:
        await filled(run)
        run.system.kill("a")
        assert await run.through(run.ask("a", GetPrice(item="x"))) == 5
        assert (Price.reads, counts(run).entries) == ({"x": 1}, 1)


async def test_a_question_that_crashes_is_tried_as_often_as_any(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Who asks something else with it, or what is known, is answered."""
    async with office(tmp_path, {"a": Price}, clock=clock) as run:
        await filled(run)
        asked = [
            run.ask("a", each)
            for each in (
                *(GetPrice(item="x"), GetPrice(item="z"), GetPrice(item="z", crash=True)),
                *(GetPrice(item="z"), GetPrice(item="y"), GetPrice(item="z", crash=True)),
            )
        ]
        await run.through(asyncio.wait(asked))
        *known, crashed, again = [asked[each] for each in (0, 4, 1, 3, 2, 5)]
        assert [each.result() for each in known[:2]] == [5, 5]
        assert all(isinstance(each.result(), Refusal) for each in known[2:])
        assert all(isinstance(each.exception(), DeadLettered) for each in (crashed, again))
        attempts = run.system.registry.actor("a").stats().restarts
        assert attempts == 2 * run.hosted["a"].config.service.attempts_max


async def test_who_has_time_left_is_not_told_that_it_is_too_late(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Though who asked the same before him had none."""

    class Late(Price):
        @query
        def wait(self, tx: ReadTransaction, question: Wait) -> None:
            clock.advance(2.0)

    async with office(tmp_path, {"a": Late}, clock=clock) as run:
        await run.ask("a", SetPrice(item="x", amount=5))
        asked = [
            run.ask("a", Wait()),
            run.ask("a", GetPrice(item="x"), timeout_s=1.0),
            run.ask("a", GetPrice(item="x")),
        ]
        await asyncio.wait(asked)
        assert isinstance(asked[1].exception(), DeadlineExceeded)
        assert asked[2].result() == 5


class Wait(Query):
    pass


@pytest.mark.real_time
async def test_what_is_known_is_not_told_of_a_file_that_is_gone(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Whoever has it now may have changed it."""
    async with office(tmp_path, {"a": Price}, clock=clock, store=AiosqliteStore) as run:
        await filled(run)
        assert await run.ask("a", GetPrice(item="x")) == 5
        (tmp_path / "a.db").rename(tmp_path / "elsewhere.db")
        with pytest.raises(StoreLost):
            await run.ask("a", GetPrice(item="x"))
        assert not Price.reads
