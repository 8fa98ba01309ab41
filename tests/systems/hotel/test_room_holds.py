"""Holds: no night for two, a price that is fixed, and an end that is final."""

from __future__ import annotations

import datetime as dt
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.kernel.messages import Refusal
from actors.systems.hotel.booking import BookingService
from actors.systems.hotel.messages import (
    MINOR_UNITS_MAX,
    CreateRoom,
    ListRooms,
    Money,
    RoomPage,
)
from actors.systems.hotel.room import RoomService
from actors.systems.hotel.saga_messages import (
    ConfirmHold,
    ExpireHold,
    HoldConfirmed,
    HoldExpired,
    HoldReleased,
    HoldRoom,
    ReleaseHold,
    RoomHeld,
)
from tests.systems.stage import Stage, stage

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

RATE = Money(amount=12_345, currency="EUR")
DAY = dt.date(2030, 3, 1)


def rooms(folder: Path) -> AbstractAsyncContextManager[Stage]:
    service = RoomService(RATE, nights_max=366)
    return stage(service, folder, name="room", others={"booking": BookingService})


async def new_room(on_: Stage, rate: Money = RATE) -> str:
    room_id: str = (await on_.ask(CreateRoom(type="double", rate=rate))).id
    return room_id


def a_hold(hold_id: str, room_id: str, *, first: int = 0, count: int = 2) -> HoldRoom:
    check_in = DAY + dt.timedelta(days=first)
    return HoldRoom(
        hold_id=hold_id,
        room_id=room_id,
        check_in=check_in,
        check_out=check_in + dt.timedelta(days=count),
        hold_s=300.0,
    )


def nights(on_: Stage) -> list[tuple[str, str]]:
    rows = on_.rows("SELECT night, hold_id FROM night ORDER BY night")
    return [(row["night"], row["hold_id"]) for row in rows]


def events(on_: Stage) -> list[Any]:
    return [message for receiver, message in on_.sent if receiver == "booking"]


async def free(on_: Stage, first: int, count: int, **fields: Any) -> list[str]:
    check_in = DAY + dt.timedelta(days=first)
    page = await on_.ask(
        ListRooms(
            limit=10, check_in=check_in, check_out=check_in + dt.timedelta(days=count), **fields
        )
    )
    assert isinstance(page, RoomPage)
    return [room.id for room in page.items]


async def test_a_hold_takes_its_nights_at_the_rate_of_now(tmp_path: Path) -> None:
    """One row a night, the price for all of them, a timer, and everyone hears of it."""
    async with rooms(tmp_path) as on_:
        room_id = await new_room(on_)
        held = await on_.ask(a_hold("h", room_id, count=3))
        price = Money(amount=3 * RATE.amount, currency="EUR")
        assert held == RoomHeld(hold_id="h", room_id=room_id, price=price)
        assert nights(on_) == [("2030-03-01", "h"), ("2030-03-02", "h"), ("2030-03-03", "h")]
        assert events(on_) == [held]
        assert on_.timers == [(300.0, ExpireHold(hold_id="h"))]


async def test_a_taken_night_and_an_unknown_room_are_refused(tmp_path: Path) -> None:
    """Nothing is kept of it; the nights beside it are still free."""
    async with rooms(tmp_path) as on_:
        room_id, other_id = await new_room(on_), await new_room(on_)
        await on_.ask(a_hold("h", room_id, first=2, count=2))
        for first, count in [(0, 3), (2, 2), (2, 1), (3, 1), (3, 5), (0, 9)]:
            reply = await on_.ask(a_hold("other", room_id, first=first, count=count))
            assert isinstance(reply, Refusal)
            assert reply.kind == "conflict"
            assert (on_.sent, on_.timers) == ([], [])
        reply = await on_.ask(a_hold("other", "nowhere"))
        assert reply == Refusal.not_found("there is no room nowhere")
        assert len(nights(on_)) == 2
        for index, fits in enumerate(
            [a_hold("a", room_id), a_hold("b", room_id, first=4), a_hold("c", other_id, first=2)]
        ):
            assert isinstance(await on_.ask(fits), RoomHeld), index


async def test_the_table_itself_forbids_a_night_for_two(tmp_path: Path) -> None:
    """Whatever a handler would do."""
    async with rooms(tmp_path) as on_:
        room_id = await new_room(on_)
        await on_.send(a_hold("h", room_id, count=1), a_hold("i", room_id, first=1, count=1))
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            on_.execute("UPDATE night SET night = '2030-03-01' WHERE hold_id = 'i'")
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            on_.execute("INSERT INTO night VALUES (?, '2030-03-01', 'i')", room_id)
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            on_.execute("INSERT INTO night VALUES (?, '2030-04-01', 'nobody')", room_id)


async def test_the_same_hold_again_is_the_same_hold(tmp_path: Path) -> None:
    """Held, or confirmed: the same event, no second timer, no second row."""
    async with rooms(tmp_path) as on_:
        room_id = await new_room(on_)
        held = await on_.ask(a_hold("h", room_id))
        assert await on_.ask(a_hold("h", room_id)) == held
        assert (events(on_), on_.timers) == ([held], [])
        await on_.ask(ConfirmHold(hold_id="h"))
        assert await on_.ask(a_hold("h", room_id)) == held
        assert len(nights(on_)) == 2


async def test_a_confirmed_hold_does_not_expire(tmp_path: Path) -> None:
    """However often it is confirmed, and its timer fires."""
    async with rooms(tmp_path) as on_:
        room_id = await new_room(on_)
        await on_.ask(a_hold("h", room_id))
        for _ in range(2):
            assert await on_.ask(ConfirmHold(hold_id="h")) is None
            assert events(on_) == [HoldConfirmed(hold_id="h")]
            await on_.ask(ExpireHold(hold_id="h"))
            assert events(on_) == []
        assert len(nights(on_)) == 2


@pytest.mark.parametrize("confirmed", [False, True])
async def test_a_released_hold_frees_its_nights(tmp_path: Path, *, confirmed: bool) -> None:
    """Held or confirmed, and again: whoever asks is told that it is released."""
    async with rooms(tmp_path) as on_:
        room_id = await new_room(on_)
        await on_.ask(a_hold("h", room_id))
        await on_.ask(a_hold("other", room_id, first=5))
        if confirmed:
            await on_.ask(ConfirmHold(hold_id="h"))
        for _ in range(2):
            await on_.ask(ReleaseHold(hold_id="h"))
            assert events(on_) == [HoldReleased(hold_id="h")]
        assert {hold_id for _, hold_id in nights(on_)} == {"other"}


@pytest.mark.parametrize("end", [ReleaseHold(hold_id="h"), ExpireHold(hold_id="h")])
async def test_a_hold_that_is_over_is_over(tmp_path: Path, end: Any) -> None:
    """It is neither confirmed nor begun again, and its timer finds nothing to do."""
    async with rooms(tmp_path) as on_:
        room_id = await new_room(on_)
        await on_.ask(a_hold("h", room_id))
        await on_.ask(end)
        assert nights(on_) == []
        for late in (ConfirmHold(hold_id="h"), a_hold("h", room_id)):
            reply = await on_.ask(late)
            assert isinstance(reply, Refusal)
            assert reply.kind == "conflict"
        await on_.ask(ExpireHold(hold_id="h"))
        assert (on_.sent, nights(on_)) == ([], [])
        assert isinstance(await on_.ask(a_hold("next", room_id)), RoomHeld)


async def test_a_release_that_overtakes_its_hold_prevents_it(tmp_path: Path) -> None:
    """As when the hold was a dead letter, and is replayed."""
    async with rooms(tmp_path) as on_:
        room_id = await new_room(on_)
        await on_.ask(ReleaseHold(hold_id="h"))
        assert events(on_) == [HoldReleased(hold_id="h")]
        assert isinstance(await on_.ask(a_hold("h", room_id)), Refusal)
        assert nights(on_) == []


async def test_an_expired_hold_is_announced(tmp_path: Path) -> None:
    """Once."""
    async with rooms(tmp_path) as on_:
        await on_.ask(a_hold("h", await new_room(on_)))
        await on_.ask(ExpireHold(hold_id="h"))
        assert events(on_) == [HoldExpired(hold_id="h")]


async def test_a_price_beyond_what_money_holds_is_refused(tmp_path: Path) -> None:
    """Every rate can be booked for a night, and none for more than a payment takes."""
    async with rooms(tmp_path) as on_:
        room_id = await new_room(on_, Money(amount=MINOR_UNITS_MAX, currency="EUR"))
        reply = await on_.ask(a_hold("h", room_id, count=2))
        assert isinstance(reply, Refusal)
        assert reply.kind == "conflict"
        assert isinstance(await on_.ask(a_hold("h", room_id, count=1)), RoomHeld)


# --- Availability ----------------------------------------------------------------------------


async def test_free_rooms_are_those_with_every_night_free(tmp_path: Path) -> None:
    """Held and confirmed nights are taken, released ones are not; a day of departure is free."""
    async with rooms(tmp_path) as on_:
        one, two = await new_room(on_), await new_room(on_)
        await on_.ask(a_hold("h", one, first=2, count=2))
        assert await free(on_, 0, 2) == [one, two]
        assert await free(on_, 4, 1) == [one, two]
        for first, count in [(0, 3), (2, 1), (3, 1), (3, 9), (0, 9)]:
            assert await free(on_, first, count) == [two]
            assert await free(on_, first, count, type="double") == [two]
            assert await free(on_, first, count, type="suite") == []
            assert await free(on_, first, count, after=2) == []
        await on_.ask(ConfirmHold(hold_id="h"))
        assert await free(on_, 2, 2) == [two]
        await on_.ask(ReleaseHold(hold_id="h"))
        assert await free(on_, 2, 2) == [one, two]
        assert len((await on_.ask(ListRooms(limit=10))).items) == 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"check_in": DAY}, "check_out"),
        ({"check_out": DAY}, "check_in"),
        ({"check_in": DAY, "check_out": DAY}, "check_out"),
        ({"check_in": dt.date.min, "check_out": dt.date.max}, "check_out"),
    ],
)
async def test_dates_that_are_no_stay_are_refused(
    tmp_path: Path, fields: dict[str, dt.date], field: str
) -> None:
    """The refusal names what is missing or impossible."""
    async with rooms(tmp_path) as on_:
        reply = await on_.ask(ListRooms(limit=10, **fields))  # type: ignore[arg-type]
        assert isinstance(reply, Refusal)
        assert (reply.kind, reply.field) == ("invalid", field)


HOLDS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "hold", "confirm", "release", "expire"]),
        st.integers(0, 5),
        st.integers(0, 8),
        st.integers(1, 4),
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(HOLDS)
async def test_any_sequence_of_holds_keeps_nights_and_holds_in_agreement(
    moves: list[tuple[str, int, int, int]],
) -> None:
    """Against a model: a set of nights a hold, and holds that never come back."""
    with tempfile.TemporaryDirectory() as folder:
        async with rooms(Path(folder)) as on_:
            room_id = await new_room(on_)
            live: dict[str, set[str]] = {}
            confirmed: set[str] = set()
            over: set[str] = set()
            for kind, number, first, count in moves:
                hold_id = f"h{number}"
                if kind == "hold":
                    cmd = a_hold(hold_id, room_id, first=first, count=count)
                    wanted = {
                        (cmd.check_in + dt.timedelta(days=day)).isoformat() for day in range(count)
                    }
                    taken = set().union(*live.values())
                    fits = hold_id in live or (hold_id not in over and not wanted & taken)
                    assert isinstance(await on_.ask(cmd), RoomHeld) == fits
                    if fits:
                        live.setdefault(hold_id, wanted)
                elif kind == "confirm":
                    reply = await on_.ask(ConfirmHold(hold_id=hold_id))
                    assert (reply is None) == (hold_id in live)
                    confirmed |= {hold_id} & live.keys()
                elif kind == "release":
                    await on_.ask(ReleaseHold(hold_id=hold_id))
                    live.pop(hold_id, None)
                    over.add(hold_id)
                elif hold_id in live.keys() - confirmed:
                    await on_.ask(ExpireHold(hold_id=hold_id))
                    live.pop(hold_id)
                    over.add(hold_id)
                else:
                    await on_.ask(ExpireHold(hold_id=hold_id))
            expected = {(night, hold_id) for hold_id, taken in live.items() for night in taken}
            assert set(nights(on_)) == expected
