"""The callers whose answer was put off: they outlive the incarnation that put it off."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import ActorCrashed
from actors.kernel.future import AsyncioFuture
from actors.kernel.messages import Refusal, type_of
from actors.store.messaging.deferred_replies import find_answers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from actors.kernel.envelope import Envelope
    from actors.kernel.messages import Later
    from actors.store.store import BoundHandler, Store

_decode_refusal = msgspec.json.Decoder(Refusal).decode


class DeferredCaller(msgspec.Struct, eq=False):
    """One caller: `message_type`, `key` and `seq` are its message's."""

    future: AsyncioFuture[Any]
    message_type: Any
    key: str | None
    seq: int


class DeferredCallers:
    """Callers by the name of the request they wait for; at its deadline one is told so_far."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._waiters: dict[str, list[DeferredCaller]] = {}
        # All requests that have no answer, whether anybody waits or not.
        self._open: set[str] = set()

    @property
    def left_behind(self) -> int:
        """How many requests go on that nobody waits for."""
        return max(0, len(self._open) - len(self._waiters))

    def opened(self, requests: Iterable[str]) -> None:
        """Hear from the store of a new incarnation which requests have no answer."""
        self._open = set(requests)

    def add(self, envelope: Envelope, later: Later) -> None:
        """Let the message's caller wait, if there is one."""
        self._open.add(later.request)
        future = envelope.reply_to
        if not isinstance(future, AsyncioFuture) or future.ended:
            return
        envelope.reply_to = None  # from now on ours to settle
        future.so_far = later.so_far
        waiter = DeferredCaller(future, type_of(envelope.message), envelope.key, envelope.seq)
        self._waiters.setdefault(later.request, []).append(waiter)
        future.when_ended(partial(self._leave, later.request, waiter))

    def answer(self, request: str, value: Any) -> None:
        """Give the answer to whoever waits for it."""
        self._open.discard(request)
        for waiter in self._waiters.pop(request, ()):
            waiter.future.settle(value)

    async def catch_up(self, store: Store, handlers: Mapping[Any, BoundHandler]) -> None:
        """Give the answers of which the last incarnation did not hear. Raises StoreError."""
        waiting = [
            (request, waiter.key, waiter.seq)
            for request, waiters in self._waiters.items()
            for waiter in waiters
        ]
        if not waiting:
            return
        answers = await store.look(partial(find_answers, waiting=waiting))
        for request, (refused, reply) in answers.items():
            for waiter in self._waiters.pop(request, ()):
                decode = _decode_refusal
                if not refused:
                    decode = handlers[waiter.message_type].reply.decode
                try:
                    waiter.future.settle(decode(reply))
                except msgspec.MsgspecError as error:  # theirs alone: the service must start
                    text = f"the answer to {request} is not of its handler's type: {error}"
                    waiter.future.settle_error(ActorCrashed(text))

    def _leave(self, request: str, waiter: DeferredCaller) -> None:
        waiters = self._waiters.get(request, [])
        if waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiters[request]
