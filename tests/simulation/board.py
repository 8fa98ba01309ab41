"""A system whose answers are kept: boards of marks, and a mirror that hears of them.

Of what a board shows, one query forgets by its mark's event, one at every change, and one keeps
nothing; one depends on the time. The mirror has what it was told.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from actors import (
    Address,
    Command,
    Event,
    Query,
    ReadTransaction,
    Refusal,
    Scenario,
    Service,
    System,
    Transaction,
    command,
    on,
    query,
    service,
)
from actors.simulation import check_linearizability
from actors.simulation.check.model import Deterministic
from actors.simulation.time.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History, Operation
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client

KEPT_US: Final = 500_000
KEPT_NO_US: Final = 50_000
KEPT_S: Final = KEPT_US / 1e6
# Until when a mark is hidden, and until when it is seen.
HIDDEN_US: Final = 100_000
SEEN_US: Final = 600_000
# When it is looked at: while it is hidden, seen, and gone for longer than anything is kept.
LOOKS_S: Final = (0.0, 0.3, 1.0)
# How many marks a board has; fewer answers are kept than there are questions.
MARKS: Final = 3
ENTRIES_MAX: Final = 2
# How many look at it at once, and how often each.
LOOKERS: Final = 3
LOOKS: Final = 3


class Mark(Command):
    name: int
    value: int


class Wipe(Command):
    """Changes every mark, and tells nobody."""


class Marked(Event):
    name: int
    value: int


class ShowMark(Query):
    name: int


class ShowAll(Query):
    pass


class ShowAllNow(Query):
    pass


class SeeMark(Query):
    """What is hidden at first, and gone in the end."""

    name: int


class Mirrored(Query):
    name: int


class Shown(msgspec.Struct, frozen=True):
    value: int


class Board(Service):
    schema = """
        CREATE TABLE mark (name INTEGER PRIMARY KEY, value INTEGER NOT NULL, us INTEGER NOT NULL)
        STRICT;
    """

    @command
    def mark(self, tx: Transaction, cmd: Mark) -> Shown:
        sql = "INSERT OR REPLACE INTO mark VALUES (?, ?, ?)"
        tx.execute(sql, cmd.name, cmd.value, tx.now_us)
        tx.publish(Marked(name=cmd.name, value=cmd.value))
        return Shown(cmd.value)

    @command
    def wipe(self, tx: Transaction, cmd: Wipe) -> Shown:
        tx.execute("UPDATE mark SET value = 0")
        return Shown(0)

    @query(cache_s=KEPT_S, by="name", forget=[Marked])
    def show(self, tx: ReadTransaction, question: ShowMark) -> Shown | Refusal:
        row = tx.one("SELECT value FROM mark WHERE name = ?", question.name)
        return Refusal.not_found("not marked") if row is None else Shown(row["value"])

    @query(cache_s=KEPT_S)
    def show_all(self, tx: ReadTransaction, question: ShowAll) -> list[int]:
        return _all(tx)

    @query
    def show_all_now(self, tx: ReadTransaction, question: ShowAllNow) -> list[int]:
        return _all(tx)

    @query(cache_s=KEPT_S, by="name", forget=[Marked])
    def see(self, tx: ReadTransaction, question: SeeMark) -> Shown | Refusal:
        row = tx.one("SELECT value, us FROM mark WHERE name = ?", question.name)
        if row is None or not row["us"] + HIDDEN_US <= tx.now_us < row["us"] + SEEN_US:
            return Refusal.not_found("not to be seen now")
        return Shown(row["value"])


class Mirror(Service):
    schema = """
        CREATE TABLE mark (name INTEGER PRIMARY KEY, value INTEGER NOT NULL, often INTEGER NOT NULL)
        STRICT;
    """

    @on(Marked)
    def marked(self, tx: Transaction, event: Marked) -> None:
        sql = (
            "INSERT INTO mark VALUES (?, ?, 1)"
            " ON CONFLICT DO UPDATE SET value = excluded.value, often = often + 1"
        )
        tx.execute(sql, event.name, event.value)

    @query(cache_s=KEPT_S, by="name", forget=[Marked])
    def mirrored(self, tx: ReadTransaction, question: Mirrored) -> Shown | Refusal:
        row = tx.one("SELECT often FROM mark WHERE name = ?", question.name)
        return Refusal.not_found("not marked") if row is None else Shown(row["often"])


def _all(tx: ReadTransaction) -> list[int]:
    found = {row["name"]: row["value"] for row in tx.all("SELECT name, value FROM mark")}
    return [found.get(name, -1) for name in range(MARKS)]


class Marks(Deterministic[tuple[int, ...]]):
    """What a board shows: -1 of what was never marked."""

    def init(self) -> tuple[int, ...]:
        return (-1,) * MARKS

    def apply(self, state: tuple[int, ...], operation: Operation) -> tuple[tuple[int, ...], Any]:
        asked = operation.argument
        match operation.name:
            case "mark":
                name, value = asked
                return (*state[:name], value, *state[name + 1 :]), value
            case "wipe":
                return tuple([min(each, 0) for each in state]), 0
            case "show":
                return state, state[asked]
        return state, state


class BoardCall(msgspec.Struct, frozen=True):
    """What is done, and to which mark; while some look on, unless they look alone."""

    sort: Literal["mark", "wipe", "look", "see"] = "mark"
    name: int = 0

    def __str__(self) -> str:
        return f"{self.sort} {self.name}"


# What the board itself is asked, of which one answer follows from another.
BOARDS: Final = frozenset({"mark", "wipe", "show", "all", "now"})
SORTS: Final = ("mark", "mark", "wipe", "look", "see")


class BoardScenario(Scenario):
    """Clients mark, wipe and look; what they saw is as if they had done so one after the other."""

    name = "board"
    call_type = BoardCall
    rest_s = 30.0

    def configure(self, config: Config) -> Config:
        cache = msgspec.structs.replace(
            config.cache, entries_max=ENTRIES_MAX, refused_share=KEPT_NO_US / KEPT_US
        )
        return msgspec.structs.replace(config, cache=cache)

    async def furnish(self, system: ServiceSystem) -> None:
        pass

    def choose_call(self, choose: Chooser) -> BoardCall:
        return BoardCall(SORTS[choose(len(SORTS))], choose(MARKS))

    async def perform(self, client: Client, number: int, call: BoardCall, history: History) -> None:
        lookers = [_look_on(client, call.name, each, history) for each in range(LOOKERS)]
        match call.sort:
            case "mark":
                await asyncio.gather(_mark(client, call.name, number, history), *lookers)
            case "wipe":
                await asyncio.gather(_wipe(client, number, history), *lookers)
            case "look":
                await asyncio.gather(*lookers)
            case "see":
                for each in lookers:
                    each.close()
                await _mark(client, call.name, number, history)
                for wait_s in LOOKS_S:
                    await asyncio.sleep(wait_s)
                    await _look(client, "see", call.name, history)

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        del config
        done = history.operations
        on_board = [each for each in done if each.name in BOARDS]
        verdict = check_linearizability(on_board, Marks())
        found = [] if verdict.linearizable else [str(verdict)]
        found += _goes_back([each for each in done if each.name == "mirrored"])
        assert isinstance(clock, VirtualClock)
        if not (clock.set_forward_us or clock.set_back_us):  # else nobody knows when it was
            found += _too_late(done)
        often = dict(_rows(folder / "mirror.db", "SELECT name, often FROM mark"))
        marked = {each.argument[0] for each in done if (each.name, each.outcome) == ("mark", "ok")}
        found += [f"the mirror has not heard of {name}" for name in marked - often.keys()]
        return found


async def _mark(client: Client, name: int, number: int, history: History) -> None:
    with history.invoke(client.name, "mark", (name, number + 1)) as attempt:
        body = {"name": name, "value": number + 1}
        reply = await client.ask("POST", "/marks", body, key=f"m{number}")
        if reply.status == 201:
            attempt.ok(reply.body["value"])


async def _wipe(client: Client, number: int, history: History) -> None:
    with history.invoke(client.name, "wipe") as attempt:
        reply = await client.ask("POST", "/wipes", {}, key=f"w{number}")
        if reply.status == 201:
            attempt.ok(0)


async def _look_on(client: Client, name: int, looker: int, history: History) -> None:
    """Look at one mark and at all of them, by turns; two of the lookers ask the same."""
    for turn in range(LOOKS):
        sorts = ("show", "all", "now") if looker else ("now", "show", "mirrored")
        await _look(client, sorts[turn % len(sorts)], name, history)
        await asyncio.sleep(0.001 * looker)


async def _look(client: Client, sort: str, name: int, history: History) -> None:
    path = {"all": "/all", "now": "/now"}.get(sort, f"/{sort}/{name}")
    asked = None if sort in {"all", "now"} else name
    with history.invoke(client.name, sort, asked) as attempt:
        reply = await client.ask("GET", path)
        if reply.status in {200, 404}:
            body = reply.body
            attempt.ok(-1 if reply.status == 404 else body if asked is None else body["value"])


def _too_late(done: Sequence[Operation]) -> list[str]:
    """Return who saw a mark that was gone for long, or none where one was to be seen for long."""
    found: list[str] = []
    marks = [each for each in done if each.name == "mark"]
    for look in done:
        if (look.name, look.outcome) != ("see", "ok"):
            continue
        of_it = [each for each in marks if each.argument[0] == look.argument]
        of_it = [each for each in of_it if each.invoked < (look.returned or 0)]
        last = max(of_it, key=lambda each: each.invoked, default=None)
        if last is None or last.returned_us is None or last.returned_us > look.invoked_us:
            continue
        others = [each for each in of_it if each is not last]
        if any(each.returned is None or each.returned > last.invoked for each in others):
            continue
        looked_us = look.returned_us or 0
        is_seen = (
            last.returned_us + HIDDEN_US < look.invoked_us - KEPT_NO_US
            and looked_us < last.invoked_us + SEEN_US
        )
        if look.result == -1 and is_seen:
            found.append(f"{look} is told a no that is too old, after {last}")
        if look.result != -1 and look.invoked_us > last.returned_us + SEEN_US + KEPT_US:
            found.append(f"{look} is told what is too old, after {last}")
    return found


def _goes_back(looks: list[Operation]) -> list[str]:
    """Return where a mirror has shown less than it had shown before somebody began to look."""
    return [
        f"the mirror goes back: {later} after {earlier}"
        for later in looks
        for earlier in looks
        if earlier.argument == later.argument
        and (earlier.outcome, later.outcome) == ("ok", "ok")
        and (earlier.returned or 0) < later.invoked
        and earlier.result > later.result
    ]


def _rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


BOARD: Final = System(
    name="board",
    services={"board": Board, "mirror": Mirror},
    addresses=[
        Address("POST", "/marks", service("board", Mark, 201)),
        Address("POST", "/wipes", service("board", Wipe, 201)),
        Address("GET", "/show/{name}", service("board", ShowMark)),
        Address("GET", "/all", service("board", ShowAll)),
        Address("GET", "/now", service("board", ShowAllNow)),
        Address("GET", "/see/{name}", service("board", SeeMark)),
        Address("GET", "/mirrored/{name}", service("mirror", Mirrored)),
    ],
    scenario=lambda: BoardScenario,
)
