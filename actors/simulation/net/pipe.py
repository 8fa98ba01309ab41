"""One direction of a connection: bytes arrive once, in order, or from one byte on not at all."""

from __future__ import annotations

import zlib
from collections import deque
from typing import TYPE_CHECKING, Literal, Protocol

from actors.simulation.net.fault_rules import Altered, Chunk, Delay, Drop, Reset
from actors.simulation.net.link import RETRIES_MAX, RETRY_S_MAX, RETRY_S_MIN

if TYPE_CHECKING:
    import asyncio
    from contextvars import Context

    from actors.kernel.rng import Rng
    from actors.simulation.net.fault_rules import Verdict
    from actors.simulation.net.link import Link
    from actors.simulation.net.medium import Medium

    Kind = Literal["open", "data", "eof", "reset"]

    class PipeOwner(Protocol):
        """The connection of which a pipe is one direction."""

        number: int
        port: int

        def break_off(self, cause: str) -> None: ...

        def give_up(self, pipe: Pipe) -> None: ...

    class Receiver(Protocol):
        """Where a pipe ends."""

        context: Context

        def receive(self, kind: Kind, data: bytes) -> None: ...

    class Sender(Protocol):
        """Where a pipe begins."""

        def sent(self) -> None:
            """Fewer bytes wait to be sent."""


class _Item:
    """Something on the way."""

    __slots__ = ("data", "delayed", "due_s", "kind", "tries")

    def __init__(self, kind: Kind, data: bytes, due_s: float) -> None:
        self.kind = kind
        self.data = data
        self.due_s = due_s
        self.tries = 0
        self.delayed = False


class Pipe:
    """Cuts what is written into chunks, and lets each arrive when the link and the rules say so."""

    def __init__(
        self,
        medium: Medium,
        connection: PipeOwner,
        source: str,
        target: str,
        *,
        link: Link,
        rng: Rng,
    ) -> None:
        """`source` and `target` are hosts; `sender` and `receiver` are set before the first use."""
        self.source = source
        self.target = target
        self.waiting_bytes = 0  # written, but the window is full
        self.sender: Sender
        self.receiver: Receiver
        self._medium = medium
        self._connection = connection
        self._link = link
        self._rng = rng
        self._waiting: deque[memoryview] = deque()
        self._eof_waits = False
        self._unread_bytes = 0  # on the way, or arrived and not read
        self._way: deque[_Item] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._line_free_s = 0.0
        self._last_due_s = 0.0
        self._arrived_bytes = 0
        self._broken = False

    # --- For the sender ----------------------------------------------------------------------

    def open(self) -> None:
        """Tell the other side, before anything else, that it has a connection."""
        self._send("open")

    def write(self, data: bytes) -> None:
        """Send `data` as soon as the window allows."""
        self._waiting.append(memoryview(data))
        self.waiting_bytes += len(data)
        self._pump()

    def write_eof(self) -> None:
        """Say, after all that was written, that nothing follows."""
        if self._waiting:
            self._eof_waits = True
        else:
            self._send("eof")

    def reset(self) -> None:
        """Say that the connection is gone; what had not left yet is lost."""
        self._forget_waiting()
        self._send("reset")

    # --- For the receiver --------------------------------------------------------------------

    def read(self, size: int) -> None:
        """Make room in the window for what was read."""
        self._unread_bytes -= size
        if self._waiting:
            self._pump()
            self.sender.sent()

    # --- For the connection ------------------------------------------------------------------

    def break_off(self) -> None:
        """Lose what is on the way; nothing arrives any more."""
        self._broken = True
        self.lose_all()

    def lose_all(self) -> None:
        """Lose what is on the way and what waits."""
        self._forget_waiting()
        self._way.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- On the way --------------------------------------------------------------------------

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self.waiting_bytes = 0
        self._eof_waits = False

    def _pump(self) -> None:
        while self._waiting and not self._broken:
            room = self._link.window_bytes - self._unread_bytes
            if room <= 0:
                return
            self._send("data", self._take(min(room, self._link.chunk_bytes_max)))
        if self._eof_waits and not self._waiting:
            self._eof_waits = False
            self._send("eof")

    def _take(self, size_max: int) -> bytes:
        """Take a chunk of at most `size_max` bytes from what waits; writes may share a chunk."""
        parts: list[memoryview] = []
        size = 0
        while self._waiting and size < size_max:
            part = self._waiting.popleft()
            if len(part) > size_max - size:
                self._waiting.appendleft(part[size_max - size :])
                part = part[: size_max - size]
            parts.append(part)
            size += len(part)
        data = b"".join(parts)
        if size > 1 and self._rng.random() < self._link.cut_chance:
            cut = self._rng.randrange(1, size)
            self._waiting.appendleft(memoryview(data)[cut:])
            data = data[:cut]
        self.waiting_bytes -= len(data)
        self._unread_bytes += len(data)
        return data

    def _send(self, kind: Kind, data: bytes = b"") -> None:
        if self._broken:
            return
        link = self._link
        leaves_s = max(self._medium.time(), self._line_free_s)
        if link.bandwidth_bytes_s is not None:
            leaves_s += len(data) / link.bandwidth_bytes_s
        self._line_free_s = leaves_s
        due_s = leaves_s + link.latency_s + self._rng.random() * link.jitter_s
        # In order, whatever the jitter: TCP holds back what has overtaken.
        self._last_due_s = due_s = max(due_s, self._last_due_s)
        self._way.append(_Item(kind, data, due_s))
        if self._timer is None:
            self._schedule()

    def _schedule(self) -> None:
        self._timer = self._medium.loop.call_at(
            self._way[0].due_s, self._arrive, context=self.receiver.context
        )

    def _arrive(self) -> None:
        self._timer = None
        now = self._medium.time()
        while self._way and self._way[0].due_s <= now:
            item = self._way[0]
            verdict = self._medium.judge(self._chunk(item)) if self._medium.rules else None
            if verdict is None or (item.delayed and isinstance(verdict, Delay)):
                self._way.popleft()
                self._deliver(item.kind, item.data)
            elif not self._suffer(item, verdict):
                return
        if self._way and self._timer is None:
            self._schedule()

    def _suffer(self, item: _Item, verdict: Verdict) -> bool:
        """Do what a rule says; return whether the pipe goes on."""
        match verdict:
            case Altered(data=data):
                self._way.popleft()
                self._deliver(item.kind, data)
            case Delay(seconds=seconds):
                item.delayed = True  # once is enough
                item.due_s = self._medium.time() + seconds
            case Reset(after_bytes=size):
                self._way.popleft()
                if item.data[:size]:
                    self._deliver("data", item.data[:size])
                self._connection.break_off("rule")
                return False
            case Drop():
                if item.kind == "reset":
                    self._way.popleft()  # TCP does not send it again
                    return True
                item.tries += 1
                if item.tries > RETRIES_MAX + 1:  # the last one's wait is over, too
                    self._connection.give_up(self)
                    return False
                wait_s = min(RETRY_S_MAX, RETRY_S_MIN * 2 ** (item.tries - 1))
                item.due_s = self._medium.time() + wait_s
        return True

    def _chunk(self, item: _Item) -> Chunk:
        return Chunk(
            connection=self._connection.number,
            source=self.source,
            target=self.target,
            port=self._connection.port,
            kind=item.kind,
            first_byte=self._arrived_bytes,
            data=item.data,
        )

    def _deliver(self, kind: Kind, data: bytes) -> None:
        self._arrived_bytes += len(data)
        self._medium.record(
            kind,
            connection=self._connection.number,
            to=self.target,
            size=len(data),
            crc=zlib.crc32(data),
        )
        self.receiver.receive(kind, data)
