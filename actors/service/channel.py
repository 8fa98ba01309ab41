"""The sender's end of a channel, on the event loop: delivers in order, a window at a time."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from actors.errors import ActorError, MessageUnreadable, NothingWaits
from actors.kernel.envelope import Envelope
from actors.kernel.messages import Command
from actors.kernel.supervision.backoff import doubled_s
from actors.measures.measured import MeasuredChannel
from actors.resilience.background_gate import BackgroundQueue
from actors.service.receipt import Receipt
from actors.store.messaging.origin import Numbering
from actors.store.messaging.outbox import load_outgoing
from actors.store.messaging.unheard import was_wanted
from actors.store.messaging.unreadable import Unreadable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from actors.config import ChannelConfig
    from actors.resilience.background_gate import BackgroundGate
    from actors.service.directory import Directory
    from actors.store.messaging.outbox import ChannelBacklog
    from actors.store.messaging.output import Outgoing
    from actors.store.messaging.unreadable import UnreadableRows
    from actors.store.store import Store

log = structlog.get_logger()

# How many windows of applied messages may stand in the outbox until its service commits anyway: to
# remove what has waited long all at once would hold up a client.
APPLIED_WINDOWS_MAX: Final = 4
# What a message in memory takes beside its blob, in bytes: objects, and itself, decoded.
MESSAGE_BYTES: Final = 256


class RemoveApplied(Command):
    """Make a commit, with which what receivers have applied leaves the outbox."""


class ChannelStats(msgspec.Struct, frozen=True, kw_only=True):
    """One channel as an operator sees it; `depth` messages are committed and not yet applied.

    `lag_s` is the age of the oldest of them, in seconds. `state` is "waiting" where the receiver
    took none and is tried again, or has as many as it may have at once; "yielding" where they give
    way to what clients wait for; it is "unreadable" where the next one cannot be read by the
    receiver's code: all wait behind it, in order, and `unreadable` has those of the first
    (store.listed_rows_max) that cannot be, by type.
    """

    sender: str
    receiver: str
    depth: int
    in_flight: int
    lag_s: float
    state: str
    unreadable: Sequence[UnreadableRows] = ()


class Channel:
    """One incarnation's hold on a channel. What it has in memory, the outbox has as well.

    At most `window_messages` are with the receiver, and as many wait in memory, or `memory_kib` of
    what comes while the receiver gets on; all else stays in the outbox, so that one that is down
    costs its senders no memory. When the receiver fails a message, everything from there is sent
    again ("go back N"); it knows what it has applied.

    What no client waits for asks the gate first. It is in order all the same: a message that is
    urgent takes along those before it, and they are urgent from then on: what it is waited for may
    be done by one of them, which leaves it nothing to do.

    A message that the receiver's code cannot read goes alone, once all before it are applied: only
    the receiver knows whether it has applied it, before it was run by other code. If it has not,
    this is where the channel ends until there is code that can, or an operator lets the message go.
    """

    def __init__(  # noqa: PLR0913 - an end of everything that is under way meets here
        self,
        sender: str,
        receiver: str,
        backlog: ChannelBacklog,
        *,
        store: Store,
        directory: Directory,
        gate: BackgroundGate,
        config: ChannelConfig,
        loop: asyncio.AbstractEventLoop,
        failed: Callable[[BaseException], None],
    ) -> None:
        """`failed` ends the incarnation, for what must not happen."""
        self._sender = sender
        self._receiver = receiver
        self._store = store
        self._numbering = Numbering(store.backlog.store, backlog.former)
        self._listeners = backlog.listeners
        self._directory = directory
        self._gate = gate
        self._queue = BackgroundQueue(f"{sender} to {receiver}", self.pump)
        # How many may go now that are not urgent, nor before one that is; see BackgroundGate.take.
        self._granted = 0
        # The last urgent one. What an earlier incarnation has left may be anything, and all of it
        # at once; who still waits for some of that is not behind more than a share of the work.
        self._urgent = 0
        self._config = config
        self._loop = loop
        self._fail = failed
        self.acknowledged = backlog.first - 1
        self._sent = self.acknowledged
        self._last = backlog.last
        # What is to be sent next: numbers _sent + 1 and on, without a gap.
        self._memory: deque[Outgoing] = deque()
        self._memory_bytes = 0
        # How far the receiver was when something was last committed.
        self._was_acknowledged = self.acknowledged
        # The highest that was applied; a batch's are acknowledged together, a turn of the loop on.
        self._applied = self.acknowledged
        self._loading = False
        self._retry: asyncio.TimerHandle | None = None
        # How often in a row the receiver took none.
        self._in_vain = 0
        # Receipts of an earlier round do not know that their messages were sent again.
        self._round = 0
        # This round's messages at the receiver that it has not applied.
        self._under_way: deque[Envelope] = deque()
        # The first that it failed last: its number, how often it has crashed there, and with what.
        self._crashed: tuple[int, int, str | None] = (0, 0, None)
        # The message at which it ends, once that has gone alone; and whether the answer was no.
        self._last_one: Unreadable | None = None
        self._ends = False
        # Types of such messages that an operator has let go.
        self._let_go: set[str] = set()
        # Whether the service was asked to remove what was applied.
        self._removes = False
        self._closed = False

    def committed(self, messages: Sequence[Outgoing]) -> None:
        """Take what was just committed, in order; `pump` sends it."""
        self._last = messages[-1].number
        for message in messages:
            if message.urgent:
                self._urgent = message.number
                self._gate.hurried()
        if messages[0].number <= self._urgent:
            self._hurry_those_under_way()
        gets_on = self.acknowledged > self._was_acknowledged
        self._was_acknowledged = self.acknowledged
        if messages[0].number == self._sent + len(self._memory) + 1:
            self._remember(messages, kib=self._config.memory_kib if gets_on else 0)

    def pump(self) -> None:
        """Send what the window allows."""
        envelopes = self._next_ones()
        if envelopes:
            try:
                self._directory.deliver(self._receiver, envelopes)
            except ActorError as error:
                self._wait(error)

    def applied(self, receipt: Receipt) -> None:
        """Hear that the receiver has committed one, of this round or an earlier one."""
        if receipt.number > self._applied:
            if self._applied == self.acknowledged and not self._closed:
                self._loop.call_soon(self._go_on)
            self._applied = receipt.number

    def failed(self, receipt: Receipt, error: BaseException) -> None:
        """Hear that it has not, and why."""
        self._acknowledge()
        if receipt.about == self._round and not self._closed:
            if isinstance(error, MessageUnreadable) and self._last_one is None:
                self._keep_what_is_left()
            elif isinstance(error, MessageUnreadable):
                self._end()
            else:
                self._wait(error)

    @property
    def is_unreadable(self) -> bool:
        """Whether it ends at a message that cannot be read."""
        return self._ends

    def read(self, message_type: str, blob: bytes) -> Any:
        """Return the message as the receiver's code reads it, or Unreadable."""
        message = self._directory.decode(self._receiver, message_type, blob)
        if isinstance(message, Unreadable) and self._directory.takes(self._receiver):
            waits = message.waits and was_wanted(self._receiver, message_type, self._listeners)
            return msgspec.structs.replace(message, waits=waits)
        return message

    def let_go(self, message_type: str) -> None:
        """Have messages of this type that cannot be read become dead letters of the receiver's.

        What this incarnation does not live to send waits again.
        Raises NothingWaits where the channel does not end at one, or nobody is there to keep it.
        """
        ended = self._last_one if self._ends else None
        if ended is None or ended.message_type != message_type:
            error = f"no {message_type} from {self._sender} to {self._receiver} waits unreadable"
            raise NothingWaits(error)
        if not self._directory.takes(self._receiver):
            error = (
                f"{ended.reason}, and so nobody could keep it as a dead letter: what waits in "
                f"{self._sender}'s outbox holds up nothing else; it goes on when {self._receiver} "
                f"is back"
            )
            raise NothingWaits(error)
        self._let_go.add(message_type)
        self._last_one, self._ends = None, False
        self.pump()

    def close(self) -> None:
        """Send no more; the next incarnation begins with what is not acknowledged.

        What the receiver has not looked at is taken back: a receiver that is suspended would
        collect it anew with each death of its sender.
        """
        self._acknowledge()
        self._closed = True
        self._gate.leave(self._queue)
        if self._sent > self.acknowledged:
            self._directory.withdraw(self._receiver, self)
        if self._removes:
            self._directory.withdraw(self._sender, self)
        if self._retry is not None:
            self._retry.cancel()

    def stats(
        self, oldest_at_us: int | None, now_us: int, unreadable: Sequence[UnreadableRows] = ()
    ) -> ChannelStats:
        """Return a snapshot; what is in the table is the store's to know."""
        lag_s = 0.0 if oldest_at_us is None else max(0.0, (now_us - oldest_at_us) / 1_000_000)
        depth = self._last - self.acknowledged
        return ChannelStats(
            sender=self._sender,
            receiver=self._receiver,
            depth=depth,
            in_flight=self._sent - self.acknowledged,
            lag_s=lag_s if depth else 0.0,
            state=self._state(),
            unreadable=unreadable,
        )

    def measured(self, oldest_at_us: int | None, now_us: int, *, answered: bool) -> MeasuredChannel:
        """Return what waits; the store has `answered` since when, or not."""
        stats = self.stats(oldest_at_us, now_us)
        return MeasuredChannel(
            receiver=self._receiver,
            messages=stats.depth,
            age_s=stats.lag_s if answered else None,
        )

    def _state(self) -> str:
        if self._ends:
            return "unreadable"
        if self._retry is not None or self._last_one is not None:
            return "waiting"
        if self._gate.holds(self._queue):
            return "yielding"
        in_flight = self._sent - self.acknowledged
        is_held_up = in_flight >= self._config.window_messages and self._sent < self._last
        return "waiting" if is_held_up else "open"

    # --- Inside ------------------------------------------------------------------------------

    def _hurry_those_under_way(self) -> None:
        for envelope in reversed(self._under_way):
            if envelope.urgent:  # and so are those before it
                break
            envelope.urgent = True

    def _remember(self, messages: Sequence[Outgoing], *, kib: int) -> None:
        """Keep them in memory as far as there is room: for a window, or for `kib`."""
        memory, window, size = self._memory, self._config.window_messages, self._memory_bytes
        for message in messages:
            if size >= kib * 1024 and len(memory) >= window:
                break
            memory.append(message)
            size += MESSAGE_BYTES + len(message.blob)
        self._memory_bytes = size

    def _forget_first(self) -> int:
        message = self._memory.popleft()
        self._memory_bytes -= MESSAGE_BYTES + len(message.blob)
        return message.number

    def _next_ones(self) -> list[Envelope]:
        """Take from memory what may go now; what it lacks is on its way there."""
        envelopes: list[Envelope] = []
        if self._retry is not None or self._last_one is not None or self._closed:
            return envelopes
        until = min(self._last, self.acknowledged + self._config.window_messages)
        memory = self._memory
        while self._sent < until:
            if self._sent >= self._urgent and not self._granted and not self._ask_gate():
                break
            if not memory:
                self._load()
                break
            envelope = self._envelope(memory[0])
            if envelope.message.__class__ is Unreadable and envelope.message.waits:
                if self._sent > self.acknowledged:
                    break  # those before it come first
                self._last_one = envelope.message
                if not self._directory.takes(self._receiver):
                    self._end()
                    break
            envelopes.append(envelope)
            self._sent = self._forget_first()
            if self._sent > self._urgent:
                self._granted -= 1
        self._under_way.extend(envelopes)
        return envelopes

    def _ask_gate(self) -> int:
        room = self._config.window_messages - (self._sent - self.acknowledged)
        wanted = min(room, self._last - self._sent)
        self._granted = self._gate.take(self._queue, wanted, sent=self._sent, last=self._last)
        return self._granted

    def _envelope(self, message: Outgoing) -> Envelope:
        if message.message is None:
            message.message = self.read(message.message_type, message.blob)
            if isinstance(message.message, Unreadable) and message.message_type in self._let_go:
                message.message = msgspec.structs.replace(message.message, waits=False, let_go=True)
        number = message.number
        envelope = Envelope(
            message.message,
            Receipt(self, number, self._round),
            trace=message.trace,
            urgent=number <= self._urgent,
            by_us=message.by_us,
            origin=self._numbering.origin(
                self._sender, number, base=self.acknowledged + 1, last=self._last
            ),
        )
        if self._crashed[0] == number:  # sent again, it is no less poisonous
            _, envelope.attempt, envelope.error = self._crashed
        return envelope

    def _go_on(self) -> None:
        self._acknowledge()
        self.pump()

    def _acknowledge(self) -> None:
        number = self._applied
        if number > self.acknowledged and not self._closed:
            self.acknowledged = number
            self._in_vain = 0
            self._last_one, self._ends = None, False  # it was applied before
            rows = self._store.acknowledge(self._receiver, number)
            self._remove(many=rows >= APPLIED_WINDOWS_MAX * self._config.window_messages)
            # Those of an earlier round count too, and may be ahead of what this one has sent.
            while self._memory and self._memory[0].number <= number:
                self._forget_first()
            while self._under_way and self._under_way[0].origin.number <= number:
                self._under_way.popleft()
            self._sent = max(self._sent, number)

    def _end(self) -> None:
        """Send nothing more: what is next waits for code that can read it."""
        assert self._last_one is not None, "it ends at a message"
        self._go_back()
        self._ends = True
        self._directory.warn(self._sender, self._receiver, self._last_one)

    def _remove(self, *, many: bool) -> None:
        if many and not self._removes:
            with suppress(ActorError):  # with a full mailbox there will be commits
                envelope = Envelope(RemoveApplied(), Receipt(self, 0, None))
                self._directory.ask(self._sender, envelope)
        self._removes = many

    def _keep_what_is_left(self) -> None:
        """Let go no more: the receiver has no room for a dead letter, and the rest waits again."""
        log.warning(
            "no room for more dead letters",
            sender=self._sender,
            receiver=self._receiver,
            message_types=sorted(self._let_go),
            advice="the rest waits: see /admin/channels; discard dead letters, or raise "
            "service.dead_letters_max, and let it go again",
        )
        self._let_go.clear()
        self._go_back()
        self.pump()

    def _go_back(self) -> None:
        """Begin again behind what is acknowledged."""
        self._round += 1
        if self._under_way:
            first = self._under_way[0]
            self._crashed = (first.origin.number, first.attempt, first.error)
            self._under_way.clear()
        self._memory.clear()
        self._memory_bytes = 0
        self._sent = self.acknowledged
        self._granted = 0

    def _wait(self, error: BaseException) -> None:
        """Start again behind what is acknowledged, after a while."""
        self._go_back()
        self._last_one = None
        if self._retry is None:
            log.debug(
                "channel waits", sender=self._sender, receiver=self._receiver, error=str(error)
            )
            self._in_vain += 1
            limits = self._config
            wait_s = doubled_s(self._in_vain, min_s=limits.retry_s, max_s=limits.retry_s_max)
            self._retry = self._loop.call_later(wait_s, self._try_again)

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
            self._remember(future.result(), kib=0)
            self.pump()
