"""Where a service's schema may stand, and who is told that it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from actors.app import look_through
from actors.config import load_config
from actors.errors import ConfigError
from actors.kernel.lifecycle import Crashed, LifecycleEvent
from actors.kernel.messages import Command, Query
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.system import System
from tests.booting import app_of
from tests.kernel.kernel_harness import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.app import App

SQL = "CREATE TABLE note (seq INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"


OURS = "schema: `{}` is the framework's: call yours otherwise"


class AddNote(Command):
    text: str


class ListNotes(Query):
    pass


class Notes(Service):
    schema: ClassVar[str | Path] = SQL

    @command
    def add(self, tx: Transaction, cmd: AddNote) -> int:
        return tx.execute("INSERT INTO note (text) VALUES (?)", cmd.text)

    @query
    def every(self, tx: ReadTransaction, question: ListNotes) -> list[str]:
        return [row["text"] for row in tx.all("SELECT text FROM note ORDER BY seq")]


def made(folder: Path) -> Path:
    """A data folder is there before the process is."""
    folder.mkdir(exist_ok=True)
    return folder


async def _booted(
    folder: Path, schema: str | Path, heard: Callable[[LifecycleEvent], None] | None = None
) -> App:
    kept = schema

    class Kept(Notes):
        schema = kept

    app = app_of({"notes": Kept}, made(folder), load_config(), heard=heard)
    await app.start()
    return app


async def _noted(folder: Path, schema: str | Path, text: str) -> list[str]:
    """Add a note in a life of its own; return all that are there."""
    app = await _booted(folder, schema)
    try:
        await app.tree.ask("notes", AddNote(text=text), timeout_s=100.0)
        found: list[str] = await app.tree.ask("notes", ListNotes(), timeout_s=100.0)
        return found
    finally:
        await app.stop()


async def test_a_service_grows_out_of_its_class(tmp_path: Path) -> None:
    """SQL in the class, then a file, then a folder: it stays the same first migration."""
    data = tmp_path / "data"
    assert await _noted(data, f"\n    {SQL}\n", "a") == ["a"]
    file = tmp_path / "notes.sql"
    file.write_text(f"{SQL}\n")
    assert await _noted(data, file, "b") == ["a", "b"]
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "0001_note.sql").write_text(f"{SQL}\n\n")
    (folder / "0002_done.sql").write_text("ALTER TABLE note ADD COLUMN done INTEGER;\n")
    assert await _noted(data, folder, "c") == ["a", "b", "c"]


async def test_an_altered_schema_is_told_by_its_class(tmp_path: Path) -> None:
    """It parks at once, in one sentence, which says where: no restart mends it."""
    assert await _noted(tmp_path, SQL, "a") == ["a"]
    heard: list[LifecycleEvent] = []
    app = await _booted(tmp_path, SQL.replace("text", "words"), heard.append)
    try:
        actor = app.tree.registry.actor("notes")
        await until(lambda: actor.stats().state != "restarting")
        stats = actor.stats()
    finally:
        await app.stop()
    assert stats.state == "parked"
    assert stats.last_error is not None
    assert "Kept: " in stats.last_error
    assert "schema was altered after it was applied" in stats.last_error
    (crash,) = [event for event in heard if isinstance(event, Crashed)]
    assert crash.traceback is None


def test_a_relative_path_begins_beside_the_class() -> None:
    """Wherever the process runs, and whoever inherits it."""

    class Beside(Service):
        schema = Path("schema") / "notes"

    class Below(Beside):
        pass

    assert Below.schema == Path(__file__).parent / "schema" / "notes"


def test_a_relative_path_needs_a_file_to_begin_at() -> None:
    """A class that was typed in has none."""
    with pytest.raises(TypeError, match=r"Typed\.schema is 'notes' beside the class's file"):
        type("Typed", (Service,), {"schema": Path("notes"), "__module__": "nowhere"})


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (Path("nowhere"), "cannot read the migrations in .*nowhere"),
        (Path("nowhere.sql"), "cannot read the migrations in .*nowhere.sql"),
        ("notes", r"schema \(a str is SQL itself\):1: no semicolon ends this"),
        ("CREATE TABEL t;", "schema:1: .* in `CREATE TABEL t;`"),
        ("CREATE TABLE event (text TEXT) STRICT;", OURS.format("event")),
        ('CREATE TABLE IF NOT EXISTS "Outbox" (text TEXT) STRICT;', OURS.format("outbox")),
        ("CREATE TABLE migration (text TEXT) STRICT;", OURS.format("migration")),
    ],
)
def test_a_schema_that_is_not_there_boots_nothing(
    tmp_path: Path, schema: str | Path, says: str
) -> None:
    """It is found when the system is looked through, with whose it is."""
    wrong = type("Wrong", (Service,), {"schema": schema, "__module__": __name__})
    system = System(name="tea", services={"notes": wrong})
    with pytest.raises(ConfigError, match=f"tea: Wrong: {says}"):
        look_through([system], load_config(systems=[system]), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("schema", [None, 1, b"CREATE"])
def test_a_service_says_its_schema(tmp_path: Path, schema: Any) -> None:
    """Also that it has no table: by "". Else a forgotten one would be an empty one."""
    members = {} if schema is None else {"schema": schema}
    system = System(name="tea", services={"notes": type("Bare", (Service,), members)})
    with pytest.raises(ConfigError, match=r'Bare has no `schema`: .* "" if it has no table'):
        look_through([system], load_config(systems=[system]), tmp_path)


async def test_a_service_may_have_no_table_and_get_one_later(tmp_path: Path) -> None:
    """An empty schema is no migration: the first table is number 1."""
    app = await _booted(tmp_path, "")
    await app.stop()
    assert await _noted(tmp_path, SQL, "a") == ["a"]


async def test_a_service_is_made_once_before_its_first_life(tmp_path: Path) -> None:
    """Whoever has looked the systems through makes none twice; each life has one of its own."""
    made: list[Notes] = []

    def make() -> Notes:
        made.append(Notes())
        return made[-1]

    app = app_of({"notes": make}, tmp_path, load_config(), looked_through=True)
    assert len(made) == 1
    await app.start()
    await app.stop()
    assert len(made) == 2
