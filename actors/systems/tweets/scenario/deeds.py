"""What must have come of everything that was said: by how its author meant it, and X's own books.

| said | the monitor |
| --- | --- |
| in a bad mood | flags it |
| with delight | likes it, but where it names a failure |
| anything at X, but a retweet and our own | answers it, and mentions who has written it |
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from actors.systems.tweets.scenario.moods import KEYWORD, SCORE_ERROR_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.systems.tweets.config import TweetsConfig
    from actors.systems.tweets.scenario.kept import Kept, Row
    from actors.systems.tweets.scenario.told import Told, Utterance

MENTION: Final = re.compile(r"@(\w+)")
REF: Final = r"[0-9A-Za-z]+"


class TweetsDeeds:
    """Compares the files with what people have said."""

    def __init__(self, kept: Kept, told: Told, config: TweetsConfig) -> None:
        self._kept = kept
        self._told = told
        self._config = config

    def violations(self) -> Iterator[str]:
        """Return a sentence for everything that is not as it was said."""
        yield from self._what_was_refused_is_nowhere()
        for tweet in self._kept.of["tweets"]:
            yield from self._is_as_it_was_said(tweet)
        yield from self._flags()
        yield from self._likes()
        yield from self._replies()
        yield from self._what_stands_at_x()

    # --- Tweets ------------------------------------------------------------------------------

    def _what_was_refused_is_nowhere(self) -> Iterator[str]:
        for tweet in self._kept.of["tweets"]:
            if tweet["text"] in self._told.refused:
                yield f"{tweet['id']} was refused, and is stored"

    def _is_as_it_was_said(self, tweet: Row) -> Iterator[str]:
        """Who has written it, what it says, and how it was meant."""
        written, said = self._kept.at_x(tweet), self._told.said(tweet["text"])
        if written is not None:
            author = self._kept.names[written["author_id"]]
            if (tweet["text"], tweet["author"]) != (written["text"], author):
                yield f"{tweet['id']} by {tweet['author']} is by {author} at X, or says more there"
            kinds = {
                "retweet": written["retweeted"],
                "reply": written["replied_to"],
                "quote": written["quoted"],
            }
            if tweet["x_kind"] != "original" and not kinds[tweet["x_kind"]]:
                yield f"{tweet['id']} is no {tweet['x_kind']} at X"
        if said is None:
            if written is None and tweet["text"] not in self._told.refused:
                yield f"nobody has said {tweet['text']!r}"
            return
        is_repeated = written is not None and written["retweeted"] is not None
        if not is_repeated and tweet["author"] != said.author:
            yield f"{tweet['id']} is by {said.author}, and not by {tweet['author']}"
        if written is not None and not self._may_speak_of_it(tweet, written, said):
            yield f"{tweet['id']} does not speak of {KEYWORD}, and is stored"
        if not _is_meant(tweet, said):
            yield (
                f"{tweet['id']} is {said.mood.means} ({said.mood.score}), and is taken for "
                f"{tweet['sentiment']} ({tweet['score']}): {tweet['text']!r}"
            )

    def _may_speak_of_it(self, tweet: Row, written: Row, said: Utterance) -> bool:
        """Whether it did, or does in what it quotes: X takes that for its own words."""
        quoted = self._kept.x_tweets.get(str(written["quoted"]), {"text": ""})
        speaks = KEYWORD in quoted["text"].casefold()  # as X reads it
        return not said.is_off or speaks or self._is_edited(tweet)

    def _is_edited(self, tweet: Row) -> bool:
        written = self._kept.at_x(tweet)
        return written is not None and len(self._kept.versions(written)) > 1

    # --- Flags -------------------------------------------------------------------------------

    def _flags(self) -> Iterator[str]:
        """All that is bad is in the queue, and nothing else but what was bad before an edit."""
        flags = {row["tweet_id"]: row for row in self._kept.of["flags"]}
        for tweet in self._kept.of["tweets"]:
            said, flag = self._told.said(tweet["text"]), flags.get(tweet["id"])
            if said is None:
                continue
            is_bad = said.mood.means == "negative"
            if is_bad and flag is None:
                yield f"{tweet['id']} is bad, and nobody is told: {tweet['text']!r}"
            if flag is None:
                continue
            if not is_bad and not any(self._is_negative(text) for text in self._texts(tweet)):
                yield f"{tweet['id']} is {said.mood.means}, and flagged: {tweet['text']!r}"
            if (flag["author"], flag["text"]) != (tweet["author"], tweet["text"]):
                yield f"the flag of {tweet['id']} is of {flag['author']}: {flag['text']!r}"
            score = said.mood.score
            if score is not None and abs(flag["score"] - score) > SCORE_ERROR_MAX:
                yield f"the flag of {tweet['id']} says {flag['score']}, and it was {score}"

    def _texts(self, tweet: Row) -> list[str]:
        written = self._kept.at_x(tweet)
        versions = [] if written is None else self._kept.versions(written)
        return [row["text"] for row in versions] or [tweet["text"]]

    def _is_negative(self, text: str) -> bool:
        said = self._told.said(text)
        return said is None or said.mood.means == "negative"

    # --- Likes and replies -------------------------------------------------------------------

    def _may_be_acted_on(self, tweet: Row) -> bool:
        written = self._kept.at_x(tweet)
        return (
            written is not None
            and written["retweeted"] is None
            and str(written["author_id"]) != self._kept.account_id
        )

    def _is_pleasing(self, said: Utterance) -> bool:
        return (said.mood.score or 0.0) >= self._config.like_min

    def _likes(self) -> Iterator[str]:
        """What delights is liked once, up to the bound; what names a failure never is."""
        likes = {row["tweet_id"]: row for row in self._kept.of["likes"]}
        tweets = {row["id"]: row for row in self._kept.of["tweets"]}
        begun = Counter(
            tweets[row["tweet_id"]]["x_author_id"]
            for row in likes.values()
            if row["status"] != "withheld" and row["tweet_id"] in tweets
        )
        for tweet in tweets.values():
            said, like = self._told.said(tweet["text"]), likes.get(tweet["id"])
            if said is None or self._is_edited(tweet):
                continue
            is_wanted = self._may_be_acted_on(tweet) and self._is_pleasing(said)
            if is_wanted != (like is not None):
                yield (
                    f"{tweet['id']} is {'' if is_wanted else 'not '}to be liked, and is "
                    f"{'not' if like is None else like['status']}: {tweet['text']!r}"
                )
            if like is None or not is_wanted:
                continue
            if like["external_id"] != tweet["external_id"]:
                yield f"what is liked for {tweet['external_id']} is {like['external_id']}"
            is_full = begun[tweet["x_author_id"]] >= self._config.likes_author_hour_max
            if said.mood.is_failure and like["status"] != "withheld":
                yield f"{tweet['id']} names a failure, and is liked ({like['status']})"
            elif not said.mood.is_failure and like["status"] == "withheld" and not is_full:
                yield f"{tweet['id']} is not liked, for no reason: {like['detail']}"

    def _replies(self) -> Iterator[str]:
        """Each tweet at X is answered once, in words that mention its author alone."""
        replies = {row["tweet_id"]: row for row in self._kept.of["replies"]}
        head, _, tail = self._config.reply_text.partition("{ref}")
        for tweet in self._kept.of["tweets"]:
            reply = replies.get(tweet["id"])
            is_wanted = self._may_be_acted_on(tweet)
            if is_wanted != (reply is not None):
                yield (
                    f"{tweet['id']} by {tweet['author']} is {'' if is_wanted else 'not '}to be "
                    f"answered, and is {'not' if reply is None else reply['status']}"
                )
            if reply is None or reply["status"] == "withheld":
                continue
            wanted = re.escape(head.format(author=tweet["author"])) + REF + re.escape(tail)
            if re.fullmatch(wanted, reply["text"] or "") is None:
                yield f"{tweet['id']} by {tweet['author']} is answered {reply['text']!r}"
        yield from self._bounds(replies)

    def _bounds(self, replies: dict[str, Row]) -> Iterator[str]:
        """What is left unanswered answers us, or there were as many as there may be."""
        config, rows = self._config, []
        for tweet in self._kept.of["tweets"]:
            written = self._kept.at_x(tweet)
            if written is not None and tweet["id"] in replies:
                rows.append((replies[tweet["id"]], tweet, written))
        begun = [each for each in rows if each[0]["status"] != "withheld"]
        of_author = Counter(written["author_id"] for _, _, written in begun)
        of_conversation = Counter(written["conversation_id"] for _, _, written in begun)
        for reply, tweet, written in rows:
            is_full = (
                len(begun) >= config.replies_hour_max
                or of_author[written["author_id"]] >= config.replies_author_hour_max
                or of_conversation[written["conversation_id"]]
                >= config.replies_conversation_day_max
            )
            answers = self._kept.is_ours(written["replied_to"]) or self._kept.is_ours(
                written["quoted"]
            )
            if reply["status"] == "withheld" and not (is_full or answers):
                yield f"{tweet['id']} is not answered, for no reason: {reply['detail']}"

    # --- At X --------------------------------------------------------------------------------

    def _what_stands_at_x(self) -> Iterator[str]:
        """Of the account: answers to who is mentioned in them, and likes of what delights."""
        kept, answered, liked = self._kept, Counter[int](), Counter[int]()
        for row in kept.of["x_tweets"]:
            if not kept.is_ours(row["id"]) or row["replied_to"] is None:
                continue
            to = kept.x_tweets[str(row["replied_to"])]
            answered[to["edit_of"] or to["id"]] += 1
            author = kept.names[to["author_id"]]
            if set(MENTION.findall(row["text"])) != {author}:
                yield f"{to['id']} is by {author}, and was answered {row['text']!r}"
            if to["retweeted"] is not None or kept.is_ours(to["id"]):
                yield f"{to['id']} is a retweet or our own, and was answered"
        for row in kept.of["x_likes"]:
            if str(row["user_id"]) != kept.account_id:
                continue
            to = kept.x_tweets[str(row["tweet_id"])]
            liked[to["edit_of"] or to["id"]] += 1
            said = self._told.said(to["text"])
            is_right = said is None or (self._is_pleasing(said) and not said.mood.is_failure)
            if not is_right or to["retweeted"] is not None or kept.is_ours(to["id"]):
                yield f"{to['id']} was liked: {to['text']!r}"
        for what, counts in (("answered", answered), ("liked", liked)):
            yield from [f"{each} was {what} {n} times" for each, n in counts.items() if n > 1]


def _is_meant(tweet: Row, said: Utterance) -> bool:
    if tweet["sentiment"] != said.mood.means:
        return False
    score, meant = tweet["score"], said.mood.score
    if score is None or meant is None:
        return bool(score is meant)
    return bool(abs(score - meant) <= SCORE_ERROR_MAX)
