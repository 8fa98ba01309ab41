"""The room service: what can be booked, and for how much a night."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from actors.kernel.messages import Refusal
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.hotel.messages import (
    CreateRoom,
    GetRoom,
    ListRooms,
    Money,
    RegisterRoom,
    Room,
    RoomPage,
    TutorialRoom,
)

if TYPE_CHECKING:
    import sqlite3

AVAILABLE = "available"

INSERT = (
    "INSERT INTO room (id, type, rate_amount, rate_currency, number, status)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
BY_ID = "SELECT id, type, rate_amount, rate_currency, number, status FROM room WHERE id = ?"
PAGE = (
    "SELECT seq, id, type, rate_amount, rate_currency, number, status FROM room"
    " WHERE seq > ? ORDER BY seq LIMIT ?"
)
PAGE_OF_TYPE = (
    "SELECT seq, id, type, rate_amount, rate_currency, number, status FROM room"
    " WHERE type = ? AND seq > ? ORDER BY seq LIMIT ?"
)


class RoomService(Service):
    """Creates and finds rooms. A room's rate is fixed when it is made."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "room"

    def __init__(self, rate_default: Money) -> None:
        """`rate_default` is for rooms made at the tutorial's address, which names none."""
        self._rate_default = rate_default

    @command
    def create(self, tx: Transaction, cmd: CreateRoom) -> Room | Refusal:
        """Create a room under a new id."""
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

    @query
    def get(self, tx: ReadTransaction, question: GetRoom) -> Room | Refusal:
        """Find one by id."""
        row = tx.one(BY_ID, question.room_id)
        if row is None:
            return Refusal.not_found(f"there is no room {question.room_id}")
        return _room(row)

    @query
    def list(self, tx: ReadTransaction, question: ListRooms) -> RoomPage:
        """List in order of creation, of one type if one is given."""
        if question.type is None:
            rows, after = tx.page(PAGE, question.after, limit=question.limit)
        else:
            rows, after = tx.page(PAGE_OF_TYPE, question.type, question.after, limit=question.limit)
        return RoomPage(items=[_room(row) for row in rows], next=after)


def _insert(tx: Transaction, room: Room) -> None:
    rate = room.rate
    tx.execute(INSERT, room.id, room.type, rate.amount, rate.currency, room.number, room.status)


def _room(row: sqlite3.Row) -> Room:
    return Room(
        id=row["id"],
        type=row["type"],
        rate=Money(amount=row["rate_amount"], currency=row["rate_currency"]),
        number=row["number"],
        status=row["status"],
    )
