"""What the brand monitor's services are asked, and what they answer."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads it at run time
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from actors.kernel.messages import Command, Event, Query

Author = Annotated[str, Meta(min_length=1, max_length=100)]
Text = Annotated[str, Meta(min_length=1, max_length=10_000)]
XText = Annotated[str, Meta(min_length=1, max_length=30_000)]  # X's longest posts have 25,000
# A language as X and BCP 47 write it: `en`, `pt-BR`, `und`.
Lang = Annotated[str, Meta(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*\Z")]
ExternalId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]*\Z")]
Limit = Annotated[int, Meta(ge=1)]
# A page's cursor is the last item's place in the order of arrival; int64, as SQLite's rowid.
After = Annotated[int, Meta(ge=0, le=2**63 - 1)]


# `unknown`: in a language that the scorer does not speak. It has no score, and waits for a person.
Sentiment = Literal["negative", "neutral", "positive", "unknown"]
FlagStatus = Literal["open", "assigned", "resolved"]
# What became of a like or a reply. `refused` is X's last word on that tweet, or there is nobody to
# mention: an operator may have it tried again; `dry_run` was not sent at all; `withheld` we have
# chosen not to send, and `detail` says why.
ActionStatus = Literal["pending", "done", "refused", "failed", "dry_run", "withheld"]


class XDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What only a tweet from X has; the id of its first version is the tweet's `external_id`.

    `answers_replies_of` are the ids of those whose *replies* it replies to or quotes; where X does
    not say whether what it replies to is a reply, it counts as one.
    """

    author_id: str
    kind: Literal["original", "reply", "retweet", "quote"]
    lang: str
    posted_at_us: int
    conversation_id: str | None = None
    answers_replies_of: tuple[str, ...] = ()


class Tweet(msgspec.Struct, frozen=True, kw_only=True):
    """`score` is VADER's compound, from -1 to 1; it and `sentiment` are null until it is scored.

    Of what is `unknown` the score stays null. `lang` is left out where nobody has said: then it is
    taken for English.
    """

    id: str
    author: str
    text: str
    external_id: str | None
    lang: str | msgspec.UnsetType = msgspec.UNSET
    sentiment: Sentiment | None = None
    score: float | None = None


class TweetStored(msgspec.Struct, frozen=True, kw_only=True):
    """The tweet as it stands; `created` is false where its external id was known already."""

    tweet: Tweet
    created: bool


class TweetPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Tweet]
    next: str | None


class StoreTweet(Command):
    """Store a tweet once: a second one with the same `external_id` changes nothing."""

    author: Author
    text: Text
    external_id: ExternalId | None = None
    lang: Lang | None = None


class StoreXTweet(Command):
    """Store a tweet that the reader has read from X's stream, once.

    `history` are the ids of all versions of one that was edited, `external_id` among them, in their
    order: it is one tweet, and shows its newest version.
    """

    external_id: ExternalId
    author: Author
    text: XText
    x: XDetails
    history: tuple[ExternalId, ...] = ()


class ScoreTweet(Command):
    """The tweets service's own effect: ask a replica of sentiment about this version."""

    tweet_id: str
    text: str
    version_id: str | None = None


class TweetScored(Event):
    """A tweet stands, and how it sounds is known. `x` is None where it did not come from X.

    It is told again of each version that takes its place; `version_id` is that version's id at X.
    """

    tweet_id: str
    author: str
    text: str
    external_id: str | None
    x: XDetails | None
    score: float | None
    sentiment: Sentiment
    version_id: str | None = None

    @property
    def x_id(self) -> str | None:
        """X's id of what is to be liked or answered."""
        return self.version_id or self.external_id


class GetTweet(Query):
    tweet_id: str


class ListTweets(Query):
    """Tweets in order of arrival, of one `author` and `sentiment` if given, after the cursor."""

    limit: Limit
    after: After = 0
    author: Author | None = None
    sentiment: Sentiment | None = None


# --- Sentiment ---------------------------------------------------------------------------------


class ScoreTexts(Query):
    """How each of some texts sounds."""

    texts: list[str]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """VADER's compound, from -1 (most negative) to 1, and that of the most negative sentence."""

    compound: float
    worst: float


# --- Flags, likes, replies ---------------------------------------------------------------------


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A negative tweet in the PR team's queue, in its newest version.

    `score` is of the newest that could be scored; one that was edited may be negative no more.
    """

    id: str
    status: FlagStatus
    assignee: str | None
    note: str | None
    tweet_id: str
    author: str
    text: str
    score: float


class FlagPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Flag]
    next: str | None


class ListFlags(Query):
    """Flags in order of their making, of one `status` if given."""

    limit: Limit
    after: After = 0
    status: FlagStatus | None = None


class GetFlag(Query):
    flag_id: str


class ChangeFlag(Command):
    """Move a flag on (open, assigned, resolved; never back), say whose it is, or note something.

    What is not given stays; null takes the note away, or the assignee: the flag is open again then.
    """

    flag_id: str
    status: FlagStatus | UnsetType = UNSET
    assignee: Author | UnsetType | None = UNSET
    note: Annotated[str, Meta(max_length=2_000)] | UnsetType | None = UNSET


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """A like or a reply; `reply_id` is X's id of the reply, `detail` why it was refused."""

    tweet_id: str
    external_id: str
    status: ActionStatus
    text: str | None = None
    reply_id: str | None = None
    detail: str | None = None


class ActionPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Action]
    next: str | None


class ListActions(Query):
    """Likes, or replies, in order of their making, of one `status` if given."""

    limit: Limit
    after: After = 0
    status: ActionStatus | None = None


class RequeueAction(Command):
    """Try again a like or a reply that was refused, or given up."""

    external_id: ExternalId


class RequeueActions(Command):
    """Try again all of them, the oldest first, `limit` at most."""

    limit: Annotated[int, Meta(ge=1, le=1_000)] = 1_000


class Requeued(msgspec.Struct, frozen=True, kw_only=True):
    """X's ids of the tweets that are acted on again."""

    external_ids: tuple[str, ...]


# --- The reader --------------------------------------------------------------------------------


# `blocked`: X will not have it, and only somebody else can mend that; it is tried again anyway.
ReaderStatus = Literal["connected", "connecting", "waiting", "blocked"]


class ReaderGap(msgspec.Struct, frozen=True, kw_only=True):
    """What was tweeted between the two was missed by the stream; `reason` is why.

    Where it is `filled`, X has been asked for it since, and `found` are the tweets that were new;
    where it is not, `why_not` may say why.
    """

    since: dt.datetime
    until: dt.datetime
    reason: str
    state: Literal["open", "filled", "lost"] = "open"
    filled_by: Literal["search", "stream"] | None = None
    found: int = 0
    why_not: str | None = None


class ReaderPause(msgspec.Struct, frozen=True, kw_only=True):
    """X is left alone with `what` until then, for this reason."""

    what: str
    reason: str
    until: dt.datetime


class ReaderState(msgspec.Struct, frozen=True, kw_only=True):
    """How X's stream is read. `gaps` counts all; `latest_gaps` holds some, latest first.

    What was tweeted before `read_to` is stored, or lies in a gap; X last gave a sign of life at
    `alive_at`. `duplicates` is what X sent again, `unreadable` lines that made no sense: those are
    dead letters. `reason` is why it is `blocked`; `paused` is with what X is left alone now, likes
    and replies among it.
    """

    status: ReaderStatus
    reason: str | None = None
    paused: list[ReaderPause] = []
    last_tweet_id: str | None
    alive_at: dt.datetime | None
    read_to: dt.datetime | None
    tweets: int
    duplicates: int
    unreadable: int
    reconnects: int
    gaps: int
    gaps_open: int = 0
    latest_gaps: list[ReaderGap]


class GetReader(Query):
    """How the reading of X's stream stands."""
