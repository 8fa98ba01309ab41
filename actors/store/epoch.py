"""A dead incarnation's work cannot commit: each has an epoch, and the file is the latest's."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from actors.errors import Fenced, StoreLost
from actors.store.files.file_watch import FileWatch
from actors.store.files.renewal import begin_anew
from actors.store.messaging import deferred_replies
from actors.store.messaging.request_keys import FORGET_EDGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.store.files.data_folder import Admission
    from actors.store.store import StoreSpec

IDENTIFY = "INSERT INTO identity (id, store) VALUES (1, ?) ON CONFLICT (id) DO NOTHING"
IDENTITY = "SELECT store FROM identity"
STAMP = (
    "UPDATE epoch SET folder = ?, service = ?, store = (SELECT store FROM identity),"
    " shard_key = ?, shards = ?"
)
EPOCH = "SELECT value, batch FROM epoch"
TAKE_EPOCH = "UPDATE epoch SET value = ?"
NEXT_EPOCH = "UPDATE epoch SET value = value + 1 WHERE value = ?"


class Epoch:
    """One incarnation's hold on its file, and what the data folder is told of it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        spec: StoreSpec,
        *,
        checkpoint_pages: int,
        abandoned: Callable[[], bool],
    ) -> None:
        """Work on the writer connection; `abandoned` says whether the incarnation has died."""
        self._connection = connection
        self._spec = spec
        self._checkpoint_pages = checkpoint_pages
        self._abandoned = abandoned
        self._number = 0
        # The file's own identity.
        self.store = ""
        self.files: FileWatch
        self._log_is_new = False
        # Whether the data folder knows of this epoch.
        self._is_noted = True

    def take(
        self,
        admission: Admission | None,
        opened: Callable[[], None],
        *,
        first: bool,
        clock: Clock,
        rng: Rng,
    ) -> None:
        """Become the file's owner: every earlier incarnation's transactions fail from now on.

        `opened` is called in the transaction that takes the epoch. `first` is the process's first
        open: no redelivery of an earlier one can come any more. Where another process has had the
        file meanwhile, its numbers are the same as ours.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        # Asked under the lock: a successor cannot have its epoch yet, and will not be fenced by
        # an incarnation that died while it was starting.
        if self._abandoned():
            message = f"{self._spec.name}: abandoned while it was opened"
            raise Fenced(message)
        found = self._find(admission)
        self._connection.execute(TAKE_EPOCH, (found + 1,))
        self._number = found + 1
        if first or self._spec.last_epoch.was_interrupted(found):
            self._spec.untold.forget()
            self._connection.execute(FORGET_EDGE)
            self._connection.execute(deferred_replies.FORGET_EDGE)
        if first:
            self._identify(admission, rng.new_id(clock.now_us()))
        self.store = self._connection.execute(IDENTITY).fetchone()[0]
        opened()
        self._commit(self._number)
        self.files = FileWatch(self._spec.path, self._checkpoint_pages)
        if self._spec.folder is not None:
            self._is_noted = self._spec.folder.opened(
                self._spec.name, self.store, self._number, self.files.place
            )

    def fence(self) -> None:
        """Raise Fenced where another incarnation owns the file, or this one is dead."""
        epoch, batch = self._connection.execute(EPOCH).fetchone()
        if self._abandoned() or epoch != self._number:
            message = f"{self._spec.name}: epoch {self._number} is over, {epoch} owns the store"
            raise Fenced(message)
        self._spec.untold.settle(batch)

    def make_sure(self) -> None:
        """Raise StoreLost where what was committed cannot be found again under the file's name.

        After the commit: a file that goes before it is noticed as well as one that goes with it.
        """
        self.files.check()
        if not self._is_noted:
            self._note()
            self._is_noted = True
        # Everything before is in the database, and what was committed now is in the log alone.
        # Before that is acknowledged, the folder knows of an epoch that the database lacks.
        self._log_is_new = self.files.log_began_anew() or self._log_is_new
        if self._log_is_new:
            with suppress(sqlite3.Error):  # no room for it: it is tried again, and this stands
                self.move_on()
                self._log_is_new = False

    def move_on(self) -> None:
        """Take the next epoch, and have the data folder remember it: what is older has less."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._connection.execute(NEXT_EPOCH, (self._number,)).rowcount:
                self._roll_back()
                return  # a successor owns it
            self._commit(self._number + 1)
        except sqlite3.Error:
            self._roll_back()
            raise
        self._number += 1
        self._note()

    # --- Inside ------------------------------------------------------------------------------

    def _find(self, admission: Admission | None) -> int:
        """Return the file's epoch. Raises StoreLost where it is behind what this process knows."""
        epoch: int
        batch: int
        ((epoch, batch),) = self._connection.execute(EPOCH).fetchall()
        self._spec.untold.settle(batch)
        epoch_min = 0 if admission is None else admission.epoch_min
        if epoch >= epoch_min:
            return epoch
        if admission is not None and admission.renewal is not None:
            return epoch_min  # whatever lay here meanwhile is older than this
        if self._spec.folder is not None:
            self._spec.folder.mistaken(self._spec.name)
        message = (
            f"{self._spec.path} is older than what this process has had open there; the next "
            f"start, which follows, says how to go on"
        )
        raise StoreLost(message)

    def _identify(self, admission: Admission | None, store: str) -> None:
        """Say whose file this is, in the transaction; `store` is its id if it needs one."""
        self._connection.execute(IDENTIFY, (store,))
        if admission is None:
            return
        if admission.renewal is not None:
            begin_anew(self._connection, admission.renewal, store)
        mark = admission.shard
        of = (None, None) if mark is None else (mark.key, mark.shards)
        self._connection.execute(STAMP, (admission.folder, self._spec.name, *of))

    def _commit(self, number: int) -> None:
        """Commit the transaction that has taken it; for who opens next, it is this process's."""
        last = self._spec.last_epoch
        before, last.number = last.number, number
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            last.number = before  # the lock is still held
            raise

    def _note(self) -> None:
        if self._spec.folder is not None:
            self._spec.folder.reached(self._spec.name, self.store, self._number)

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # closed, or rolled back by SQLite: nothing is left to undo
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
