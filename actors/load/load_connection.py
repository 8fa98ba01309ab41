"""One HTTP/1.1 connection, one request on it at a time: no more than a load generator needs.

A generator that is busy with itself sends late, and measures itself. This costs a third of what
aiohttp's client does: docs/LOAD.md has the figures. Framing is RFC 9112's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.clock import Clock
    from actors.load.load_exchange import LoadExchange

# Of a whole answer: what is larger is a failure, and not the end of the machine.
ANSWER_BYTES_MAX: Final = 16_777_216
NO_BODY: Final = frozenset({204, 304})
GONE: Final = "connection lost"
NO_HTTP: Final = "no HTTP answer"


class LoadConnection(asyncio.Protocol):
    """Sends an exchange's bytes, ends it, and says that it is `free` again, or `gone`."""

    def __init__(
        self,
        clock: Clock,
        *,
        free: Callable[[LoadConnection], None],
        gone: Callable[[LoadConnection], None],
    ) -> None:
        """Not connected yet."""
        self.exchange: LoadExchange | None = None
        self._clock = clock
        self._free = free
        self._gone = gone
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what it writes to."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by duck typing

    def send(self, exchange: LoadExchange) -> None:
        """Write the request; the connection is the exchange's until that has ended."""
        assert self.exchange is None, "one at a time"
        assert self._transport is not None, "it is connected"
        self.exchange = exchange
        exchange.sent_s = self._clock.monotonic()
        self._transport.write(exchange.data)

    def close(self, failure: str = GONE) -> None:
        """End what is on its way with that failure, and the connection."""
        exchange, self.exchange = self.exchange, None
        if self._transport is not None:
            self._transport.abort()
        if exchange is not None:
            exchange.fail(failure, self._clock.monotonic())

    # --- asyncio's ---------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._received = received = self._received + data if self._received else data
        if self.exchange is None or len(received) > ANSWER_BYTES_MAX:
            self.close(NO_HTTP)  # nobody has asked
            return
        try:
            answer = _read(received, is_head=self.exchange.data.startswith(b"HEAD "), ended=False)
        except ValueError:
            self.close(NO_HTTP)
            return
        if answer is not None:
            self._end(*answer)

    def connection_lost(self, error: Exception | None) -> None:
        """What reaches to the end has ended, and what has not begun has failed."""
        del error
        if self.exchange is not None:
            try:
                answer = _read(self._received, is_head=False, ended=True)
            except ValueError:
                answer = None
            if answer is not None:
                exchange, self.exchange = self.exchange, None
                exchange.answer(answer[0], answer[1], self._clock.monotonic())
        self.close()
        self._gone(self)

    def _end(self, status: int, body: bytes, stays: bool) -> None:  # noqa: FBT001 - as it is read
        exchange, self.exchange = self.exchange, None
        assert exchange is not None, "see data_received"
        self._received = b""
        if stays:
            self._free(self)
        else:
            self.close()
        exchange.answer(status, body, self._clock.monotonic())


def _read(received: bytes, *, is_head: bool, ended: bool) -> tuple[int, bytes, bool] | None:
    """Return an answer's status, body, and whether the connection stays; None before its end.

    Raises ValueError for what is no answer. A connection on which more came than was asked for does
    not stay: the rest would be taken for the next one's answer.
    """
    status, begin, head = 0, 0, b""
    while status < 200:  # noqa: PLR2004 - 100 and 103 come before the answer itself
        end = received.find(b"\r\n\r\n", begin)
        if end < 0:
            return None
        head = received[begin:end].lower()
        if not head.startswith(b"http/1.") or not head[9:12].isdigit():
            raise ValueError(head)
        status = int(head[9:12])
        begin = end + len(b"\r\n\r\n")
    stays = b"\r\nconnection: close" not in head and not head.startswith(b"http/1.0")
    length = _field(head, b"content-length")
    if is_head or status in NO_BODY:
        body, whole = b"", begin
    elif length is not None:
        if not length.isdigit():
            raise ValueError(length)
        whole = begin + int(length)
        if len(received) < whole:
            return None
        body = received[begin:whole]
    elif _field(head, b"transfer-encoding") is not None:
        found = _unchunked(received, begin)
        if found is None:
            return None
        body, whole = found
    else:
        return (status, received[begin:], False) if ended else None
    return status, body, stays and len(received) == whole


def _field(head: bytes, name: bytes) -> bytes | None:
    found = head.find(b"\r\n" + name + b":")
    if found < 0:
        return None
    begin = found + len(name) + 3
    end = head.find(b"\r\n", begin)
    return head[begin : end if end >= 0 else None].strip()


def _unchunked(received: bytes, at: int) -> tuple[bytes, int] | None:
    """Return the body, and where its answer ends; None before that."""
    parts: list[bytes] = []
    while True:
        line = received.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(received[at:line].partition(b";")[0], 16)
        if size < 0:
            raise ValueError(size)
        at = line + 2
        if size == 0:  # no server of ours has trailers: what follows is one blank line, or those
            end = line if received.startswith(b"\r\n", at) else received.find(b"\r\n\r\n", at)
            whole = end + len(b"\r\n\r\n")
            return (b"".join(parts), whole) if end >= 0 else None
        if len(received) < at + size + 2:
            return None
        parts.append(received[at : at + size])
        at += size + 2
