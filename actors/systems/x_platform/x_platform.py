"""The embedded X: users, tweets, likes, and the filtered stream with its rules.

Its HTTP side is the edge's. What it tells is what a client of the X API v2 can see.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
import structlog

from actors.errors import Busy, StoreRefused
from actors.kernel.messages import Refusal
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.x_platform import filtered_stream, likes, posting
from actors.systems.x_platform.authors.author import Author
from actors.systems.x_platform.authors.pacing import Pacing
from actors.systems.x_platform.language import guess_language
from actors.systems.x_platform.messages import (
    ACCOUNT_ID,
    AddRules,
    ComposeTweet,
    Deleted,
    DeleteRules,
    DeleteTweet,
    FindHead,
    GetTweets,
    GetUsers,
    Head,
    Like,
    Liked,
    ListLikes,
    ListRules,
    LockAccount,
    Locked,
    MatchPage,
    PostTweet,
    ReadMatches,
    Rules,
    RulesAdded,
    RulesDeleted,
    SearchPage,
    SearchTweets,
    Things,
    TweetAs,
    Unlike,
    XTweet,
)
from actors.systems.x_platform.platform_state import is_locked, lock
from actors.systems.x_platform.posting import Draft, find_original
from actors.systems.x_platform.recent_search import search
from actors.systems.x_platform.rules.rule_book import RuleBook, list_rules
from actors.systems.x_platform.x_tweet_rows import find_tweets, find_users, gather
from actors.systems.x_platform.x_user_rows import ensure_user, find_user, find_username

if TYPE_CHECKING:
    from actors.systems.x_platform.config import XPlatformConfig

log = structlog.get_logger()


class XPlatformService(Service):
    """Everything of X that the brand monitor meets, and the people who tweet there."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "x_platform"

    def __init__(self, config: XPlatformConfig) -> None:
        self._config = config
        # The stream's past is there for backfill, and for its recovery.
        kept_s = max(config.matches_kept_s, config.recovery_s_max)
        self._kept_us = round(kept_s * 1_000_000)
        self._rules = RuleBook(rules_max=config.rules_max, rule_chars_max=config.rule_chars_max)
        self._author = Author(config.keywords, keyword_share=config.keyword_share)

    async def run(self) -> None:
        """Let the authors tweet, at their rate; what could not be tweeted in time never is."""
        if not self._config.tweets_per_s:
            return
        pacing = Pacing(self._config.tweets_per_s, asyncio.get_running_loop().time)
        silenced = False
        while True:
            await asyncio.sleep(pacing.wait_s())
            count = pacing.due()
            composed = await asyncio.gather(*[self._compose() for _ in range(count)])
            refused = [error for error in composed if error is not None]
            if refused and not silenced:
                log.warning("embedded authors cannot tweet", error=str(refused[0]))
            silenced = bool(refused) if count else silenced

    async def _compose(self) -> Exception | None:
        try:
            await self.ask(ComposeTweet())
        except (Busy, StoreRefused) as error:  # full, or its disk is: not worth a crash
            return error
        return None

    # --- Tweets ------------------------------------------------------------------------------

    @command
    def post(self, tx: Transaction, cmd: PostTweet) -> XTweet | Refusal:
        """Tweet as a user that there is."""
        author = find_user(tx, cmd.author_id)
        if author is None:
            return Refusal.not_found(f"Could not find user with id: [{cmd.author_id}].")
        if cmd.author_id == ACCOUNT_ID and is_locked(tx):
            return Refusal.conflict(posting.LOCKED)
        draft = Draft(
            author=author,
            text=cmd.text,
            lang=guess_language(cmd.text),
            reply_settings=cmd.reply_settings,
        )
        if cmd.edits is not None:
            return self._edit(tx, cmd.edits, draft)
        replied_to, quoted = None, None
        if cmd.in_reply_to_tweet_id is not None:
            replied_to = find_original(tx, cmd.in_reply_to_tweet_id)
            if replied_to is None:
                return Refusal.conflict(posting.NO_REPLY)
        if cmd.quote_tweet_id is not None:
            quoted = find_original(tx, cmd.quote_tweet_id)
            if quoted is None:
                return Refusal.conflict(posting.NO_QUOTE)
        return self._post(tx, msgspec.structs.replace(draft, replied_to=replied_to, quoted=quoted))

    @command
    def tweet_as(self, tx: Transaction, cmd: TweetAs) -> XTweet | Refusal:
        """Tweet as whoever has the username, or takes it by this."""
        if cmd.edits is not None:
            return self._edit_as(tx, cmd, cmd.edits)
        replied_to, retweeted, quoted = None, None, None
        if cmd.in_reply_to_tweet_id is not None:
            replied_to = find_original(tx, cmd.in_reply_to_tweet_id)
            if replied_to is None:
                return Refusal.conflict(posting.NO_REPLY)
        if cmd.retweet_tweet_id is not None:
            if replied_to is not None or cmd.quote_tweet_id is not None:
                detail = "a retweet is no reply and no quote: name one of the tweets"
                return Refusal.invalid(detail, field="retweet_tweet_id")
            retweeted = find_original(tx, cmd.retweet_tweet_id)
            if retweeted is None:
                return Refusal.conflict(posting.NO_RETWEET)
        if cmd.quote_tweet_id is not None:
            quoted = find_original(tx, cmd.quote_tweet_id)
            if quoted is None:
                return Refusal.conflict(posting.NO_QUOTE)
        return self._post(
            tx,
            Draft(
                author=ensure_user(tx, cmd.username, cmd.username),
                text=cmd.text,
                lang=cmd.lang,
                replied_to=replied_to,
                retweeted=retweeted,
                quoted=quoted,
                reply_settings=cmd.reply_settings,
            ),
        )

    def _edit_as(self, tx: Transaction, cmd: TweetAs, edits: str) -> XTweet | Refusal:
        if cmd.in_reply_to_tweet_id or cmd.retweet_tweet_id or cmd.quote_tweet_id:
            detail = "an edit refers to what it referred to before: leave the others out"
            return Refusal.invalid(detail, field="edits")
        author = find_username(tx, cmd.username)
        if author is None:
            return Refusal.conflict(posting.NO_EDIT)
        return self._edit(tx, edits, Draft(author=author, text=cmd.text, lang=cmd.lang))

    def _edit(self, tx: Transaction, tweet_id: str, draft: Draft) -> XTweet | Refusal:
        edit = posting.edit(tx, tweet_id, draft)
        return edit if isinstance(edit, Refusal) else self._post(tx, edit)

    @command
    def compose(self, tx: Transaction, cmd: ComposeTweet) -> XTweet | Refusal:  # noqa: ARG002 - says all by its type
        """Let one of the embedded authors tweet."""
        return self._post(tx, self._author.draft(tx))

    def _post(self, tx: Transaction, draft: Draft) -> XTweet | Refusal:
        refusal = posting.refuse(tx, draft)
        if refusal is not None:
            return refusal
        tweet, version = posting.store(tx, draft)
        matched = self._rules.matching(tx, version, posting.subject_of(draft, tweet))
        if matched:
            filtered_stream.prune(tx, before_us=tx.now_us - self._kept_us)
            filtered_stream.record_match(tx, tweet.id, matched)
        return tweet

    @command
    def lock(self, tx: Transaction, cmd: LockAccount) -> Locked:
        """Let the account do nothing for a while."""
        lock(tx, until_us=tx.now_us + round(cmd.for_s * 1_000_000))
        return Locked(for_s=cmd.for_s)

    @command
    def delete(self, tx: Transaction, cmd: DeleteTweet) -> Deleted | Refusal:
        """Delete a tweet of one's own."""
        return posting.delete(tx, cmd)

    @query
    def search_tweets(self, tx: ReadTransaction, question: SearchTweets) -> SearchPage | Refusal:
        """Find what a rule would have met."""
        limit = min(question.limit, self._config.search_page_max)
        return search(tx, msgspec.structs.replace(question, limit=limit))

    @query
    def get_tweets(self, tx: ReadTransaction, question: GetTweets) -> Things:
        """Find tweets by id, in the order asked, and what belongs to them."""
        ids = dict.fromkeys(question.ids)
        found = find_tweets(tx, ids)
        things = gather(tx, list(found.values()), included=True)
        missing = tuple([each for each in ids if each not in found])
        return Things(tweets=things.tweets, users=things.users, missing=missing)

    @query
    def get_users(self, tx: ReadTransaction, question: GetUsers) -> Things:
        """Find users by id or username, in the order asked."""
        found = find_users(tx, question.ids, question.usernames)
        by_id = {each.id: each for each in found}
        by_name = {each.username.lower(): each for each in found}
        asked = [(each, by_id.get(each)) for each in question.ids]
        asked += [(each, by_name.get(each.lower())) for each in question.usernames]
        users = {user.id: user for _, user in asked if user is not None}
        missing = dict.fromkeys(each for each, user in asked if user is None)
        return Things(users=tuple(users.values()), missing=tuple(missing))

    # --- Likes -------------------------------------------------------------------------------

    @command
    def like(self, tx: Transaction, cmd: Like) -> Liked | Refusal:
        """Like a tweet."""
        if cmd.user_id == ACCOUNT_ID and is_locked(tx):
            return Refusal.conflict(posting.LOCKED)
        return likes.like(tx, cmd)

    @command
    def unlike(self, tx: Transaction, cmd: Unlike) -> Liked | Refusal:
        """Like a tweet no more."""
        return likes.unlike(tx, cmd)

    @query
    def list_likes(self, tx: ReadTransaction, question: ListLikes) -> Things | Refusal:
        """List what a user likes."""
        return likes.list_likes(tx, question)

    # --- The filtered stream -----------------------------------------------------------------

    @command
    def add_rules(self, tx: Transaction, cmd: AddRules) -> RulesAdded:
        """Add rules; tweets from the next one on are matched against them."""
        return self._rules.add(tx, cmd)

    @command
    def delete_rules(self, tx: Transaction, cmd: DeleteRules) -> RulesDeleted:
        """Delete rules. What has matched them stays in the stream."""
        if not cmd.dry_run:
            before_us = tx.now_us - self._kept_us
            filtered_stream.prune(tx, before_us=before_us)
            self._rules.forget(tx, before_us=before_us)
        return self._rules.delete(tx, cmd)

    @query
    def list_rules(self, tx: ReadTransaction, question: ListRules) -> Rules:
        """List the standing rules."""
        return list_rules(tx, question)

    @query
    def find_head(self, tx: ReadTransaction, question: FindHead) -> Head:
        """Find where a stream begins."""
        minutes = self._config.backfill_minutes_max
        return filtered_stream.find_head(tx, question, backfill_us_max=minutes * 60_000_000)

    @query
    def read_matches(self, tx: ReadTransaction, question: ReadMatches) -> MatchPage:
        """Read the stream on from a place."""
        return filtered_stream.read_matches(tx, question)
