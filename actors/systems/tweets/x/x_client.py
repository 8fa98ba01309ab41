"""What is asked of X but for the stream: rules, the recent search, likes and replies, by tweepy.

tweepy is used for what it knows (addresses, parameters, signatures). What it would do of itself
around that is kept from happening:

- it keeps each client that has ever liked something, in a cache without bounds: ours has none;
- it makes models of what it reads, and dies of a rule without a tag: answers are read here.

For a simulation: requests in user context are signed by oauthlib, which draws from
`oauthlib.oauth1.rfc5849.generate_nonce` and `.generate_timestamp`; to be the same from the same
seed these two names must be replaced.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec
import tweepy
from tweepy.asynchronous import AsyncClient, AsyncStreamingClient

from actors.systems.tweets.x.limit_headers import exhausted_until, wait_until
from actors.systems.tweets.x.meaning import BAD_REQUEST, meaning_of
from actors.systems.tweets.x.session import STREAM_FIELDS, open_session, read_answer
from actors.systems.tweets.x.x_errors import XRefused, XStatus, XUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from actors.systems.tweets.x.access import XAccess
    from actors.systems.tweets.x.session import XSession

SEARCH_PAGE_TWEETS: Final = 100  # X's bound


# --- Rules -------------------------------------------------------------------------------------


class AccountRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that stands on the account."""

    id: str
    value: str
    tag: str | None = None


class _RulesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    data: tuple[AccountRule, ...] | None = None
    errors: tuple[dict[str, Any], ...] | None = None


class AccountRules:
    """The rules of the account's stream, whoever's they are. All raise XStatus and XUnreachable."""

    def __init__(self, access: XAccess, *, read_s_max: float) -> None:
        self._access = access
        self._read_s_max = read_s_max

    async def list(self) -> tuple[AccountRule, ...]:
        """Return all, whoever's they are."""
        async with self._client() as client:
            answer = await read_answer(client.get_rules(), _RulesAnswer)
            return answer.data or ()

    async def add(self, value: str, *, tag: str) -> None:
        """Add a rule; where it stands already that is well. Raises XRefused, with X's reason."""
        async with self._client() as client:
            rule = tweepy.StreamRule(value=value, tag=tag)
            try:
                answer = await read_answer(client.add_rules(rule), _RulesAnswer)
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
            await read_answer(client.delete_rules([*ids]), dict[str, Any])

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        async with await open_session(self._access, read_s_max=self._read_s_max) as session:
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
        async with await open_session(self._access, read_s_max=self._read_s_max) as session:
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
            found = await read_answer(request, _Found)
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
        async with await open_session(self._access) as session:
            with self._access.pauses.asking(kind) as asking:
                client = self._client(session)
                headers: dict[str, str] = {}
                try:
                    answer = await read_answer(request(client), _Written, headers)
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


def _words(details: Any) -> str:
    return "; ".join(map(str, details)) if isinstance(details, list) else str(details)
