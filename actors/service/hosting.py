"""What outlives a service's incarnations."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from actors.errors import (
    ActorError,
    LetterNotReplayable,
    NoSuchLetter,
    ServiceUnavailable,
    StoreError,
)
from actors.kernel.envelope import Envelope
from actors.kernel.future import AsyncioFuture
from actors.kernel.messages import Refusal
from actors.kernel.supervision.child_spec import ChildSpec
from actors.service.commits import Commits
from actors.service.deferred_callers import DeferredCallers
from actors.service.effects import Breakers
from actors.service.host import ServiceHost, lane_of
from actors.service.letters import DiscardLetter, Replayed
from actors.store.files.integrity import IntegrityCheck
from actors.store.messaging.dead_letter_table import Unreadable, find_letter, latest
from actors.store.messaging.origin import LetterOrigin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.kernel.dead_letters import DeadLetter
    from actors.kernel.rng import Rng
    from actors.service.channel import ChannelStats
    from actors.service.directory import Directory
    from actors.service.service import Service
    from actors.store.store import Store


class TimerStats(msgspec.Struct, frozen=True, kw_only=True):
    """A service's timers and effects; `due` of the `pending` are due and not applied yet."""

    service: str
    pending: int
    due: int
    next_due_us: int | None
    effects_running: int


class Hosting:
    """One service: how to make its incarnations, what they share, and how the last one ended."""

    def __init__(
        self,
        name: str,
        service: Callable[[], Service],
        store: Callable[[], Store],
        *,
        directory: Directory,
        config: Config,
        path: Path,
        clock: Clock,
        rng: Rng,
    ) -> None:
        """`service` and `store` make a fresh one for every incarnation."""
        self.name = name
        self.make_service = service
        self.make_store = store
        self.directory = directory
        self.config = config
        self.clock = clock
        self.rng = rng
        self.breakers = Breakers(name, config.breaker, clock)
        self.waiting = DeferredCallers()
        self.commits = Commits(name)
        self.opened = False
        # How often in a row it was opened again, as there was room, and could not be written still.
        self.reopened = 0
        # Whether the next open looks for damage before it serves: some was seen.
        self.suspicious = False
        self.check = IntegrityCheck(path, clock)
        self.current: ServiceHost | None = None

    def child(self) -> ChildSpec:
        """Return the service as a supervisor's child."""
        return ChildSpec(
            name=self.name,
            factory=lambda: ServiceHost(self),
            kind="service",
            service=self.name,
            lanes=2,
            lane_of=lane_of,
            batch_messages_max=self.config.service.batch_messages_max,
        )

    def reopen_after_s(self) -> float:
        """Return when to look for room: later and later where room is not what is missing."""
        at_once_s, seldom_s = self.config.store.write_probe_s, self.config.supervisor.park_retry_s
        return max(at_once_s, min(seldom_s, at_once_s * 2.0 ** min(self.reopened, 32)))

    # --- For operators: a service that is down has nothing to show --------------------------

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the service's latest dead letters; none while it is down or cannot read them."""
        try:
            return await self._up().store.look(partial(latest, service=self.name, limit=limit))
        except (StoreError, ServiceUnavailable):  # the others' letters are listed all the same
            return []

    async def channels(self) -> list[ChannelStats]:
        """Return the channels that begin here; none while it is down or cannot read them."""
        try:
            return await self._up().channels()
        except (StoreError, ServiceUnavailable):
            return []

    async def timers(self) -> TimerStats | None:
        """Return how the timers stand; None while it is down or cannot read them."""
        try:
            host = self._up()
            counts = await host.timers()
        except (StoreError, ServiceUnavailable):
            return None
        return TimerStats(
            service=self.name,
            pending=counts.pending,
            due=counts.due,
            next_due_us=counts.next_due_us,
            effects_running=host.effects_running,
        )

    async def holds_letter(self, letter_id: str) -> bool:
        """Whether the dead letter is this service's. Raises StoreError, ServiceUnavailable."""
        return await self._up().store.look(partial(find_letter, letter_id=letter_id)) is not None

    async def replay(self, letter_id: str, *, timeout_s: float) -> Replayed:
        """Run the letter's message again; it is gone in the same transaction.

        Raises NoSuchLetter, LetterNotReplayable, DeadLettered (it crashed again), and what an ask
        raises.
        """
        letter = await self._up().store.look(partial(find_letter, letter_id=letter_id))
        if letter is None:
            message = f"{self.name} has no dead letter {letter_id}"
            raise NoSuchLetter(message)
        message = self.directory.decode(self.name, letter.message_type, letter.blob)
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
            return Replayed(
                letter_id=letter_id, actor=self.name, outcome="refused", detail=reply.detail
            )
        return Replayed(letter_id=letter_id, actor=self.name, outcome="handled")

    async def discard(self, letter_id: str, *, timeout_s: float) -> None:
        """Forget the letter. Raises NoSuchLetter, and what an ask raises."""
        reply = await self._ask(Envelope(DiscardLetter(letter_id=letter_id)), timeout_s)
        if isinstance(reply, Refusal):
            raise NoSuchLetter(reply.detail)

    # --- Inside ------------------------------------------------------------------------------

    def _up(self) -> ServiceHost:
        if self.current is None:
            message = f"{self.name} is down; try again when /readyz says it is up"
            raise ServiceUnavailable(message, retry_after_s=1.0)
        return self.current

    async def _ask(self, envelope: Envelope, timeout_s: float) -> Any:
        future: AsyncioFuture[Any] = AsyncioFuture(asyncio.get_running_loop())
        envelope.reply_to = future
        envelope.deadline = self.clock.monotonic() + timeout_s
        future.expire_after(timeout_s, self.name)
        try:
            self.directory.ask(self.name, envelope)
        except ActorError as error:
            future.settle_error(error)
        return await future
