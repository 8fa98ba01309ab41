"""The HTTP session that tweepy is given: it decides where its requests go, and how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec

from actors.systems.tweets.x.access import X_HOST, check_loopback
from actors.systems.tweets.x.limit_headers import reset_of, wait_until
from actors.systems.tweets.x.x_errors import OutsideAddress, XStatus

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

# Of a body that says why not: X's problem documents are some 300 bytes.
PROBLEM_BYTES_MAX: Final = 4_096
PROBLEM_CHARS_MAX: Final = 500


class XSession:
    """An aiohttp session whose requests go to `base_url` in place of tweepy's own host.

    It has what tweepy uses of a session, and its rules: nothing is sent elsewhere, no redirect is
    followed, and an answer that is not 2xx is an XStatus before tweepy makes anything of its body
    (whose parts may be of any type, and whose rate limit may lack).
    """

    def __init__(
        self,
        base_url: str | None,
        *,
        read_s_max: float | None = None,
        is_simulator: bool = True,
    ) -> None:
        """`base_url` is None for X itself; `read_s_max` is how long to wait for a byte, in seconds.

        The simulator's is held to loopback, at every request.

        To be made on the loop that it is used on.
        """
        self._base_url = base_url
        self._is_simulator = is_simulator
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(sock_connect=read_s_max, sock_read=read_s_max),
            raise_for_status=_raise_for_status,
            # An account's answers are its own: nothing is carried from one request to the next.
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    @property
    def closed(self) -> bool:
        return self._session.closed

    @property
    def headers(self) -> Any:
        return self._session.headers

    def request(self, method: str, url: Any, **options: Any) -> Any:
        """Return what `async with` gives the response of. Raises OutsideAddress."""
        target = str(url)
        if not target.startswith(f"{X_HOST}/"):
            message = f"{target.partition('?')[0]} is not X's API"
            raise OutsideAddress(message)
        if self._base_url is not None:
            if self._is_simulator:
                check_loopback(self._base_url)
            url = self._rebase(url)
        return self._session.request(method, url, allow_redirects=False, **options)

    async def close(self) -> None:
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _rebase(self, url: Any) -> Any:
        """Keep the rest to the letter: of a signed request, the query's escapes are signed."""
        text = f"{self._base_url}{str(url).removeprefix(X_HOST)}"
        return text if isinstance(url, str) else type(url)(text, encoded=True)


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    """Raise XStatus where it is not 2xx; aiohttp's own error where its body does not come whole."""
    if 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's own classes
        return
    body = b""
    while len(body) < PROBLEM_BYTES_MAX:
        part = await response.content.read(PROBLEM_BYTES_MAX - len(body))
        if not part:
            break
        body += part
    reset_s = reset_of(response.headers)
    raise XStatus(
        response.status,
        " ".join(body.decode(errors="replace").split())[:PROBLEM_CHARS_MAX],
        is_own=_is_json_object(body),
        reset_s=reset_s,
        wait_s=wait_until(reset_s, response.headers),
    )


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body.decode()), dict)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
