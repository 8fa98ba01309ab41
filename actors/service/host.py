"""The behavior that hosts a service: its store, its handlers, its batches, and what it sends."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import structlog

from actors.errors import StoreCorrupt, StoreError, StoreLost, StoreUnwritable
from actors.kernel.behavior import Behavior
from actors.kernel.messages import Later, Query, type_name
from actors.service.background import Background
from actors.service.channel import Channel
from actors.service.effects import EffectDone, Effects
from actors.service.letters import DiscardLetter, discard_letter
from actors.service.scheduler import Scheduler
from actors.store.messaging.outbox import ChannelBacklog, load_oldest
from actors.store.messaging.timers import TimerTypes, count_timers
from actors.store.store import BoundHandler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.kernel.behavior import BatchResult
    from actors.kernel.envelope import Envelope
    from actors.kernel.messages import Message
    from actors.service.channel import ChannelStats
    from actors.service.handler_spec import HandlerSpec
    from actors.service.hosting import Hosting
    from actors.service.service import Service
    from actors.store.messaging.output import Output, Timer
    from actors.store.messaging.timers import TimerCounts
    from actors.store.store import WriteResult

log = structlog.get_logger()

COMMANDS, QUERIES = 0, 1


def lane_of(message: Message) -> int:
    """Sort a service's messages: queries never wait behind commands."""
    return QUERIES if isinstance(message, Query) else COMMANDS


class ServiceHost(Behavior):
    """One incarnation of a service: opens the store, runs batches, recognises redeliveries.

    What a batch sent goes on its way here, once it is committed: from memory. What an earlier
    incarnation has left goes from the tables, found when the store is opened.
    """

    redelivers: ClassVar[bool] = True

    def __init__(self, hosting: Hosting) -> None:
        """Make the service and its store; the store is opened by `on_start`."""
        self._hosting = hosting
        self.store = hosting.make_store()
        service = hosting.make_service()
        specs = type(service).handlers.values()
        self._handlers = {spec.message: _handler(spec, service) for spec in specs}
        self._handlers[EffectDone] = _builtin(lambda _tx, _message: None)
        self._handlers[DiscardLetter] = _builtin(discard_letter)
        self._effects = Effects(
            hosting.name,
            {
                spec.message: spec.function.__get__(service)
                for spec in specs
                if spec.kind == "effect"
            },
            directory=hosting.directory,
            breakers=hosting.breakers,
            config=hosting.config.effect,
            letter_attempts=hosting.config.service.attempts_max,
            clock=hosting.clock,
            rng=hosting.rng.fork("effects"),
        )
        self._background = Background(
            hosting.name, service, directory=hosting.directory, failed=self.fail
        )
        self._channels: dict[str, Channel] = {}
        self._schedulers: list[Scheduler] = []
        self._checking: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None

    @property
    def start_steps(self) -> int:
        """How far the open of the store has got."""
        return self.store.steps

    async def on_start(self) -> None:
        """Open the store, and take up what is on its way. Raises StoreError: a failed start."""
        hosting = self._hosting
        await self.store.open(verify=hosting.suspicious, first=not hosting.opened)
        if self.store.unwritable is not None:
            # Queries alone, and nothing goes on its way: what happens next could not be kept.
            hosting.current = self
            self._degrade(self.store.unwritable)
            return
        hosting.suspicious = False
        hosting.opened = True
        hosting.reopened = 0
        await hosting.waiting.catch_up(self.store, self._handlers)
        hosting.current = self
        hosting.commits.note()  # the last incarnation may have died of one unheard
        self._schedulers = self._make_schedulers()
        for receiver, sent in self.store.backlog.channels.items():
            self._channels[receiver] = self._make_channel(receiver, sent)
        # Not before the first message can be taken: a start may still fail.
        asyncio.get_running_loop().call_soon(self._take_up)

    async def on_batch(self, lane: int, batch: Sequence[Envelope]) -> BatchResult:
        """Run a batch in the store; its replies are the kernel's to send, after the commit."""
        if lane == COMMANDS:
            result = await self.store.write(batch, self._handlers)
            self._depart(batch, result)
            return result
        return await self.store.read(batch, self._handlers)

    async def on_stop(self) -> None:
        """Close the store."""
        self._hosting.current = None
        self._leave()
        try:
            await self._background.close()
            await self._effects.close()
            # What receivers have acknowledged goes with the next commit: this is the last one.
            last = await self.store.write((), self._handlers)
            if isinstance(last.crash, StoreLost):
                raise last.crash  # nobody else would say it: the process ends
        finally:  # this is cut short where one of them swallows its cancellation
            await self.store.close()

    async def on_failure(self, error: BaseException) -> None:
        """Take the store away from whatever still runs on it."""
        if self._hosting.current is self:
            self._hosting.current = None
        # Only a verified open clears it: one that was killed or timed out has verified nothing.
        if isinstance(error, StoreCorrupt):
            self._hosting.suspicious = True
            self._hosting.check.again()
        self._leave()
        await asyncio.gather(self._background.close(), self._effects.close(), self.store.abandon())

    # --- Observation -------------------------------------------------------------------------

    @property
    def effects_running(self) -> int:
        """How many effects are under way."""
        return self._effects.running

    async def channels(self) -> list[ChannelStats]:
        """Return a snapshot of each channel that begins here. Raises StoreError."""
        channels = dict(self._channels)
        acknowledged = {receiver: each.acknowledged for receiver, each in channels.items()}
        oldest = await self.store.look(partial(load_oldest, acknowledged=acknowledged))
        now_us = self._hosting.clock.now_us()
        return [each.stats(oldest.get(receiver), now_us) for receiver, each in channels.items()]

    async def timers(self) -> TimerCounts:
        """Count the timers. Raises StoreError."""
        return await self.store.look(partial(count_timers, now_us=self._hosting.clock.now_us()))

    # --- What leaves with a commit -----------------------------------------------------------

    def _depart(self, batch: Sequence[Envelope], result: WriteResult) -> None:
        if result.outputs:
            self._hosting.commits.note()
        unwritable: StoreUnwritable | None = None
        for envelope, outcome in zip(batch, result.outcomes, strict=False):
            if outcome.__class__ is Later:
                self._hosting.waiting.add(envelope, outcome)
            elif outcome.__class__ is StoreUnwritable:  # of others it says what they had before
                unwritable = outcome
        if unwritable is not None:
            self._degrade(unwritable)
        for output in result.outputs:
            for request, value in output.replies:
                self._hosting.waiting.answer(request, value)
            if output.messages:
                self._send(output)
            if output.timers:
                self._schedule(output.timers)

    def _send(self, output: Output) -> None:
        touched: dict[str, Channel] = {}
        for message in output.messages:
            channel = self._channels.get(message.receiver)
            if channel is None:
                channel = self._make_channel(message.receiver, ChannelBacklog(message.number, 0))
                self._channels[message.receiver] = channel
            channel.committed(message)
            touched[message.receiver] = channel
        for channel in touched.values():
            channel.pump()

    def _schedule(self, timers: Sequence[Timer]) -> None:
        for scheduler in self._schedulers:
            scheduler.committed([timer for timer in timers if scheduler.takes(timer.message_type)])

    def _take_up(self) -> None:
        for channel in self._channels.values():
            channel.pump()
        for scheduler in self._schedulers:
            scheduler.wake()
        self._background.start()
        if not self._hosting.check.is_done():
            self._checking = asyncio.get_running_loop().create_task(self._check())

    def _degrade(self, error: StoreUnwritable) -> None:
        """Say that the store cannot be written, until it can."""
        self.actor_ref.degrade(self.incarnation, str(error))
        if self._probing is None or self._probing.done():
            self._probing = asyncio.get_running_loop().create_task(self._probe())

    async def _probe(self) -> None:
        hosting = self._hosting
        while True:
            await asyncio.sleep(hosting.reopen_after_s())
            if await self.store.has_room():
                break
            hosting.reopened = 0
        if self.store.unwritable is None:
            self.actor_ref.degrade(self.incarnation, None)
        else:  # the next incarnation opens it for writing
            hosting.reopened += 1
            self.actor_ref.restart()

    async def _check(self) -> None:
        """Read the file whole, while it is served: damage parks the service."""
        hosting = self._hosting
        # Those who wait for the service come first, and a life of milliseconds reads nothing.
        after_s = hosting.config.store.check_after_s
        while True:
            await asyncio.sleep(after_s)
            try:
                async with hosting.directory.checking:  # a file at a time: there is one disk
                    await self.store.check(hosting.check)
            except StoreCorrupt as error:
                self.fail(error)
                return
            except StoreError as error:
                log.warning("check cut short", service=hosting.name, error=str(error))
                after_s = hosting.config.supervisor.park_retry_s  # as seldom as for what is down
            else:
                return

    def _leave(self) -> None:
        for task in (self._checking, self._probing):
            if task is not None:
                task.cancel()
        for channel in self._channels.values():
            channel.close()
        for scheduler in self._schedulers:
            scheduler.close()

    def _make_channel(self, receiver: str, sent: ChannelBacklog) -> Channel:
        hosting = self._hosting
        if not hosting.directory.catalog.handled.get(receiver) and sent.last >= sent.first:
            log.warning(
                "channel to nobody",
                sender=hosting.name,
                receiver=receiver,
                messages=sent.last - sent.first + 1,
                advice="no service of that name runs here; its messages are kept",
            )
        return Channel(
            hosting.name,
            receiver,
            sent,
            store=self.store,
            directory=hosting.directory,
            config=hosting.config.channel,
            loop=asyncio.get_running_loop(),
            failed=self.fail,
        )

    def _make_schedulers(self) -> list[Scheduler]:
        hosting, config = self._hosting, self._hosting.config
        effects = tuple(sorted([type_name(each) for each in self._effects.functions]))

        def make(types: TimerTypes, window: int, *, effect: bool) -> Scheduler:
            return Scheduler(
                hosting.name,
                store=self.store,
                directory=hosting.directory,
                types=types,
                window_timers=window,
                run=self._effects.start if effect else None,
                config=config.timer,
                clock=hosting.clock,
            )

        commands = make(
            TimerTypes(effects, included=False), config.timer.window_timers, effect=False
        )
        return [
            commands,
            *[
                make(
                    TimerTypes((name,), included=True),
                    config.effect.running_max + config.effect.waiting_max,
                    effect=True,
                )
                for name in effects
            ],
        ]


def _handler(spec: HandlerSpec, service: Service) -> BoundHandler:
    function = spec.function.__get__(service)
    if spec.kind == "effect":
        # Asked for from elsewhere, an effect is only noted; it runs once that is committed.
        return _builtin(lambda tx, message: tx.after(0.0, message))
    return BoundHandler(function, msgspec.json.Decoder(spec.reply), spec.defers)


def _builtin(function: Any) -> BoundHandler:
    return BoundHandler(function, msgspec.json.Decoder(None))
