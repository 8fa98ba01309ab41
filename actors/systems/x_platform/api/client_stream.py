"""One client's stream: objects as they come, a sign of life where none come, and a clean end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from aiohttp import HttpVersion11, hdrs, web

from actors.errors import DressRehearsalError
from actors.log import ids_of, request_id
from actors.systems.x_platform.api.outlet import Outlet
from actors.systems.x_platform.api.rendering import Renderer
from actors.systems.x_platform.api.x_endpoint import SERVICE
from actors.systems.x_platform.api.x_problems import disconnect
from actors.systems.x_platform.messages import ReadMatches
from http_edge.answer import JSON
from http_edge.http_connection import HttpConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from actors.systems.x_platform.api.fields import Selection
    from actors.systems.x_platform.api.x_endpoint import XCall
    from actors.systems.x_platform.messages import MatchPage

log = structlog.get_logger()

END_OF_OBJECT: Final = b"\r\n"
# Matches that are read at a time: what a slow client costs in memory, besides its socket's buffer.
PAGE_MATCHES: Final = 100
_US: Final = 1_000_000

# Why a stream ends; X's names.
SLOW_READER: Final = "SlowReader"
# Not said: X closes.
RECOVERED: Final = "recovered"
SERVICE_DOWN: Final = "UpstreamOperationalDisconnect"


class ClientStream:
    """Sends what matches from a place on, until the client leaves or `end` is called.

    Each object is one line, ended by CRLF. A client that reads so slowly that its place would soon
    be forgotten, or takes nothing for `edge.send_s_max`, is disconnected as a slow reader. Its
    place among the streams is free as soon as it is sent no more tweets.
    """

    def __init__(
        self,
        call: XCall,
        selection: Selection,
    ) -> None:
        """Made where no place is taken yet: `OpenStreams.enter` takes it."""
        self._call = call
        self._selection = selection
        self._streams = call.api.streams
        self._context = context = call.context
        config = call.api.config
        self._keepalive_s = config.keepalive_s
        self._send_s_max = context.config.send_s_max
        self._config = context.config
        # Midway between the longest backfill, which begins that late, and what is forgotten.
        backfill_s = config.backfill_minutes_max * 60
        lag_s_max = (backfill_s + config.matches_kept_s) / 2
        self._lag_us_max = round(lag_s_max * _US)
        # Who began with a backfill has this long to read to the end. Monotonic, for the wall
        # clock may be set, and what came before that be as old as it likes.
        self._behind_s_max = lag_s_max - backfill_s
        self._clock = context.system.clock
        self._encode = msgspec.json.Encoder().encode
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._at_end_s = self._clock.monotonic()
        self._outlet: Outlet | None = None
        self._cutter: asyncio.TimerHandle | None = None
        if isinstance(call.request.protocol, HttpConnection):
            call.request.protocol.when_client_leaves(self.client_left)

    def end(self, reason: str) -> None:
        """Say why and close, within `edge.linger_s`: a client that does not take it is cut."""
        if not self._ended.done():
            self._ended.set_result(reason)
        if self._cutter is None and self._outlet is not None:
            linger_s = self._context.config.linger_s
            self._cutter = self._loop.call_later(linger_s, self._outlet.cut)

    def client_left(self) -> None:
        """There is nobody to say anything to."""
        self._streams.free(self)
        if not self._ended.done():
            self._ended.set_result("")

    async def run(self, after: int, *, until: int | None = None) -> web.StreamResponse:
        """Send what matches after this place, up to `until` if given; returns when it is over."""
        response = self._response()
        outlet = Outlet(self._call.request, response, self._send_s_max)
        self._outlet = outlet
        try:
            await response.prepare(self._call.request)
            if until is None:
                reason = await self._feed(outlet, after)
            else:
                reason = await self._recover(outlet, after, until)
            self._streams.free(self)
            if reason == RECOVERED:
                await outlet.finish(b"")
            elif reason:
                log.info("stream disconnected", reason=reason)
                await outlet.finish(self._encode(disconnect(reason)) + END_OF_OBJECT)
        except ConnectionError:
            log.debug("stream's client left")
        finally:
            outlet.close()
            if self._cutter is not None:
                self._cutter.cancel()
        return response

    def _response(self) -> web.StreamResponse:
        request = self._call.request
        response = web.StreamResponse(
            headers={
                hdrs.CONTENT_TYPE: JSON,
                hdrs.DATE: self._context.date(),
                hdrs.SERVER: "Dress Rehearsal",
                "X-Content-Type-Options": "nosniff",
                "X-Request-ID": ids_of(request_id.get())["request_id"] or "",
                **dict(self._call.quota.headers()),
            }
        )
        if request.version >= HttpVersion11:
            response.enable_chunked_encoding()
        # Whatever ends a stream ends its connection.
        response.force_close()
        return response

    async def _feed(self, outlet: Outlet, place: int) -> str:
        """Return why it ended; nothing where the client left."""
        # Not from the last commit: what the service writes besides is no sign of life.
        silent_since_s = self._loop.time()
        try:
            while not self._ended.done():
                # Before the look, so that a commit between it and the wait is not missed.
                news = self._context.system.committed(SERVICE)
                looked_s = self._clock.monotonic()
                page = await self._read(place)
                place = page.next
                if len(page.matches) < PAGE_MATCHES:
                    self._at_end_s = looked_s
                if not await self._send_all(outlet, page):
                    return SLOW_READER
                if not page.matches:
                    if await self._has_news(news, until_s=silent_since_s + self._keepalive_s):
                        continue
                    if not await outlet.send(END_OF_OBJECT):
                        return SLOW_READER
                silent_since_s = self._loop.time()
        except DressRehearsalError as error:
            log.warning("stream has no source", error=repr(error))
            return SERVICE_DOWN
        return self._ended.result()

    async def _recover(self, outlet: Outlet, place: int, until: int) -> str:
        """Send what matched then, however long ago, and end."""
        try:
            while not self._ended.done():
                page = await self._read(place)
                matches = tuple([each for each in page.matches if each.seq <= until])
                renderer = Renderer(page.about, self._selection)
                for match in matches:
                    line = self._encode(renderer.matched(match)) + END_OF_OBJECT
                    if not await outlet.send(line):
                        return SLOW_READER
                if len(matches) < PAGE_MATCHES:
                    return RECOVERED
                place = page.next
        except DressRehearsalError as error:
            log.warning("stream has no source", error=repr(error))
            return SERVICE_DOWN
        return self._ended.result()

    async def _read(self, place: int) -> MatchPage:
        question = ReadMatches(after=place, limit=PAGE_MATCHES)
        page: MatchPage = await self._call.ask(question, timeout_s=self._config.deadline_s)
        return page

    async def _send_all(self, outlet: Outlet, page: MatchPage) -> bool:
        """Send the matches, up to the stream's end; false if the client is too slow for them."""
        renderer = Renderer(page.about, self._selection)
        for match in page.matches:
            if self._ended.done():
                break
            if self._is_slow(match.at_us):
                return False
            if not await outlet.send(self._encode(renderer.matched(match)) + END_OF_OBJECT):
                return False
        return True

    def _is_slow(self, at_us: int) -> bool:
        """Whether what came then is sent too late, and the client has not read to the end since."""
        is_old = at_us < self._clock.now_us() - self._lag_us_max
        return is_old and self._clock.monotonic() - self._at_end_s > self._behind_s_max

    async def _has_news(self, news: Awaitable[None], *, until_s: float) -> bool:
        """Wait for a commit or the end; false if it is time for a sign of life instead."""
        waiting = asyncio.ensure_future(news)
        try:
            done, _ = await asyncio.wait(
                (waiting, self._ended),
                timeout=max(until_s - self._loop.time(), 0.0),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if waiting in done:
                waiting.result()
        finally:
            waiting.cancel()
        # Commits may come so fast that there is always one.
        return self._ended.done() or (bool(done) and self._loop.time() < until_s)
