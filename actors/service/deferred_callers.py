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
    from collections.abc import Mapping

    from actors.kernel.clock import Clock
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

    def __init__(self, clock: Clock, saga_s_max: float) -> None:
        """Start with nobody."""
        self._clock = clock
        self._saga_s_max = saga_s_max
        self._waiters: dict[str, list[DeferredCaller]] = {}
        # Requests that have no answer, whether anybody waits or not: since when, the oldest first;
        # and those of longer ago than `saga_s_max`.
        self._open: dict[str, float] = {}
        self._long: set[str] = set()

    @property
    def left_behind(self) -> int:
        """How many requests go on that nobody waits for, and were put off lately.

        What takes longer waits for somebody, or its author has forgotten to reply.
        """
        since_s = self._clock.monotonic() - self._saga_s_max
        while self._open and (oldest := next(iter(self._open.items())))[1] <= since_s:
            del self._open[oldest[0]]
            self._long.add(oldest[0])
        return max(0, len(self._open) - len(self._waiters))

    def opened(self, requests: frozenset[str]) -> None:
        """Hear from the store of a new incarnation which requests have no answer."""
        now_s = self._clock.monotonic()
        self._long &= requests
        known = {each: at_s for each, at_s in self._open.items() if each in requests}
        self._open = known | dict.fromkeys(requests - known.keys() - self._long, now_s)

    def add(self, envelope: Envelope, later: Later) -> None:
        """Let the message's caller wait, if there is one."""
        if later.request not in self._long:  # else somebody asks again
            self._open.setdefault(later.request, self._clock.monotonic())
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
        self._open.pop(request, None)
        self._long.discard(request)
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
