"""The one file that knows how a remote service is reached over a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aiohttp
from yarl import URL

from actors.service.remote.transport import NoAnswerCame, RemoteAnswer

if TYPE_CHECKING:
    from actors.service.remote.transport import RemoteRequest

# Of what is told of an error: some have a whole head for their text.
WORDS_MAX: Final = 300


class AiohttpTransport:
    """An aiohttp session for one service: it keeps connections, and nothing else."""

    def __init__(self, *, connections_max: int, body_bytes_max: int) -> None:
        """Nothing is connected yet."""
        self._body_bytes_max = body_bytes_max
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections_max),
            # Whoever asks knows how long he waits.
            timeout=aiohttp.ClientTimeout(),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def send(self, request: RemoteRequest) -> RemoteAnswer:
        """Return the answer. Raises NoAnswerCame."""
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            ) as response:
                return RemoteAnswer(
                    status=response.status,
                    retry_after=response.headers.get("Retry-After"),
                    body=await self._whole_body(response),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # A head that could not be read may be the text of this one.
            is_head = isinstance(error, aiohttp.ServerDisconnectedError)
            words = "" if is_head else f": {str(error)[:WORDS_MAX]}"
            raise NoAnswerCame(f"{type(error).__name__}{words}") from None

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def _whole_body(self, response: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > self._body_bytes_max:
                response.close()
                raise NoAnswerCame(f"its body is longer than {self._body_bytes_max} bytes")
        return b"".join(parts)
