"""Whoever asks again hears what was done before; also from a store that cannot write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.errors import ActorError
from actors.kernel.messages import Later, Refusal, type_of
from actors.store.messaging import deferred_replies
from actors.store.messaging.request_keys import MISSING, RequestKeys
from actors.store.store import WriteResult

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from actors.errors import StoreRefused
    from actors.kernel.envelope import Envelope
    from actors.store.store import BoundHandler


def is_keyed(envelope: Envelope) -> bool:
    """Whether its reply is kept: what has an origin is recognised by that, if no key came too."""
    return envelope.origin is None or envelope.key is not None


def may_be_known(envelope: Envelope) -> bool:
    """Whether an earlier delivery can have left its reply: most have no key, and are the first."""
    return envelope.key is not None or (envelope.started and envelope.origin is None)


def find_reply(
    connection: sqlite3.Connection, keys: RequestKeys, envelope: Envelope, handler: BoundHandler
) -> Any:
    """Return an earlier delivery's reply, or MISSING."""
    reply = keys.find(envelope, handler)
    if handler.defers and reply is not MISSING and not isinstance(reply, Refusal | ActorError):
        request = deferred_replies.still_open(connection, envelope)
        if request is not None:
            return Later(request=request, so_far=reply)
    return reply


def refuse_new(
    connection: sqlite3.Connection,
    batch: Sequence[Envelope],
    handlers: Mapping[Any, BoundHandler],
    *,
    keys: RequestKeys,
    why: StoreRefused,
) -> WriteResult:
    """Refuse what was not done yet. What an incarnation did that died unheard is no "no"."""
    outcomes: list[Any] = []
    for envelope in batch:
        handler = handlers.get(type_of(envelope.message))
        reply = MISSING
        if handler is not None and may_be_known(envelope):
            reply = find_reply(connection, keys, envelope, handler)
        outcomes.append(why if reply is MISSING else reply)
    return WriteResult(outcomes=outcomes)
