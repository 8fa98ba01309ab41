"""The room service: what can be booked, when, and for how much a night."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
from msgspec import UNSET

from actors.kernel.messages import Refusal
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.hotel.currency import refuse_currency
from actors.systems.hotel.free_rooms import page_of_free_rooms
from actors.systems.hotel.messages import (
    ChangeRoom,
    CreateRoom,
    GetRoom,
    ListRooms,
    Money,
    RegisterRoom,
    Room,
    RoomChanged,
    RoomPage,
    TutorialRoom,
)
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
from actors.systems.hotel.stay import nights, price_of_stay, refuse_stay

if TYPE_CHECKING:
    import sqlite3

AVAILABLE = "available"

INSERT = (
    "INSERT INTO room (id, type, rate_amount, rate_currency, number, status)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
BY_ID = "SELECT * FROM room WHERE id = ?"
PAGE = "SELECT * FROM room WHERE seq > ? ORDER BY seq LIMIT ?"
PAGE_OF_TYPE = "SELECT * FROM room WHERE type = ? AND seq > ? ORDER BY seq LIMIT ?"
CHANGE = "UPDATE room SET rate_amount = ?, rate_currency = ?, number = ?, status = ? WHERE id = ?"

HOLD = "SELECT * FROM hold WHERE id = ?"
ENDED = "SELECT 1 FROM ended_hold WHERE id = ?"
TAKEN = "SELECT 1 FROM night WHERE room_id = ? AND night >= ? AND night < ?"
INSERT_HOLD = (
    "INSERT INTO hold (id, room_id, check_in, check_out, price_amount, price_currency, state,"
    " expires_us) VALUES (?, ?, ?, ?, ?, ?, 'held', ?)"
)
TAKE_NIGHT = "INSERT INTO night (room_id, night, hold_id) VALUES (?, ?, ?)"
CONFIRM = "UPDATE hold SET state = 'confirmed' WHERE id = ?"
FREE_NIGHTS = "DELETE FROM night WHERE hold_id = ?"
DELETE_HOLD = "DELETE FROM hold WHERE id = ?"
REMEMBER_ENDED = "INSERT INTO ended_hold (id) VALUES (?) ON CONFLICT DO NOTHING"


class RoomService(Service):
    """Creates and finds rooms, and holds their nights: never one night for two.

    A stay's price is fixed when its nights are held: at the rate that the room has then, and only
    if it is available then. What is held or confirmed stays so, whatever becomes of the room.
    """

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "room"

    def __init__(self, rate_default: Money, *, nights_max: int) -> None:
        """`rate_default` is for rooms made at the tutorial's address, which names none."""
        self._rate_default = rate_default
        self._nights_max = nights_max

    # --- Rooms -------------------------------------------------------------------------------

    @command
    def create(self, tx: Transaction, cmd: CreateRoom) -> Room | Refusal:
        """Create a room under a new id."""
        refusal = refuse_currency(cmd.rate, field="rate")
        if refusal is not None:
            return refusal
        room = Room(
            id=tx.new_id(), type=cmd.type, rate=cmd.rate, number=cmd.number, status=AVAILABLE
        )
        _insert(tx, room)
        return room

    @command
    def register(self, tx: Transaction, cmd: RegisterRoom) -> TutorialRoom | Refusal:
        """Create a room as the tutorial does, under the caller's id if there is one."""
        registered = TutorialRoom(id=cmd.id or tx.new_id(), type=cmd.type, status=cmd.status)
        row = tx.one(BY_ID, registered.id)
        if row is None:
            _insert(
                tx,
                Room(
                    id=registered.id,
                    type=registered.type,
                    rate=self._rate_default,
                    number=None,
                    status=registered.status,
                ),
            )
        elif (row["type"], row["status"]) != (registered.type, registered.status):
            return Refusal.conflict(f"room {registered.id} exists, and is another")
        return registered

    @command
    def change(self, tx: Transaction, cmd: ChangeRoom) -> Room | Refusal:
        """Change what is given, for whoever comes from now on. The same again changes nothing."""
        row = tx.one(BY_ID, cmd.room_id)
        if row is None:
            return _unknown(cmd.room_id)
        refusal = None if cmd.rate is UNSET else refuse_currency(cmd.rate, field="rate")
        if refusal is not None:
            return refusal
        before = _room(row)
        fields = {"status": cmd.status, "rate": cmd.rate, "number": cmd.number}
        given = {name: value for name, value in fields.items() if value is not UNSET}
        after = msgspec.structs.replace(before, **given)
        if after != before:
            rate = after.rate
            # As its caller wrote it, unless that is what changes: see `register`.
            status = row["status"] if cmd.status is UNSET else cmd.status
            tx.execute(CHANGE, rate.amount, rate.currency, after.number, status, after.id)
            tx.publish(RoomChanged(before=before, after=after))
        return after

    @query
    def get(self, tx: ReadTransaction, question: GetRoom) -> Room | Refusal:
        """Find one by id."""
        row = tx.one(BY_ID, question.room_id)
        return _unknown(question.room_id) if row is None else _room(row)

    @query
    def list(self, tx: ReadTransaction, question: ListRooms) -> RoomPage | Refusal:
        """List in order of creation, of one type if one is given, the free ones if dates are."""
        check_in, check_out, type_ = question.check_in, question.check_out, question.type
        after, limit = question.after, question.limit
        if check_in is not None and check_out is not None:
            refusal = refuse_stay(check_in, check_out, nights_max=self._nights_max)
            if refusal is not None:
                return refusal
            days = (check_in.isoformat(), check_out.isoformat())
            rows, next_ = page_of_free_rooms(tx, *days, type_, after, limit=limit)
        elif check_in is not None or check_out is not None:
            missing = "check_out" if check_out is None else "check_in"
            detail = f"{missing} is missing: rooms are free from one day to another"
            return Refusal.invalid(detail, field=missing)
        elif type_ is not None:
            rows, next_ = tx.page(PAGE_OF_TYPE, type_, after, limit=limit)
        else:
            rows, next_ = tx.page(PAGE, after, limit=limit)
        return RoomPage(items=[_room(row) for row in rows], next=next_)

    # --- Holds -------------------------------------------------------------------------------

    @command
    def hold(self, tx: Transaction, cmd: HoldRoom) -> RoomHeld | Refusal:
        """Take the nights, fix the price, and tell everyone. The same hold again changes nothing.

        Unless confirmed within `hold_s`, the nights are free again.
        """
        held = _held_before(tx, cmd.hold_id)
        if held is None:
            held = self._hold(tx, cmd)
        if isinstance(held, RoomHeld):
            tx.publish(held)
        return held

    def _hold(self, tx: Transaction, cmd: HoldRoom) -> RoomHeld | Refusal:
        room = tx.one(BY_ID, cmd.room_id)
        if room is None:
            return _unknown(cmd.room_id)
        if not room["bookable"]:
            detail = f"room {cmd.room_id} cannot be booked: its status is {room['status']}"
            return Refusal.conflict(detail)
        check_in, check_out = cmd.check_in.isoformat(), cmd.check_out.isoformat()
        if tx.one(TAKEN, cmd.room_id, check_in, check_out) is not None:
            return Refusal.conflict(f"room {cmd.room_id} is taken for one of these nights")
        price = price_of_stay(_room(room).rate, cmd.check_in, cmd.check_out)
        if isinstance(price, Refusal):
            return price
        tx.execute(
            INSERT_HOLD,
            cmd.hold_id,
            cmd.room_id,
            check_in,
            check_out,
            price.amount,
            price.currency,
            tx.now_us + round(cmd.hold_s * 1_000_000),
        )
        for night in nights(cmd.check_in, cmd.check_out):
            tx.execute(TAKE_NIGHT, cmd.room_id, night, cmd.hold_id)
        tx.after(cmd.hold_s, ExpireHold(hold_id=cmd.hold_id))
        return RoomHeld(hold_id=cmd.hold_id, room_id=cmd.room_id, price=price)

    @command
    def confirm(self, tx: Transaction, cmd: ConfirmHold) -> Refusal | None:
        """Keep the nights for good. Confirming again changes nothing."""
        hold = tx.one(HOLD, cmd.hold_id)
        if hold is None:
            return Refusal.conflict("the room's hold was over before the booking was paid")
        tx.execute(CONFIRM, cmd.hold_id)
        tx.publish(HoldConfirmed(hold_id=cmd.hold_id))
        return None

    @command
    def release(self, tx: Transaction, cmd: ReleaseHold) -> None:
        """Free the nights, whether they were held, confirmed, or not even that any more."""
        _end(tx, cmd.hold_id)
        tx.publish(HoldReleased(hold_id=cmd.hold_id))

    @command
    def expire(self, tx: Transaction, cmd: ExpireHold) -> None:
        """Free the nights that were neither confirmed nor released."""
        hold = tx.one(HOLD, cmd.hold_id)
        if hold is not None and hold["state"] == "held":
            _end(tx, cmd.hold_id)
            tx.publish(HoldExpired(hold_id=cmd.hold_id))


def _held_before(tx: Transaction, hold_id: str) -> RoomHeld | Refusal | None:
    """Return what this hold got when it came before; None if it comes for the first time."""
    hold = tx.one(HOLD, hold_id)
    if hold is not None:
        price = Money(amount=hold["price_amount"], currency=hold["price_currency"])
        return RoomHeld(hold_id=hold_id, room_id=hold["room_id"], price=price)
    if tx.one(ENDED, hold_id) is not None:
        return Refusal.conflict("this hold is over, and cannot begin again")
    return None


def _end(tx: Transaction, hold_id: str) -> None:
    tx.execute(FREE_NIGHTS, hold_id)
    tx.execute(DELETE_HOLD, hold_id)
    tx.execute(REMEMBER_ENDED, hold_id)


def _unknown(room_id: str) -> Refusal:
    return Refusal.not_found(f"there is no room {room_id}")


def _insert(tx: Transaction, room: Room) -> None:
    rate = room.rate
    tx.execute(INSERT, room.id, room.type, rate.amount, rate.currency, room.number, room.status)


def _room(row: sqlite3.Row) -> Room:
    return Room(
        id=row["id"],
        type=row["type"],
        rate=Money(amount=row["rate_amount"], currency=row["rate_currency"]),
        number=row["number"],
        status=row["status"] or AVAILABLE,  # the tutorial's rooms may have none
    )
