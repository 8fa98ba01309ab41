"""What a store's file says of its past, and whether anything of that is missing."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from actors.errors import StoreError, StoreForeign
from actors.store.files.manifest import ShardMark
from actors.store.files.sqlite_file import corrupt, look, open_quietly
from actors.store.messaging.origin import Numbering

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from actors.config import StoreConfig
    from actors.store.files.manifest import Manifest, ManifestEntry

TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
# The service whose tables the file had first: files were not stamped from the beginning.
FIRST_SCHEMA = "SELECT schema FROM migration WHERE schema <> 'store' ORDER BY rowid LIMIT 1"
# With whatever a file of an earlier version has.
EPOCH = "SELECT value, * FROM epoch"
IDENTITY = "SELECT store FROM identity"
LAST = "SELECT receiver, last FROM channel WHERE receiver <> ''"
FIRST = "SELECT receiver, min(number) FROM outbox GROUP BY receiver"
FORMER = "SELECT receiver, store, last FROM former ORDER BY receiver, last"
MARKS = "SELECT sender, store, applied FROM inbox"


class FileHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One file: whose it is, how often it was opened, and where its channels stand.

    `folder` is None where it has no stamp yet, `store` where it was never opened by a service.
    Up to `acknowledged` its receivers have told it that they applied what it sent. `marks` are the
    highest numbers that it has applied itself, by sender and the sender's file. `knows` is with
    whom it has had to do at all: it has nothing to say of anybody else. `shard` is a shard's, once
    it was opened by a version that marks them.
    """

    folder: str | None = None
    service: str | None = None
    store: str | None = None
    shard: ShardMark | None = None
    epoch: int = 0
    last: dict[str, int] = {}
    former: dict[str, tuple[tuple[str, int], ...]] = {}
    acknowledged: dict[str, int] = {}
    marks: dict[tuple[str, str], int] = {}
    knows: frozenset[str] = frozenset()

    def numbering(self, receiver: str) -> Numbering:
        """Return whose the numbers are that it gave to `receiver`."""
        return Numbering(self.store or "", self.former.get(receiver, ()))

    def applied(self, sender: str, numbering: Numbering) -> int:
        """Return the highest number that it has applied of what the sender's file has given."""
        return numbering.applied(lambda store: self.marks.get((sender, store), 0))


NO_HISTORY = FileHistory()


def read_history(path: Path, config: StoreConfig) -> FileHistory:
    """Read it from the file, and leave file and log as they are. Raises StoreError.

    StoreForeign where the write-ahead log is not the file's.
    """
    with closing(open_quietly(path, config)) as connection:
        try:
            history, stamped = look(path, history_of, connection)
        except (TypeError, ValueError) as error:  # a row that must be there is not, or is no text
            raise corrupt(path, f"its own tables cannot be read ({error})") from error
    if stamped not in (None, history.store):
        message = (
            f"{path} and {path.name}-wal do not belong together; put back the log that was beside "
            "it, or move both away"
        )
        raise StoreForeign(message)
    return history


def owner_of(path: Path, config: StoreConfig, name: str) -> FileHistory | None:
    """Return the file's past; None where there is no file. Raises StoreError.

    StoreForeign where it is another service's.
    """
    if not path.exists():
        return None
    history = read_history(path, config)
    if history.service not in (None, name):
        message = (
            f"{path} is the store of {history.service}, and not of {name} (or its {path.name}-wal "
            f"is); stop the system and put each service's files back under its own name, or move "
            f"these away"
        )
        raise StoreForeign(message)
    return history


def what_is_missing(
    name: str,
    own: FileHistory | None,
    others: Mapping[str, FileHistory],
    row: ManifestEntry | None,
    folder: str,
) -> str | None:
    """Return what `name` has lost, in words that follow its file's name; None where it has all.

    `own` is None without a file, `row` without an entry in the folder's manifest.
    """
    if own is None or (own.store is None and own.epoch == 0):
        return _why_not_new(name, own, others, row)
    foreign = _foreign(own, row, folder)
    if foreign is not None:
        return foreign
    if row is not None and own.epoch < row.epoch:
        return (
            "is older than what was acknowledged from it: a copy was put in its place, or its "
            "write-ahead log is gone"
        )
    return next(_contradictions(name, own, others), None)


def witnesses(
    service: str, histories: Mapping[str, FileHistory], manifest: Manifest
) -> dict[str, FileHistory]:
    """Return who may know what the service has lost: the folder's own files, but for its own."""
    return {
        name: history
        for name, history in histories.items()
        if service in history.knows
        and name != service
        and _foreign(history, manifest.stores.get(name), manifest.folder) is None
    }


def _foreign(own: FileHistory, row: ManifestEntry | None, folder: str) -> str | None:
    if own.folder not in (None, folder):
        return "is from another data folder"
    if row is not None and row.store not in (None, own.store):
        return "is not the file that this data folder knows"
    return None


def _contradictions(
    name: str, own: FileHistory, others: Mapping[str, FileHistory]
) -> Iterator[str]:
    """Yield what the others have had from `name`, or given it, and it has forgotten."""
    for other, history in others.items():
        sent = own.last.get(other, 0)
        theirs = history.applied(name, own.numbering(other))
        if theirs > sent:
            yield (
                f"is older than {other}.db, which has applied message {theirs} of it, "
                f"where it has sent {sent}"
            )
        applied = own.applied(other, history.numbering(name))
        acknowledged = history.acknowledged.get(name, 0)
        if acknowledged > applied:
            yield (
                f"is older than {other}.db, which was told that message {acknowledged} to it was "
                f"applied, where it has applied {applied}"
            )


def _why_not_new(
    name: str, own: FileHistory | None, others: Mapping[str, FileHistory], row: ManifestEntry | None
) -> str | None:
    knowing = [
        other
        for other, history in others.items()
        if name in {sender for sender, _ in history.marks} or history.acknowledged.get(name, 0)
    ]
    if row is None and not knowing:
        return None
    gone = "is gone" if own is None else "is empty"
    return f"{gone}, and {' and '.join(knowing)} had messages from it" if knowing else gone


def history_of(connection: sqlite3.Connection) -> tuple[FileHistory, str | None]:
    """Return the file's past, and the store that its stamp names."""

    def table(sql: str) -> dict[str, int]:
        return dict(connection.execute(sql).fetchall())

    tables = {name for (name,) in connection.execute(TABLES).fetchall()}
    if not {"migration", "epoch"} <= tables:
        return NO_HISTORY, None
    found = connection.execute(EPOCH)
    stamp = dict(zip([name for name, *_ in found.description], found.fetchone(), strict=True))
    epoch, folder, stamped = stamp["value"], stamp.get("folder"), stamp.get("store")
    service = stamp.get("service")
    if service is None:
        (service,) = connection.execute(FIRST_SCHEMA).fetchone() or (None,)
    if "identity" not in tables:  # from before there were channels
        return FileHistory(service=service, epoch=epoch), None
    (store,) = connection.execute(IDENTITY).fetchone() or (None,)
    of = stamp.get("shards")
    last, first = table(LAST), table(FIRST)
    marks = {(row[0], row[1]): row[2] for row in connection.execute(MARKS).fetchall()}
    history = FileHistory(
        folder=folder,
        service=service,
        store=store,
        shard=None if of is None else ShardMark(stamp["shard_key"], of),
        epoch=epoch,
        last=last,
        former=former_of(connection) if "former" in tables else {},
        acknowledged={to: first.get(to, number + 1) - 1 for to, number in last.items()},
        marks=marks,
        knows=frozenset([*last, *(sender for sender, _ in marks)]),
    )
    return history, stamped


def former_of(connection: sqlite3.Connection) -> dict[str, tuple[tuple[str, int], ...]]:
    """Return the file's former identities, by receiver, each with the last number that it gave."""
    former: dict[str, tuple[tuple[str, int], ...]] = {}
    for receiver, store, last in connection.execute(FORMER).fetchall():
        former[receiver] = (*former.get(receiver, ()), (store, last))
    return former


def known_histories(paths: Mapping[str, Path], config: StoreConfig) -> dict[str, FileHistory]:
    """Return the past of each service whose file is there, can be read and is its own."""
    histories = {}
    for name, path in paths.items():
        try:
            history = owner_of(path, config, name)
        except StoreError:  # its own service will say so
            continue
        if history is not None:
            histories[name] = history
    return histories
