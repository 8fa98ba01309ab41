"""What an operator asks of one service: one that is down has nothing to show."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import (
    ActorError,
    LetterNotReplayable,
    LettersFull,
    NoSuchLetter,
    NothingWaits,
    ServiceUnavailable,
    StoreError,
)
from actors.kernel.envelope import Envelope
from actors.kernel.future import AsyncioFuture
from actors.kernel.messages import Refusal
from actors.measures.measured import MeasuredBreaker, MeasuredService
from actors.service.letters import DiscardLetter, LetTimersGo, Replayed
from actors.store.messaging.dead_letter_table import count_letters, find_letter, latest
from actors.store.messaging.origin import LetterOrigin
from actors.store.messaging.outbox import load_oldest
from actors.store.messaging.timers import count_timers
from actors.store.messaging.unreadable import (
    Unreadable,
    UnreadableRows,
    find_unreadable,
    unreadable_timers,
)
from actors.store.spans import requests_in, spans_of
from actors.tracing.trace_tree import slowest_first

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from actors.kernel.dead_letters import DeadLetter
    from actors.service.channel import ChannelStats
    from actors.service.hosted_service import HostedService, Running
    from actors.tracing.trace_span import TraceSpan


class TimerStats(msgspec.Struct, frozen=True, kw_only=True):
    """A service's timers and effects; `due` of the `pending` are due and not applied yet.

    `state` is "unreadable" where some of the first (store.listed_rows_max) cannot be read by the
    service's code: these wait, and hold up no others.
    """

    service: str
    pending: int
    due: int
    next_due_us: int | None
    effects_running: int
    state: str = "open"
    unreadable: Sequence[UnreadableRows] = ()


class OperatorCalls:
    """Looks at the incarnation that is up, or asks it as anybody does."""

    def __init__(self, hosted: HostedService) -> None:
        """Call it at any time."""
        self._hosted = hosted
        self._book = hosted.tracing.book_of(hosted.name)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the service's latest dead letters; none while it is down or cannot read them."""
        look = partial(latest, service=self._hosted.name, limit=limit)
        try:
            return await self._up().store.look(look)
        except (StoreError, ServiceUnavailable):  # the others' letters are listed all the same
            return []

    async def channels(self) -> list[ChannelStats]:
        """Return the channels that begin here; none while it is down or cannot read them."""
        try:
            return await self._up().dispatcher.stats()
        except (StoreError, ServiceUnavailable):
            return []

    async def timers(self) -> TimerStats | None:
        """Return how the timers stand; None while it is down or cannot read them."""
        look = partial(count_timers, now_us=self._hosted.clock.now_us())
        try:
            running = self._up()
            counts = await running.store.look(look)
            rows_max = self._hosted.config.store.listed_rows_max
            list_unreadable = partial(unreadable_timers, read=self._read, rows_max=rows_max)
            unreadable = await running.store.look(list_unreadable)
        except (StoreError, ServiceUnavailable):
            return None
        return TimerStats(
            service=self._hosted.name,
            pending=counts.pending,
            due=counts.due,
            next_due_us=counts.next_due_us,
            effects_running=running.effects.running,
            state="unreadable" if unreadable else "open",
            unreadable=unreadable,
        )

    async def spans_of(self, trace_id: str) -> list[TraceSpan] | None:
        """Return the service's spans of the trace; None while it is down or cannot read them."""
        return await self._spans(partial(spans_of, trace_id=trace_id, book=self._book))

    async def traced_requests(self, limit: int) -> list[TraceSpan] | None:
        """Return the slowest requests that are traced whose first step was here; None likewise."""

        def look(connection: sqlite3.Connection) -> list[TraceSpan]:
            return slowest_first(requests_in(connection, book=self._book))[:limit]

        return await self._spans(look)

    async def measured(self, limit_s: float) -> MeasuredService:
        """Return what the service has counted; its store has `limit_s` seconds for its part."""
        hosted, running = self._hosted, self._hosted.current
        channels = {} if running is None else dict(running.dispatcher.channels)
        acknowledged = {receiver: each.acknowledged for receiver, each in channels.items()}
        letters: int | None = None
        oldest: dict[str, int] = {}
        now_us = hosted.clock.now_us()
        if running is not None:
            # A query that takes long holds up its service's reader, and no scrape.
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(limit_s):
                    letters, oldest = await running.store.look(
                        lambda reader: (count_letters(reader), load_oldest(reader, acknowledged))
                    )
        return MeasuredService(
            name=hosted.name,
            answered=letters is not None,
            commit_s=hosted.commit_s,
            caches=hosted.cache_counts,
            effects=hosted.breakers.counts,
            effects_running=0 if running is None else running.effects.running,
            breakers=[
                MeasuredBreaker(
                    dependency=name,
                    state=each.state,
                    openings=each.openings,
                    forced=each.forced is not None,
                )
                for name, each in hosted.breakers.by_effect.items()
            ],
            channels=[
                each.measured(oldest.get(receiver), now_us, answered=letters is not None)
                for receiver, each in channels.items()
            ],
            letters=letters,
        )

    def let_go(self, receiver: str, message_type: str) -> None:
        """Have what `receiver` cannot read become its dead letters, see Channel.let_go.

        Raises NothingWaits, ServiceUnavailable.
        """
        channel = self._up().dispatcher.channels.get(receiver)
        if channel is None:
            error = f"{self._hosted.name} has sent {receiver} nothing"
            raise NothingWaits(error)
        channel.let_go(message_type)

    async def let_timers_go(self, message_type: str, *, timeout_s: float) -> int:
        """Make dead letters of the timers of this type that cannot be read; return how many.

        Raises NothingWaits, LettersFull, StoreError, ServiceUnavailable, and what an ask raises.
        """
        # A transaction's worth at a time.
        rows_max = self._hosted.config.service.batch_messages_max
        find = partial(
            find_unreadable, message_type=message_type, read=self._read, rows_max=rows_max
        )
        gone = 0
        while found := await self._up().store.look(find):
            await self.check_room(f"{gone} timers were let go, and the rest waits")
            seqs, reason = found
            gone += await self._ask(Envelope(LetTimersGo(seqs=seqs, reason=reason)), timeout_s)
        if not gone:
            error = f"no timer {message_type} of {self._hosted.name} waits unreadable"
            raise NothingWaits(error)
        return gone

    async def check_room(self, outcome: str) -> None:
        """Raise LettersFull, which says the `outcome`, where no dead letter more can be kept."""
        letters = await self._up().store.look(count_letters)
        letters_max = self._hosted.config.service.dead_letters_max
        if letters >= letters_max:
            error = (
                f"{outcome}: {self._hosted.name} has {letters} dead letters, and "
                f"service.dead_letters_max is {letters_max}; discard some, see /admin/dead-letters,"
                f" or raise it"
            )
            raise LettersFull(error)

    async def holds_letter(self, letter_id: str) -> bool:
        """Whether the dead letter is this service's. Raises StoreError, ServiceUnavailable."""
        return await self._up().store.look(partial(find_letter, letter_id=letter_id)) is not None

    async def replay(self, letter_id: str, *, timeout_s: float) -> Replayed:
        """Run the letter's message again; it is gone in the same transaction.

        Raises NoSuchLetter, LetterNotReplayable, DeadLettered (it crashed again), and what an ask
        raises.
        """
        name = self._hosted.name
        letter = await self._up().store.look(partial(find_letter, letter_id=letter_id))
        if letter is None:
            error = f"{name} has no dead letter {letter_id}"
            raise NoSuchLetter(error)
        message = self._read(letter.message_type, letter.blob)
        if isinstance(message, Unreadable):
            raise LetterNotReplayable(message.reason)
        reply = await self._ask(
            Envelope(
                message,
                key=letter.request_key,
                trace=letter.trace,
                letter_id=letter_id,
                origin=LetterOrigin(letter_id, letter.sender, letter.attempts),
            ),
            timeout_s,
        )
        if isinstance(reply, Refusal):
            return Replayed(letter_id=letter_id, actor=name, outcome="refused", detail=reply.detail)
        return Replayed(letter_id=letter_id, actor=name, outcome="handled")

    async def discard(self, letter_id: str, *, timeout_s: float) -> None:
        """Forget the letter. Raises NoSuchLetter, and what an ask raises."""
        reply = await self._ask(Envelope(DiscardLetter(letter_id=letter_id)), timeout_s)
        if isinstance(reply, Refusal):
            raise NoSuchLetter(reply.detail)

    # --- Inside ------------------------------------------------------------------------------

    async def _spans(
        self, look: Callable[[sqlite3.Connection], list[TraceSpan]]
    ) -> list[TraceSpan] | None:
        try:
            return await self._up().store.look(look)
        except (StoreError, ServiceUnavailable):
            return None

    def _read(self, message_type: str, blob: bytes) -> Any:
        return self._hosted.directory.decode(self._hosted.name, message_type, blob)

    def _up(self) -> Running:
        running = self._hosted.current
        if running is None:
            message = f"{self._hosted.name} is down; try again when /readyz says it is up"
            raise ServiceUnavailable(message, retry_after_s=1.0)
        return running

    async def _ask(self, envelope: Envelope, timeout_s: float) -> Any:
        future: AsyncioFuture[Any] = AsyncioFuture(asyncio.get_running_loop())
        envelope.reply_to = future
        envelope.deadline = deadline = self._hosted.clock.monotonic() + timeout_s
        self._hosted.deadlines.add(future, deadline, timeout_s, self._hosted.name)
        try:
            self._hosted.directory.ask(self._hosted.name, envelope)
        except ActorError as error:
            future.settle_error(error)
        return await future
