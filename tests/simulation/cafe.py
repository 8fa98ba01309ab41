"""A café whose orders are in shards: clients open, move and list them, and a board is told of all.

Each order's cups come from a till; cups go from one order to another, which may be in another
shard, and none is lost on the way. The board is in shards of its own.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from actors import (
    Address,
    Command,
    Cursor,
    Event,
    Query,
    ReadTransaction,
    Refusal,
    Refused,
    Scenario,
    Service,
    Sharded,
    System,
    Transaction,
    command,
    on,
    query,
    service,
)

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client

SHARDS: Final = 3
BOARDS: Final = 2
# What guests are called, and what each begins with.
GUESTS: Final = 6
CUPS: Final = 4
PAGE: Final = 2
# No list has as many: what goes round in one is seen twice.
PAGES_MAX: Final = 60
# How long a till waits until it is told that nobody has taken the cups.
LATE_S: Final = 0.2


class Open(Command):
    """A table without a guest: its id is made where it is kept."""

    cups: int = CUPS


class Sit(Command):
    table_id: str


class Pass(Command):
    """Pass cups to another table."""

    table_id: str
    to: str


class Take(Command):
    table_id: str
    whose: str


class Clear(Command):
    """Later, by a timer."""

    table_id: str


class Seated(Event):
    table_id: str


class Table(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    cups: int
    at_us: int


class TablePage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Table]
    next: str | None


class ListTables(Query):
    limit: int = PAGE
    after: Cursor = "0"


class GetTable(Query):
    table_id: str


class CountCups(Query):
    pass


class Tables(Service):
    schema = """
        CREATE TABLE tables (
            seq INTEGER PRIMARY KEY,
            table_id TEXT NOT NULL UNIQUE,
            cups INTEGER NOT NULL,
            cleared INTEGER NOT NULL DEFAULT 0,
            at_us INTEGER NOT NULL
        ) STRICT;
    """

    @command
    def open(self, tx: Transaction, cmd: Open) -> Table:
        return self._seat(tx, tx.new_id(), cmd.cups)

    @command
    def sit(self, tx: Transaction, cmd: Sit) -> Table:
        row = tx.one("SELECT * FROM tables WHERE table_id = ?", cmd.table_id)
        return self._seat(tx, cmd.table_id, CUPS) if row is None else _table(row)

    def _seat(self, tx: Transaction, table_id: str, cups: int) -> Table:
        sql = "INSERT INTO tables (table_id, cups, at_us) VALUES (?, ?, ?)"
        tx.execute(sql, table_id, cups, tx.now_us)
        tx.publish(Seated(table_id=table_id))
        tx.after(LATE_S, Clear(table_id=table_id))
        return Table(id=table_id, cups=cups, at_us=tx.now_us)

    @command
    def clear(self, tx: Transaction, cmd: Clear) -> None:
        tx.execute("UPDATE tables SET cleared = cleared + 1 WHERE table_id = ?", cmd.table_id)

    @command
    def pass_on(self, tx: Transaction, cmd: Pass) -> Table | Refusal:
        sql = "UPDATE tables SET cups = cups - 1 WHERE table_id = ? AND cups > 0"
        if not tx.execute(sql, cmd.table_id):
            return Refusal.conflict("there are no cups")
        tx.send("tables", Take(table_id=cmd.to, whose=cmd.table_id))
        row = tx.one("SELECT * FROM tables WHERE table_id = ?", cmd.table_id)
        assert row is not None, "it was just changed"
        return _table(row)

    @command
    def take(self, tx: Transaction, cmd: Take) -> Refusal | None:
        if not tx.execute("UPDATE tables SET cups = cups + 1 WHERE table_id = ?", cmd.table_id):
            return Refusal.not_found("nobody sits there")
        return None

    @on(Refused[Take])
    def not_taken(self, tx: Transaction, event: Refused[Take]) -> None:
        sql = "UPDATE tables SET cups = cups + 1 WHERE table_id = ?"
        assert tx.execute(sql, event.command.whose) == 1, "it comes back to who has passed it"

    @query
    def get(self, tx: ReadTransaction, question: GetTable) -> Table | Refusal:
        row = tx.one("SELECT * FROM tables WHERE table_id = ?", question.table_id)
        return Refusal.not_found("nobody sits there") if row is None else _table(row)

    @query
    def page(self, tx: ReadTransaction, question: ListTables) -> TablePage:
        sql = "SELECT * FROM tables WHERE seq > ? ORDER BY seq LIMIT ?"
        rows, following = tx.page(sql, question.after, limit=question.limit)
        return TablePage(items=[_table(row) for row in rows], next=following)

    @query
    def count(self, tx: ReadTransaction, question: CountCups) -> int:
        del question
        row = tx.one("SELECT coalesce(sum(cups), 0) FROM tables")
        return 0 if row is None else int(row[0])


class Board(Service):
    schema = "CREATE TABLE shown (table_id TEXT PRIMARY KEY) STRICT;"

    @on(Seated)
    def seated(self, tx: Transaction, event: Seated) -> None:
        tx.execute("INSERT INTO shown VALUES (?)", event.table_id)


class Door(Service):
    """Counts all, in one file."""

    schema = "CREATE TABLE seen (seq INTEGER PRIMARY KEY, table_id TEXT) STRICT;"

    @on(Seated)
    def seated(self, tx: Transaction, event: Seated) -> None:
        tx.execute("INSERT INTO seen (table_id) VALUES (?)", event.table_id)


def _table(row: Any) -> Table:
    return Table(id=row["table_id"], cups=row["cups"], at_us=row["at_us"])


class CafeCall(msgspec.Struct, frozen=True):
    sort: Literal["open", "sit", "pass", "list", "get"] = "open"
    guest: int = 0
    to: int = 0

    def __str__(self) -> str:
        return f"{self.sort} {self.guest} {self.to}"


SORTS: Final = ("open", "sit", "sit", "pass", "pass", "list", "list", "get")


class CafeScenario(Scenario):
    """Guests sit, pass cups on and look who is there."""

    name = "cafe"
    call_type = CafeCall
    rest_s = 30.0

    async def furnish(self, system: ServiceSystem) -> None:
        pass

    def choose_call(self, choose: Chooser) -> CafeCall:
        return CafeCall(SORTS[choose(len(SORTS))], choose(GUESTS), choose(GUESTS))

    async def perform(self, client: Client, number: int, call: CafeCall, history: History) -> None:
        guest, to, key = f"guest {call.guest}", f"guest {call.to}", f"k{number}"
        match call.sort:
            case "open":
                with history.invoke(client.name, "open", number) as attempt:
                    reply = await client.ask("POST", "/tables", {}, key=key)
                    if reply.status == 201:
                        attempt.ok(reply.body["id"])
            case "sit":
                with history.invoke(client.name, "sit", guest) as attempt:
                    reply = await client.ask("POST", "/seats", {"table_id": guest}, key=key)
                    if reply.status == 201:
                        attempt.ok(guest)
            case "pass":
                body = {"table_id": guest, "to": to}
                await client.ask("POST", "/cups", body, key=key)
            case "get":
                await client.ask("GET", f"/tables/guest%20{call.guest}")
            case "list":
                await _list(client, history, limit=1 + call.to % PAGE)

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        del config, clock
        rows: list[Any] = []
        for place in range(1, SHARDS + 1):
            sql = "SELECT table_id, cups, cleared FROM tables"
            rows += _rows(folder / f"tables-{place}.db", sql)
        seated = sorted(table_id for table_id, _, _ in rows)
        found = []
        if sum(cups for _, cups, _ in rows) != CUPS * len(rows):
            found.append(f"cups were lost or found: {rows}")
        found += [f"{name} was cleared {often} times" for name, _, often in rows if often != 1]
        shown = [
            table_id
            for place in range(1, BOARDS + 1)
            for (table_id,) in _rows(folder / f"board-{place}.db", "SELECT table_id FROM shown")
        ]
        if sorted(shown) != seated:
            found.append(f"the boards show {sorted(shown)}, and {seated} are seated")
        seen = [each for (each,) in _rows(folder / "door.db", "SELECT table_id FROM seen")]
        if sorted(seen) != seated:
            found.append(f"the door has seen {sorted(seen)}, and {seated} are seated")
        return found + _lists(history, seated)


async def _list(client: Client, history: History, *, limit: int) -> None:
    """Read all pages, and note what was there, in its order."""
    with history.invoke(client.name, "list") as attempt:
        items: list[tuple[int, str]] = []
        after: str | None = "0"
        for _ in range(PAGES_MAX):
            if after is None:
                break
            reply = await client.ask("GET", f"/tables?limit={limit}&after={after}")
            if reply.status != 200:
                return
            items += [(each["at_us"], each["id"]) for each in reply.body["items"]]
            after = reply.body["next"]
        attempt.ok(items)


def _lists(history: History, seated: list[str]) -> list[str]:
    """Return the lists that lack who was there before them, or have somebody twice."""
    found = []
    made = [each for each in history.operations if each.name in {"open", "sit"}]
    for each in history.operations:
        if each.name != "list" or each.outcome != "ok":
            continue
        listed = [name for _, name in each.result]
        if len(listed) != len(set(listed)):
            found.append(f"{each} has somebody twice")
        there = {
            one.result
            for one in made
            if one.outcome == "ok" and one.returned is not None and one.returned < each.invoked
        }
        if lacks := there - set(listed):
            found.append(f"{each} lacks {sorted(lacks)}")
        if others := set(listed) - set(seated):
            found.append(f"{each} has {sorted(others)}, who are not there")
    return found


def _rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


CAFE: Final = System(
    name="cafe",
    services={
        "tables": Sharded(
            Tables,
            key="table_id",
            shards=SHARDS,
            creates=(Open,),
            merge={ListTables: "at_us", CountCups: sum},
        ),
        "board": Sharded(Board, key="table_id", shards=BOARDS),
        "door": Door,
    },
    addresses=[
        Address("POST", "/tables", service("tables", Open, 201)),
        Address("POST", "/seats", service("tables", Sit, 201)),
        Address("POST", "/cups", service("tables", Pass, 201)),
        Address("GET", "/tables", service("tables", ListTables)),
        Address("GET", "/tables/{table_id}", service("tables", GetTable)),
        Address("GET", "/cups", service("tables", CountCups)),
    ],
    scenario=lambda: CafeScenario,
)
