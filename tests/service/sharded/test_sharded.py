"""A service in shards: each key stays with its shard, and what becomes of one is that one's."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import (
    DeadLettered,
    DeadlineExceeded,
    NoSuchActor,
    NotScalable,
    ServiceUnavailable,
)
from actors.faults.lab.fault_order import FaultOrder
from actors.kernel.discovery.sharding import Sharding
from actors.kernel.messages import Refusal
from actors.service.sharded.merging import Merging, Part
from actors.service.sharded.sharded import Sharded
from tests.kernel.kernel_harness import turns
from tests.service.desks import SteppingClock, office
from tests.service.sharded.stall import (
    SHARDS,
    AddCups,
    Board,
    CountCups,
    FindByCups,
    GetOrder,
    LargestOrders,
    ListOrders,
    MoveCups,
    OpenOrder,
    OpenSome,
    Order,
    OrderPage,
    PayLater,
    PayOrder,
    PlaceOrder,
    Sell,
    Told,
    orders,
    stall,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.desks import Office

PLACES = Sharding("orders", "order_id", SHARDS)
IDS = [f"order {number}" for number in range(40)]


def ids_of(run: Office, place: str) -> list[str]:
    return [each for (each,) in run.rows(place, "SELECT id FROM orders ORDER BY seq")]


def id_in(place: str, *, but: str = "") -> str:
    return next(each for each in IDS if PLACES.place(each) == place and each != but)


def check_places(run: Office) -> Counter[str]:
    """Return how many orders each shard has, all of which are its own."""
    found: Counter[str] = Counter()
    for place in PLACES.names():
        there = ids_of(run, place)
        assert {PLACES.place(each) for each in there} <= {place}
        found[place] = len(there)
    return found


async def test_keys_stay_with_their_shard_over_restarts(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """In one process and the next: of forty keys each shard has some, and finds them again."""
    async with office(tmp_path, stall(), clock=clock) as run:
        for number, order_id in enumerate(IDS):
            assert await run.ask("orders", PlaceOrder(order_id=order_id, cups=number)) == order_id
        counts = check_places(run)
        assert counts.total() == len(IDS)
        assert min(counts.values()) > 0
        for place in PLACES.names():
            run.system.kill(place)
        await turns()
        assert (await run.ask("orders", GetOrder(order_id=IDS[7]))).cups == 7
    async with office(tmp_path, stall(), clock=clock, seed=2) as run:
        for number, order_id in enumerate(IDS):
            assert (await run.ask("orders", GetOrder(order_id=order_id))).cups == number
        assert check_places(run) == counts


def test_a_key_is_where_it_was_in_every_version() -> None:
    """Files depend on it: these are the places of these keys, as they were when it was written."""
    text = [PLACES.place(each)[-1] for each in ("a", "b", "c", "d", "Grace", "", "é", 1, "1")]
    assert text == list("242224311")


async def test_what_is_sent_goes_to_its_shard_in_order_and_once(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """A channel a shard: placed, then paid, whichever shards are killed meanwhile."""
    async with office(tmp_path, stall(), clock=clock) as run:
        for order_id in IDS:
            run.ask("till", Sell(order_id=order_id))
            run.system.kill(PLACES.place(order_id))
        await run.until(lambda: run.count("till", "heard") == 2 * len(IDS))
        told = await run.ask("till", Told())
        assert Counter(order_id for order_id, _ in told) == dict.fromkeys(IDS, 2)
        assert all(told.index([each, "placed"]) < told.index([each, "paid"]) for each in IDS)
        check_places(run)
        channels = {(each.sender, each.receiver) for each in await run.system.channels()}
        assert {("till", each) for each in PLACES.names()} <= channels
        assert ("orders-1", "till") in channels


async def test_a_shard_sends_to_another_and_to_itself(tmp_path: Path, clock: SteppingClock) -> None:
    """By the name of the service; a refusal comes back to the shard that has sent."""
    async with office(tmp_path, stall(), clock=clock) as run:
        one = id_in("orders-1")
        other, same = id_in("orders-2"), id_in("orders-1", but=one)
        for each in (one, other, same):
            await run.ask("orders", PlaceOrder(order_id=each, cups=10))
        await run.ask("orders", MoveCups(order_id=one, to=other, cups=3))
        await run.ask("orders", MoveCups(order_id=one, to=same, cups=2))
        await run.ask("orders", MoveCups(order_id=one, to=id_in("orders-3"), cups=1))
        await run.until(lambda: run.count("orders-1", "refusal") == 1)
        cups = [
            (await run.ask("orders", GetOrder(order_id=each))).cups for each in (one, other, same)
        ]
        assert cups == [4, 13, 12]


async def test_a_create_goes_by_its_request_and_makes_a_key_of_that_shard(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """So that a retry finds what was made; without a request's key any shard will do."""
    async with office(tmp_path, stall(), clock=clock) as run:
        made = [await run.ask("orders", OpenOrder(cups=1), key=f"key {n}") for n in range(12)]
        again = [await run.ask("orders", OpenOrder(cups=1), key=f"key {n}") for n in range(12)]
        assert again == made
        assert len(set(made)) == 12
        for _ in range(SHARDS):
            await run.ask("orders", OpenOrder(cups=2))
        for cups in range(12):
            await run.ask("till", OpenSome(cups=cups))
        await run.until(lambda: check_places(run).total() == 12 + SHARDS + 12)
        assert min(check_places(run).values()) > 0
        assert (await run.ask("orders", GetOrder(order_id=made[0]))).cups == 1


async def test_a_timer_stays_in_its_shard(tmp_path: Path, clock: SteppingClock) -> None:
    """One of another's key is refused where it is set, by a sentence that says what to do."""
    async with office(tmp_path, stall(), clock=clock, settings=["service.attempts_max=1"]) as run:
        one, other = id_in("orders-1"), id_in("orders-2")
        await run.ask("orders", PlaceOrder(order_id=one, cups=1))
        await run.ask("orders", PayLater(order_id=one, whose=one))
        await run.advance(1.1)
        assert (await run.ask("orders", GetOrder(order_id=one))).paid
        with pytest.raises(DeadLettered):
            await run.ask("orders", PayLater(order_id=one, whose=other))
        (letter,) = await run.letters()
        assert "tx.send('orders', ...)" in letter.reason
        # Run again, it is where it was.
        assert letter.actor == "orders-1"


async def test_a_shards_end_is_its_own(tmp_path: Path, clock: SteppingClock) -> None:
    """Suspended: the others answer, what needs it ends by its deadline with a typed error."""
    async with office(tmp_path, stall(), clock=clock) as run:
        for number, order_id in enumerate(IDS):
            await run.ask("orders", PlaceOrder(order_id=order_id, cups=number))
        run.system.suspend("orders-2")
        await turns()
        assert run.system.unhealthy() == ["orders-2"]
        assert run.system.state_of("orders-2") == "suspended"
        for order_id in IDS:
            reply = run.ask("orders", GetOrder(order_id=order_id), timeout_s=1.0)
            if PLACES.place(order_id) == "orders-2":
                await run.advance(1.1)
                with pytest.raises(DeadlineExceeded, match="orders-2"):
                    await reply
            else:
                assert isinstance(await reply, Order)
        listing = run.ask("orders", LargestOrders(), timeout_s=1.0)
        await turns()
        await run.advance(1.1)
        with pytest.raises(DeadlineExceeded, match="orders-2"):
            await listing
        registered = {each.name: each for each in run.system.registry_snapshot()}
        assert [each.name for each in registered["orders"].replicas] == PLACES.names()
        assert [each.in_rotation for each in registered["orders"].replicas] == [
            True,
            False,
            True,
            True,
        ]
        # What makes its own key, and has none of a request, makes one of the others'.
        made = [await run.ask("orders", OpenOrder(cups=1)) for _ in range(SHARDS)]
        run.system.resume("orders-2")
        await turns()
        assert len(await run.ask("orders", LargestOrders())) == len(IDS) + len(made)
        # What is asked of nobody by name, and a number that files depend on.
        with pytest.raises(NoSuchActor):
            await run.ask("orders-2", CountCups())
        with pytest.raises(NotScalable, match="in shards, whose number its files depend on"):
            await run.system.scale("orders", 5)


async def test_answers_of_all_shards_are_one(tmp_path: Path, clock: SteppingClock) -> None:
    """A list in order, a sum, and the one that has it; a key that is given asks its shard alone."""
    async with office(tmp_path, stall(), clock=clock) as run:
        for number, order_id in enumerate(IDS):
            await run.ask("orders", PlaceOrder(order_id=order_id, cups=number))
        largest = await run.ask("orders", LargestOrders())
        assert [each.cups for each in largest] == list(range(len(IDS)))[::-1]
        assert await run.ask("orders", CountCups()) == sum(range(len(IDS)))
        assert await run.ask("orders", CountCups(order_id=IDS[9])) == 9
        assert (await run.ask("orders", FindByCups(cups=17))).id == IDS[17]
        assert await run.ask("orders", FindByCups(cups=99)) == Refusal.not_found("there is none")


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
async def test_pages_neither_skip_nor_repeat(
    tmp_path: Path, clock: SteppingClock, limit: int
) -> None:
    """Whatever is placed between two of them, and in whatever order the shards have got to."""
    async with office(tmp_path, stall(), clock=clock) as run:

        async def place(first: int, last: int) -> None:
            for order_id in IDS[first:last]:
                await run.ask("orders", PlaceOrder(order_id=order_id, cups=1))
                clock.step(0.001)

        await place(0, 20)
        seen: list[str] = []
        after, pages = "0", 0
        while True:
            page = await run.ask("orders", ListOrders(limit=limit, after=after))
            seen += [each.id for each in page.items]
            assert len(page.items) == limit or page.next is None
            if pages < 5:
                await place(20 + 4 * pages, 24 + 4 * pages)
            pages += 1
            if page.next is None and len(seen) >= 20:
                break
            after = page.next
        assert len(seen) == len(set(seen))
        assert set(IDS[:20]) <= set(seen)
        if limit < 100:
            assert sorted(seen) == sorted(IDS)
        ordered = [each for each in seen if each in IDS[:20]]
        assert ordered == IDS[:20]  # in the order of their time, across the shards
        wrong = await run.ask("orders", ListOrders(after="1.2"))
        assert wrong == Refusal.invalid("after is no cursor of this list", field="after")


def test_a_page_ends_where_a_shards_does() -> None:
    """Where a handler lists fewer than it is asked for, nothing is passed over to be shown late."""
    merging = Merging("id", OrderPage, 2)
    first = [Order(id=f"a{number}", cups=1, paid=False, at_us=1) for number in range(3)]
    other = [Order(id=f"b{number}", cups=1, paid=False, at_us=1) for number in range(3)]
    parts = [Part(OrderPage(items=each, next="3"), [1, 2, 3], 3) for each in (first, other)]
    page = merging.merged(ListOrders(limit=100), parts)
    assert (page.items, page.next) == (first, "3.0")


async def test_a_fault_of_a_list_strikes_in_each_shard(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Its shards are asked what the client asks: faults, traces and counts have its name."""
    async with office(tmp_path, stall(), clock=clock) as run:
        order = FaultOrder(
            kind="latency",
            service="orders",
            of="queries",
            message_type="ListOrders",
            latency_ms=0.001,
        )
        run.system.faults.begin(order)
        page = run.system.ask("orders", ListOrders(), timeout_s=5.0)
        assert run.system.faults.mend_all()[0].hits == SHARDS
        assert (await page).items == []


async def test_shards_of_one_service_are_cut_off_from_each_other(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """What one sends another waits until that is over, and is done once."""
    async with office(tmp_path, stall(), clock=clock) as run:
        one, other = id_in("orders-1"), id_in("orders-2")
        for each in (one, other):
            await run.ask("orders", PlaceOrder(order_id=each, cups=10))
        cut = FaultOrder(kind="partition", service="orders", sender="orders", both_ways=True)
        run.system.faults.begin(cut)
        await run.ask("orders", MoveCups(order_id=one, to=other, cups=3))
        await run.advance(5.0)
        assert (await run.ask("orders", GetOrder(order_id=other))).cups == 10
        run.system.faults.mend_all()
        await run.advance(5.0)
        assert (await run.ask("orders", GetOrder(order_id=other))).cups == 13


def all_are_shown(run: Office, places: list[str]) -> bool:
    return sum(run.count(each, "shown") for each in places) == len(IDS)


async def test_a_sharded_subscriber_hears_at_the_shard_of_the_events_key(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Of what is published, and of what was kept before it was there."""
    async with office(tmp_path, {"orders": orders()}, clock=clock) as run:
        for order_id in IDS[:20]:
            await run.ask("orders", PlaceOrder(order_id=order_id, cups=1))
    board = Sharding("board", "order_id", 3)
    services: Any = {"orders": orders(), "board": Sharded(Board, key="order_id", shards=3)}
    for _ in range(2):  # and once more: what was sent is not sent again
        async with office(tmp_path, services, clock=clock) as run:
            for order_id in IDS[20:]:
                await run.ask("orders", PlaceOrder(order_id=order_id, cups=1))
            await run.until(partial(all_are_shown, run, board.names()))
            for place in board.names():
                shown = [each for (each,) in run.rows(place, "SELECT order_id FROM shown")]
                assert {board.place(each) for each in shown} == {place}


async def test_a_parked_shard_leaves_the_others(tmp_path: Path, clock: SteppingClock) -> None:
    """Its file is gone: it says so, and they serve."""
    async with office(tmp_path, stall(), clock=clock) as run:
        for order_id in IDS:
            await run.ask("orders", PlaceOrder(order_id=order_id, cups=1))
    for name in ("orders-3.db", "orders-3.db-wal", "orders-3.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    async with office(tmp_path, stall(), clock=clock) as run:
        assert run.system.unhealthy() == ["orders-3"]
        with pytest.raises(ServiceUnavailable, match="accept-loss orders-3"):
            await run.ask("orders", PayOrder(order_id=id_in("orders-3")))
        assert await run.ask("orders", PayOrder(order_id=id_in("orders-1"))) is None
        assert isinstance(await run.ask("orders", AddCups(order_id="?", cups=1)), Refusal)
