"""What the brand monitor's services are asked, and what they answer."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from actors.kernel.messages import Command, Query

Author = Annotated[str, Meta(min_length=1, max_length=100)]
Text = Annotated[str, Meta(min_length=1, max_length=10_000)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]*\Z")]
Limit = Annotated[int, Meta(ge=1)]
# A page's cursor is the last item's place in the order of arrival; int64, as SQLite's rowid.
After = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Tweet(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    author: str
    text: str
    external_id: str | None


class TweetStored(msgspec.Struct, frozen=True, kw_only=True):
    """The tweet as it stands; `created` is false where its external id was known already."""

    tweet: Tweet
    created: bool


class TweetPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Tweet]
    next: str | None


class StoreTweet(Command, frozen=True, kw_only=True):
    """Store a tweet once: a second one with the same `external_id` changes nothing."""

    author: Author
    text: Text
    external_id: ExternalId | None = None


class GetTweet(Query, frozen=True, kw_only=True):
    tweet_id: str


class ListTweets(Query, frozen=True, kw_only=True):
    """Tweets in order of arrival, of one `author` if given, after the cursor, at most `limit`."""

    limit: Limit
    after: After = 0
    author: Author | None = None
