"""What reading migrations promises: no file and no statement is skipped, split or altered."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.errors import SchemaError
from actors.store.files.migrations import load_migrations, migrate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for migrations."""
    (tmp_path / "schema").mkdir()
    return tmp_path / "schema"


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["0002_b.sql"],
        ["0001_a.sql", "0003_c.sql"],
        ["0001_a.sql", "0001_b.sql"],
        ["0000_a.sql", "0001_b.sql"],
        ["0001_a.sql", "2_b.sql"],
        ["0001_a.sql", "0002_B.sql"],
        ["0001_a.sql", "0002-b.sql"],
        ["0001_a.sql", "0002_b.sql~"],
        ["0001_a.sql", "0002_b.txt"],
        ["0001_a.sql", "٠٠٠٢_b.sql"],
    ],
)
def test_folder_with_a_gap_a_duplicate_or_a_bad_name_is_refused(
    folder: Path, names: list[str]
) -> None:
    """No misnumbered or misnamed file is skipped in silence; an empty folder is a mistake, too."""
    for name in names:
        (folder / name).write_text(";")
    with pytest.raises(SchemaError, match="schema"):
        load_migrations(folder)


def test_unreadable_migrations_are_refused(folder: Path) -> None:
    """A missing folder, a folder in a file's place, bytes that are no UTF-8, a NUL: all named."""
    with pytest.raises(SchemaError, match="missing"):
        load_migrations(folder / "missing")
    for content, reason in [(b"\xff", "utf-8"), (b"SELECT '\0';", "NUL")]:
        (folder / "0001_a.sql").write_bytes(content)
        with pytest.raises(SchemaError, match=reason):
            load_migrations(folder)
    (folder / "0001_a.sql").unlink()
    (folder / "0001_a.sql").mkdir()
    with pytest.raises(SchemaError, match="0001_a"):
        load_migrations(folder)
    (folder / "0001_a.sql").rmdir()
    (folder / ".0001_a.sql.swp").write_bytes(b"an editor's, so not looked at")
    with pytest.raises(SchemaError, match="holds no migration"):
        load_migrations(folder)


@pytest.mark.parametrize(
    "text", ["CREATE TABLE a (b TEXT)", "SELECT 'a;", "; /* open", "CREATE TRIGGER t BEGIN x;"]
)
def test_unfinished_statement_is_refused_with_its_line(folder: Path, text: str) -> None:
    """An open quote, comment, trigger or statement cannot swallow what was meant to follow."""
    (folder / "0001_step.sql").write_text(f"-- fine\n;\n{text}\n")
    with pytest.raises(SchemaError, match=r"0001_step\.sql:3: no semicolon"):
        load_migrations(folder)


PIECES = [
    "CREATE TABLE t{n} (a TEXT DEFAULT 'x; y', \"b;c\" INTEGER) STRICT;",
    "CREATE TABLE t{n} (a TEXT) STRICT; -- why; because\n",
    "/* CREATE; TABLE */ CREATE TABLE t{n} (a TEXT, [b;c] TEXT /* ; */, `d;` TEXT) STRICT;",
    "CREATE TABLE t{n} (a TEXT -- it's; unbalanced\n) STRICT;",
    """CREATE TABLE t{n} (a TEXT, n INTEGER) STRICT;
    CREATE /* a; */ TRIGGER g{n} AFTER INSERT ON t{n} BEGIN
        UPDATE t{n} SET n = CASE WHEN a = 'end;' THEN 1 ELSE 2 END;
        -- END;
        DELETE FROM t{n} WHERE a = '''; END;';
    END;""",
]


@settings(deadline=None, max_examples=60)
@given(
    kinds=st.lists(st.integers(0, len(PIECES) - 1), min_size=1, max_size=8),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    gap=st.sampled_from(["", " ", "\n\n", "\t;\n", "-- ';\n", '/* " ; */']),
)
def test_splitting_yields_the_statements_that_were_joined(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[int], newline: str, gap: str
) -> None:
    """Literals, comments and triggers with semicolons survive in any order and line ending."""
    folder = tmp_path_factory.mktemp("schema")
    text = gap + gap.join(PIECES[kind].format(n=n) + gap for n, kind in enumerate(kinds))
    (folder / "0001_a.sql").write_bytes(text.replace("\n", newline).encode())
    (loaded,) = load_migrations(folder)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, "room", (loaded,), now_us=0)
        kept = connection.execute("SELECT name FROM sqlite_schema WHERE name GLOB '[tg][0-9]'")
        assert {name for (name,) in kept} == {f"t{n}" for n in range(len(kinds))} | {
            f"g{n}" for n, kind in enumerate(kinds) if "TRIGGER" in PIECES[kind]
        }


def test_line_endings_do_not_alter_a_migration(folder: Path) -> None:
    """A checkout with other line endings, or a byte order mark, has the same checksum."""
    checksums = set()
    for content in (b"SELECT 1\n;\n", b"SELECT 1\r\n;\r\n", b"\xef\xbb\xbfSELECT 1\n;\n"):
        (folder / "0001_a.sql").write_bytes(content)
        checksums.add(load_migrations(folder)[0].checksum)
    assert len(checksums) == 1
