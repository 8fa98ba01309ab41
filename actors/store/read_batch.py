"""A batch of queries on one snapshot."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from actors.errors import ActorError, Fenced, StoreLost, StoreRefused
from actors.kernel.behavior import BatchResult
from actors.kernel.mailbox import too_late
from actors.store.files.sqlite_file import translate
from actors.store.messaging.dead_letter_table import dead_lettered, no_handler
from actors.store.transaction import ReadTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.store.files.directory_lock import DirectoryLock
    from actors.store.files.file_watch import FileWatch
    from actors.store.group_commit import Run
    from actors.store.store import BoundHandler, StoreSpec


def read_batch(
    connection: sqlite3.Connection,
    spec: StoreSpec,
    batch: Sequence[Envelope],
    handlers: Mapping[Any, BoundHandler],
    *,
    clock: Clock,
    run: Run,
    abandoned: Callable[[], bool],
    files: FileWatch | None,
) -> BatchResult:
    """Run queries on one snapshot of a reader connection. A query that crashes is the culprit.

    What a file that is gone still says is no answer: nobody could find it again. Without `files`
    nobody writes there.
    """
    if (lost := why_lost(files, spec.lock)) is not None:
        return BatchResult(outcomes=[lost] * len(batch), crash=lost)
    outcomes: list[Any] = []
    index = 0
    try:
        connection.execute("BEGIN")
        tx = ReadTransaction(connection, clock.now_us())
        for index, envelope in enumerate(batch):
            if abandoned():
                break
            handler = handlers.get(type(envelope.message))
            late = envelope.deadline is not None and envelope.deadline <= clock.monotonic()
            if late or handler is None or envelope.attempt >= spec.attempts_max:
                outcomes.append(_unrun(spec, envelope, handler))
                continue
            outcomes.append(run(index, handler.function, tx, envelope.message))
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is a crash
        trouble = None
        if isinstance(error, sqlite3.Error):
            trouble = translate(error, spec.path, reading=True)
        if isinstance(trouble, StoreRefused):
            return BatchResult(outcomes=outcomes + [trouble] * (len(batch) - len(outcomes)))
        if trouble is not None:
            return BatchResult(outcomes=outcomes, crash=trouble)
        return BatchResult(outcomes=outcomes, crash=error, culprit=index)
    finally:
        with suppress(sqlite3.Error):  # a snapshot: there is nothing in it to lose
            connection.execute("ROLLBACK")
    if len(outcomes) < len(batch):
        return BatchResult(outcomes=outcomes, crash=Fenced(f"{spec.name}: abandoned"))
    return BatchResult(outcomes=outcomes)


def why_lost(files: FileWatch | None, lock: DirectoryLock | None) -> StoreLost | None:
    """Return why nothing of the file is an answer any more; None where it is there and ours."""
    try:
        if files is not None:
            files.check()
        if lock is not None:
            lock.check()
    except StoreLost as lost:
        return lost
    return None


def _unrun(spec: StoreSpec, envelope: Envelope, handler: BoundHandler | None) -> ActorError:
    if handler is not None and envelope.attempt < spec.attempts_max:
        return too_late(spec.name)  # those before it took long
    envelope.error = envelope.error or no_handler(envelope)
    return dead_lettered(spec.name, envelope, None)
