"""Which rooms are free, a page at a time, however few they are: full blocks are passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

    from actors.store.transaction import ReadTransaction

# As in the schema's `crowd`.
BLOCK_ROOMS: Final = 64

LAST = "SELECT max(seq) AS seq FROM room"
IS_FULL = "SELECT 1 FROM crowd WHERE block = ? AND night >= ? AND night < ? AND taken = 64 LIMIT 1"
FREE = (
    "SELECT * FROM room WHERE bookable = 1 AND NOT EXISTS"
    " (SELECT 1 FROM night WHERE room_id = room.id AND night >= ? AND night < ?)"
    " AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)
FREE_OF_TYPE = (
    "SELECT * FROM room WHERE bookable = 1 AND NOT EXISTS"
    " (SELECT 1 FROM night WHERE room_id = room.id AND night >= ? AND night < ?)"
    " AND type = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)


def page_of_free_rooms(
    tx: ReadTransaction, check_in: str, check_out: str, type_: str | None, after: int, *, limit: int
) -> tuple[list[sqlite3.Row], str | None]:
    """Return what `tx.page` returns, of the rooms that can be booked from day to day."""
    found: list[sqlite3.Row] = []
    sql, filters = (FREE, ()) if type_ is None else (FREE_OF_TYPE, (type_,))
    row = tx.one(LAST)
    last = 0 if row is None or row["seq"] is None else row["seq"]
    while after < last and len(found) <= limit:
        block = after // BLOCK_ROOMS  # that of the room behind `after`
        end = (block + 1) * BLOCK_ROOMS
        if tx.one(IS_FULL, block, check_in, check_out) is None:
            wanted = limit + 1 - len(found)
            found += tx.all(sql, check_in, check_out, *filters, after, end, wanted)
        after = end
    page = found[:limit]
    return page, str(page[-1]["seq"]) if len(found) > limit else None
