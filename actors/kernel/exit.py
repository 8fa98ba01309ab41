"""How an incarnation ends, and how its end is told."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from actors.errors import ActorError, Irreparable

if TYPE_CHECKING:
    from typing import Protocol

    class ExitHandler(Protocol):
        """What a supervisor is to the actors below it."""

        def exited(self, actor: Any, exit_: Exit) -> None: ...

        def restart_requested(self, actor: Any) -> None: ...


# What an author's code may end with that is a crash. The others (KeyboardInterrupt, SystemExit) are
# meant for the process; CancelledError ends this incarnation and nothing else.
CRASHES = (Exception, asyncio.CancelledError)

# Enough for the frames of a handler and the library below it; a log line must stay a line.
TRACEBACK_CHARS_MAX = 4000


class Killed(ActorError):
    """The incarnation was killed on purpose: by an operator, a fault, or a time limit."""


class Overrun(Killed):
    """Killed by nobody's wish: it did not end in time, or what it stood under fell."""


class Escalation(ActorError):
    """A supervisor gives up: its restart budget is spent, and its own supervisor must decide."""

    def __init__(self, message: str, *, starting: bool = False, irreparable: bool = False) -> None:
        """`starting`: it never brought its child up, so its own start has failed, however late."""
        super().__init__(message)
        self.starting = starting
        self.irreparable = irreparable


def describe(error: BaseException) -> str:
    """Return the error's type, and its text if it has one: to ask for that must not crash."""
    try:
        text = str(error)
        return f"{type(error).__name__}: {text}" if text else type(error).__name__
    except Exception as second:  # noqa: BLE001 - an author's __str__ may raise anything
        return f"{type(error).__name__}, whose text raised {type(second).__name__}"


def traceback_of(error: BaseException) -> str:
    """Return the end of the traceback, which is where the handler is."""
    try:
        return "".join(traceback.format_exception(error))[-TRACEBACK_CHARS_MAX:]
    except Exception as second:  # noqa: BLE001 - an author's __str__ may raise anything
        return f"no traceback: its text raised {type(second).__name__}"


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """Why an incarnation ended.

    `charged` is whether the end counts against the restart budget. A crash that one message caused
    does not (bad input must not be able to park a service; the message's own attempts bound it),
    nor does a kill or a restart in order (somebody wanted it).
    """

    reason: Literal["normal", "crash", "killed", "restart"]
    error: BaseException | None = None
    charged: bool = False

    @property
    def irreparable(self) -> bool:
        """Whether trying again at once is no use."""
        error = self.error
        return isinstance(error, Irreparable) or (
            isinstance(error, Escalation) and error.irreparable
        )

    @property
    def abnormal(self) -> bool:
        """Whether a transient child is restarted after it."""
        return self.reason != "normal"
