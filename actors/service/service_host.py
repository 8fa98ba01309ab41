"""The behavior that hosts a service: its store, its handlers, its batches, and what it sends."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import structlog

from actors.errors import (
    DeadLettered,
    MessageExpired,
    StoreCorrupt,
    StoreError,
    StoreLost,
    StoreUnwritable,
)
from actors.kernel.behavior import Behavior
from actors.kernel.exit import Killed
from actors.kernel.messages import Expired, Later, Query, type_name, type_of
from actors.kernel.supervision.child_spec import ChildSpec
from actors.service.background import Background
from actors.service.bound_effect import bound_effects
from actors.service.caching.query_caches import QueryCaches
from actors.service.channel import RemoveApplied
from actors.service.dispatcher import Dispatcher
from actors.service.effects import EffectDone, EffectPutOff, Effects, put_effect_off
from actors.service.hosted_service import Running
from actors.service.json_types import decoder_of
from actors.service.letters import DiscardLetter, LetTimersGo, discard_letter, let_timers_go
from actors.service.sharded.merging import is_page, part_of
from actors.service.sharded.shard_guard import guarded
from actors.store.messaging.origin import TimerOrigin
from actors.store.store import BoundHandler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.kernel.behavior import BatchResult
    from actors.kernel.envelope import Envelope
    from actors.kernel.messages import Message
    from actors.service.hosted_service import HostedService
    from actors.store.messaging.output import Output
    from actors.store.store import WriteResult

log = structlog.get_logger()

COMMANDS, QUERIES = 0, 1


def lane_of(message: Message) -> int:
    """Sort a service's messages: queries never wait behind commands."""
    return QUERIES if isinstance(message, Query) else COMMANDS


def service_child(hosted: HostedService, service: str) -> ChildSpec:
    """Return it as a supervisor's child: it answers for `service`, alone or for its keys."""
    return ChildSpec(
        name=hosted.name,
        factory=partial(ServiceHost, hosted),
        kind="service",
        service=service,
        lanes=2,
        lane_of=lane_of,
        batch_messages_max=hosted.config.service.batch_messages_max,
    )


class ServiceHost(Behavior):
    """One incarnation of a service: opens the store, runs batches, recognises redeliveries."""

    redelivers: ClassVar[bool] = True

    def __init__(self, hosted: HostedService) -> None:
        """Make the service and its store; the store is opened by `on_start`."""
        self._hosted = hosted
        service = hosted.make_service()
        specs = type(service).handlers.values()
        self._caches: QueryCaches | None = None
        if hosted.cache_counts:
            self._caches = QueryCaches(
                specs, hosted.cache_counts, hosted.config.cache, hosted.clock
            )
            store = hosted.make_store(self._caches.forgetting)
        else:
            store = hosted.make_store()
        self._handlers = {spec.message: spec.bind(service) for spec in specs}
        if (sharding := hosted.directory.catalog.sharding_of(hosted.name)) is not None:
            for spec in specs:
                handler = self._handlers[spec.message]
                if spec.kind in {"command", "event"}:
                    self._handlers[spec.message] = guarded(handler, sharding, hosted.name)
                elif type_name(spec.message) in sharding.in_order and is_page(spec.reply):
                    self._handlers[spec.message] = part_of(handler, sharding)
        self._own = type(service).handlers
        self._handlers[EffectDone] = _builtin(lambda _tx, _message: None)
        self._handlers[RemoveApplied] = _builtin(lambda _tx, _message: None)
        self._handlers[EffectPutOff] = _builtin(put_effect_off)
        self._handlers[DiscardLetter] = _builtin(discard_letter)
        self._handlers[LetTimersGo] = BoundHandler(
            partial(let_timers_go, letters_max=hosted.config.service.dead_letters_max),
            decoder_of(int),
        )
        effects = Effects(
            hosted.name,
            bound_effects(hosted.name, service, hosted.config),
            directory=hosted.directory,
            breakers=hosted.breakers,
            config=hosted.config.effect,
            letter_attempts=hosted.config.service.attempts_max,
            deadlines=hosted.deadlines,
            clock=hosted.clock,
            rng=hosted.rng.fork("effects"),
            seam=hosted.seam,
            expired=partial(self._expired, "effect"),
        )
        dispatcher = Dispatcher(
            hosted.name,
            store,
            effects,
            directory=hosted.directory,
            gate=hosted.gate,
            config=hosted.config,
            clock=hosted.clock,
            failed=self.fail,
        )
        self._running = Running(store, dispatcher, effects)
        self._store, self._dispatcher, self._effects = store, dispatcher, effects
        self._background = Background(
            hosted.name, service, directory=hosted.directory, failed=self.fail
        )
        self._checking: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None

    @property
    def start_steps(self) -> int:
        """How far the open of the store has got."""
        return self._store.steps

    async def on_start(self) -> None:
        """Open the store, and take up what is on its way. Raises StoreError: a failed start."""
        hosted = self._hosted
        first = not hosted.opened
        await self._store.open(verify=hosted.suspicious, first=first)
        if self._store.unwritable is not None:
            # Queries alone, and nothing goes on its way: what happens next could not be kept.
            hosted.current = self._running
            self._degrade(self._store.unwritable)
            return
        hosted.suspicious = False
        if first:
            hosted.check.opened()
        hosted.opened = True
        hosted.reopened = 0
        hosted.deferred.opened(self._store.backlog.requests)
        await hosted.deferred.catch_up(self._store, self._handlers)
        hosted.current = self._running
        hosted.commits.note()  # the last incarnation may have died of one unheard
        self._dispatcher.open()
        # Not before the first message can be taken: a start may still fail.
        asyncio.get_running_loop().call_soon(self._take_up)

    async def on_batch(self, lane: int, batch: Sequence[Envelope]) -> BatchResult:
        """Run a batch in the store; its replies are the kernel's to send, after the commit."""
        hosted, caches = self._hosted, self._caches
        begun_s = hosted.clock.monotonic()
        handlers: Mapping[Any, BoundHandler] = self._handlers
        faults = hosted.seam.batches
        if faults is not None:
            if lane == COMMANDS:
                await faults.before_commit(batch, hosted.name)
            handlers = faults.around(batch, handlers, own=self._own, who=hosted.name)
        if lane == COMMANDS:
            result = await self._store.write(batch, handlers)
            if faults is not None:
                await faults.after_commit(batch, hosted.name)
            self._let_out(batch, result)
            if hosted.tracing.recent is not None:
                hosted.tracing.recent.note(hosted.name, "command", batch, result.outcomes, begun_s)
            return result
        if caches is not None:
            answers = await caches.read(batch, self._store, handlers)
        else:
            answers = await self._store.read(batch, handlers)
        hosted.tracing.answered(hosted.name, batch, answers.outcomes, begun_s)
        return answers

    async def on_stop(self) -> None:
        """Close the store."""
        self._hosted.current = None
        self._leave()
        try:
            await self._background.close()
            await self._effects.close()
            # What receivers have acknowledged goes with the next commit: this is the last one.
            last = await self._store.write((), self._handlers)
            if isinstance(last.crash, StoreLost):
                raise last.crash  # nobody else would say it: the process ends
        finally:  # this is cut short where one of them swallows its cancellation
            await self._store.close()

    async def on_failure(self, error: BaseException) -> None:
        """Take the store away from whatever still runs on it."""
        if self._hosted.current is self._running:
            self._hosted.current = None
        # Only a verified open clears it: one that was killed or timed out has verified nothing.
        if isinstance(error, StoreCorrupt):
            self._hosted.suspicious = True
            self._hosted.check.again()
        self._leave()
        effects = self._effects.close(crashed=not isinstance(error, Killed))
        await asyncio.gather(self._background.close(), effects, self._store.abandon())

    # --- Inside ------------------------------------------------------------------------------

    def _let_out(self, batch: Sequence[Envelope], result: WriteResult) -> None:
        """Put on its way what was committed, and note who waits for it."""
        hosted = self._hosted
        if result.outputs:
            hosted.commits.note()
        unwritable: StoreUnwritable | None = None
        for envelope, outcome in zip(batch, result.outcomes, strict=False):
            kind = outcome.__class__
            if kind is Later:
                hosted.deferred.add(envelope, outcome)
            elif kind is StoreUnwritable:  # of others it says what they had before
                unwritable = outcome
            elif kind is MessageExpired and not outcome.is_told:
                sender = getattr(envelope.origin, "sender", hosted.name)
                hosted.directory.warn_expired(sender, type_name(type_of(envelope.message)))
            if envelope.origin.__class__ is TimerOrigin and _is_applied(outcome):
                if envelope.message.__class__ is Expired:
                    self._expired("timer")
                self._effects.settled(envelope.origin.seq)
        if unwritable is not None:
            self._degrade(unwritable)
        self._send_out(result.outputs)

    def _expired(self, place: str) -> None:
        self.actor_ref.actor_inbox.expired[place] += 1

    def _send_out(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            for request, value in output.replies:
                self._hosted.deferred.answer(request, value)
            if output.messages:
                self._dispatcher.send(output.messages)
            if output.timers:
                self._dispatcher.schedule(output.timers)

    def _take_up(self) -> None:
        self._dispatcher.take_up()
        self._background.start()
        if not self._hosted.check.is_done():
            self._checking = asyncio.get_running_loop().create_task(self._check())

    def _leave(self) -> None:
        for task in (self._checking, self._probing):
            if task is not None:
                task.cancel()
        self._dispatcher.close()

    def _degrade(self, error: StoreUnwritable) -> None:
        """Say that the store cannot be written, until it can."""
        self.actor_ref.degrade(self.incarnation, str(error))
        if self._probing is None or self._probing.done():
            self._probing = asyncio.get_running_loop().create_task(self._probe())

    async def _probe(self) -> None:
        hosted = self._hosted
        at_once_s = hosted.config.store.write_probe_s
        seldom_s = hosted.config.supervisor.park_retry_s
        while True:
            # Later and later where room is not what is missing.
            wait_s = min(seldom_s, at_once_s * 2.0 ** min(hosted.reopened, 32))
            await asyncio.sleep(max(at_once_s, wait_s))
            if await self._store.has_room():
                break
            hosted.reopened = 0
        if self._store.unwritable is None:
            self.actor_ref.degrade(self.incarnation, None)
        else:  # the next incarnation opens it for writing
            hosted.reopened += 1
            self.actor_ref.restart()

    async def _check(self) -> None:
        """Read the file whole, while it is served: damage parks the service."""
        hosted = self._hosted
        # Those who wait for the service come first, and a life of milliseconds reads nothing.
        after_s = hosted.config.store.check_after_s
        while True:
            await asyncio.sleep(after_s)
            try:
                async with hosted.directory.checking:  # a file at a time: there is one disk
                    await self._store.check(hosted.check)
            except StoreCorrupt as error:
                self.fail(error)
                return
            except StoreError as error:
                log.warning("check cut short", service=hosted.name, error=str(error))
                after_s = hosted.config.supervisor.park_retry_s  # as seldom as for what is down
            else:
                return


def _builtin(function: Any) -> BoundHandler:
    return BoundHandler(function, decoder_of(None))


def _is_applied(outcome: Any) -> bool:
    """Whether a message's commit stands: it was handled, refused or buried."""
    settled = isinstance(outcome, DeadLettered | MessageExpired)
    return settled or not isinstance(outcome, BaseException)
