"""The error tree: everything Dress Rehearsal raises on purpose, and what to do about it.

An expected "no" is a `Refusal`, a value. What is here is either a limit that was reached or a
crash that somebody else's caller has to hear of.
"""

from __future__ import annotations

import os
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pykka import ActorDeadError, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Files in which nobody mends a system: ours, but for the systems', and Python's.
_PACKAGE = Path(__file__).parent
_SYSTEMS = f"{_PACKAGE / 'systems'}{os.sep}"
_NOBODYS = (
    f"{_PACKAGE}{os.sep}",
    f"{_PACKAGE.parent / 'http_edge'}{os.sep}",
    f"{Path(os.__file__).parent}{os.sep}",
    "<",
)


class DressRehearsalError(Exception):
    """Root of the tree."""


class Trouble(DressRehearsalError):
    """An operator's to mend, and no bug: the message says all, and a stack trace nothing."""


class Irreparable(Trouble):
    """No restart mends this: whoever ends with it is parked at once, and tried again seldom."""


class ConfigError(DressRehearsalError):
    """The configuration or a declaration says something wrong; the message names key or system."""


@contextmanager
def declared(name: str, what: str) -> Iterator[None]:
    """Whatever is raised within is a ConfigError about `what` the system `name` declares."""
    try:
        yield
    except DressRehearsalError:
        raise
    except Exception as error:
        place = line_at(error)
        where = "" if place is None else f" ({place})"
        message = f"{name}: its {what} raised {type(error).__name__}: {error}{where}"
        raise ConfigError(message) from error


def line_at(error: BaseException) -> str | None:
    """Return file and line in its author's code where it was raised, or called what raised it.

    That is the innermost line that is not ours, nor Python's, nor an installed library's; None
    where there is no other: nobody mends these.
    """
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        if name.startswith(_NOBODYS) and not name.startswith(_SYSTEMS):
            continue
        if f"{os.sep}site-packages{os.sep}" not in name:
            found = f"{name}, line {line}"
    return found


class EntryPointError(DressRehearsalError):
    """What was to be booted or played is not there, or no system; the message says what to do."""


# --- Actors ----------------------------------------------------------------------------------


class ActorError(DressRehearsalError):
    """An ask or a tell that did not end in a reply."""


class Busy(ActorError):
    """A limit was reached; the same request may succeed after `retry_after_s` seconds."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        """Keep the hint that a 503 passes on as Retry-After, in seconds."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class MailboxFull(Busy):
    """The mailbox holds as many messages as it may; the message was not accepted."""


class ServiceUnavailable(Busy):
    """The service is parked or has no healthy replica; the message was not accepted."""


class Starting(Busy):
    """The service is not up yet: it starts, or its last start failed. Nothing was accepted."""


class NotAnswering(Busy):
    """The service has answered nothing for a while: it was not asked, and is in a moment."""


class RemoteFailed(Busy):
    """A remote service gave no proper answer, or none at all; it may have done what it was asked.

    `status` is what it answered with; None where no whole answer came.
    """

    def __init__(self, message: str, *, retry_after_s: float, status: int | None = None) -> None:
        """Keep what it answered with."""
        super().__init__(message, retry_after_s=retry_after_s)
        self.status = status


class NoSuchActor(ActorError):
    """Nothing is registered under that name."""


class NotScalable(ActorError):
    """There can be no other number of replicas; the message says why."""


class NotRestarted(ActorError):
    """One of several that were to restart in turn did not come up; those after it were left."""


class DeadlineExceeded(ActorError, Timeout):
    """The deadline passed first. A command may still have been applied: ask again with its key."""


class MessageExpired(DeadlineExceeded):
    """What its sender keeps was of no use any more when its turn came: it is settled, and unrun.

    `place` is where it was kept: "channel" or "timer". `is_told` is whether its sender is.
    """

    def __init__(self, message: str, *, place: str) -> None:
        """Nobody is told yet."""
        super().__init__(message)
        self.place = place
        self.is_told = False


class ActorStopped(ActorError, ActorDeadError):
    """The actor has stopped for good and handles no more messages."""


class ActorCrashed(ActorError):
    """The incarnation ended while it handled this message, and the message is not retried."""


class DeadLettered(ActorError):
    """The message crashed its handler on every attempt, or has none; it is a dead letter."""

    def __init__(self, message: str, *, letter_id: str | None = None) -> None:
        """`letter_id` is the dead letter's, where a store keeps it."""
        super().__init__(message)
        self.letter_id = letter_id


class NoSuchLetter(ActorError):
    """No dead letter has that id: it was replayed, discarded, or dropped for newer ones."""


class NoSuchBreaker(ActorError):
    """No breaker has that name."""


class LetterNotReplayable(ActorError):
    """The dead letter is kept in memory only, as text: there is no message to run again."""


class OutboxFull(Busy):
    """A receiver is down so long that its outbox is full; the command was rolled back."""


class OutOfOrder(ActorError):
    """A channel's message came before one of a lower number; its sender starts again from there."""


class MessageUnreadable(ActorError):
    """The receiver's code cannot read the message: it waits, where it is, for code that can."""


class ReplyUnreadable(ActorError):
    """The request was done before, by other code, and the code at hand cannot read its reply."""


class NothingWaits(ActorError):
    """No such message waits there unreadable, or nobody is there to keep it as a dead letter."""


class LettersFull(ActorError):
    """Nothing is let go, or no more: a service has no room for a dead letter more."""


class AskCycle(ActorError):
    """An ask would wait for an actor that is waiting for it; `path` holds the names."""

    def __init__(self, path: Sequence[str]) -> None:
        """`path` starts and ends with the actor that would wait for itself."""
        super().__init__(
            f"ask cycle: {' -> '.join(path)}; answer from state, or tell and let it tell you"
        )
        self.path = tuple(path)


class BlockingCall(ActorError):
    """A blocking call on the event loop's own thread, which would stop every actor."""


# --- Stores ----------------------------------------------------------------------------------


class StoreError(DressRehearsalError):
    """A store could not do what it was asked."""


class StoreLocked(StoreError):
    """Another process uses this data directory."""


class SchemaError(StoreError, Irreparable):
    """A schema is newer than this program, or a migration was altered after it was applied."""


class StoreCorrupt(StoreError, Irreparable):
    """The database failed its integrity check, or SQLite found it malformed while working."""


class StoreRefused(StoreError, Trouble):
    """SQLite could not write (disk full, file read-only); nothing of the batch was kept."""


class StoreLost(StoreRefused):
    """The service's file is gone, or older than what was acknowledged from it."""


class PastLost(StoreLost, Irreparable):
    """At an open, the service's file is not what the data folder knows; the message says how on."""


class StoreShared(StoreLost, Irreparable):
    """The data folder's lock is not this process's any more: another may be using the folder."""


class StoreForeign(StoreError, Irreparable):
    """The file, or its write-ahead log, is another service's."""


class ManifestUnreadable(StoreError, Irreparable):
    """What the data folder holds cannot be known."""


class StoreUnwritable(StoreRefused):
    """The disk is full or failing, or the file read-only: what is there can perhaps be read."""


class BackupRefused(StoreError):
    """No backup can be made there, or it cannot be put back; the message says what to change."""


class Fenced(StoreError):
    """A newer incarnation owns the store; this one's transaction was rolled back."""


class HandlerTimeout(StoreError):
    """A handler ran past its budget and was interrupted."""


class HolderSaysNo(DressRehearsalError):
    """The process that uses a data folder does not do what it was asked, or cannot be asked."""


class FaultRefused(DressRehearsalError):
    """What was ordered makes no sense here; `field` names what of it, and nothing was touched."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        """Keep whose fault it is."""
        super().__init__(message)
        self.field = field


class FaultsBlocked(FaultRefused):
    """It would make sense, and is not allowed: as far as a fault may reach, or as it stands."""


class NoSuchFault(DressRehearsalError):
    """No fault of that id is active."""
