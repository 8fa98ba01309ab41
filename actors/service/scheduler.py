"""A service's timers on the event loop: what is due is sent to the service, or run as an effect."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from actors.errors import ActorError
from actors.kernel.envelope import Envelope
from actors.kernel.messages import type_name, type_of
from actors.kernel.supervision.backoff import doubled_s
from actors.service.receipt import Receipt
from actors.store.messaging.origin import TimerOrigin
from actors.store.messaging.timers import DuePlace, load_due
from actors.store.messaging.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actors.config import TimerConfig
    from actors.kernel.clock import Clock
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
    """

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        directory: Directory,
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
        self.types = types
        self._window = window_timers
        self._run = run
        self._config = config
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        # In the order in which they were started.
        self._in_hand: dict[int, None] = {}
        # Those of them that were not taken, and all behind them, until they are sent again.
        self._refused: list[Envelope] = []
        # How often in a row that was so, and none was applied in between.
        self._in_vain = 0
        # When to look into the table next, in epoch microseconds; None: nothing is there.
        self._next_us = store.backlog.timer_us
        # Whether the table may hold due timers that are not in hand.
        self._behind = self._next_us is not None
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
            if timer.due_us <= now_us and not self._behind and len(self._in_hand) < self._window:
                self._start(timer)
                continue
            if timer.due_us > now_us:
                self._next_us = min(timer.due_us, self._next_us or timer.due_us)
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
        if self._behind and not self._loading:
            self._load_if_worth_it(now_us)
        if self._next_us is not None and self._next_us > now_us:
            delay_s = min((self._next_us - now_us) / 1_000_000, self._config.poll_s_max)
            self._come_back_in(delay_s, now_us)

    def close(self) -> None:
        """Start nothing more; the next incarnation begins with what is not applied."""
        self._closed = True
        if self._in_hand:
            self._directory.withdraw(self._name, self)
        if self._handle is not None:
            self._handle.cancel()

    # --- Inside ------------------------------------------------------------------------------

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
            self._load(now_us)
        elif room > 0:
            self._come_back_in(wait_s, now_us)

    def _load(self, now_us: int) -> None:
        self._loading = True
        self._loaded_s = self._loop.time()
        read = partial(
            load_due,
            types=self.types,
            after=self._place.after(),
            now_us=now_us,
            limit=self._window,
        )
        self._store.look(read).add_done_callback(self._loaded)

    def _loaded(self, future: asyncio.Future[Due]) -> None:
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
        self._behind = bool(missed) or len(due.timers) == self._window
        for timer in due.timers:
            if timer.seq not in self._in_hand and timer.seq not in gone:
                if len(self._in_hand) >= self._window:
                    self._behind = True
                    break
                self._start(timer)
            self._place.go_to(*_due(timer))
        for place in missed:
            self._place.back_to(*place)
        self.wake()

    def _start(self, timer: Timer) -> None:
        if timer.message is None:
            message = self._directory.decode(self._name, timer.message_type, timer.blob)
            if isinstance(message, Unreadable):  # it stays where it is
                self._directory.warn(None, self._name, message)
                return
            timer.message, timer.message_type = message, type_name(type_of(message))
        self._in_hand[timer.seq] = None
        if self._run is not None:
            self._run(timer, self._send)
        else:
            self._send(Envelope(timer.message, trace=timer.trace, origin=TimerOrigin(timer.seq)))

    def _send(self, envelope: Envelope) -> None:
        """Send a due command, or an effect's outcome, to the service until it is applied."""
        if self._closed:
            return
        if self._refused:  # they go first
            self._refused.append(envelope)
            return
        envelope.reply_to = Receipt(
            self, partial(self._applied, envelope.origin.seq), partial(self._failed, envelope)
        )
        try:
            self._directory.deliver(self._name, envelope)
        except ActorError as error:
            self._failed(envelope, error)

    def _applied(self, seq: int) -> None:
        self._in_hand.pop(seq, None)
        self._in_vain = 0
        if self._loading:
            self._gone.add(seq)
        if self._behind:
            self.wake()

    def _failed(self, envelope: Envelope, error: BaseException) -> None:
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
    )


def _due(timer: Timer) -> tuple[int, int]:
    return timer.due_us, timer.seq
