"""What a commit let out goes on its way: messages to their channels, timers to schedulers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

import structlog

from actors.kernel.messages import stored_names
from actors.service.channel import Channel
from actors.service.scheduler import Scheduler
from actors.store.messaging.outbox import ChannelBacklog, load_oldest
from actors.store.messaging.timers import TimerTypes
from actors.store.messaging.unreadable import unreadable_on_the_way

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.resilience.background_gate import BackgroundGate
    from actors.service.channel import ChannelStats
    from actors.service.directory import Directory
    from actors.service.effects import Effects
    from actors.store.messaging.output import Outgoing, Timer
    from actors.store.store import Store

log = structlog.get_logger()


class Dispatcher:
    """One incarnation's channels and schedulers.

    What a batch sent goes on its way once it is committed: from memory. What an earlier incarnation
    has left goes from the tables, found when the store was opened.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        effects: Effects,
        *,
        directory: Directory,
        gate: BackgroundGate,
        config: Config,
        clock: Clock,
        failed: Callable[[BaseException], None],
    ) -> None:
        """Nothing is on its way before `open`; `failed` ends the incarnation."""
        self._name = name
        self._store = store
        self._effects = effects
        self._directory = directory
        self._gate = gate
        self._config = config
        self._clock = clock
        self._failed = failed
        self.channels: dict[str, Channel] = {}
        self._schedulers: list[Scheduler] = []

    def open(self) -> None:
        """Note what the store, which is open, has found on its way."""
        self._schedulers = self._make_schedulers()
        for receiver, backlog in self._store.backlog.channels.items():
            self.channels[receiver] = self._make_channel(receiver, backlog)

    def take_up(self) -> None:
        """Send it."""
        for channel in self.channels.values():
            channel.pump()
        for scheduler in self._schedulers:
            scheduler.wake()

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Send what was just committed."""
        by_receiver: defaultdict[str, list[Outgoing]] = defaultdict(list)
        for message in messages:
            by_receiver[message.receiver].append(message)
        for receiver, sent in by_receiver.items():
            channel = self.channels.get(receiver)
            if channel is None:
                channel = self._make_channel(receiver, ChannelBacklog(sent[0].number, 0))
                self.channels[receiver] = channel
            channel.committed(sent)
        for receiver in by_receiver:
            self.channels[receiver].pump()

    def schedule(self, timers: Sequence[Timer]) -> None:
        """Take the timers that were just committed."""
        for scheduler in self._schedulers:
            scheduler.committed([timer for timer in timers if scheduler.takes(timer.message_type)])

    def close(self) -> None:
        """Send nothing more: the next incarnation begins with what has not arrived."""
        for channel in self.channels.values():
            channel.close()
        for scheduler in self._schedulers:
            scheduler.close()

    async def stats(self) -> list[ChannelStats]:
        """Return a snapshot of each channel that begins here. Raises StoreError."""
        channels = dict(self.channels)
        acknowledged = {receiver: each.acknowledged for receiver, each in channels.items()}
        oldest = await self._store.look(partial(load_oldest, acknowledged=acknowledged))
        unreadable = {
            receiver: await self._store.look(
                partial(
                    unreadable_on_the_way,
                    receiver=receiver,
                    after=each.acknowledged,
                    read=each.read,
                    rows_max=self._config.store.listed_rows_max,
                )
            )
            for receiver, each in channels.items()
            if each.is_unreadable
        }
        now_us = self._clock.now_us()
        return [
            each.stats(oldest.get(receiver), now_us, unreadable.get(receiver, ()))
            for receiver, each in channels.items()
        ]

    # --- Inside ------------------------------------------------------------------------------

    def _make_channel(self, receiver: str, backlog: ChannelBacklog) -> Channel:
        if not self._directory.catalog.handled.get(receiver) and backlog.last >= backlog.first:
            log.warning(
                "channel to nobody",
                sender=self._name,
                receiver=receiver,
                messages=backlog.last - backlog.first + 1,
                advice="no service of that name runs here; its messages are kept",
            )
        return Channel(
            self._name,
            receiver,
            backlog,
            store=self._store,
            directory=self._directory,
            gate=self._gate,
            config=self._config.channel,
            loop=asyncio.get_running_loop(),
            failed=self._failed,
        )

    def _make_schedulers(self) -> list[Scheduler]:
        config = self._config
        effects = sorted([stored_names(each) for each in self._effects.kinds])
        names = tuple([name for each in effects for name in each])

        def make(types: TimerTypes, window: int, *, effect: bool) -> Scheduler:
            return Scheduler(
                self._name,
                store=self._store,
                directory=self._directory,
                gate=self._gate,
                types=types,
                window_timers=window,
                run=self._effects.start if effect else None,
                config=config.timer,
                clock=self._clock,
            )

        window = config.effect.running_max + config.effect.waiting_max
        return [
            make(TimerTypes(names, included=False), config.timer.window_timers, effect=False),
            *[make(TimerTypes(each, included=True), window, effect=True) for each in effects],
        ]
