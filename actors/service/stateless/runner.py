"""Where the handlers of a stateless service run: the protocol, and how a batch is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from actors.errors import Fenced
from actors.kernel.behavior import BatchResult
from actors.kernel.mailbox import too_late
from actors.kernel.messages import type_of
from actors.store.messaging.dead_letter_table import dead_lettered, no_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng

    Answer = Callable[[Any], Any]
    Handlers = Mapping[Any, Answer]
    Run = Callable[[int, Answer, Any], Any]


class RunnerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a runner is told about its service."""

    name: str
    attempts_max: int
    handler_s_max: float


class Runner(Protocol):
    """One incarnation's place to run handlers: a batch at a time, one handler after another."""

    async def open(self) -> None:
        """Be ready for the first batch."""
        ...

    async def answer(self, batch: Sequence[Envelope], handlers: Handlers) -> BatchResult:
        """Run a batch. A query that crashes, or takes too long, is the culprit."""
        ...

    async def close(self) -> None:
        """End in order; nothing may be running."""
        ...

    async def abandon(self) -> None:
        """Stop what is running: the incarnation is dead."""
        ...


class RunnerType(Protocol):
    """Makes a runner that is not open yet."""

    def __call__(self, spec: RunnerSpec, *, clock: Clock, rng: Rng) -> Runner: ...


def answer_batch(
    spec: RunnerSpec,
    batch: Sequence[Envelope],
    handlers: Handlers,
    *,
    clock: Clock,
    run: Run,
    abandoned: Callable[[], bool],
) -> BatchResult:
    """Answer query by query, as a store's reader does: one that crashes is the culprit.

    `run(index, handler, message)` calls a handler, within its budget or without one.
    """
    outcomes: list[Any] = []
    for index, envelope in enumerate(batch):
        if abandoned():
            return BatchResult(outcomes=outcomes, crash=Fenced(f"{spec.name}: abandoned"))
        handler = handlers.get(type_of(envelope.message))
        if handler is None or envelope.attempt >= spec.attempts_max:
            envelope.error = envelope.error or no_handler(envelope)
            outcomes.append(dead_lettered(spec.name, envelope, None))
            continue
        if envelope.deadline is not None and envelope.deadline <= clock.monotonic():
            outcomes.append(too_late(spec.name))
            continue
        try:
            outcomes.append(run(index, handler, envelope.message))
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is a crash
            return BatchResult(outcomes=outcomes, crash=error, culprit=index)
    return BatchResult(outcomes=outcomes)
