"""The embedded X in a thread of its own, for clients that block theirs; and where they find it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

from actors.kernel.clock import SystemClock
from tests.systems.x_platform.api.embedded_x import EmbeddedX, embedded_x

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from requests import PreparedRequest

    from actors.systems.x_platform.api.embedded_credentials import EmbeddedCredentials

X_HOST = "https://api.twitter.com"
CALL_S_MAX = 100.0


@dataclass
class XServer:
    url: str
    keys: EmbeddedCredentials
    _x: EmbeddedX
    _loop: asyncio.AbstractEventLoop

    def call(self, do: Callable[[EmbeddedX], Awaitable[Any]]) -> Any:
        """Do it on the server's loop, and wait for it."""

        async def done() -> Any:
            return await do(self._x)

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(CALL_S_MAX)

    def tweet_as(self, username: str, text: str, **fields: Any) -> dict[str, Any]:
        tweet: dict[str, Any] = self.call(lambda x: x.tweet_as(username, text, **fields))
        return tweet


@contextlib.contextmanager
def x_server(**changes: Any) -> Iterator[XServer]:
    """Run it, on the machine's clock: stock clients sign with that."""
    started: list[XServer] = []
    news = threading.Event()

    async def serve(stop: asyncio.Event) -> None:
        async with embedded_x(clock=SystemClock(), **changes) as x:
            started.append(XServer(x.url, x.keys, x, asyncio.get_running_loop()))
            news.set()
            await stop.wait()

    with asyncio.Runner() as runner:
        loop, stop = runner.get_loop(), asyncio.Event()
        thread = threading.Thread(target=runner.run, args=(serve(stop),))
        thread.start()
        try:
            assert news.wait(CALL_S_MAX), "the server did not start"
            yield started[0]
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(CALL_S_MAX)


class Rebased(HTTPAdapter):
    """Sends what was made and signed for X's host to the embedded X, and changes nothing else."""

    def __init__(self, url: str) -> None:
        self._url = url
        super().__init__()

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Any:
        assert request.url is not None
        request.url = self._url + request.url.removeprefix(X_HOST)
        return super().send(request, *args, **options)


class RebasedSession:
    """The same for tweepy's asynchronous clients: an aiohttp session, as far as they use one."""

    def __init__(self, url: str, session: Any) -> None:
        self._url = url
        self._session = session
        self.headers = session.headers

    @property
    def closed(self) -> bool:
        closed: bool = self._session.closed
        return closed

    def request(self, method: str, url: Any, **options: Any) -> Any:
        text = self._url + str(url).removeprefix(X_HOST)
        rebased = text if isinstance(url, str) else type(url)(text, encoded=True)
        return self._session.request(method, rebased, **options)

    async def close(self) -> None:
        await self._session.close()
