"""A file's schema is exactly the SQL that this program ships, or it is refused."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from actors.errors import SchemaError
from actors.store.files.sqlite_file import database_path, translate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_NAME: Final = re.compile(r"([0-9]{4})_([a-z0-9_]+)\.sql")
# Possessive, so that a long run of blanks cannot make it backtrack.
_BLANK: Final = re.compile(r"(?:\s|--[^\n]*+|/\*.*?\*/)*+", re.DOTALL)

# One table for every schema in the file: the store's own and its service's.
_BOOKKEEPING: Final = """
CREATE TABLE IF NOT EXISTS migration (
    schema TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,
    applied_us INTEGER NOT NULL, PRIMARY KEY (schema, number)
) STRICT
"""

# What would end or escape the one transaction, or what would not outlive the connection.
_FORBIDDEN: Final = frozenset(
    {
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_DETACH,
        sqlite3.SQLITE_CREATE_TEMP_INDEX,
        sqlite3.SQLITE_CREATE_TEMP_TABLE,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_CREATE_TEMP_VIEW,
    }
)
# SQLite runs these itself, for ALTER TABLE ADD COLUMN ... CHECK and for full-text tables.
_PRAGMAS_ALLOWED: Final = frozenset({"quick_check", "data_version"})
_BOOKKEEPING_WRITES: Final = frozenset(
    {
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_DROP_TABLE,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One SQL statement of a migration and the line it starts on, counted from 1."""

    line: int
    sql: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """One text of SQL, of a numbered file or of a class that needs no more.

    `checksum` is what is noted when it is applied, and the same whatever line endings a checkout
    gave it: of a file's text it is that of the whole, as an earlier version computes it. Known
    again is the text by all of `checksums`, one of which leaves out the blanks around it: what
    moves from a class into a file stays the same migration.
    """

    number: int
    name: str
    checksum: str
    checksums: frozenset[str]
    statements: tuple[Statement, ...]


def load_migrations(schema: Path | str) -> tuple[Migration, ...]:
    """Read a schema: of a folder the numbered files; a text, or one file, is the first of them.

    A text of blanks is none at all. Raises SchemaError for what cannot be read.
    """
    if isinstance(schema, str):
        return _load_single("schema", schema, where="schema (a str is SQL itself)", trimmed=True)
    try:
        if schema.is_file():
            return _load_single(schema.name, _text(_read(str(schema))), where=str(schema))
        return _load_folder(schema)
    except (OSError, UnicodeDecodeError) as error:
        message = (
            f"cannot read the migrations in {schema}: {error}; a schema is SQL itself, or the Path "
            f"of a .sql file or of a folder of them"
        )
        raise SchemaError(message) from error


def _load_single(
    name: str, text: str, *, where: str, trimmed: bool = False
) -> tuple[Migration, ...]:
    return (_migration(1, name, text, where=where, trimmed=trimmed),) if text.strip() else ()


def _load_folder(folder: Path) -> tuple[Migration, ...]:
    """Read the folder's migrations, numbered 1, 2, 3 ... without a gap.

    Anything else in the folder, hidden files apart, is a SchemaError: a misnamed migration would
    otherwise be skipped in silence.
    """
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208 - at each boot
    migrations = tuple(_load(f"{folder}{os.sep}{name}", name) for name in names)
    if not migrations:
        message = f"{folder} holds no migration; the first is named 0001_NAME.sql"
        raise SchemaError(message)
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            message = (
                f"{folder / migration.name}: expected number {expected:04}; "
                f"numbers start at 0001 and have neither gaps nor duplicates"
            )
            raise SchemaError(message)
    return migrations


def migrate(
    connection: sqlite3.Connection, schema: str, migrations: Sequence[Migration], *, now_us: int
) -> int:
    """Bring `schema` up to date in one transaction; return how many migrations that took.

    All or nothing, and safe against a second opener of the same file. References are checked at
    the end and not in between, so that a table may be rebuilt (sqlite.org/lang_altertable.html).
    The connection is in autocommit mode and `now_us` is microseconds since the epoch. Raises
    SchemaError, which names the file and the statement; StoreRefused or StoreCorrupt for the disk.
    """
    # Looked at without the lock first: the usual reopen finds nothing to do, and must not wait
    # for the transaction of a dead incarnation that is still running.
    with _typed(connection, f"schema {schema}"):
        if not pending_migrations(connection, schema, migrations):
            return 0
        with _transaction(connection):
            connection.execute(_BOOKKEEPING)
            pending = pending_migrations(connection, schema, migrations)
            for migration in pending:
                _apply(connection, migration)
                connection.execute(
                    "INSERT INTO migration VALUES (?, ?, ?, ?, ?)",
                    (schema, migration.number, migration.name, migration.checksum, now_us),
                )
            _check_references(connection, schema)
            return len(pending)


def _load(path: str, name: str) -> Migration:
    match = _NAME.fullmatch(name)
    if match is None:
        message = f"{path} is not named like a migration: NNNN_name.sql, in lower case"
        raise SchemaError(message)
    return _migration(int(match[1]), name, _read(path), where=path)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - at each boot, some dozens of them
        return file.read()


def _text(content: bytes) -> str:
    text = content.decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


# Every boot reads its migrations again, and a simulation boots twice a run.
@lru_cache(maxsize=256)
def _migration(
    number: int, name: str, content: str | bytes, *, where: str, trimmed: bool = False
) -> Migration:
    text = content if isinstance(content, str) else _text(content)
    whole, bare = [hashlib.sha256(each.encode()).hexdigest() for each in (text, text.strip())]
    return Migration(
        number=number,
        name=name,
        checksum=bare if trimmed else whole,
        checksums=frozenset({whole, bare}),
        statements=_split(text, where),
    )


def _split(text: str, where: str) -> tuple[Statement, ...]:
    # Not executescript(): it commits the transaction it is called in.
    if "\0" in text:
        message = f"{where} contains a NUL character, at which SQLite would stop reading"
        raise SchemaError(message)
    statements = []
    start = _skip_blank(text, 0)
    for semicolon in re.finditer(";", text):
        # False inside literals, comments and triggers, so the next semicolon is tried.
        if sqlite3.complete_statement(text[start : semicolon.end()]):
            line = text.count("\n", 0, start) + 1
            statements.append(Statement(line=line, sql=text[start : semicolon.end()]))
            start = _skip_blank(text, semicolon.end())
    if start < len(text):
        line = text.count("\n", 0, start) + 1
        message = f"{where}:{line}: no semicolon ends this; or is a quote or a comment left open?"
        raise SchemaError(message)
    return tuple(statements)


def _skip_blank(text: str, start: int) -> int:
    match = _BLANK.match(text, start)
    return start if match is None else match.end()


def pending_migrations(
    connection: sqlite3.Connection, schema: str, migrations: Sequence[Migration]
) -> Sequence[Migration]:
    """Return those that are still to be applied. Raises SchemaError where the file is not ours."""
    exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'"
    if connection.execute(exists).fetchone() is None:
        return migrations
    query = "SELECT number, name, checksum FROM migration WHERE schema = ? ORDER BY number"
    applied = connection.execute(query, (schema,)).fetchall()

    def where() -> str:
        return f"schema {schema} in {database_path(connection)}"

    if applied and applied[-1][0] > len(migrations):
        message = (
            f"{where()} is at {applied[-1][1]}, but this program ends at {len(migrations):04}; "
            f"run the version that wrote it, or a later one"
        )
        raise SchemaError(message)
    for migration, (number, name, checksum) in zip(migrations, applied, strict=False):
        if number != migration.number:
            message = f"{where()} lacks {migration.name} but has {name}; restore a backup"
            raise SchemaError(message)
        if checksum not in migration.checksums:
            message = (
                f"{where()}: {migration.name} was altered after it was applied (as {name}); "
                f"restore its text and put the change into a new migration"
            )
            raise SchemaError(message)
    return migrations[len(applied) :]


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    for statement in migration.statements:
        with (
            _typed(connection, f"{migration.name}:{statement.line}", statement.sql),
            _restricted(connection),
        ):
            connection.execute(statement.sql).fetchall()
    for name, kind, strict in connection.execute(
        "SELECT name, type, strict FROM pragma_table_list WHERE schema = 'main'"
    ):
        # A full-text table's shadow tables are made by SQLite, which does not make them STRICT.
        if kind == "table" and not strict and not name.startswith("sqlite_"):
            message = f"{migration.name}: table {name} is not STRICT; add STRICT after its columns"
            raise SchemaError(message)


@contextmanager
def _restricted(connection: sqlite3.Connection) -> Iterator[None]:
    connection.set_authorizer(_authorize)
    try:
        yield
    finally:
        connection.set_authorizer(None)


def _authorize(
    action: int, name: str | None, detail: str | None, _database: str | None, _source: str | None
) -> int:
    # Asked of SQLite's own parser, because no reading of the text could be trusted to the end.
    if (
        action in _FORBIDDEN
        or (action == sqlite3.SQLITE_PRAGMA and name not in _PRAGMAS_ALLOWED)
        or (action in _BOOKKEEPING_WRITES and name == "migration")
        or (action == sqlite3.SQLITE_ALTER_TABLE and detail == "migration")
    ):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _check_references(connection: sqlite3.Connection, schema: str) -> None:
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        table, row, parent, _ = orphan
        message = f"schema {schema} leaves row {row} of {table} referring to no {parent}"
        raise SchemaError(message)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # With foreign keys on, DROP TABLE deletes row by row and cascades: a rebuild would lose rows.
    # The switch is ignored inside a transaction, so it comes before.
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _typed(connection: sqlite3.Connection, where: str, sql: str = "") -> Iterator[None]:
    try:
        yield
    # sqlite3.Warning is how Python 3.11 and older report two statements in one string.
    except (sqlite3.Error, sqlite3.Warning) as error:
        if isinstance(error, sqlite3.Error):
            trouble = translate(error, database_path(connection))
            if trouble is not None:
                raise trouble from error
        reason = str(error)
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH:
            reason = (
                "a migration may not control transactions, set pragmas, attach databases, make "
                "temporary objects or write to the table migration"
            )
        statement = f" in `{sql.splitlines()[0]}`" if sql else ""
        message = f"{where}: {reason}{statement}; nothing was applied"
        raise SchemaError(message) from error
