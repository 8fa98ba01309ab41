"""The HTTP session that tweepy is given: it decides where its requests go, and how they end.

At debug level tweepy's loggers, and oauthlib's, write out the Authorization header: who opens a
session keeps them from it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiohttp
import msgspec

from actors.systems.tweets.x.access import X_HOST, check_loopback
from actors.systems.tweets.x.limit_headers import reset_of, wait_until
from actors.systems.tweets.x.x_errors import OutsideAddress, XStatus, XUnreachable
from actors.tracing.trace_context import trace_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import TracebackType
    from typing import Self

    from actors.systems.tweets.x.access import XAccess

T = TypeVar("T")

# What a tweet comes with: who wrote it, when, in what language, all of a long one's text, in answer
# to what, and what it repeats in full.
STREAM_FIELDS: Final = {
    "expansions": ["author_id", "referenced_tweets.id"],
    "tweet_fields": [
        "author_id",
        "conversation_id",
        "created_at",
        "edit_history_tweet_ids",
        "in_reply_to_user_id",
        "lang",
        "note_tweet",
        "referenced_tweets",
    ],
    "user_fields": ["username"],
}
WORDS_MAX: Final = 300

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
            # Not to X itself, which has no use for our ids.
            if found := trace_headers():
                options["headers"] = {**(options.get("headers") or {}), **found}
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


async def open_session(access: XAccess, *, read_s_max: float | None = None) -> XSession:
    """Return a session to wherever X is, once that is known; its credentials are in no log."""
    _keep_headers_out_of_logs()
    base_url = await access.base_url()
    return XSession(base_url, read_s_max=read_s_max, is_simulator=access.simulator)


async def read_answer(
    request: Awaitable[Any], shape: type[T], headers: dict[str, str] | None = None
) -> T:
    """Return the answer's body; what aiohttp raises is put into words without the request.

    The answer's headers are put into `headers`, their names in lower case.
    """
    try:
        response = await request
        if headers is not None:
            headers.update({name.lower(): value for name, value in response.headers.items()})
        # tweepy has read it, and aiohttp's `read` does not give it twice.
        return msgspec.json.decode(await response.text(encoding="utf-8"), type=shape)
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError, ValueError) as error:
        words = in_safe_words(error)
    raise XUnreachable(f"no answer from X: {words}")


def in_safe_words(error: BaseException | None) -> str:
    """Put an error into words; not by its repr, in which aiohttp shows the request's headers."""
    kind = type(error).__name__
    # Its text may be the answer's whole head, cookies and all.
    is_head = isinstance(error, aiohttp.ServerDisconnectedError)
    return kind if is_head else f"{kind}: {str(error)[:WORDS_MAX]}"


class _NoHeaders(logging.Filter):
    """Lets nothing below a warning pass: that is where requests are written out whole."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


_NO_HEADERS = _NoHeaders()


def _keep_headers_out_of_logs() -> None:
    """Keep tweepy's and oauthlib's loggers from telling credentials, whatever their level is.

    A logger's filter does not hold for those below it, so each has its own. Again changes nothing.
    """
    for name, there in tuple(logging.root.manager.loggerDict.items()):
        # One that has it is not asked for by its name again: that takes a lock, at every request.
        has_it = _NO_HEADERS in getattr(there, "filters", ())
        if not has_it and name.partition(".")[0] in {"tweepy", "oauthlib"}:
            logging.getLogger(name).addFilter(_NO_HEADERS)
