"""A line of X's stream: a tweet, a word about the stream, or nothing that makes sense.

X's own rule for the stream: lines of JSON, each an object with `data` or `errors` or both; parts
may come and go (docs.x.com, "Consuming streaming data"). So only what is needed is read, by type,
and everything else is skipped unseen.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from actors.systems.tweets.messages import XDetails
from actors.systems.tweets.reading.reader_messages import TweetRead
from actors.systems.tweets.reading.rule_watch import TAG
from actors.systems.tweets.x.tweet_ids import made_at_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Id = Annotated[str, Meta(pattern=r"^[0-9]{1,19}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=100)]

TEXT_CHARS_MAX: Final = 30_000  # messages.XText; a longer one is cut rather than lost
LANG_CHARS_MAX: Final = 35  # messages.Lang
VERSIONS_MAX: Final = 32  # X lets a post be edited five times
# X escapes these three, and each "&" of a text with them, so that one pass gives the text back.
ENTITY: Final = re.compile("&(amp|lt|gt);")
ENTITIES: Final = {"amp": "&", "lt": "<", "gt": ">"}
# How X begins the text of a retweet, which it then cuts.
RETWEET: Final = re.compile(r"RT @[A-Za-z0-9_]{1,20}: ")
EXCERPT_BYTES_MAX: Final = 200
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


class OthersTweet(msgspec.Struct, frozen=True, kw_only=True):
    """A tweet that met only rules of others, who share the account and its one stream.

    `posted_at_us` is microseconds of the Unix epoch.
    """

    posted_at_us: int


class _Reference(msgspec.Struct, frozen=True):
    type: str
    id: str | None = None


class _Note(msgspec.Struct, frozen=True):
    text: str | None = None


class _Shown(msgspec.Struct, frozen=True):
    """A tweet that is shown beside the one that the line is about; none of it must be there."""

    id: str = ""
    text: str = ""
    author_id: str | None = None
    note_tweet: _Note | None = None
    referenced_tweets: list[_Reference] | None = None

    @property
    def full_text(self) -> str:
        """All of it: `text` ends at 280 characters. As people wrote it."""
        return _unescaped((self.note_tweet and self.note_tweet.text) or self.text)

    def refers_to(self, type_: str) -> str | None:
        """The id of the tweet that it refers to in that way."""
        found = [each.id for each in self.referenced_tweets or () if each.type == type_]
        return found[0] if found else None


class _Tweet(_Shown, frozen=True, kw_only=True):
    id: Id
    text: Annotated[str, Meta(min_length=1)]
    author_id: Id | None = None
    conversation_id: Id | None = None
    created_at: dt.datetime | None = None
    edit_history_tweet_ids: list[Id] | None = None
    in_reply_to_user_id: Id | None = None
    lang: str | None = None


class _User(msgspec.Struct, frozen=True):
    id: Id
    username: Name


class _Includes(msgspec.Struct, frozen=True):
    users: list[_User] | None = None
    tweets: list[_Shown] | None = None


class _Line(msgspec.Struct, frozen=True):
    data: _Tweet | None = None
    includes: _Includes | None = None
    errors: Any = None
    matching_rules: Any = None


_DECODER: Final = msgspec.json.Decoder(_Line)


def parse_line(
    line: bytes, own_rules: frozenset[str] = frozenset()
) -> TweetRead | OthersTweet | StreamEnds:
    """Return what the line says. Raises UnreadableLine.

    A tweet is ours where it met a rule with the reader's tag, or one whose id is in `own_rules`.
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
        if _is_for_others(read.matching_rules, own_rules):
            return OthersTweet(posted_at_us=_posted_at_us(read.data))
        return _tweet(line, read.data, read.includes or _Includes())
    if read.errors:
        return StreamEnds(detail=_words(read.errors))
    raise _unreadable(line, "neither data nor errors")


def _tweet(line: bytes, tweet: _Tweet, includes: _Includes) -> TweetRead:
    history = tweet.edit_history_tweet_ids
    if history and tweet.id not in history:
        raise _unreadable(line, f"{tweet.id} is not in its own edit history")
    # No name of X's has a line end, or steers a terminal; and none may do so here.
    users = [user for user in includes.users or () if user.username.isprintable()]
    names = {user.id: user.username for user in users}
    referred = {each.id: each for each in includes.tweets or ()}
    author_id = tweet.author_id or ""
    # A user that X leaves out (suspended, say) has an id all the same. In brackets: as a user name,
    # which may be all digits, it would be somebody else's.
    author = names.get(author_id) or f"({author_id or 'unknown'})"
    return TweetRead(
        external_id=tweet.id,
        author=author,
        text=_text(tweet, referred)[:TEXT_CHARS_MAX],
        x=XDetails(
            author_id=author_id,
            kind=_kind(tweet.referenced_tweets or ()),
            lang=(tweet.lang or "und")[:LANG_CHARS_MAX],
            posted_at_us=_posted_at_us(tweet),
            conversation_id=tweet.conversation_id,
            answers_replies_of=tuple(sorted(_answered(tweet, referred))),
        ),
        history=_history(tweet.id, history or ()),
    )


def _text(tweet: _Tweet, referred: dict[str, _Shown]) -> str:
    """Return the text in full. Of a retweet it is the original's: X cuts what repeats it.

    What a quote quotes is not its author's, and no part of it.
    """
    original = referred.get(tweet.refers_to("retweeted") or "")
    if original is None or not original.full_text:
        return tweet.full_text
    begins = RETWEET.match(tweet.text)
    return (begins[0] if begins else "") + original.full_text


def _unescaped(text: str) -> str:
    return ENTITY.sub(lambda entity: ENTITIES[entity[1]], text)


def _answered(tweet: _Tweet, referred: dict[str, _Shown]) -> set[str]:
    """Return whose replies it replies to, or quotes; see XDetails."""
    found: set[str | None] = set()
    replied_to = tweet.refers_to("replied_to")
    if replied_to is not None:
        shown = referred.get(replied_to)
        if shown is None or shown.refers_to("replied_to") is not None:
            found.add(tweet.in_reply_to_user_id or (shown.author_id if shown else None))
    quoted = referred.get(tweet.refers_to("quoted") or "")
    if quoted is not None and quoted.refers_to("replied_to") is not None:
        found.add(quoted.author_id)
    return {each for each in found if each is not None}


def _history(tweet_id: str, history: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of all versions, the oldest first; none of what was never edited."""
    ids = sorted({*history}, key=int)
    if len(ids) < 2:  # noqa: PLR2004 - itself
        return ()
    # Of more than X's five edits the first is kept, which says what tweet it is, and itself.
    return tuple(dict.fromkeys((*ids[: VERSIONS_MAX - 1], tweet_id)))


def _is_for_others(rules: Any, own_rules: frozenset[str]) -> bool:
    """Whether all rules that the tweet met are another's; in doubt it is ours, and not lost."""
    if not isinstance(rules, list) or not rules:
        return False
    return all(
        isinstance(rule, dict) and rule.get("tag") != TAG and str(rule.get("id")) not in own_rules
        for rule in rules
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
        return made_at_us(tweet.id)
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
