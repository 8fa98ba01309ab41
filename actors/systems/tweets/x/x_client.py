"""The one file that knows tweepy: its stream, its rules, its likes and replies, on our terms.

tweepy is used for what it knows (addresses, parameters, signatures, the reading of the stream) and
for one connection at a time. What it would do of itself around that is kept from happening:

- it reconnects at once, for ever, where a stream closes cleanly, waits a minute and more for a 429,
  and gives up without an exception: here the first end of a connection ends the client, with its
  reason, and whoever uses it decides;
- its stream task swallows cancellation: `StreamConnection` keeps the task, disconnects, and waits;
- after that its session is closed: rules have a session of their own;
- it keeps each client that has ever liked something, in a cache without bounds: ours has none;
- it makes models of what it reads, and dies of a rule without a tag: lines are handed on unread;
- at debug level its loggers, and oauthlib's, write out the Authorization header.

For a simulation: requests in user context are signed by oauthlib, which draws from
`oauthlib.oauth1.rfc5849.generate_nonce` and `.generate_timestamp`; to be the same from the same
seed these two names must be replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiohttp
import msgspec
import tweepy
from tweepy.asynchronous import AsyncClient, AsyncStreamingClient

from actors.systems.tweets.x.limit_headers import exhausted_until, wait_until
from actors.systems.tweets.x.meaning import BAD_REQUEST, meaning_of
from actors.systems.tweets.x.session import XSession
from actors.systems.tweets.x.x_errors import (
    XError,
    XRefused,
    XStatus,
    XStreamClosed,
    XUnreachable,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from actors.systems.tweets.x.access import XAccess

__all__ = ["Rule", "Rules", "StreamConnection", "XRefused", "XWriter"]

T = TypeVar("T")

# What a tweet of the stream comes with: who wrote it, when, in what language, all of a long one's
# text, in answer to what, and what it repeats in full.
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
SEARCH_PAGE_TWEETS: Final = 100  # X's bound


class _NoHeaders(logging.Filter):
    """Lets nothing below a warning pass: that is where requests are written out whole."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


_NO_HEADERS = _NoHeaders()


def keep_headers_out_of_logs() -> None:
    """Keep tweepy's and oauthlib's loggers from telling credentials, whatever their level is.

    A logger's filter does not hold for those below it, so each has its own. Again changes nothing.
    """
    for name in tuple(logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"tweepy", "oauthlib"}:
            logging.getLogger(name).addFilter(_NO_HEADERS)


# --- The stream --------------------------------------------------------------------------------


class StreamConnection:
    """One connection to the filtered stream, from its request to its end."""

    def __init__(
        self,
        access: XAccess,
        *,
        stall_s: float,
        on_open: Callable[[], Awaitable[None]],
        on_line: Callable[[bytes], Awaitable[None]],
        on_keep_alive: Callable[[], Awaitable[None]],
    ) -> None:
        """`on_line` gets what stands between two line ends, never empty; raising ends all.

        `stall_s` seconds without a byte end it, too.
        """
        self._access = access
        self._stall_s = stall_s
        self.on_open = on_open
        self.on_line = on_line
        self.on_keep_alive = on_keep_alive

    async def follow(
        self, *, backfill_minutes: int = 0, since: str | None = None, until: str | None = None
    ) -> None:
        """Read until the end, which is always an exception.

        From `since` to `until`, where they are given: X's recovery, which ends by itself.

        XStatus where X does not open the stream, XUnreachable where it closes, breaks or stalls,
        and whatever a callback raised. Cancelled, it disconnects first.
        """
        async with await _session(self._access, read_s_max=self._stall_s) as session:
            client = _OneConnection(self, self._access.credentials.bearer_token)
            client.session = session
            client.times = {"start_time": since, "end_time": until} if since and until else {}
            task = client.filter(**STREAM_FIELDS, backfill_minutes=backfill_minutes or None)
            try:
                await asyncio.wait([task])
            finally:
                client.disconnect()
                await asyncio.wait([task])
        raise client.ended or XUnreachable("the stream ended without a word")


class _OneConnection(AsyncStreamingClient):  # type: ignore[misc]  # tweepy has no types
    """tweepy's client for one connection; `ended` is why it is over."""

    def __init__(self, owner: StreamConnection, bearer_token: str) -> None:
        super().__init__(bearer_token, max_retries=0)
        keep_headers_out_of_logs()
        self._owner = owner
        self.ended: Exception | None = None
        # Parameters of X's that tweepy does not know.
        self.times: dict[str, str] = {}

    async def _connect(self, method: str, endpoint: str, **options: Any) -> None:
        options["params"] = {**options.get("params", {}), **self.times}
        await super()._connect(method, endpoint, **options)

    async def on_connect(self) -> None:
        await self._call(self._owner.on_open())

    async def on_data(self, raw_data: bytes) -> None:
        await self._call(self._owner.on_line(raw_data))

    async def on_keep_alive(self) -> None:
        await self._call(self._owner.on_keep_alive())

    async def on_closed(self, _response: aiohttp.ClientResponse) -> None:
        raise XStreamClosed("X closed the stream")

    async def on_request_error(self, status_code: int) -> None:
        # A 2xx that opens no stream; other statuses end before they come here.
        raise XUnreachable(f"X answered {status_code} instead of a stream")

    async def on_connection_error(self) -> None:
        # Called in tweepy's own handler of the error, which it would log and try again.
        raise XUnreachable(_broken(sys.exception())) from None

    async def on_exception(self, exception: Exception) -> None:
        if self.ended is not None:  # what a callback of the owner raised
            return
        is_ours = isinstance(exception, XError)
        self.ended = exception if is_ours else XUnreachable(_broken(exception))

    async def on_disconnect(self) -> None:
        """Say nothing: whoever follows says it once, with the reason."""

    async def _call(self, callback: Awaitable[None]) -> None:
        try:
            await callback
        except Exception as error:
            self.ended = error
            raise


class Recovery:
    """What the stream has brought in the past: a connection of its own, beside the stream's."""

    def __init__(self, access: XAccess, *, stall_s: float) -> None:
        self._access = access
        self._stall_s = stall_s

    async def follow(
        self, on_line: Callable[[bytes], Awaitable[None]], *, since: dt.datetime, until: dt.datetime
    ) -> None:
        """Read all of it, the oldest first. Raises XStreamClosed in the end, or as the stream."""

        async def nothing() -> None:
            """Neither an opening nor a keep-alive says anything here."""

        connection = StreamConnection(
            self._access,
            stall_s=self._stall_s,
            on_open=nothing,
            on_line=on_line,
            on_keep_alive=nothing,
        )
        await connection.follow(since=_iso(since), until=_iso(until))


# --- Rules -------------------------------------------------------------------------------------


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that stands on the account."""

    id: str
    value: str
    tag: str | None = None


class _RulesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    data: tuple[Rule, ...] | None = None
    errors: tuple[dict[str, Any], ...] | None = None


class Rules:
    """The rules of the account's stream. All raise XStatus and XUnreachable."""

    def __init__(self, access: XAccess, *, read_s_max: float) -> None:
        self._access = access
        self._read_s_max = read_s_max

    async def list(self) -> tuple[Rule, ...]:
        """Return all, whoever's they are."""
        async with self._client() as client:
            answer = await _read(client.get_rules(), _RulesAnswer)
            return answer.data or ()

    async def add(self, value: str, *, tag: str) -> None:
        """Add a rule; where it stands already that is well. Raises XRefused, with X's reason."""
        async with self._client() as client:
            rule = tweepy.StreamRule(value=value, tag=tag)
            try:
                answer = await _read(client.add_rules(rule), _RulesAnswer)
            except XStatus as no:
                is_final = no.status == BAD_REQUEST and no.is_own
                raise (XRefused(str(no)) if is_final else no) from None
            for error in answer.errors or ():
                if error.get("title") != "DuplicateRule":
                    details = error.get("details") or error.get("detail") or error.get("title")
                    raise XRefused(_words(details))

    async def delete(self, ids: Iterable[str]) -> None:
        """Delete these; one that is gone already is gone."""
        async with self._client() as client:
            await _read(client.delete_rules([*ids]), dict[str, Any])

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        keep_headers_out_of_logs()
        async with await _session(self._access, read_s_max=self._read_s_max) as session:
            client = AsyncStreamingClient(
                self._access.credentials.bearer_token, return_type=aiohttp.ClientResponse
            )
            client.session = session
            yield client


# --- The recent search -------------------------------------------------------------------------


class _Meta(msgspec.Struct, frozen=True, kw_only=True):
    next_token: str | None = None


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    data: list[dict[str, Any]] | None = None
    includes: dict[str, Any] | None = None
    meta: _Meta | None = None


class FoundPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tweets as the lines in which the stream would have brought them, latest first."""

    lines: list[bytes]
    next_token: str | None


class Search:
    """What a rule would have met in the last seven days."""

    def __init__(self, access: XAccess, query: str, *, read_s_max: float) -> None:
        self._access = access
        self._query = query
        self._read_s_max = read_s_max

    async def page(self, *, since_id: int, until_id: int | None, token: str | None) -> FoundPage:
        """Return a page of what lies between the two ids, or from the first one on.

        By ids, for X takes no time that is in its clock's future, or nearly so. Raises XStatus and
        XUnreachable.
        """
        keep_headers_out_of_logs()
        async with await _session(self._access, read_s_max=self._read_s_max) as session:
            client = _Client(
                bearer_token=self._access.credentials.bearer_token,
                return_type=aiohttp.ClientResponse,
            )
            client.session = session
            request = client.search_recent_tweets(
                self._query,
                since_id=since_id,
                until_id=until_id,
                next_token=token,
                max_results=SEARCH_PAGE_TWEETS,
                **STREAM_FIELDS,
            )
            found = await _read(request, _Found)
        lines = [
            msgspec.json.encode({"data": each, "includes": found.includes or {}})
            for each in found.data or ()
        ]
        return FoundPage(lines=lines, next_token=found.meta.next_token if found.meta else None)


# --- Likes and replies -------------------------------------------------------------------------


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    liked: bool = False
    id: str = ""


class _Written(msgspec.Struct, frozen=True, kw_only=True):
    data: _Data | None = None
    errors: tuple[dict[str, Any], ...] | None = None


class _Client(AsyncClient):  # type: ignore[misc]  # tweepy has no types
    """tweepy's, without its cache of who is who: that keeps every client there ever was."""

    def _get_oauth_1_authenticating_user_id(self, access_token: str) -> str:
        return access_token.partition("-")[0]


class XWriter:
    """Likes and replies as the account, signed with OAuth 1.0a.

    XRefused is a no for good, about the one tweet (such as a duplicate text, or a tweet that is
    gone). XBusy and XBarred are a no for now: X counts too many requests, or will not have the
    account act at all; who comes meanwhile is told so, and X is not asked. Anything else raised may
    be tried again; whether it was done then is not known.
    Each request has a connection of its own, so there is nothing to close, and no time limit: an
    effect has one.
    """

    def __init__(self, access: XAccess) -> None:
        self._access = access

    async def like(self, tweet_id: str) -> None:
        """Like a tweet; one that is liked already stays so."""
        data = await self._write("likes", lambda client: client.like(tweet_id))
        if not data.liked:
            raise XUnreachable("X does not say that the tweet is liked")

    async def reply(self, text: str, *, in_reply_to: str) -> str:
        """Reply to a tweet, and return the reply's id."""
        data = await self._write(
            "replies",
            lambda client: client.create_tweet(text=text, in_reply_to_tweet_id=in_reply_to),
        )
        if not data.id:
            raise XUnreachable("X does not say what the reply's id is")
        return data.id

    async def _write(self, kind: str, request: Callable[[Any], Awaitable[Any]]) -> _Data:
        async with await _session(self._access) as session:
            with self._access.pauses.asking(kind) as asking:
                client = self._client(session)
                headers: dict[str, str] = {}
                try:
                    answer = await _read(request(client), _Written, headers)
                except XStatus as no:
                    raise meaning_of(no) from None
                if (wait_s := wait_until(exhausted_until(headers), headers)) is not None:
                    asking.was_last(kind, wait_s)
                if answer.data is not None:
                    return answer.data
                if answer.errors:  # X's way to say that a tweet is gone, in a 200
                    raise XRefused(_words([error.get("detail") for error in answer.errors]))
                raise XUnreachable("X's answer says nothing")

    def _client(self, session: XSession) -> _Client:
        keep_headers_out_of_logs()
        keys = self._access.credentials
        client = _Client(
            consumer_key=keys.consumer_key,
            consumer_secret=keys.consumer_secret,
            access_token=keys.access_token,
            access_token_secret=keys.access_token_secret,
            return_type=aiohttp.ClientResponse,
        )
        client.session = session
        return client


# --- All ---------------------------------------------------------------------------------------


async def _session(access: XAccess, *, read_s_max: float | None = None) -> XSession:
    """Return a session to wherever X is, once that is known."""
    base_url = await access.base_url()
    return XSession(base_url, read_s_max=read_s_max, is_simulator=access.simulator)


async def _read(
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
        words = _describe(error)
    raise XUnreachable(f"no answer from X: {words}")


def _describe(error: BaseException | None) -> str:
    """Put an error into words; not by its repr, in which aiohttp shows the request's headers."""
    kind = type(error).__name__
    # Its text may be the answer's whole head, cookies and all.
    is_head = isinstance(error, aiohttp.ServerDisconnectedError)
    return kind if is_head else f"{kind}: {str(error)[:WORDS_MAX]}"


def _broken(error: BaseException | None) -> str:
    return f"the stream broke: {_describe(error)}"


def _iso(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _words(details: Any) -> str:
    return "; ".join(map(str, details)) if isinstance(details, list) else str(details)
