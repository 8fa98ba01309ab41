"""Whether the embedded X has kept its own books: what belongs together, and what is said twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from actors.systems.tweets.scenario.moods import KEYWORD
from actors.systems.tweets.scenario.searches import SAID_BY, searches_amiss
from actors.systems.tweets.x_invariants import tweeted_at_us

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from actors.systems.tweets.scenario.kept import Kept, Row

DAY_US: Final = 86_400_000_000
# How long, and how often, X lets somebody edit a tweet.
EDITABLE_US: Final = 1_800_000_000
EDITS_MAX: Final = 5
# An id has the time to the millisecond.
ABOUT_US: Final = 1_000


class XBooks:
    """Compares X's rows with each other, by X's own rules."""

    def __init__(self, kept: Kept) -> None:
        self._tweets = kept.x_tweets
        self._kept = kept

    def violations(self) -> Iterator[str]:
        """Return a sentence for everything that X would not have."""
        said: dict[tuple[int, str], int] = {}
        for row in self._tweets.values():
            first = self._first(row)
            if row["conversation_id"] != first:
                yield f"{row['id']} is in conversation {row['conversation_id']}, and not in {first}"
            if row["retweeted"] is not None:
                continue
            whose = (row["author_id"], row["text"])
            at_us = tweeted_at_us(row["id"])
            if whose in said and at_us - said[whose] < DAY_US and row["deleted_us"] is None:
                yield f"{row['id']} says again what {row['author_id']} has said: {row['text']!r}"
            said[whose] = at_us

    def reply_violations(self) -> Iterator[str]:
        """Who answers may: where not everybody does, the author and whom the tweet mentions."""
        for row in self._tweets.values():
            to = self._tweets.get(str(row["replied_to"]))
            if to is None or to["reply_settings"] == "everyone":
                continue
            is_mentioned = f"@{self._kept.names[row['author_id']]}".lower() in to["text"].lower()
            if row["author_id"] != to["author_id"] and not is_mentioned:
                yield f"{row['id']} answers {to['id']}, and only who is mentioned there may"

    def search_violations(self, searched: Mapping[str, list[int]]) -> Iterator[str]:
        """The search finds what speaks of the keyword and was not deleted: once, latest first.

        And by other rules what they mean. What has not come to rest was not searched.
        """
        yield from searches_amiss(
            self._kept, {query: ids for query, ids in searched.items() if query != KEYWORD}
        )
        found = searched.get(KEYWORD)
        if found is None:
            return
        if found != sorted(set(found), reverse=True):
            yield f"X's search finds {found}"
        for row in self._tweets.values():
            speaks = SAID_BY in row["text"] and KEYWORD in row["text"] and not row["retweeted"]
            if row["deleted_us"] is not None and row["id"] in found:
                yield f"X's search finds {row['id']}, which is deleted"
            if row["deleted_us"] is None and speaks and row["id"] not in found:
                yield f"X's search does not find {row['id']}: {row['text']!r}"

    def edit_violations(self) -> Iterator[str]:
        """One's own tweets are edited, for half an hour and a few times; by a clock never set."""
        edits = Counter(row["edit_of"] for row in self._tweets.values() if row["edit_of"])
        for row in self._tweets.values():
            if row["edit_of"] is None:
                continue
            first = self._tweets[str(row["edit_of"])]
            age_us = tweeted_at_us(row["id"]) - tweeted_at_us(first["id"])
            if age_us > EDITABLE_US + ABOUT_US:
                yield f"{first['id']} was edited after {age_us / 1e6:g} s"
            if row["author_id"] != first["author_id"] or first["retweeted"] is not None:
                yield f"{row['id']} is no version of {first['id']}: another's, or a retweet"
        yield from [f"{each} was edited {n} times" for each, n in edits.items() if n > EDITS_MAX]

    def stream_violations(self) -> Iterator[str]:
        """The stream has what met a rule that stood then; of a clock that was never set.

        What people say here meets the rule of the keyword wherever it has that word.
        """
        rules = {row["id"]: row for row in self._kept.of["x_rules"]}
        streamed = {
            row["tweet_id"]: set(msgspec.json.decode(row["rule_ids"]))
            for row in self._kept.of["x_matched"]
        }
        for number, met in streamed.items():
            for each in met:
                if each in rules and _is_gone(rules[each], number):
                    yield f"{number} is in the stream by the rule {each}, which was deleted then"
                if each > number:
                    yield f"{number} is in the stream by the rule {each}, which is younger"
        first = min(streamed, default=0)
        for row in self._tweets.values():
            number, text = row["id"], row["text"]
            if number < first or row["retweeted"] is not None or SAID_BY not in text:
                continue
            for each in rules.values():
                if (
                    each["value"] == KEYWORD
                    and KEYWORD in text
                    and each["id"] < number
                    and (each["deleted_us"] is None or _stands_still(each, number))
                    and each["id"] not in streamed.get(number, ())
                ):
                    yield f"{number} meets the rule {each['id']}, and is not in its stream: {text}"

    def _first(self, row: Row) -> int:
        """Return what began its conversation."""
        while True:
            before = row["edit_of"] or row["replied_to"]
            if before is None:
                return int(row["id"])
            row = self._tweets[str(before)]


def _is_gone(rule: Row, tweet: int) -> bool:
    """Whether the rule was deleted before the tweet."""
    deleted_us: int | None = rule["deleted_us"]
    return deleted_us is not None and tweeted_at_us(tweet) > deleted_us + ABOUT_US


def _stands_still(rule: Row, tweet: int) -> bool:
    """Whether the rule was deleted after the tweet."""
    deleted_us: int = rule["deleted_us"]
    return tweeted_at_us(tweet) + ABOUT_US < deleted_us
