"""X's filtered stream, as an iteration: what tweepy calls back with is yielded, and ends it.

tweepy is used for what it knows (the address, parameters, the reading of the stream) and for one
connection at a time. What it would do of itself around that is kept from happening:

- it reconnects at once, for ever, where a stream closes cleanly, waits a minute and more for a 429,
  and gives up without an exception: here the first end of a connection ends the client, with its
  reason, and whoever uses it decides;
- its stream task swallows cancellation: here the task is kept, disconnected, and waited for;
- after that its session is closed: each connection has one of its own;
- it reads on while nobody has looked at what it brought: here no further than `AHEAD_MAX`;
- it makes models of what it reads: lines are handed on unread.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final

import msgspec
from tweepy.asynchronous import AsyncStreamingClient

from actors.systems.tweets.x.idle_watch import IdleWatch
from actors.systems.tweets.x.session import STREAM_FIELDS, in_safe_words, open_session
from actors.systems.tweets.x.x_errors import XError, XStreamClosed, XUnreachable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncGenerator

    import aiohttp

    from actors.systems.tweets.x.access import XAccess


# So many lines are read ahead: what the socket brought together is taken, and committed, together.
AHEAD_MAX: Final = 64


class StreamOpen(msgspec.Struct, frozen=True):
    """X has opened the stream."""


class KeepAlive(msgspec.Struct, frozen=True):
    """X is there, and has nothing to say.

    By the loop's clock, all that had come by `read_empty_s` is yielded before it; None for not
    known.
    """

    read_empty_s: float | None


Said = StreamOpen | bytes | KeepAlive


class StreamAdapter:
    """The filtered stream, one connection at a time."""

    def __init__(self, access: XAccess, *, stall_s: float) -> None:
        """`stall_s` seconds without a byte end a connection."""
        self._access = access
        self._stall_s = stall_s

    async def follow(
        self,
        *,
        backfill_minutes: int = 0,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
    ) -> AsyncGenerator[Said]:
        """Make a connection, and yield its opening, its lines (never empty), its keep-alives.

        From `since` to `until`, where they are given: X's recovery, the oldest first, which ends by
        itself. The end is always an exception, behind all that came before it: XStatus where X does
        not open the stream, XStreamClosed where it closes, XUnreachable where it breaks or stalls.
        Closed or cancelled, it disconnects first.
        """
        async with await open_session(self._access, read_s_max=self._stall_s) as session:
            client = _OneConnection(self._access.credentials.bearer_token)
            client.session = session
            if since is not None and until is not None:
                client.times = {"start_time": _iso(since), "end_time": _iso(until)}
            task = client.filter(**STREAM_FIELDS, backfill_minutes=backfill_minutes or None)
            task.add_done_callback(lambda _: client.said.put_nowait(None))
            try:
                while (said := await client.said.get()) is not None:
                    client.room.release()
                    yield said
            finally:
                client.disconnect()
                await asyncio.wait([task])
        raise client.ended or XUnreachable("the stream ended without a word")


class _OneConnection(AsyncStreamingClient):  # type: ignore[misc]  # tweepy has no types
    """tweepy's client for one connection: `said`, as far as there is `room`, then None for the end.

    `ended` is why it is over.
    """

    def __init__(self, bearer_token: str) -> None:
        super().__init__(bearer_token, max_retries=0)
        self.said: asyncio.Queue[Said | None] = asyncio.Queue()
        self.room = asyncio.Semaphore(AHEAD_MAX)
        self.ended: Exception | None = None
        # Parameters of X's that tweepy does not know.
        self.times: dict[str, str] = {}
        self._idle = IdleWatch()

    async def _connect(self, method: str, endpoint: str, **options: Any) -> None:
        options["params"] = {**options.get("params", {}), **self.times}
        await super()._connect(method, endpoint, **options)

    async def on_connect(self) -> None:
        # The watch does not begin here: of a backfill nothing may have come by now.
        await self._hand_over(StreamOpen())

    async def on_data(self, raw_data: bytes) -> None:
        self._idle.end()
        await self._hand_over(raw_data)
        self._idle.begin()

    async def on_keep_alive(self) -> None:
        await self._hand_over(KeepAlive(self._idle.end()))
        self._idle.begin()

    async def _hand_over(self, said: Said) -> None:
        """Return once there is room for it."""
        await self.room.acquire()
        self.said.put_nowait(said)

    async def on_closed(self, _response: aiohttp.ClientResponse) -> None:
        raise XStreamClosed("X closed the stream")

    async def on_request_error(self, status_code: int) -> None:
        # A 2xx that opens no stream; other statuses end before they come here.
        raise XUnreachable(f"X answered {status_code} instead of a stream")

    async def on_connection_error(self) -> None:
        # Called in tweepy's own handler of the error, which it would log and try again.
        raise XUnreachable(_broken(sys.exception())) from None

    async def on_exception(self, exception: Exception) -> None:
        is_ours = isinstance(exception, XError)
        self.ended = exception if is_ours else XUnreachable(_broken(exception))

    async def on_disconnect(self) -> None:
        """Say nothing: whoever follows says it once, with the reason."""


def _iso(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _broken(error: BaseException | None) -> str:
    return f"the stream broke: {in_safe_words(error)}"
