"""Before an upgrade: what in a data folder the code at hand could not read. Changes nothing."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.errors import ConfigError, StoreError
from actors.kernel.messages import Refusal
from actors.service.directory import Directory
from actors.store.files.file_history import NO_HISTORY, known_histories
from actors.store.files.manifest import read_manifest
from actors.store.files.migrations import load_migrations, pending_migrations
from actors.store.files.shard_files import marks_of, refuse_other_shards
from actors.store.files.sqlite_file import look, open_quietly
from actors.store.messaging.stored_rows import (
    count_stored_timers,
    stored_listeners,
    stored_messages,
    stored_replies,
)
from actors.store.messaging.unheard import was_wanted
from actors.store.messaging.unreadable import Unreadable
from actors.store.opening import STORE_MIGRATIONS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from actors.config import StoreConfig
    from actors.service.assembly import ServiceClasses
    from actors.service.service import Service
    from actors.store.files.file_history import FileHistory
    from actors.store.messaging.stored_rows import StoredReply, StoredRow

# Of a kind, in one file: enough to look at, and the rest is counted.
ROWS_SHOWN_MAX: Final = 20
# An error may quote what it could not read.
REASON_CHARS_MAX: Final = 300


class UpgradeReport:
    """What was found, a line each; of each kind the first rows, and how many more there are."""

    def __init__(self) -> None:
        """Nothing is found yet."""
        self.rows = 0
        self._lines: list[str] = []
        self._kinds: Counter[str] = Counter()

    def add(self, line: str) -> None:
        """Note something that is wrong with a whole file."""
        self._lines.append(line)

    def add_row(self, kind: str, number: int, reason: str) -> None:
        """Note a row that cannot be read."""
        self._kinds[kind] += 1
        if self._kinds[kind] <= ROWS_SHOWN_MAX:
            self._lines.append(f"{kind}, row {number}: {reason}")

    @property
    def unreadable(self) -> int:
        """How many rows cannot be read."""
        return self._kinds.total()

    def lines(self) -> list[str]:
        """Return what was found; nothing where all is well."""
        more = [
            f"{kind}: {count - ROWS_SHOWN_MAX} more"
            for kind, count in self._kinds.items()
            if count > ROWS_SHOWN_MAX
        ]
        return [*self._lines, *more]


def check_upgrade(data_dir: Path, classes: ServiceClasses, config: StoreConfig) -> UpgradeReport:
    """Look at every row that would be read again, as these services would read it.

    Also beside a process that uses the folder. Raises StoreError where no system has run there.
    """
    files = _services_in(data_dir)
    manifest = read_manifest(data_dir)
    known = {} if manifest is None else manifest.stores
    if not files | known.keys():
        message = f"{data_dir} holds no service's file: no system has run there"
        raise StoreError(message)
    report = UpgradeReport()
    try:
        marks = marks_of(classes.sharded.values())
        refuse_other_shards(data_dir, marks, classes.with_store(), config)
    except ConfigError as error:
        report.add(str(error))
    paths = {name: data_dir / f"{name}.db" for name in sorted(files | known.keys())}
    check = _FileCheck(report, classes, known_histories(paths, config), config)
    for name, path in paths.items():
        if name not in files:
            # A row without a store has never begun; and who is retired needs no file.
            if known[name].store is not None and name in classes.with_store():
                report.add(
                    f"{path.name} is gone, and manifest.json knows it: {name} will not start"
                )
            continue
        try:
            with closing(open_quietly(path, config)) as connection:
                look(path, partial(check.look_at, name=name), connection)
        except StoreError as error:
            report.add(f"{path.name}: {error}")
    return report


def _services_in(data_dir: Path) -> set[str]:
    try:
        return {path.stem for path in data_dir.iterdir() if path.suffix == ".db"}
    except FileNotFoundError:
        return set()
    except OSError as error:
        message = (
            f"cannot read {data_dir}: {error.strerror}; name the data folder of the version "
            f"before, as a user who can read it"
        )
        raise StoreError(message) from error


class _FileCheck:
    """Reads a service's file as the services of a system would."""

    def __init__(
        self,
        report: UpgradeReport,
        classes: ServiceClasses,
        histories: dict[str, FileHistory],
        config: StoreConfig,
    ) -> None:
        self._report = report
        self._classes = classes
        self._histories = histories
        self._directory = Directory(classes, config, classes.sharded)
        self._marks: dict[tuple[str, str], int] = {}
        self._listeners: frozenset[tuple[str, str]] = frozenset()

    def look_at(self, connection: sqlite3.Connection, name: str) -> None:
        connection.execute("BEGIN")  # one moment for all tables
        service = self._classes.of_file(name)
        if service is None:
            self._report_stranger(connection, name)
            return
        for schema, folder in (("store", STORE_MIGRATIONS), (name, service.schema)):
            try:
                pending_migrations(connection, schema, load_migrations(folder))
            except StoreError as error:
                self._report.add(f"{name}.db: {error}")
        subscriptions = self._directory.catalog.subscriptions
        self._listeners = stored_listeners(connection)
        for row in stored_messages(connection, name, subscriptions):
            self._read(name, row)
        decoders = list(_reply_decoders(service))
        for reply in stored_replies(connection):
            self._read_reply(name, reply, decoders)

    def _report_stranger(self, connection: sqlite3.Connection, name: str) -> None:
        now = f" ({name} is stateless now)" if name in self._classes else ""
        if name in self._classes.sharded:
            now = f" ({name} is kept in shards now)"
        history = self._histories.get(name, NO_HISTORY)
        messages = sum(
            last - max(history.acknowledged[receiver], self._applied(name, receiver))
            for receiver, last in history.last.items()
        )
        waits = f"{messages} messages and {count_stored_timers(connection)} timers wait in it"
        self._report.add(f"{name}.db belongs to no service{now}; {waits}")

    def _read(self, name: str, row: StoredRow) -> None:
        if row.table == "outbox" and row.number <= self._applied(name, row.receiver):
            return  # its sender has yet to hear of it
        self._report.rows += 1
        message = self._directory.decode(row.receiver, row.message_type, row.blob)
        if isinstance(message, Unreadable) and message.waits:
            kind = f"{name}.db, {row.table}, to {row.receiver}, {row.message_type}"
            reason = message.reason[:REASON_CHARS_MAX]
            if row.table == "outbox" and self._becomes_letter(row):
                reason += "; it would become a dead letter"
            self._report.add_row(kind, row.number, reason)

    def _becomes_letter(self, row: StoredRow) -> bool:
        wanted = was_wanted(row.receiver, row.message_type, self._listeners)
        return not wanted and self._directory.takes(row.receiver)

    def _applied(self, sender: str, receiver: str) -> int:
        pair = (sender, receiver)
        if pair not in self._marks:
            there, here = self._histories.get(receiver), self._histories.get(sender)
            if there is None or here is None:
                self._marks[pair] = 0
            else:
                self._marks[pair] = there.applied(sender, here.numbering(receiver))
        return self._marks[pair]

    def _read_reply(
        self, name: str, reply: StoredReply, decoders: list[msgspec.json.Decoder[Any]]
    ) -> None:
        self._report.rows += 1
        reasons = []
        for decoder in [_refusal] if reply.refused else decoders:
            try:
                decoder.decode(reply.blob)
            except Exception as error:  # noqa: BLE001 - a reply's own __post_init__, too
                reasons.append(str(error))
            else:
                return
        kind = f"{name}.db, client_key, to whoever asks again, reply"
        reason = f"{name} has no @command with such a reply: {reasons[-1] if reasons else 'none'}"
        self._report.add_row(kind, reply.number, reason[:REASON_CHARS_MAX])


_refusal: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Refusal)


def _reply_decoders(service: type[Service]) -> Iterator[msgspec.json.Decoder[Any]]:
    """Yield what reads the replies of a service: a key does not say which command it was."""
    for spec in service.handlers.values():
        if spec.kind in {"command", "effect"}:
            yield msgspec.json.Decoder(None if spec.kind == "effect" else spec.reply)
