"""The sender's end of a channel, on the event loop: delivers in order, a window at a time."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import structlog

from actors.errors import ActorError
from actors.kernel.envelope import Envelope
from actors.service.receipt import Receipt
from actors.store.messaging.origin import Numbering
from actors.store.messaging.outbox import load_outgoing

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from actors.config import ChannelConfig
    from actors.service.directory import Directory
    from actors.store.messaging.outbox import ChannelBacklog
    from actors.store.messaging.output import Outgoing
    from actors.store.store import Store

log = structlog.get_logger()


class ChannelStats(msgspec.Struct, frozen=True, kw_only=True):
    """One channel as an operator sees it; `depth` messages are committed and not yet applied.

    `lag_s` is the age of the oldest of them, in seconds. `state` is "waiting" where the receiver
    took none and is tried again, or has as many as it may have at once.
    """

    sender: str
    receiver: str
    depth: int
    in_flight: int
    lag_s: float
    state: str


class Channel:
    """One incarnation's hold on a channel. What it has in memory, the outbox has as well.

    At most `window_messages` are with the receiver, and as many wait in memory; all else stays in
    the outbox, so that a receiver that is down costs its senders no memory. When the receiver fails
    a message, everything from there is sent again ("go back N"); it knows what it has applied.
    """

    def __init__(
        self,
        sender: str,
        receiver: str,
        backlog: ChannelBacklog,
        *,
        store: Store,
        directory: Directory,
        config: ChannelConfig,
        loop: asyncio.AbstractEventLoop,
        failed: Callable[[BaseException], None],
    ) -> None:
        """`failed` ends the incarnation, for what must not happen."""
        self._sender = sender
        self._receiver = receiver
        self._store = store
        self._numbering = Numbering(store.backlog.store, backlog.former)
        self._directory = directory
        self._config = config
        self._loop = loop
        self._fail = failed
        self.acknowledged = backlog.first - 1
        self._sent = self.acknowledged
        self._last = backlog.last
        # What is to be sent next: numbers _sent + 1 and on, without a gap.
        self._memory: deque[Outgoing] = deque()
        self._loading = False
        self._retry: asyncio.TimerHandle | None = None
        # Receipts of an earlier round do not know that their messages were sent again.
        self._round = 0
        # This round's messages at the receiver that it has not applied.
        self._under_way: deque[Envelope] = deque()
        # The first that it failed last: its number, how often it has crashed there, and with what.
        self._crashed: tuple[int, int, str | None] = (0, 0, None)
        self._closed = False

    def committed(self, message: Outgoing) -> None:
        """Take a message that was just committed; `pump` sends it."""
        room = len(self._memory) < self._config.window_messages
        if room and message.number == self._sent + len(self._memory) + 1:
            self._memory.append(message)
        self._last = max(self._last, message.number)

    def pump(self) -> None:
        """Send what the window allows."""
        while (
            self._sent < self._last
            and self._sent - self.acknowledged < self._config.window_messages
            and self._retry is None
            and not self._closed
        ):
            if not self._memory:
                self._load()
                return
            message = self._memory[0]
            envelope = self._envelope(message)
            try:
                self._directory.deliver(self._receiver, envelope)
            except ActorError as error:
                self._wait(error)
                return
            self._under_way.append(envelope)
            self._sent = message.number
            self._memory.popleft()

    def close(self) -> None:
        """Send no more; the next incarnation begins with what is not acknowledged.

        What the receiver has not looked at is taken back: a receiver that is suspended would
        collect it anew with each death of its sender.
        """
        self._closed = True
        if self._sent > self.acknowledged:
            self._directory.withdraw(self._receiver, self)
        if self._retry is not None:
            self._retry.cancel()

    def stats(self, oldest_at_us: int | None, now_us: int) -> ChannelStats:
        """Return a snapshot; the age of the oldest message is the store's to know."""
        lag_s = 0.0 if oldest_at_us is None else max(0.0, (now_us - oldest_at_us) / 1_000_000)
        depth = self._last - self.acknowledged
        return ChannelStats(
            sender=self._sender,
            receiver=self._receiver,
            depth=depth,
            in_flight=self._sent - self.acknowledged,
            lag_s=lag_s if depth else 0.0,
            state="waiting" if self._retry is not None or self._is_held_up() else "open",
        )

    def _is_held_up(self) -> bool:
        """Whether the receiver has a whole window, and there is more."""
        in_flight = self._sent - self.acknowledged
        return in_flight >= self._config.window_messages and self._sent < self._last

    # --- Inside ------------------------------------------------------------------------------

    def _envelope(self, message: Outgoing) -> Envelope:
        if message.message is None:
            message.message = self._directory.decode(
                self._receiver, message.message_type, message.blob
            )
        number = message.number
        envelope = Envelope(
            message.message,
            Receipt(self, partial(self._applied, number), partial(self._failed, self._round)),
            trace=message.trace,
            origin=self._numbering.origin(
                self._sender, number, base=self.acknowledged + 1, last=self._last
            ),
        )
        if self._crashed[0] == number:  # sent again, it is no less poisonous
            _, envelope.attempt, envelope.error = self._crashed
        return envelope

    def _applied(self, number: int) -> None:
        if number > self.acknowledged and not self._closed:
            self.acknowledged = number
            self._store.acknowledge(self._receiver, number)
            # Those of an earlier round count too, and may be ahead of what this one has sent.
            while self._memory and self._memory[0].number <= number:
                self._memory.popleft()
            while self._under_way and self._under_way[0].origin.number <= number:
                self._under_way.popleft()
            self._sent = max(self._sent, number)
            self.pump()

    def _failed(self, round_: int, error: BaseException) -> None:
        if round_ == self._round and not self._closed:
            self._wait(error)

    def _wait(self, error: BaseException) -> None:
        """Start again behind what is acknowledged, after a while."""
        self._round += 1
        if self._under_way:
            first = self._under_way[0]
            self._crashed = (first.origin.number, first.attempt, first.error)
            self._under_way.clear()
        self._memory.clear()
        self._sent = self.acknowledged
        if self._retry is None:
            log.debug(
                "channel waits", sender=self._sender, receiver=self._receiver, error=str(error)
            )
            self._retry = self._loop.call_later(self._config.retry_s, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self.pump()

    def _load(self) -> None:
        if self._loading:
            return
        self._loading = True
        read = partial(
            load_outgoing,
            receiver=self._receiver,
            after=self._sent,
            limit=self._config.window_messages,
        )
        self._store.look(read).add_done_callback(partial(self._loaded, self._sent))

    def _loaded(self, after: int, future: asyncio.Future[list[Outgoing]]) -> None:
        self._loading = False
        error = None if future.cancelled() else future.exception()
        if self._closed or future.cancelled():
            return
        if error is not None:
            self._wait(error)
        elif after != self._sent or self._memory:
            self.pump()  # overtaken by an acknowledgement, or by going back
        elif not future.result():
            message = (
                f"the outbox lacks message {after + 1} to {self._receiver}, which was committed"
            )
            self._fail(LookupError(message))
        else:
            self._memory.extend(future.result())
            self.pump()
