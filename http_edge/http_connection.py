"""What is not HTTP gets a clean 400, and no peer learns what runs here from a stack trace.

A connection also knows since when its client has been waited for, or the client for us: what has
arrived is stamped when it is read, before it waits for its turn.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from aiohttp import EMPTY_PAYLOAD, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import RawRequestMessage

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp import StreamReader

    from actors.config import EdgeConfig
    from http_edge.answer import Answer
    from http_edge.gateway import Gateway
    from http_edge.places import Places

# Bytes of a head behind its first line: the fields are bounded each, and there may be 128 of them.
FIELDS_BYTES_MAX: Final = 0x10000
# Bytes of empty lines before a request; RFC 9112 section 2.2 asks for one line's tolerance.
BLANK_BYTES_MAX: Final = 16
# A chunk of one byte, the smallest, is six on the wire. Whoever sends more than that and a bit has
# put something else there: chunk extensions and trailers, which nobody reads.
CHUNKING_FACTOR_MAX: Final = 6
CHUNKING_BYTES_MAX: Final = 0x4000

_CR: Final = 0x0D


class HttpConnection(web.RequestHandler):
    """One client's connection.

    `heard_s` is when it last sent something, by the system's clock; `answered`, whether the request
    whose turn it was last has its answer; `beyond`, whether it has a place for a look only.
    """

    __slots__ = (
        "_arrivals",
        "_blank_bytes",
        "_body",
        "_chunked_bytes",
        "_client_left",
        "_eof",
        "_gateway",
        "_head_bytes",
        "_head_bytes_max",
        "_head_s_max",
        "_head_until",
        "_own",
        "_places",
        "_rests",
        "_when_client_leaves",
        "_without_head",
        "answered",
        "beyond",
        "clock",
        "heard_s",
        "send_s_max",
    )

    def __init__(
        self,
        manager: web.Server,
        *,
        gateway: Gateway,
        places: Places,
        config: EdgeConfig,
        own: Callable[[asyncio.Task[None]], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """`own` is given the task of a request that outlives its connection."""
        super().__init__(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None is "no log", and its default another
            auto_decompress=False,
            keepalive_timeout=config.keepalive_s,
            lingering_time=config.linger_s,
            max_line_size=config.line_bytes_max,
            max_field_size=config.header_bytes_max,
        )
        self._gateway = gateway
        self._places = places
        self._own = own
        self.clock = gateway.clock
        self._head_s_max = config.head_s_max
        self._head_bytes_max = config.line_bytes_max + FIELDS_BYTES_MAX
        self.send_s_max = config.send_s_max
        self._client_left = False
        self._when_client_leaves: Callable[[], None] | None = None
        self.heard_s = self.clock.monotonic()
        self.beyond = False
        # When each of the messages arrived that wait for their turn.
        self._arrivals: deque[float] = deque()
        # Whether anything of these is to be put back when a head is whole: at first, its place.
        self._without_head = True
        # Bytes of a head that is not whole, and how many of them are empty lines before it.
        self._head_bytes = 0
        self._blank_bytes = 0
        self._head_until: float | None = None
        # The newest body, while it is not whole, and what it has taken on the wire if it is in
        # chunks.
        self._body: StreamReader | None = None
        self.answered = True
        self._chunked_bytes: int | None = None
        self._eof = False
        self._rests: asyncio.TimerHandle | None = None

    # --- What arrives ------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Stamp what becomes a request of it, and bound what does not yet."""
        if data:
            self.heard_s = self.clock.monotonic()
            if data[0] <= _CR and not self._few_blanks(data):
                return
            whole = self._head_bytes + len(data)
            if whole > self._head_bytes_max and not self._ends_in_time(data):
                return
        before = self._request_count
        body_bytes = 0 if self._body is None else self._body.total_bytes
        # aiohttp would wake its task for each message: one that is turned away needs none.
        waiter, self._waiter = self._waiter, None
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        count = self._request_count - before
        if count:
            self._arrivals.append(self.heard_s)
            if count > 1:
                self._arrivals.extend([self.heard_s] * (count - 1))
            # Where aiohttp gives out what it had kept, its end has been seen.
            if data and self._without_head:
                self._head_ends()
            if self._body is not None or self._messages[-1][1] is not EMPTY_PAYLOAD:
                self._body_begins(data if count == 1 else b"")
            if data and self._messages[-1][1] is EMPTY_PAYLOAD:
                self._what_follows(data)
            self._come_to_its_turn()
        elif data:
            self._goes_on(data, body_bytes)

    def _come_to_its_turn(self) -> None:
        """Wake the task that answers, if it waits and there is something to answer."""
        # It has not begun to wait where the first request is already there.
        is_first = self._waiter is None and self._request_count == 1
        if not (is_first or self._is_idle) or self._is_turned_away():
            return
        if self._waiter is not None:
            self._waiter.set_result(None)

    def _is_turned_away(self) -> bool:
        """Whether the one request that has come was refused at once."""
        message, payload = self._messages[0]
        # What is no message has the parser's error, and the bytes of half a next one are read on.
        if len(self._messages) > 1 or not isinstance(message, RawRequestMessage):
            return False
        if self._body is not None or self._head_bytes or self.beyond or self.writing_paused:
            return False
        answer = self._gateway.turns_away(message, payload, self.heard_s, self.rest)
        if answer is None:
            return False
        assert self.transport is not None
        assert self._parser is not None
        self._messages.clear()
        self._arrivals.clear()
        self._parser.message_consumed()
        self.transport.write(answer.whole(closes=message.should_close))
        if message.should_close:
            self.force_close()
        else:  # as after any answer
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's
        """Read on, where that was paused.

        aiohttp does so for each body that is read, and has its parser look for what it has kept:
        two microseconds a request, and there is something only after a pause.
        """
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def rest(self, for_s: float) -> float:
        """Read nothing for so long: what a client that was refused sends meanwhile waits outside.

        The rest of a body is read: the client waits for that before it reads the refusal. Returns
        for how long nothing is read, which may have begun before, else for how long it had better
        not ask.
        """
        if self._rests is not None:
            return self._rests.when() - self._loop.time()
        if self.transport is None:  # it has gone: a timer would outlive it
            return for_s
        if self._body is None or self._body.is_eof():
            self._pause_transport_reading()
            self._rests = self._loop.call_later(for_s, self._end_rest)
        return for_s

    def _end_rest(self) -> None:
        self._rests = None
        if not self._reading_paused and not self._buffer_paused:
            self._resume_transport_reading()

    def _resume_transport_reading(self) -> None:
        if self._rests is None:
            super()._resume_transport_reading()

    def next_arrival(self) -> float:
        """Return when the request arrived whose turn it is now: aiohttp takes them in order."""
        self.answered = False
        if self._eof and not self._messages:
            self.close()  # it is the last
        # What aiohttp kept behind an upgrade that was not made has come with it.
        return self._arrivals.popleft() if self._arrivals else self.heard_s

    @property
    def waits_for_client(self) -> bool:
        """Whether nothing can be done before the client sends something."""
        return self._is_idle or (self._body is not None and not self._body.is_eof())

    @property
    def _is_idle(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _few_blanks(self, data: bytes) -> bool:
        """Count the empty lines before a request; too many are refused."""
        at_start = self._head_bytes == self._blank_bytes
        if self._force_close or self._close:
            return True
        if at_start and (self._is_idle or not self._request_count):
            self._without_head = True
            self._blank_bytes += len(data) - len(data.lstrip(b"\r\n"))
            if self._blank_bytes > BLANK_BYTES_MAX:
                self._refuse(self._gateway.malformed("too many empty lines before a request"))
                return False
        return True

    def _ends_in_time(self, data: bytes) -> bool:
        """Look for the end of a head that is read to its end; one too long is refused."""
        if not self._is_idle and self._request_count:
            return True
        if data.find(b"\r\n\r\n", 0, self._head_bytes_max - self._head_bytes) >= 0:
            return True
        if self._head_bytes and b"\n" in data[:3]:  # it may have begun to end before
            return True
        self._refuse_head()
        return False

    def _body_begins(self, data: bytes) -> None:
        """A message came that has a body, or that follows one in the same read."""
        if self._body is not None and not self._body.is_eof():
            # Only the parser's refusal can come before its end.
            self._cut(self._body, web.RequestPayloadError("the body is framed wrongly"))
        message, payload = self._messages[-1]
        self._body = self._chunked_bytes = None
        if payload is EMPTY_PAYLOAD:
            return
        self._body = payload
        # Of several requests in one read, it is not known here where each begins.
        begins = data.find(b"\r\n\r\n") + 4 if data else 0
        if getattr(message, "chunked", False):
            self._chunked_bytes = len(data) - begins
            self._check_chunks(payload)
        if payload.is_eof():
            self._body_ends(payload, data[begins:], payload.total_bytes)

    def _body_ends(self, body: StreamReader, data: bytes, body_bytes: int) -> None:
        """So many of these bytes were the body's; one in chunks ends as a head does."""
        self._body = None
        if body.exception() is None:
            self._what_follows(data if self._chunked_bytes is not None else data[body_bytes:])

    def _what_follows(self, data: bytes) -> None:
        """These bytes end with a message, or there are more, which are no whole one."""
        if not data.endswith(b"\r\n\r\n") and data.rpartition(b"\r\n\r\n")[2].strip(b"\r\n"):
            self._head_begins()

    def _goes_on(self, data: bytes, body_bytes: int) -> None:
        """What was read is part of a body, or of a head."""
        if self._force_close or self._close:
            return
        if self._body is not None:
            if self._chunked_bytes is not None:
                self._chunked_bytes += len(data)
                self._check_chunks(self._body)
            if self._body.is_eof():
                self._body_ends(self._body, data, self._body.total_bytes - body_bytes)
            return
        if self._request_count and not self._is_idle:
            # It takes its time beside what was asked before; all else is looked at after that.
            if not self._head_bytes and data.strip(b"\r\n"):
                self._head_begins()
            return
        has_begun = self._head_bytes > self._blank_bytes
        self._head_bytes += len(data)
        if not has_begun and self._head_bytes > self._blank_bytes:
            self._places.head_begins(self)
            self._head_begins()
        if self._head_bytes > self._head_bytes_max:
            self._refuse_head()

    def _head_ends(self) -> None:
        self._without_head = False
        self._head_bytes = self._blank_bytes = 0
        self._head_until = None
        self._places.head_ends(self)

    def _head_begins(self) -> None:
        self._without_head = True
        self._head_bytes += 1
        self._head_until = self._loop.time() + self._head_s_max
        self._watch_head(self._head_until)

    def _watch_head(self, loop_s: float) -> None:
        # aiohttp's own timer: it is due less often than a connection is used, and looks then.
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
        self._keepalive_handle = self._loop.call_at(loop_s, self._process_keepalive)

    def _process_keepalive(self) -> None:
        """Called by the timer; an idle connection is closed, one with half a head refused."""
        if self._head_until is None:
            super()._process_keepalive()
        elif self._force_close:
            pass
        elif (now := self._loop.time()) < self._head_until:
            self._watch_head(self._head_until)
        elif self._is_idle:
            self._refuse(self._gateway.too_slow())
        else:  # it waits behind a request that is worked on
            self._watch_head(now + self._head_s_max)

    def _check_chunks(self, body: StreamReader) -> None:
        assert self._chunked_bytes is not None
        allowed = CHUNKING_FACTOR_MAX * body.total_bytes + CHUNKING_BYTES_MAX
        if self._chunked_bytes > allowed and body.exception() is None:
            self._cut(body, web.RequestPayloadError("its chunks are mostly extensions"))

    def _cut(self, body: StreamReader, why: Exception) -> None:
        """Whoever reads the body is told that there will be no more of it."""
        # After its answer aiohttp alone reads on, to throw it away, and takes an exception ill.
        if not self.answered or any(payload is body for _, payload in self._messages):
            body.set_exception(why)
        body.feed_eof()

    # --- What is refused ---------------------------------------------------------------------

    def make_room(self) -> None:
        """Close, for somebody else needs the place. The rest of a body is not waited for."""
        if self._body is not None and not self._body.is_eof():
            self._cut(self._body, self._gateway.no_place())
            self.close()
        elif self._request_count and not self._head_bytes:
            # Idle: an answer to nothing would be taken for that to its next request.
            self.force_close()
        else:
            self._refuse(self._gateway.overloaded())

    def refuse_place(self) -> None:
        """Say that there is none."""
        self._refuse(self._gateway.overloaded())

    def _refuse_head(self) -> None:
        detail = f"a head has at most {self._head_bytes_max} bytes"
        self._refuse(self._gateway.malformed(detail))

    def _refuse(self, answer: Answer) -> None:
        """Answer what is not whole, and close."""
        transport = self.transport
        if transport is None:
            return
        transport.write(answer.whole())
        # Who has not even read what was sent before would hold the place by not reading this.
        unread = transport.get_write_buffer_size()
        self.force_close()
        if unread:
            transport.abort()

    # --- The end -----------------------------------------------------------------------------

    def when_client_leaves(self, call: Callable[[], None]) -> None:
        """Call this once the client has closed its side: for an answer that has no end."""
        self._when_client_leaves = call
        if self._client_left:
            call()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End what was done for the client alone; a request that was asked goes on, but is owned.

        aiohttp would let a body nobody sends any more linger, and forget the task it lingers in.
        """
        task = self._task_handler
        asked = self._current_request is not None
        if self._rests is not None:
            self._rests.cancel()
        super().connection_lost(exc)
        self._places.leave(self)
        self._leave()
        if task is None or task.done():
            return
        if not asked:
            task.cancel()
        self._own(task)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's own says bool | None
        """Answer what was asked before the client closed its sending side, then close.

        What it has not said to the end is a 400. Of an answer without end, nobody would learn
        otherwise that its reader has gone.
        """
        self._leave()
        if self._when_client_leaves is not None:
            return False
        if self._body is not None and not self._body.is_eof():
            self._cut(self._body, web.RequestPayloadError("the client closed before its end"))
        if self._is_idle or self._request_count == 0:
            if self._head_bytes > self._blank_bytes:
                self._refuse(self._gateway.malformed("the request ended within its head"))
            return False
        self._eof = True
        if not self._messages:
            self.close()
        return True

    def _leave(self) -> None:
        self._client_left = True
        if self._when_client_leaves is not None:
            self._when_client_leaves()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Called for what aiohttp's parser refuses; the gateway lets nothing else through."""
        del request, status
        if isinstance(exc, LineTooLong):
            detail = (
                f"the request line is longer than {self.max_line_size} bytes,"
                f" or a header field is longer than {self.max_field_size}"
            )
        else:
            detail = (message or "").strip().partition("\n")[0] or "this is not HTTP/1.1"
        return self._gateway.malformed(detail)
