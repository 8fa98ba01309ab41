"""A line of X's stream: a tweet, a word about the stream, or nothing that makes sense.

X's own rule for the stream: lines of JSON, each an object with `data` or `errors` or both; parts
may come and go (docs.x.com, "Consuming streaming data"). So only what is needed is read, by type,
and everything else is skipped unseen.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from actors.systems.tweets.messages import XDetails
from actors.systems.tweets.reader_messages import TweetRead

if TYPE_CHECKING:
    from collections.abc import Iterable

Id = Annotated[str, Meta(pattern=r"^[0-9]{1,19}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=100)]

TEXT_CHARS_MAX: Final = 10_000  # messages.Text; a longer one is cut rather than lost
EXCERPT_BYTES_MAX: Final = 200
# Where X's ids begin to count: the first 41 of their 63 bits are milliseconds from here.
SNOWFLAKE_EPOCH_MS: Final = 1_288_834_974_657
SNOWFLAKE_TIME_SHIFT: Final = 22
KINDS: Final[tuple[tuple[str, Literal["retweet", "reply", "quote"]], ...]] = (
    ("retweeted", "retweet"),
    ("replied_to", "reply"),
    ("quoted", "quote"),
)


class UnreadableLine(Exception):
    """A line is no JSON, or none of what X sends; the message holds its beginning."""


class StreamEnds(msgspec.Struct, frozen=True, kw_only=True):
    """X says in the stream that it ends it, or that something is wrong with it."""

    detail: str


class _Reference(msgspec.Struct, frozen=True):
    type: str


class _Tweet(msgspec.Struct, frozen=True):
    id: Id
    text: Annotated[str, Meta(min_length=1)]
    author_id: Id | None = None
    created_at: dt.datetime | None = None
    lang: str | None = None
    referenced_tweets: list[_Reference] | None = None
    edit_history_tweet_ids: list[Id] | None = None


class _User(msgspec.Struct, frozen=True):
    id: Id
    username: Name


class _Includes(msgspec.Struct, frozen=True):
    users: list[_User] | None = None


class _Line(msgspec.Struct, frozen=True):
    data: _Tweet | None = None
    includes: _Includes | None = None
    errors: Any = None


_DECODER: Final = msgspec.json.Decoder(_Line)


def parse_line(line: bytes) -> TweetRead | StreamEnds:
    """Return what the line says. Raises UnreadableLine.

    A tweet may come with `errors` too, about what it refers to: it is a tweet all the same. Of a
    line that was damaged on its way, what JSON notices is unreadable, and an id that differs from
    its second mention; a letter of the text is TLS's to protect.
    """
    try:
        # As text: msgspec does not look at the bytes of what it skips, such as a damaged name.
        read = _DECODER.decode(line.decode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(line, str(error)) from None
    if read.data is not None:
        return _tweet(line, read.data, (read.includes or _Includes()).users or ())
    if read.errors:
        return StreamEnds(detail=_words(read.errors))
    raise _unreadable(line, "neither data nor errors")


def _tweet(line: bytes, tweet: _Tweet, users: Iterable[_User]) -> TweetRead:
    history = tweet.edit_history_tweet_ids
    if history and tweet.id not in history:
        raise _unreadable(line, f"{tweet.id} is not in its own edit history")
    names = {user.id: user.username for user in users}
    author_id = tweet.author_id or ""
    # A user that X leaves out (suspended, say) has an id all the same.
    author = names.get(author_id, author_id) or "unknown"
    return TweetRead(
        external_id=tweet.id,
        author=author,
        text=tweet.text[:TEXT_CHARS_MAX],
        x=XDetails(
            author_id=author_id,
            kind=_kind(tweet.referenced_tweets or ()),
            lang=tweet.lang or "und",
            posted_at_us=_posted_at_us(tweet),
        ),
    )


def _kind(
    references: Iterable[_Reference],
) -> Literal["original", "reply", "retweet", "quote"]:
    types = {reference.type for reference in references}
    for type_, kind in KINDS:
        if type_ in types:
            return kind
    return "original"


def _posted_at_us(tweet: _Tweet) -> int:
    at = tweet.created_at
    if at is None:
        return ((int(tweet.id) >> SNOWFLAKE_TIME_SHIFT) + SNOWFLAKE_EPOCH_MS) * 1000
    at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _words(errors: Any) -> str:
    """Put X's problems into words, whatever shape they have."""
    problems = errors if isinstance(errors, list) else [errors]
    words = [
        str(each.get("detail") or each.get("title") or each)
        if isinstance(each, dict)
        else str(each)
        for each in problems
    ]
    return "; ".join(words)[:EXCERPT_BYTES_MAX]


def _unreadable(line: bytes, why: str) -> UnreadableLine:
    return UnreadableLine(f"{why}: {line[:EXCERPT_BYTES_MAX]!r}")
