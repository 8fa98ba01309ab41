"""What the embedded X is asked, and what it answers; its HTTP side speaks X API v2 instead.

Ids are X's: snowflakes as decimal strings. All times are microseconds of the Unix epoch.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from actors.kernel.messages import Command, Query

XId = Annotated[str, Meta(max_length=19, pattern=r"^[0-9]{1,19}\Z")]
Username = Annotated[str, Meta(max_length=15, pattern=r"^[A-Za-z0-9_]{1,15}\Z")]
# X counts 280 weighted characters and lets some accounts write more.
Text = Annotated[str, Meta(min_length=1, max_length=4_000)]
RuleValue = Annotated[str, Meta(max_length=10_000)]  # longer than legal: the refusal is X's own
Tag = Annotated[str, Meta(max_length=1_000)]
After = Annotated[int, Meta(ge=0, le=2**63 - 1)]

# The account whose keys the embedded X hands out, and for which the brand monitor acts.
ACCOUNT_ID = "1500000000000000001"
ACCOUNT_USERNAME = "dressrehearsal"

# Who may reply besides the author and whom the tweet mentions.
ReplySettings = Literal["everyone", "following", "mentionedUsers", "subscribers", "verified"]
RuleFault = Literal["duplicate", "invalid", "too_many", "too_long"]


class XUser(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    username: str
    name: str
    created_at_us: int


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What a tweet refers to: at most one of each kind."""

    type: Literal["replied_to", "retweeted", "quoted"]
    id: str


class XTweet(msgspec.Struct, frozen=True, kw_only=True):
    """`lang` is a BCP 47 tag, `und` where unknown; a retweet's text begins with `RT @name: `.

    The text is all of it, as its author wrote it; X's clients are shown less, and escaped.
    `history` are the ids of its versions, the oldest first; empty where it was never edited.
    """

    id: str
    text: str
    author_id: str
    created_at_us: int
    lang: str
    conversation_id: str
    in_reply_to_user_id: str | None = None
    references: tuple[Reference, ...] = ()
    history: tuple[str, ...] = ()
    reply_settings: str = "everyone"


class XRule(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    value: str
    tag: str | None = None


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """A tweet in the stream since `at_us`; `seq` orders it, and is where a reader goes on."""

    seq: int
    at_us: int
    tweet: XTweet
    rules: tuple[XRule, ...]  # those that stood when it was tweeted, and matched


class Things(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer is about and what it refers to, for X's `data` and `includes`.

    `tweets` and `users` hold everything that any of them refers to, one step far; `missing` are the
    ids or usernames asked for that nobody knows.
    """

    tweets: tuple[XTweet, ...] = ()
    users: tuple[XUser, ...] = ()
    missing: tuple[str, ...] = ()


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a search, latest first; the next one is of what is older than `next`, if any."""

    tweets: tuple[XTweet, ...]
    about: Things
    next: int | None


class MatchPage(msgspec.Struct, frozen=True, kw_only=True):
    """`next` is the place after the last match, or the one asked from where there is none."""

    matches: tuple[Matched, ...]
    about: Things
    next: int


class NewRule(msgspec.Struct, frozen=True, kw_only=True):
    value: RuleValue
    tag: Tag | None = None


class RuleTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why a rule was not added. `rule_id` is the rule that a duplicate repeats."""

    fault: RuleFault
    value: str
    details: tuple[str, ...]
    rule_id: str | None = None


class RulesAdded(msgspec.Struct, frozen=True, kw_only=True):
    created: tuple[XRule, ...]
    troubles: tuple[RuleTrouble, ...]


class RulesDeleted(msgspec.Struct, frozen=True, kw_only=True):
    deleted: tuple[str, ...]  # the ids that are gone
    unknown: tuple[str, ...]  # what was asked for and is no rule's id or value


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    rules: tuple[XRule, ...]


class Liked(msgspec.Struct, frozen=True, kw_only=True):
    liked: bool


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Where the stream ends now."""

    seq: int


# --- Tweets ------------------------------------------------------------------------------------


class PostTweet(Command):
    """Tweet as a user. The same text by the same user within a day is refused, as X refuses it.

    With `edits` it is another version of that tweet of theirs, under an id of its own; it stays a
    reply or a quote if it was one.
    """

    author_id: XId
    text: Text
    in_reply_to_tweet_id: XId | None = None
    quote_tweet_id: XId | None = None
    edits: XId | None = None
    reply_settings: ReplySettings = "everyone"


class LockAccount(Command):
    """Let X say of everything that the account does that it may not, for so long; 0 unlocks it."""

    for_s: Annotated[float, Meta(ge=0, le=86_400)]


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    for_s: float


class DeleteTweet(Command):
    """Delete a tweet of the user's own."""

    user_id: XId
    tweet_id: XId


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    deleted: bool


class SearchTweets(Query):
    """What meets the query among the tweets from id `since` on and before `until`, latest first.

    And made from `since_us` on and before `until_us`.
    """

    query: Annotated[str, Meta(max_length=10_000)]
    since: After
    until: After
    since_us: int
    until_us: int
    limit: Annotated[int, Meta(ge=1, le=100)]


class TweetAs(Command):
    """Tweet as anybody, who becomes a user by it: how a person at the keyboard takes part.

    A retweet says what it repeats, and nothing of its own: its `text` and `lang` do not count.
    `edits` is as in PostTweet, and goes with none of the others.
    """

    username: Username
    text: Text
    lang: Annotated[str, Meta(max_length=3, pattern=r"^[a-z]{2,3}\Z")] = "en"
    in_reply_to_tweet_id: XId | None = None
    retweet_tweet_id: XId | None = None
    quote_tweet_id: XId | None = None
    edits: XId | None = None
    reply_settings: ReplySettings = "everyone"


class ComposeTweet(Command):
    """Let one of the embedded authors tweet something."""


class Like(Command):
    """Like a tweet; again changes nothing and says the same."""

    user_id: XId
    tweet_id: XId


class Unlike(Command):
    user_id: XId
    tweet_id: XId


class GetTweets(Query):
    ids: Annotated[tuple[XId, ...], Meta(min_length=1, max_length=100)]


class GetUsers(Query):
    """By ids, or by usernames: one of them."""

    ids: Annotated[tuple[XId, ...], Meta(max_length=100)] = ()
    usernames: Annotated[tuple[Username, ...], Meta(max_length=100)] = ()


class ListLikes(Query):
    """What a user has liked, latest first."""

    user_id: XId
    limit: Annotated[int, Meta(ge=1, le=100)] = 100


# --- The filtered stream -----------------------------------------------------------------------


class AddRules(Command):
    """Add rules, or with `dry_run` only say what would come of it."""

    rules: Annotated[tuple[NewRule, ...], Meta(min_length=1, max_length=1_000)]
    dry_run: bool = False


class DeleteRules(Command):
    """Delete these, or `all`."""

    ids: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    all: bool = False
    dry_run: bool = False


class ListRules(Query):
    """All, or those of the `ids`."""

    ids: tuple[str, ...] = ()


class FindHead(Query):
    """Where a stream begins that starts now, or with what was tweeted from `since_us` on.

    For a backfill, or where it `recovers` what was missed.
    """

    since_us: int | None = None
    recovers: bool = False


class ReadMatches(Query):
    """The matches after a place in the stream."""

    after: After
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100
