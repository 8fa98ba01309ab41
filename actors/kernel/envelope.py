"""A message on its way, with all that must travel with it."""

from __future__ import annotations

from typing import Any

import msgspec


class Envelope(msgspec.Struct, eq=False):
    """Keeps its identity over redeliveries, so that a store can tell the second from the first.

    A struct with pykka's two fields and ours, rather than a subclass of pykka's own (private)
    Envelope: making one costs half, and one is made for every message.

    message   what is sent
    reply_to  the AsyncioFuture of the reply, or whatever else is settled; None for a tell
    deadline  clock.monotonic() seconds after which the message is not run
    key       the sender's own request key; equal keys ask for one effect
    trace     the request id it was sent under, for logs
    path      names of the actors that wait for the reply, outermost first
    seq       its number in the mailbox that accepted it, from 1
    attempt   how often it has crashed its handler
    started   whether an incarnation has had it in hand; its effect may exist already
    error     what it crashed with last
    letter_id the dead letter's that it has become: it must not become two
    origin    where it is kept until it is applied, if it is; the receiver's store knows its kinds
    urgent    whether a client waits for what it leads to, though not for its reply
    by_us     when what it asks for is of no use any more, by the wall clock; of what is kept
    accepted_s when its mailbox accepted it, in clock.monotonic() seconds, where that is measured
    """

    message: Any
    reply_to: Any = None
    deadline: float | None = None
    key: str | None = None
    trace: str | None = None
    path: tuple[str, ...] = ()
    seq: int = 0
    attempt: int = 0
    started: bool = False
    error: str | None = None
    letter_id: str | None = None
    origin: Any = None
    urgent: bool = False
    by_us: int | None = None
    accepted_s: float = 0.0
