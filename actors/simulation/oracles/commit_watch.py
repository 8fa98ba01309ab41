"""Stands between a store and its service's handlers: hears what each says, and what is committed.

So an oracle knows what a handler asked for from the handler itself, and not from the tables that
may have got it wrong.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from actors.errors import DeadLettered, MessageExpired
from actors.kernel.messages import Refusal
from actors.simulation.oracles.handled import Content, Handled, Run, Said, encode
from actors.store.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.store.store import BoundHandler, WriteResult

    # The store, what was done, what it crashed with, and at which message if one did; what comes
    # back tells of it.
    Hear = Callable[
        [str, Sequence[Handled], BaseException | None, Envelope | None], Callable[[], None]
    ]


class CommitWatch:
    """Shows `hear` every batch of every store, once it is committed or has failed."""

    def __init__(self, hear: Hear, clock: Clock) -> None:
        """Nothing was written yet."""
        self._hear = hear
        self._clock = clock
        self._stores: dict[str, _Store] = {}

    def watched(
        self, store: str, handlers: Mapping[Any, BoundHandler]
    ) -> Mapping[Any, BoundHandler]:
        """Return the same handlers, which are heard from now on: a batch begins."""
        known = self._stores.get(store)
        if known is None or known.handlers is not handlers:
            known = self._stores[store] = _Store(handlers)
        known.runs.clear()
        return known.watched

    def wrote(
        self, store: str, batch: Sequence[Envelope], result: WriteResult
    ) -> Callable[[], None]:
        """Return what tells of the batch, as its actor is going to hear of it.

        To be called when it cannot be lost any more, and before its actor hears of it.
        """
        runs = self._stores[store].runs
        now_us, at_s = self._clock.now_us(), self._clock.monotonic()
        return self._hear(
            store,
            [
                Handled(
                    store=store,
                    envelope=envelope,
                    run=runs.get(id(envelope.message)),
                    outcome=outcome,
                    stands=_stands(outcome),
                    keeps=not isinstance(outcome, Refusal | BaseException),
                    now_us=now_us,
                    at_s=at_s,
                )
                for envelope, outcome in zip(batch, result.outcomes, strict=False)
            ],
            result.crash,
            _culprit(batch, runs, result),
        )


class _Store:
    """One incarnation's handlers, and those of them that were called in the batch in hand."""

    def __init__(self, handlers: Mapping[Any, BoundHandler]) -> None:
        self.handlers = handlers
        # By the message's identity: a batch may hold two that are equal.
        self.runs: dict[int, Run] = {}
        self.watched = {
            message: msgspec.structs.replace(
                handler, function=partial(self._call, handler.function)
            )
            for message, handler in handlers.items()
        }

    def _call(self, function: Callable[[Any, Any], Any], tx: Transaction, message: Any) -> Any:
        run = _Heard.in_hand = self.runs[id(message)] = Run(tx.now_us)
        tx.__class__ = _Heard
        try:
            return function(tx, message)
        except BaseException as error:
            run.raised = error
            raise


class _Heard(Transaction):
    """Notes what it has taken."""

    __slots__ = ()

    # Whose it is: a handler awaits nothing, so that one alone is at work. No transaction has room
    # for it, and a class for each incarnation would cost more than all that it hears.
    in_hand: ClassVar[Run] = Run(0)

    def send(self, service: str, command: Any, *, by_us: int | None = None) -> None:
        super().send(service, command, by_us=by_us)
        self.in_hand.said.append(Said("send", Content.of(command), service, by_us=by_us))

    def publish(self, event: Any) -> None:
        super().publish(event)
        self.in_hand.said.append(Said("publish", Content.of(event)))

    def run(self, command: Any, *, by_us: int | None = None) -> None:
        super().run(command, by_us=by_us)
        self.in_hand.said.append(Said("after", Content.of(command), by_us=by_us))

    def after(self, delay_s: float, command: Any, *, by_us: int | None = None) -> None:
        super().after(delay_s, command, by_us=by_us)
        due_us = self.now_us + round(delay_s * 1_000_000) if delay_s > 0 else 0
        self.in_hand.said.append(Said("after", Content.of(command), due_us=due_us, by_us=by_us))

    def reply(self, request: str, value: Any) -> None:
        super().reply(request, value)
        what = Content(type(value).__name__, encode(value))
        self.in_hand.said.append(Said("reply", what, request))


def _stands(outcome: Any) -> bool:
    settled = isinstance(outcome, DeadLettered | MessageExpired)
    return settled or not isinstance(outcome, BaseException)


def _culprit(
    batch: Sequence[Envelope], runs: Mapping[int, Run], result: WriteResult
) -> Envelope | None:
    """Return the message whose handler has raised, or the one that the store blames, if it ran.

    What was only to be buried has crashed nothing of its own.
    """
    if result.crash is None:
        return None
    for envelope in batch[len(result.outcomes) :]:
        run = runs.get(id(envelope.message))
        if run is not None and run.raised is result.crash:
            return envelope
    blamed = None if result.culprit is None else batch[result.culprit]
    return blamed if blamed is not None and id(blamed.message) in runs else None
