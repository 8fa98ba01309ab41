"""A death at every commit of a booking, one after the other: the saga goes on, and the books agree.

Each path of the saga is run once to count the commits of all services on it. Then it is run again
for each of them, and at that commit, just before it or just after it and before anybody hears of
it, the service dies, or the process with all services.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from actors.kernel.messages import Refusal
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.inline_store import InlineStore
from actors.systems.hotel.card_processor.sandbox_cards import SANDBOX_CARDS, CardBehavior
from actors.systems.hotel.messages import Booking, CancelBooking, CreateBooking, ListBookings
from tests.systems.fate import Death, Fate
from tests.systems.hotel.whole import Furnished, Whole, furnish
from tests.systems.whole import outlive

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from _pytest.mark import ParameterSet

    Act = Callable[[Whole, Furnished], Awaitable[Any]]

# Ten days after the clock's start: cancelled at once, all is refunded.
CHECK_IN = dt.date(2023, 11, 24)
CARDS = {behavior: number for number, behavior in SANDBOX_CARDS.items()}


# --- The saga's paths: each can be begun again by the next process -----------------------------


def books(behavior: CardBehavior) -> Act:
    """Book, and let everything end that follows."""

    async def run(hotel: Whole, furnished: Furnished) -> Any:
        answer = await book(hotel, furnished, CARDS[behavior])
        await hotel.run_out()
        return answer

    return run


def cancels(*, days_later: float) -> Act:
    """Book, and cancel so much later; the answer is the cancellation's."""

    async def run(hotel: Whole, furnished: Furnished) -> Any:
        booking = await book(hotel, furnished, CARDS[CardBehavior.APPROVES])
        assert isinstance(booking, Booking)
        await hotel.settle()
        hotel.clock.advance(days_later * 86_400.0)
        await hotel.settle()
        answer = await hotel.ask("booking", CancelBooking(booking_id=booking.id), key="cancel")
        await hotel.run_out()
        return answer

    return run


def waits(*, for_s: float) -> Act:
    """Book while payment is suspended, for so long that somebody else ends it."""

    async def run(hotel: Whole, furnished: Furnished) -> Any:
        hotel.system.suspend("payment")
        asked = asyncio.ensure_future(book(hotel, furnished, CARDS[CardBehavior.APPROVES]))
        try:
            await hotel.settle(but="payment")
            hotel.clock.advance(for_s)
            await hotel.settle(but="payment")
            hotel.system.resume("payment")
            answer = await asked
        finally:
            asked.cancel()
        await hotel.run_out()
        return answer

    return run


def withdraws(*, while_down: str, customer_id: str | None = None) -> Act:
    """Book while a service is suspended, and cancel; the answer is the cancellation's."""

    async def run(hotel: Whole, furnished: Furnished) -> Any:
        hotel.system.suspend(while_down)
        card_number = CARDS[CardBehavior.APPROVES]
        asked = [asyncio.ensure_future(book(hotel, furnished, card_number, customer_id))]
        try:
            await hotel.settle(but=while_down)
            (booking,) = (await hotel.ask("booking", ListBookings(limit=10))).items
            cancel = hotel.ask("booking", CancelBooking(booking_id=booking.id), key="cancel")
            asked.append(asyncio.ensure_future(cancel))
            await hotel.settle(but=while_down)
            hotel.system.resume(while_down)
            booked, answer = await asyncio.gather(*asked)
            if isinstance(answer, Booking) and isinstance(booked, Refusal):
                assert "was cancelled" in booked.detail
        finally:
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        await hotel.run_out()
        return answer

    return run


async def is_unknown(hotel: Whole, furnished: Furnished) -> Any:
    """Book for a customer of whom nobody has heard."""
    answer = await book(hotel, furnished, CARDS[CardBehavior.APPROVES], customer_id="nobody")
    await hotel.run_out()
    return answer


async def book(
    hotel: Whole, furnished: Furnished, card_number: str, customer_id: str | None = None
) -> Any:
    wish = CreateBooking(
        customer_id=customer_id or furnished.customer_id,
        room_id=furnished.room_ids[0],
        check_in=CHECK_IN,
        check_out=CHECK_IN + dt.timedelta(days=2),
        card_number=card_number,
    )
    return await hotel.ask("booking", wish, key="book")


# A room that waits longer than its booking, and one that does not.
HOLDS_LONG: dict[str, Any] = {"booking_s_max": 120.0, "hold_s": 300.0}
HOLDS_SHORT: dict[str, Any] = {"booking_s_max": 300.0, "hold_s": 120.0}


class Course(NamedTuple):
    """A path of the saga: how it ends, and with how many commits of all services.

    The first `shared` are those of the approved booking, in which who dies there dies.
    """

    act: Act
    end: str
    commits: int
    times: dict[str, Any] = HOLDS_LONG
    shared: int = 0


PATHS = {
    "approved": Course(books(CardBehavior.APPROVES), "confirmed", 12),
    "first answer lost": Course(books(CardBehavior.LOSES_FIRST_ANSWER), "confirmed", 13, shared=4),
    "declined": Course(books(CardBehavior.DECLINES), "conflict", 11, shared=4),
    "never answers": Course(books(CardBehavior.NEVER_ANSWERS), "conflict", 16, shared=4),
    "charges and never answers": Course(
        books(CardBehavior.CHARGES_AND_NEVER_ANSWERS), "conflict", 17, shared=4
    ),
    "cancelled early": Course(cancels(days_later=0), "cancelled", 20, shared=12),
    "cancelled late": Course(cancels(days_later=5), "cancelled", 21, shared=12),
    "cancelled too late": Course(cancels(days_later=11), "cancelled", 17, shared=12),
    "withdrawn before its guest is known": Course(
        withdraws(while_down="customer", customer_id="nobody"), "cancelled", 5
    ),
    "withdrawn while the room is asked": Course(withdraws(while_down="room"), "cancelled", 7),
    "withdrawn while it is paid": Course(
        withdraws(while_down="payment"), "cancelled", 13, shared=3
    ),
    "timed out": Course(waits(for_s=130.0), "conflict", 11, shared=3),
    "hold expired": Course(waits(for_s=130.0), "conflict", 10, HOLDS_SHORT, shared=3),
    "unknown customer": Course(is_unknown, "not_found", 4),
}
# The next process knows of no suspension, so that who was down may be in time after all.
MAY_END_SO = {
    "timed out": "confirmed",
    "hold expired": "confirmed",
    "withdrawn before its guest is known": "conflict",
}


async def run_path(
    name: str,
    furnished: Furnished,
    kind: type[InlineStore | AiosqliteStore],
    deaths: dict[int, Death] | None = None,
) -> tuple[Fate, str]:
    """Run the path with these deaths, check everything; return how it ended."""
    course, fate = PATHS[name], Fate()
    fate.at = deaths or {}
    with tempfile.TemporaryDirectory() as folder:
        furnished.copy_to(Path(folder))
        hotel = Whole(Path(folder), store=fate.store(kind), fate=fate, hotel=course.times)
        await hotel.boot()
        try:
            await hotel.settle()
            fate.counts = True
            answer = await outlive(hotel, fate, lambda: course.act(hotel, furnished))
            fate.counts = False
            hotel.check()
            # The client asks again with its keys.
            assert await course.act(hotel, furnished) == answer
            hotel.check()
        finally:
            await hotel.stop()
        return fate, answer.kind if isinstance(answer, Refusal) else answer.status


async def die_everywhere(
    name: str,
    furnished: Furnished,
    kind: type[InlineStore | AiosqliteStore],
    death: Death,
    *,
    first: int,
    every: int,
) -> int:
    """Run the path with a death at each of its commits from `first` on; return how many it has.

    Or at every second or third, then. The last run goes past them all: nobody dies in it.
    """
    ends = {PATHS[name].end}
    if death.process and name in MAY_END_SO:
        ends.add(MAY_END_SO[name])
    at = first
    while True:
        try:
            fate, end = await run_path(name, furnished, kind, {at: death})
            assert end in ends
        except BaseException as error:
            error.add_note(f"at commit {at} (of all services, from 0): {death}")
            raise
        if fate.at:  # the path was over before
            return len(fate.commits)
        at += every


DEATHS = {
    "service, before": Death(after=False, process=False),
    "service, after": Death(after=True, process=False),
    "process, before": Death(after=False, process=True),
    "process, after": Death(after=True, process=True),
}
# A path begins where it leaves that of the approved booking, which is gone through from its start.
# Just before a commit the process leaves the files that it left just after the commit before. And
# one service's death differs by its neighbours, who live on: together these have all that they do.
# All commits are gone through of the approved booking alone, and every sixth of what else there is:
# which ones, the run's seed says.
INLINE = [
    ("approved", "process, after", 0, 1),
    *((name, "process, after", PATHS[name].shared, 6) for name in PATHS if name != "approved"),
    *(
        (name, death, PATHS[name].shared, 6)
        for name in ("approved", "charges and never answers", "cancelled early")
        for death in list(DEATHS)[:2]
    ),
]
THREADED = ("first answer lost", "cancelled early")
# Where threads differ from what runs in place: what is under way elsewhere when the death comes.
# A commit may hold what are two on an inline store, and none is left out that is a path's own.
ON_THREADS = [("first answer lost", "process, before", 0, 2)]


def also_long(short: list[tuple[str, str, int, int]], names: Iterable[str]) -> list[ParameterSet]:
    """Every path with every death at all commits, and the `short` ones as they say.

    What is not `short` is left to the long tests.
    """
    every = [(name, death, 0, 1) for name in names for death in DEATHS]
    return [
        pytest.param(*each, marks=[] if each in short else pytest.mark.long)
        for each in dict.fromkeys([*short, *every])
    ]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """Files to begin with: migrations at every death would take most of the time."""
    return asyncio.run(furnish(tmp_path_factory.mktemp("furnished"), rooms=1))


@pytest.mark.parametrize(("name", "death", "first", "every"), also_long(INLINE, PATHS))
async def test_death_at_any_commit_changes_nothing(
    furnished: Furnished, seed: int, name: str, death: str, first: int, every: int
) -> None:
    """The booking ends as it would have, the books agree, and its key has its answer.

    It is exhaustive: without a death nothing else is committed, and nothing less.
    """
    kind, fate, first = InlineStore, DEATHS[death], first + seed % every
    commits = await die_everywhere(name, furnished, kind, fate, first=first, every=every)
    assert commits == PATHS[name].commits


@pytest.mark.parametrize(("name", "death", "first", "every"), also_long(ON_THREADS, THREADED))
async def test_death_at_any_commit_changes_nothing_on_threads(
    furnished: Furnished, name: str, death: str, first: int, every: int
) -> None:
    """The same on the store of a running system."""
    kind, fate = AiosqliteStore, DEATHS[death]
    commits = await die_everywhere(name, furnished, kind, fate, first=first, every=every)
    assert commits >= PATHS[name].commits // 2
