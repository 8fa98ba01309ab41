"""A message on its way, with all that must travel with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykka._envelope import Envelope as PykkaEnvelope

if TYPE_CHECKING:
    from actors.kernel.future import AsyncioFuture


class Envelope(PykkaEnvelope[Any]):
    """Keeps its identity over redeliveries, so that a store can tell the second from the first.

    key       the sender's own request key; equal keys ask for one effect
    deadline  clock.monotonic() seconds after which the message is not run
    trace     the request id it was sent under, for logs
    path      names of the actors that wait for the reply, outermost first
    seq       its number in the mailbox that accepted it, from 1
    attempt   how often it has crashed its handler
    started   whether an incarnation has had it in hand; its effect may exist already
    error     what it crashed with last
    """

    __slots__ = ("attempt", "deadline", "error", "key", "path", "seq", "started", "trace")

    reply_to: AsyncioFuture[Any] | None

    def __init__(
        self,
        message: Any,
        reply_to: AsyncioFuture[Any] | None = None,
        deadline: float | None = None,
        key: str | None = None,
        trace: str | None = None,
        path: tuple[str, ...] = (),
    ) -> None:
        """Address nothing yet: the mailbox gives the number."""
        self.message = message
        self.reply_to = reply_to
        self.deadline = deadline
        self.key = key
        self.trace = trace
        self.path = path
        self.seq = 0
        self.attempt = 0
        self.started = False
        self.error: str | None = None
