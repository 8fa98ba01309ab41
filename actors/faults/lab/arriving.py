"""Faults at a mailbox's door: what arrives is late, lost, doubled, out of order or kept out.

Requests lose their order when they wait, as they have none; what one service sends another keeps
it, so that all behind one that waits do. What is lost of it, or arrives twice or too early, its
channel and its receiver make good: it takes effect once and in order all the same.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from actors.errors import ActorError, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.faults.lab.active_fault import ActiveFault
    from actors.kernel.context import KernelContext
    from actors.kernel.envelope import Envelope

    class Door(Protocol):
        """What of a mailbox is behind the door: it is told later, and says no by the reply."""

        def put_late(self, envelope: Envelope) -> None: ...

        def admit(self, envelopes: Sequence[Envelope], *, late: bool = False) -> None: ...


# uvloop counts milliseconds, and rounds: whoever it calls that much too early is not late for it.
_ROUNDED_S: Final = 0.001


class _Held:
    """A message that waits until `due_s`, for one or several faults."""

    __slots__ = ("due_s", "envelope", "faults", "sender", "timer")

    def __init__(
        self, envelope: Envelope, due_s: float, faults: Sequence[ActiveFault], sender: str | None
    ) -> None:
        self.envelope = envelope
        self.due_s = due_s
        self.faults = faults
        # Of a message; a request has none.
        self.sender = sender
        self.timer: Any = None
        for each in faults:
            each.waiting += 1

    def let_go(self) -> None:
        """It waits no more."""
        if self.timer is not None:
            self.timer.cancel()
        for each in self.faults:
            each.lets_go()


class Arrivals:
    """One mailbox's. `faults` are those that may strike what arrives there."""

    def __init__(self, service: str, door: Door, context: KernelContext) -> None:
        """Nothing is held."""
        self._name = service
        self._door = door
        self._context = context
        self._clock = context.clock
        self.faults: Sequence[ActiveFault] = ()
        # What is on its way by itself; and what keeps its order, by sender.
        self._alone: dict[_Held, None] = {}
        self._lines: dict[str, deque[_Held]] = {}

    # --- As the mailbox asks -----------------------------------------------------------------

    def takes(self, envelope: Envelope) -> bool:
        """Whether it has taken the request, which is not in the mailbox yet, or never will be."""
        if envelope.origin is not None:  # the service's own timer, or a dead letter
            return False
        delay_s, struck = 0.0, []
        for fault in self.faults:
            if fault.part not in {"arrivals", "requests", "queries"}:
                continue
            if not fault.takes(envelope.message) or not fault.strikes():
                continue
            if fault.order.kind == "drop":
                return True
            delay_s += fault.wait_s()
            struck.append(fault)
        if not delay_s:
            return False
        self._hold_alone(_Held(envelope, self._clock.monotonic() + delay_s, struck, None))
        return True

    def lets_in(self, envelopes: Sequence[Envelope]) -> Sequence[Envelope]:
        """Return those of the messages that are there now. Raises ServiceUnavailable: none is."""
        let_in: list[Envelope] = []
        for number, envelope in enumerate(envelopes):
            sender = getattr(envelope.origin, "sender", None)
            if sender is None or envelope.reply_to is None:
                let_in.append(envelope)
                continue
            if number == 0:
                self._keep_out(envelope, sender)
            self._arrive(envelope, sender, let_in)
        return let_in

    def withdraw(self, wanted: Callable[[Envelope], bool]) -> None:
        """Give back what its sender will send anew."""
        for sender, line in list(self._lines.items()):
            for held in [each for each in line if wanted(each.envelope)]:
                line.remove(held)
                held.let_go()
            self._advance(sender)
        for held in [each for each in self._alone if each.sender is not None]:
            if wanted(held.envelope):
                self._drop(held)

    # --- As faults begin and end -------------------------------------------------------------

    def forget(self, fault: ActiveFault) -> None:
        """Let nobody wait for this fault any more."""
        now_s = self._clock.monotonic()
        for held in [each for each in self._alone if fault in each.faults]:
            self._let_go(held)
        for sender, line in list(self._lines.items()):
            for held in line:
                if fault in held.faults:
                    held.due_s = now_s
            self._advance(sender)

    # --- Inside ------------------------------------------------------------------------------

    def _keep_out(self, envelope: Envelope, sender: str) -> None:
        """Raise ServiceUnavailable where it is cut off from this sender: that one asks again."""
        if cut := self._struck(envelope, sender, "partition"):
            message = f"{self._name} is cut off from {sender} by fault {cut[0].id}"
            raise ServiceUnavailable(message, retry_after_s=1.0)

    def _arrive(self, envelope: Envelope, sender: str, let_in: list[Envelope]) -> None:
        if self._is_lost(envelope, sender):
            return
        now_s = self._clock.monotonic()
        if early := self._struck(envelope, sender, "reorder"):
            self._hold_alone(_Held(envelope, now_s + early[0].wait_s(), early[:1], sender))
            return
        late = self._struck(envelope, sender, "latency")
        due_s = now_s + sum(fault.wait_s() for fault in late)
        doubles = self._struck(envelope, sender, "duplicate")
        copies = [envelope, *(msgspec.structs.replace(envelope) for _ in doubles)]
        line = self._lines.get(sender)
        if due_s <= now_s and not line:
            let_in.extend(copies)
            return
        if line is None:
            line = self._lines[sender] = deque()
        line.extend(_Held(each, due_s, late, sender) for each in copies)
        if len(line) == len(copies):
            self._wait_for(line[0])

    def _is_lost(self, envelope: Envelope, sender: str) -> bool:
        lost = self._struck(envelope, sender, "drop")
        if lost:
            said = f"a message from {sender} to {self._name} was lost by fault {lost[0].id}"
            error = ServiceUnavailable(said, retry_after_s=1.0)
            # Not now: its sender is amid sending.
            self._context.loop.call_soon(envelope.reply_to.settle_error, error)
        return bool(lost)

    def _struck(self, envelope: Envelope, sender: str, kind: str) -> list[ActiveFault]:
        return [each for each in self._of_messages(envelope, sender, kind) if each.strikes()]

    def _of_messages(self, envelope: Envelope, sender: str, kind: str) -> list[ActiveFault]:
        return [
            fault
            for fault in self.faults
            if fault.order.kind == kind
            and fault.part in {"arrivals", "messages"}
            and _is_from(fault, sender, self._name)
            and fault.takes(envelope.message)
        ]

    def _hold_alone(self, held: _Held) -> None:
        self._alone[held] = None
        self._call_at(held, self._let_go)

    def _let_go(self, held: _Held) -> None:
        self._drop(held)
        if held.sender is None:
            self._door.put_late(held.envelope)
        else:
            self._admit([held.envelope])

    def _drop(self, held: _Held) -> None:
        self._alone.pop(held, None)
        held.let_go()

    def _wait_for(self, first: _Held) -> None:
        sender = first.sender
        assert sender is not None, "a line is of what one service sends"
        self._call_at(first, lambda _: self._advance(sender))

    def _call_at(self, held: _Held, then: Callable[[_Held], None]) -> None:
        delay_s = max(0.0, held.due_s - self._clock.monotonic())
        context = self._context
        held.timer = context.loop.call_later(delay_s, then, held, context=context.ambient)

    def _advance(self, sender: str) -> None:
        """Deliver those at the head of the line whose time has come."""
        line = self._lines.get(sender)
        if line is None:
            return
        if line and line[0].timer is not None:
            line[0].timer.cancel()
        now_s = self._clock.monotonic() + _ROUNDED_S
        due: list[Envelope] = []
        while line and line[0].due_s <= now_s:
            held = line.popleft()
            held.let_go()
            due.append(held.envelope)
        if line:
            self._wait_for(line[0])
        else:
            del self._lines[sender]
        self._admit(due)

    def _admit(self, envelopes: Sequence[Envelope]) -> None:
        if not envelopes:
            return
        try:
            self._door.admit(envelopes, late=True)
        except ActorError as error:
            for each in envelopes:
                each.reply_to.settle_error(error)


def _is_from(fault: ActiveFault, sender: str, receiver: str) -> bool:
    """Whether the fault is meant for what this one sends; cut both ways, also for the way back."""
    order = fault.order
    names = {sender, sender.rpartition("-")[0]}  # a shard's, and of whose shards it is one
    if order.both_ways and order.sender == receiver:
        return order.service in names
    return order.sender is None or order.sender in names
