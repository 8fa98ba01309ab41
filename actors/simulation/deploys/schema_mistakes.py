"""Mistakes in a schema: some are seen on a database of nothing, others on the service's file."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from actors.simulation.deploys.mistake import Broken, Mistake
from actors.store.files.migrations import load_migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.simulation.deploys.parts import Parts

# Such a database has no store's migrations, and every file has.
ONLY_IN_A_FILE: Final = "FROM migration WHERE schema = 'store'"
# What is wrong -> the schema that takes its place, and what is said.
IN_PLACE: Final[Mapping[str, tuple[Any, str]]] = MappingProxyType(
    {
        "a service without a schema": (None, "has no `schema`"),
        "a schema that is not there": (Path("no such schema"), "cannot read the migrations in"),
    }
)
# What is wrong -> the next migration, its name and its SQL, and what is said.
LOOKED_AT: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "a table that is not STRICT": (
            "next.sql", "CREATE TABLE next (n INTEGER);", "table next is not STRICT",
        ),
        "a migration with wrong SQL": (
            "next.sql", "CREATE TABLE next (n INTEGER NOT NUL) STRICT;", 'near "NUL": syntax error',
        ),
        "a statement without its end": (
            "next.sql", "CREATE TABLE next (n INTEGER) STRICT", "no semicolon ends this",
        ),
        "a migration that is cut": (
            "next.sql", "CREATE TABLE next (\0n INTEGER) STRICT;", "contains a NUL character",
        ),
        "a migration that commits": ("next.sql", "COMMIT;", "may not control transactions"),
        "a table with a name of the store's": (
            "next.sql", "CREATE TABLE event (n INTEGER) STRICT;", "`event` is the framework's",
        ),
        "a table with the migrations' name": (
            "next.sql", "CREATE TABLE migration (n INTEGER) STRICT;", "`migration` is the",
        ),
        "a row that refers to none": (
            "next.sql",
            ("CREATE TABLE next (n INTEGER PRIMARY KEY REFERENCES next (n), m INTEGER"
            " REFERENCES next (n)) STRICT; INSERT INTO next VALUES (1, 2);"),
            "of next referring to no next",
        ),
        "a migration whose name says nothing": (
            "Next.sql", "SELECT 1;", "is not named like a migration",
        ),
    }
)  # fmt: skip
# What only the service's file shows: it stays as it is, and the service is down.
TOLD_LATE: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "a migration that fails on what is there": (
            (
                "CREATE TABLE next (n INTEGER NOT NULL CHECK (n = 0)) STRICT;"
                f" INSERT INTO next SELECT count(*) {ONLY_IN_A_FILE};"
            ),
            "CHECK constraint failed",
        ),
        "a migration that leaves what refers to none": (
            (
                "CREATE TABLE next (n INTEGER PRIMARY KEY, m INTEGER REFERENCES next (n)) STRICT;"
                f" INSERT INTO next SELECT 1, 2 {ONLY_IN_A_FILE} LIMIT 1;"
            ),
            "of next referring to no next",
        ),
    }
)


def _folder_of(parts: Parts, service: str, folder: Path) -> list[Path]:
    """Put the service's migrations there, as files; return them in their order."""
    schema = Path(folder) / service
    schema.mkdir(parents=True)
    own: Any = parts.classes[service].schema  # type: ignore[union-attr]
    if isinstance(own, Path) and own.is_dir():
        for path in sorted(own.glob("*.sql")):
            shutil.copy(path, schema / path.name)
    elif load_migrations(own):
        text = own if isinstance(own, str) else own.read_text(encoding="utf-8")
        (schema / "0001_schema.sql").write_text(text, encoding="utf-8")
    return sorted(schema.iterdir())


def _with_schema(parts: Parts, service: str, schema: object) -> Sequence[Any]:
    return parts.with_class(service, lambda before: _typed(before, schema))


def _typed(before: type, schema: object) -> type:
    return type(before)(
        before.__name__, (before,), {"__module__": before.__module__, "schema": schema}
    )


def _in_place(parts: Parts, service: str, *, schema: Any, says: str) -> Broken:
    def systems(folder: Path) -> Sequence[Any]:
        return _with_schema(parts, service, schema if schema is None else folder / schema)

    return Broken(systems=systems, says=(parts.classes[service].__name__, says))


def _with_next(parts: Parts, service: str, *, name: str, sql: str, says: str, **how: Any) -> Broken:
    def systems(folder: Path) -> Sequence[Any]:
        number = 1 + len(_folder_of(parts, service, folder))
        path = folder / service / f"{number:04}_{name}"
        path.write_text(sql, encoding="utf-8")
        return _with_schema(parts, service, path.parent)

    return Broken(systems=systems, says=(parts.classes[service].__name__, says), **how)


def _told_late(parts: Parts, service: str, *, sql: str, says: str) -> Broken:
    return _with_next(parts, service, name="next.sql", sql=sql, says=says, parks=service)


def _changed(
    parts: Parts, service: str, *, change: Callable[[list[Path]], object], says: str, **how: Any
) -> Broken:
    def systems(folder: Path) -> Sequence[Any]:
        change(_folder_of(parts, service, folder))
        return _with_schema(parts, service, folder / service)

    return Broken(systems=systems, says=(parts.classes[service].__name__, says), **how)


def _altered(parts: Parts, service: str) -> Broken:
    def change(paths: list[Path]) -> None:
        first = paths[0].read_text(encoding="utf-8")
        paths[0].write_text(f"{first}-- as it should have been\n", encoding="utf-8")

    says = "was altered after it was applied"
    return _changed(parts, service, change=change, says=says, parks=service)


def _shortened(parts: Parts, service: str) -> Broken:
    says = "but this program ends at"
    return _changed(
        parts, service, change=lambda paths: paths[-1].unlink(), says=says, parks=service
    )


def _gapped(parts: Parts, service: str) -> Broken:
    def change(paths: list[Path]) -> None:
        paths[0].rename(paths[0].with_name("0009_moved.sql"))

    return _changed(parts, service, change=change, says="expected number")


def _emptied(parts: Parts, service: str) -> Broken:
    def change(paths: list[Path]) -> None:
        for path in paths:
            path.unlink()

    return _changed(parts, service, change=change, says="holds no migration")


def _migrating(parts: Parts, least: int = 1) -> list[str]:
    """Return the services that have as many migrations as that."""
    return [
        name
        for name in parts.stored
        if len(load_migrations(parts.classes[name].schema)) >= least  # type: ignore[union-attr]
    ]


SCHEMA_MISTAKES: Final[Mapping[str, Mistake]] = MappingProxyType(
    {
        **{
            name: Mistake(places=_migrating, make=partial(_in_place, schema=schema, says=says))
            for name, (schema, says) in IN_PLACE.items()
        },
        **{
            what: Mistake(
                places=_migrating, make=partial(_with_next, name=name, sql=sql, says=says)
            )
            for what, (name, sql, says) in LOOKED_AT.items()
        },
        "a migration that is missing": Mistake(places=_migrating, make=_gapped),
        "no migration is left": Mistake(places=_migrating, make=_emptied),
        "a migration that was altered": Mistake(places=_migrating, make=_altered),
        "a migration that was taken back": Mistake(
            places=partial(_migrating, least=2), make=_shortened
        ),
        **{
            name: Mistake(places=_migrating, make=partial(_told_late, sql=sql, says=says))
            for name, (sql, says) in TOLD_LATE.items()
        },
    }
)
