"""What does not fit shards is said before anything runs, with what to do about it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest
from structlog.testing import capture_logs

from actors.app import look_through
from actors.config import load_config
from actors.errors import ConfigError, StoreForeign
from actors.kernel.clock import SystemClock
from actors.kernel.discovery.sharding import Sharding
from actors.kernel.messages import Command, Event, Query, Refusal
from actors.kernel.rng import Rng
from actors.service.service import Service, StatelessService, command, effect, on, query
from actors.service.sharded.sharded import Cursor, Sharded
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.files.data_folder import DataFolder
from actors.store.files.file_history import read_history
from actors.store.files.manifest import ShardMark, read_manifest
from actors.store.transaction import ReadTransaction, Transaction
from actors.system import System
from actors.upgrade_check import check_upgrade
from tests.service.desks import SteppingClock, office
from tests.service.sharded.stall import (
    CountCups,
    FindByCups,
    GetOrder,
    LargestOrders,
    ListOrders,
    OpenOrder,
    Orders,
    orders,
    stall,
)

if TYPE_CHECKING:
    from pathlib import Path


class Keyed(Command):
    order_id: str


class Keyless(Command):
    pass


class Perhaps(Command):
    order_id: str | None = None


class Defaulted(Command):
    order_id: str = ""


class Listed(Command):
    order_id: list[str]


class Whole(Command):
    order_id: float


class Happened(Event):
    what: str


class Ring(Command):
    """An effect's: it runs where it was asked for, and needs no key."""

    how_often: int = 1


class Page(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Refusal]
    next: str | None
    total: int = 0


class ListThings(Query):
    limit: int = 3
    after: int = 0


class ListTotals(Query):
    limit: int = 3
    after: Cursor = "0"


class Thing(Service):
    schema: ClassVar[str] = ""

    @command
    def keyed(self, tx: Transaction, cmd: Keyed) -> None:
        tx.run(Ring())

    @effect
    async def ring(self, cmd: Ring) -> None:
        """Ring."""


def handling(message: Any, reply: Any = None) -> type[Service]:
    """Return the service with a handler more, of that message."""
    if issubclass(message, Query):

        def handle(self: Any, tx: Any, question: Any) -> Any:
            """Answer."""

        handle.__annotations__ = {"tx": ReadTransaction, "question": message, "return": reply}
        return type("Other", (Thing,), {"handle": query(handle)})

    def run(self: Any, tx: Any, cmd: Any) -> None:
        """Do nothing."""

    run.__annotations__ = {"tx": Transaction, "cmd": message, "return": None}
    mark = on(message) if issubclass(message, Event) else command
    return type("Other", (Thing,), {"handle": mark(run)})


class Runs(Thing):
    async def run(self) -> None:
        await asyncio.sleep(0)


class Tabled(Thing):
    schema = """
        CREATE TABLE line (id TEXT PRIMARY KEY, sku TEXT) STRICT;
        CREATE TABLE note (order_id TEXT, text TEXT) STRICT;
        """


class Taster(StatelessService):
    @query
    def count(self, question: FindByCups) -> int:
        return question.cups


def look(services: Any, *settings: str, folder: Path) -> None:
    system = System(name="shop", services=services)
    look_through([system], load_config(None, settings, [system]), folder)


def sharded(service: Any, **changed: Any) -> dict[str, Any]:
    declared: dict[str, Any] = {"key": "order_id", "shards": 2}
    return {"thing": Sharded(service, **(declared | changed))}


def things(shards: int) -> Sharded:
    return Sharded(Thing, key="order_id", shards=shards)


@pytest.mark.parametrize(
    ("services", "says"),
    [
        (sharded(handling(Keyless)), "Keyless has no 'order_id', so that no shard is meant: give"),
        (sharded(handling(Perhaps)), "Perhaps may have no 'order_id', so that no shard is meant"),
        (sharded(handling(Defaulted)), "Defaulted may have no 'order_id'"),
        (sharded(handling(Listed)), "Listed.order_id is a list: a key is a str, an int or a UUID"),
        (sharded(handling(Whole)), "Whole.order_id is a float: a key is a str, an int or a UUID"),
        (sharded(handling(Happened)), "it hears Happened, which has no 'order_id'"),
        (sharded(handling(FindByCups)), "FindByCups has no 'order_id', so that all shards are"),
        (sharded(handling(CountCups)), "CountCups may have no 'order_id', so that all shards are"),
        (
            sharded(handling(FindByCups, int), merge={FindByCups: "cups"}),
            "its reply is neither a list nor a struct of `items` and `next` alone",
        ),
        (
            sharded(handling(ListThings, list[Refusal]), merge={ListThings: "-size"}),
            "`merge` sorts ListThings by '-size', and what it lists has no such field",
        ),
        (
            sharded(handling(ListThings, list[Refusal]), merge={ListThings: "field"}),
            "`merge` sorts ListThings by 'field', which may be None: that has no place",
        ),
        (
            sharded(handling(ListTotals, Page), merge={ListTotals: "kind"}),
            "its reply is neither a list nor a struct of `items` and `next` alone",
        ),
        (
            sharded(handling(GetOrder, int), merge={GetOrder: sum}),
            "`merge` names GetOrder, which has 'order_id' and goes to one shard",
        ),
        (sharded(Thing, merge={GetOrder: sum}), "`merge` names GetOrder, and Thing has no @query"),
        (sharded(Thing, creates=(Keyless,)), "`creates` names Keyless, and Thing has no @command"),
        (
            sharded(Thing, creates=(Keyed,)),
            "`creates` names Keyed, which has 'order_id' and goes to one",
        ),
        (sharded(Runs), "Runs has a `run`, which each shard would run: have a service that is not"),
        (sharded(Tabled), "its table line has no column 'order_id', by which its rows could be mo"),
        (sharded(Tabled, columns={"line": "ordre"}), "its table line has no column 'ordre'"),
        (sharded(Taster), "Taster keeps nothing to be sharded: give Replicas"),
    ],
)
def test_what_does_not_fit_is_said(services: Any, says: str, tmp_path: Path) -> None:
    """With the service and what to write; no file is made."""
    with pytest.raises(ConfigError, match=r"^shop: service 'thing': ") as caught:
        look(services, folder=tmp_path)
    assert says in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_fits_is_taken(tmp_path: Path) -> None:
    """An effect needs no key; a table's key is called as it is declared."""
    look(sharded(Tabled, columns={"line": "id"}), folder=tmp_path)
    look(sharded(handling(Keyless), creates=(Keyless,)), folder=tmp_path)
    look(stall(), folder=tmp_path)


def test_a_page_of_another_cursor_is_refused(tmp_path: Path) -> None:
    """A whole number has no room for a place in each shard."""
    services = {"thing": orders(merge={ListOrders: "at", LargestOrders: "-cups", CountCups: sum})}
    with pytest.raises(ConfigError, match="by 'at', and what it lists has no such field"):
        look(services, folder=tmp_path)


def test_no_shards_is_none(tmp_path: Path) -> None:
    """Nor can the configuration have others, or a balance."""
    with pytest.raises(ValueError, match="0 shards would keep nothing"):
        Sharded(Orders, key="order_id", shards=0)
    for setting in ("service.replicas.orders=3", "service.balance.orders='round_robin'"):
        with pytest.raises(ConfigError, match="it is kept in shards, whose number its files"):
            look(stall(), setting, folder=tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (things(2), things(3), "3 shards by 'order_id', and .* in 2 shards by 'order_id': no rows"),
        (things(3), things(2), "Write Sharded.*key='order_id', shards=3"),
        (things(2), Thing, "declared with one file, and .* in 2 shards by 'order_id'"),
        (Thing, things(2), "is sharded now, and .* has it in one file, orders.db"),
    ],
)
async def test_other_shards_than_the_files_are_refused(
    tmp_path: Path, clock: SteppingClock, before: Any, after: Any, says: str
) -> None:
    """At boot, before anything starts, and so without the manifest; as they were, all is there."""
    async with office(tmp_path, {"orders": before}, clock=clock) as run:
        await run.ask("orders", Keyed(order_id="one"))
    for _ in range(2):
        with pytest.raises(ConfigError, match=says):
            async with office(tmp_path, {"orders": after}, clock=clock):
                pass
        (tmp_path / "manifest.json").unlink(missing_ok=True)
    async with office(tmp_path, {"orders": before}, clock=clock) as run:
        await run.ask("orders", Keyed(order_id="one"))


async def test_another_key_is_refused(tmp_path: Path, clock: SteppingClock) -> None:
    """The key is in the manifest, also of a backup, and in each file."""
    data, backup = tmp_path / "data", tmp_path / "backup"
    data.mkdir()
    live: Any = {"clock": SystemClock(), "store": AiosqliteStore}
    async with office(data, {"orders": orders(2)}, **live) as run:
        await run.ask("orders", OpenOrder(cups=1))
        await run.system.backup(backup)
    for folder in (data, backup):
        manifest = read_manifest(folder)
        assert manifest is not None
        marks = {name: msgspec.to_builtins(row.shard) for name, row in manifest.stores.items()}
        assert marks == {
            name: {"key": "order_id", "shards": 2} for name in ("orders-1", "orders-2")
        }

    class ByCustomer(Service):
        schema = ""

    services = {"orders": Sharded(ByCustomer, key="customer_id", shards=2)}
    with pytest.raises(ConfigError, match=r"by 'customer_id', and .* in 2 shards by 'order_id'"):
        async with office(data, services, clock=clock):
            pass
    system = System(name="shop", services={"orders": orders(3)})
    report = check_upgrade(data, look_through([system], load_config(), data), load_config().store)
    (line,) = report.lines()
    assert "declared with 3 shards by 'order_id'" in line
    (data / "manifest.json").unlink()
    with pytest.raises(ConfigError, match=r"by 'customer_id', and .* in 2 shards by 'order_id'"):
        async with office(data, services, clock=clock):
            pass


async def test_a_file_from_before_there_were_marks_is_adopted_once(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """With a line; until then the manifest alone knows of how many it is one."""
    async with office(tmp_path, {"orders": things(2)}, clock=clock):
        pass
    with closing(sqlite3.connect(tmp_path / "orders-1.db", isolation_level=None)) as connection:
        connection.execute("ALTER TABLE epoch DROP COLUMN shard_key")
        connection.execute("ALTER TABLE epoch DROP COLUMN shards")
        connection.execute("DELETE FROM migration WHERE name = '0008_shard.sql'")
    (tmp_path / "orders-2.db").rename(tmp_path / "away")
    with pytest.raises(ConfigError, match="in 2 shards by 'order_id'"):
        async with office(tmp_path, {"orders": things(3)}, clock=clock):
            pass
    (tmp_path / "away").rename(tmp_path / "orders-2.db")
    adopted = []
    for _ in range(2):
        with capture_logs() as logs:
            async with office(tmp_path, {"orders": things(2)}, clock=clock):
                pass
        adopted += [each["service"] for each in logs if each["event"] == "shard adopted"]
    assert adopted == ["orders-1"]
    config = load_config().store
    assert read_history(tmp_path / "orders-1.db", config).shard == ShardMark("order_id", 2)


async def test_a_shard_of_others_is_not_opened(tmp_path: Path, clock: SteppingClock) -> None:
    """Put in its place while the system runs, where nothing else tells them apart."""
    for shards in (2, 3):
        (tmp_path / str(shards)).mkdir()
        async with office(tmp_path / str(shards), {"orders": things(shards)}, clock=clock):
            pass
    two = Sharding("orders", "order_id", 2)
    folder = DataFolder(
        tmp_path / "2", two.names(), load_config().store, clock=clock, rng=Rng(1), sharded=[two]
    )
    folder.admit("orders-1", first=True)
    (tmp_path / "3" / "orders-1.db").replace(tmp_path / "2" / "orders-1.db")
    with pytest.raises(StoreForeign, match=r"with 2 shards by 'order_id', and .* in 3 shards"):
        folder.admit("orders-1", first=True)
