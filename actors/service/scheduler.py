"""A service's timers on the event loop: what is due is sent to the service, or run as an effect."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from actors.errors import ActorError
from actors.kernel.envelope import Envelope
from actors.kernel.messages import type_name, type_of
from actors.kernel.supervision.backoff import doubled_s
from actors.resilience.background_gate import BackgroundQueue
from actors.service.receipt import Receipt
from actors.store.messaging.origin import TimerOrigin
from actors.store.messaging.output import AT_ONCE_US
from actors.store.messaging.timers import DuePlace, load_due
from actors.store.messaging.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actors.config import TimerConfig
    from actors.kernel.clock import Clock
    from actors.resilience.background_gate import BackgroundGate
    from actors.service.directory import Directory
    from actors.store.messaging.output import Timer
    from actors.store.messaging.timers import Due, TimerTypes
    from actors.store.store import Store

    Send = Callable[[Envelope], None]


class Scheduler:
    """One incarnation's hold on timers of some types. What it has in hand, the table has as well.

    A timer is in hand until it is applied: its row is gone, and it cannot fire twice. Those that
    are due beyond the window stay in the table, and so do those that the code at hand cannot read.
    A service has one for commands and one for each kind of effect: an outside world that hangs must
    not hold up the others' timers.

    What is due at once, and no client waits for, asks the gate first; in order all the same, so
    that one that is urgent takes along those before it. What is due at a time does not ask: it may
    be what ends somebody's waiting, and a minute is long enough to forget whose.
    """

    def __init__(  # noqa: PLR0913 - an end of everything that is under way meets here
        self,
        name: str,
        *,
        store: Store,
        directory: Directory,
        gate: BackgroundGate,
        types: TimerTypes,
        window_timers: int,
        run: Callable[[Timer, Send], None] | None = None,
        config: TimerConfig,
        clock: Clock,
    ) -> None:
        """A due timer is sent to the service `name`, or `run` gets it and sends what comes of it.

        At most `window_timers` are in hand.
        """
        self._name = name
        self._store = store
        self._directory = directory
        self._gate = gate
        self._queue = BackgroundQueue(f"{name} {' '.join(types.names) or 'commands'}", self.wake)
        self.types = types
        self._window = window_timers
        self._run = run
        self._config = config
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        # In the order in which they were started, and whether each is urgent.
        self._in_hand: dict[int, bool] = {}
        # Those of them that were not taken, and all behind them, until they are sent again.
        self._refused: list[Envelope] = []
        # How often in a row that was so, and none was applied in between.
        self._in_vain = 0
        # When to look into the table next, in epoch microseconds; None: nothing is there.
        self._next_us = store.backlog.timer_us
        # Whether the table may hold timers that are due by now and not in hand; and whether it
        # may hold some that are due at once.
        self._behind = self._next_us is not None
        self._behind_at_once = self._next_us == AT_ONCE_US
        # Of those due at once: the last one that is urgent, that was started, and that there is.
        self._urgent = self._started = 0
        self._last = store.backlog.timer_seq
        # How many of them the load under way may start that are not urgent.
        self._granted = 0
        self._waking = False
        self._loading = False
        self._loaded_s = 0.0  # the loop's time when it was last read
        # How far the table was read.
        self._place = DuePlace()
        # What was committed that the load under way may not have seen, and which timers were
        # applied that it may still have seen.
        self._missed: list[tuple[int, int]] = []
        self._gone: set[int] = set()
        self._handle: asyncio.TimerHandle | None = None
        # When the handle comes back, in epoch microseconds.
        self._handle_us = 0
        self._closed = False

    def takes(self, message_type: str) -> bool:
        """Whether timers of this type are this scheduler's."""
        return (message_type in self.types.names) is self.types.included

    def committed(self, timers: Iterable[Timer]) -> None:
        """Take timers that were just committed; those due go ahead, if none is before them."""
        now_us = self._clock.now_us()
        if self._next_us is not None and self._next_us <= now_us:
            self._behind = True
        for timer in sorted(timers, key=_due):
            if timer.seq in self._in_hand:  # a look into the table saw the commit before we did
                continue
            if timer.due_us == AT_ONCE_US:
                self._note_at_once(timer)
            if timer.due_us <= now_us and self._has_way(timer):
                self._start(timer)
                continue
            if timer.due_us > now_us:
                self._next_us = min(timer.due_us, self._next_us or timer.due_us)
            elif timer.due_us == AT_ONCE_US:
                self._behind_at_once = True
                self._urgent = timer.seq if timer.urgent else self._urgent
            else:
                self._behind = True
            self._place.back_to(*_due(timer))  # the wall clock may have been set back
            if self._loading:
                self._missed.append(_due(timer))
        self.wake()

    def wake(self) -> None:
        """Load what is due, and come back when the next one is."""
        if self._closed:
            return
        now_us = self._clock.now_us()
        if self._next_us is not None and self._next_us <= now_us:
            self._behind = True
        if (self._behind or self._behind_at_once) and not self._loading:
            self._load_if_worth_it(now_us)
        if self._next_us is not None and self._next_us > now_us:
            delay_s = min((self._next_us - now_us) / 1_000_000, self._config.poll_s_max)
            self._come_back_in(delay_s, now_us)

    def close(self) -> None:
        """Start nothing more; the next incarnation begins with what is not applied."""
        self._closed = True
        self._gate.leave(self._queue)
        if self._in_hand:
            self._directory.withdraw(self._name, self)
        if self._handle is not None:
            self._handle.cancel()

    # --- Inside ------------------------------------------------------------------------------

    def _note_at_once(self, timer: Timer) -> None:
        self._last = timer.seq
        if not self._behind_at_once:  # the numbers before it are others', and no backlog
            self._started = timer.seq - 1
        if timer.urgent:
            self._gate.hurried()

    def _has_way(self, timer: Timer) -> bool:
        """Whether a timer that is due goes ahead of the table: if none there is before it."""
        if self._behind or len(self._in_hand) >= self._window:
            return False
        if timer.due_us != AT_ONCE_US:
            return True
        return not self._behind_at_once and (timer.urgent or self._ask_gate(1) > 0)

    def _ask_gate(self, wanted: int) -> int:
        last = max(self._last, self._started + 1)
        return self._gate.take(self._queue, wanted, sent=self._started, last=last)

    def _come_back_in(self, delay_s: float, now_us: int) -> None:
        at_us = now_us + round(delay_s * 1_000_000)
        if self._handle is not None:
            if at_us >= self._handle_us:
                return
            self._handle.cancel()  # what was just committed is due sooner
        self._handle = self._loop.call_later(delay_s, self._come_back)
        self._handle_us = at_us

    def _come_back(self) -> None:
        self._handle = None
        self.wake()

    def _load_if_worth_it(self, now_us: int) -> None:
        """A load costs a look into the table: there is one for half a window, not for each timer.

        But effects may be in hand for long, between attempts: now and then the others get what room
        they leave.
        """
        room = self._window - len(self._in_hand)
        wait_s = self._loaded_s + self._config.poll_s_max - self._loop.time()
        if room * 2 >= self._window or (room > 0 and wait_s <= 0):
            self._load(now_us, room)
        elif room > 0:
            self._come_back_in(wait_s, now_us)

    def _load(self, now_us: int, room: int) -> None:
        at_once_max = self._granted = 0
        if self._behind_at_once:
            if self._started < self._urgent:
                at_once_max = self._window
            else:
                at_once_max = self._granted = self._ask_gate(min(room, self._window))
        if not (self._behind or at_once_max):
            return  # the gate says when
        self._loading = True
        self._loaded_s = self._loop.time()
        read = partial(
            load_due,
            types=self.types,
            after=self._place.after(),
            now_us=now_us,
            limit=self._window,
            at_once_max=at_once_max,
        )
        self._store.look(read).add_done_callback(partial(self._loaded, at_once_max))

    def _loaded(self, at_once_max: int, future: asyncio.Future[Due]) -> None:
        self._loading = False
        gone, self._gone = self._gone, set()
        missed, self._missed = self._missed, []
        error = None if future.cancelled() else future.exception()
        if self._closed or future.cancelled():
            return
        if error is not None:
            self._try_again()
            return
        due = future.result()
        self._next_us = due.next_us
        at_once = [each for each in due.timers if each.due_us == AT_ONCE_US]
        if at_once and not self._started:
            self._started = at_once[0].seq - 1
        # Those due at a time that are older may have taken their place.
        whole = len(due.timers) < self._window
        all_at_once = whole and len(at_once) < at_once_max and not missed
        timed = [due_us for due_us, _ in missed if due_us != AT_ONCE_US]
        self._behind = bool(timed) or not whole
        self._behind_at_once = self._behind_at_once and not all_at_once
        for timer in due.timers:
            if timer.seq not in self._in_hand and timer.seq not in gone:
                if len(self._in_hand) >= self._window:
                    self._behind = self._behind_at_once = True
                    break
                if timer.due_us == AT_ONCE_US and not self._passes(timer):
                    self._behind_at_once = True
                    continue
                self._start(timer)
            self._place.go_to(*_due(timer))
        else:
            if all_at_once:
                self._urgent = min(self._urgent, self._started)
        for place in missed:
            self._place.back_to(*place)
        self.wake()

    def _passes(self, timer: Timer) -> bool:
        """Whether it is urgent, as far as is known, or granted by the gate."""
        timer.urgent = timer.seq <= self._urgent
        if timer.urgent:
            return True
        self._granted -= 1
        return self._granted >= 0

    def _start(self, timer: Timer) -> None:
        if timer.due_us == AT_ONCE_US:
            self._started = max(self._started, timer.seq)
        if timer.message is None:
            message = self._directory.decode(self._name, timer.message_type, timer.blob)
            if isinstance(message, Unreadable):  # it stays where it is
                self._directory.warn(None, self._name, message)
                return
            timer.message, timer.message_type = message, type_name(type_of(message))
        self._in_hand[timer.seq] = timer.urgent
        if self._run is not None:
            self._run(timer, self._send)
        else:
            origin = TimerOrigin(timer.seq)
            envelope = Envelope(timer.message, trace=timer.trace, origin=origin, by_us=timer.by_us)
            self._send(envelope)

    def _send(self, envelope: Envelope) -> None:
        """Send a due command, or an effect's outcome, to the service until it is applied."""
        if self._closed:
            return
        if self._refused:  # they go first
            self._refused.append(envelope)
            return
        envelope.urgent = self._in_hand.get(envelope.origin.seq, False)
        envelope.reply_to = receipt = Receipt(self, envelope.origin.seq, envelope)
        try:
            self._directory.deliver(self._name, [envelope])
        except ActorError as error:
            self.failed(receipt, error)

    def applied(self, receipt: Receipt) -> None:
        """Hear that the timer is gone: its command, or its effect's outcome, was committed."""
        receipt.about = None  # it has the receipt, too
        self._in_hand.pop(receipt.number, None)
        self._in_vain = 0
        if self._loading:
            self._gone.add(receipt.number)
        if self._behind or (self._behind_at_once and not self._gate.holds(self._queue)):
            self._wake_soon()

    def _wake_soon(self) -> None:
        """Once for all that a batch has applied."""
        if not self._waking:
            self._waking = True
            self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._waking = False
        self.wake()

    def failed(self, receipt: Receipt, error: BaseException) -> None:
        """Hear that it is not, and send it again after a while."""
        envelope, receipt.about = receipt.about, None
        del error  # the disk is full, or the service is being stopped: it says so itself
        if self._closed:
            return
        if not self._refused:
            self._in_vain += 1
            limits = self._config
            wait_s = doubled_s(self._in_vain, min_s=limits.retry_s, max_s=limits.retry_s_max)
            self._loop.call_later(wait_s, self._send_again)
        self._refused.append(_anew(envelope))
        # With room again, what is queued there would go before it.
        self._refused += map(_anew, self._directory.withdraw(self._name, self))

    def _send_again(self) -> None:
        """All at once, and in the order in which they were started."""
        refused, self._refused = self._refused, []
        order = {seq: number for number, seq in enumerate(self._in_hand)}
        for envelope in sorted(refused, key=lambda each: order[each.origin.seq]):
            self._send(envelope)

    def _try_again(self) -> None:
        self._next_us = now_us = self._clock.now_us()
        self._come_back_in(self._config.retry_s, now_us)


def _anew(envelope: Envelope) -> Envelope:
    return Envelope(
        envelope.message,
        trace=envelope.trace,
        attempt=envelope.attempt,
        error=envelope.error,
        origin=envelope.origin,
        by_us=envelope.by_us,
    )


def _due(timer: Timer) -> tuple[int, int]:
    return timer.due_us, timer.seq
