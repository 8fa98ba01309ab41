"""What remembers, beside SQLite, what a transaction writes: it hears of each of its steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actors.kernel.envelope import Envelope
    from actors.store.messaging.output import Output

Step = Literal[
    "opened", "begin", "savepoint", "savepoint_undone", "before_commit", "committed", "rolled_back"
]


def nothing(*_: Any) -> None:
    """What a participant says that has nothing to do at a step; it costs no call."""


class Participant(ABC):
    """Keeps in memory what its tables say or will say; one a writer connection.

    What SQLite rolls back, it has to forget: so no step has a default, and who leaves one out
    cannot be made. Nothing is asked of it between a commit, or a rollback, and the next `begin`.
    """

    @abstractmethod
    def opened(self) -> None:
        """Read where things stand; in the transaction that takes the epoch."""

    @abstractmethod
    def begin(self, now_us: int, /) -> None:
        """A batch begins, in a transaction of this time."""

    @abstractmethod
    def savepoint(self, envelope: Envelope, /) -> None:
        """A command begins, in this envelope. What it does is either kept, or undone as one."""

    @abstractmethod
    def savepoint_undone(self) -> None:
        """The command was refused or has crashed: nothing that it did since `savepoint` is."""

    @abstractmethod
    def before_commit(self, output: Output, /) -> None:
        """Write, in the transaction, what is to be kept; it may still fail."""

    @abstractmethod
    def committed(self) -> None:
        """What was written is on disk."""

    @abstractmethod
    def rolled_back(self) -> None:
        """Nothing of the batch has happened: it crashed, or its commit failed."""


# What a settler says of a message that is to be handled.
NEW: Final = object()


class Settler(Participant):
    """Recognises the second delivery of what is kept elsewhere until it is applied here."""

    @abstractmethod
    def outcome_of(self, origin: Any, /, *, redelivered: bool) -> Any:
        """Return NEW, or how to answer a message that was applied before or comes too early.

        `redelivered`: an incarnation that died had it in hand.
        """

    @abstractmethod
    def apply(self, origin: Any, /) -> None:
        """Settle it: handled, refused or buried."""


def hearing(participants: Iterable[Participant], step: Step) -> tuple[Callable[..., None], ...]:
    """Return what to call at the step: of whom it is anything to, in their order."""
    return tuple(
        getattr(each, step) for each in participants if getattr(type(each), step) is not nothing
    )
