"""A tweet as rules look at it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from actors.systems.x_platform import entities
from actors.systems.x_platform.rules.words import words

if TYPE_CHECKING:
    from actors.systems.x_platform.messages import XTweet

Who = frozenset[str]  # a user's id and username, the latter in lower case
NOBODY: Who = frozenset()


def who(user_id: str, username: str) -> Who:
    """Return what a user is known by in rules."""
    return frozenset((user_id, username.lower()))


class Subject:
    """A tweet, and what has to be looked up about it. What no rule asks for is never worked out.

    In the filtered stream a quote matches by what it quotes as well (X, "Build a rule: quote tweet
    matching behavior"), so there may be two texts. Everything else is the tweet's own.
    """

    def __init__(
        self,
        tweet: XTweet,
        *,
        author: Who,
        reply_to: Who = NOBODY,
        retweets_of: Who = NOBODY,
        quoted_text: str | None = None,
    ) -> None:
        """`author` and the others are whose tweet it is, replies to and retweets."""
        self._texts = (tweet.text,) if quoted_text is None else (tweet.text, quoted_text)
        self.author = author
        self.reply_to = reply_to
        self.retweets_of = retweets_of
        self.lang = tweet.lang.lower()
        self.conversation_id = tweet.conversation_id
        self.references = {reference.type: reference.id for reference in tweet.references}
        self.is_reply = tweet.in_reply_to_user_id is not None

    def refers(self, kind: Literal["replied_to", "retweeted", "quoted"]) -> bool:
        """Whether it refers to another tweet in that way."""
        return kind in self.references

    @cached_property
    def line(self) -> str:
        """All words with spaces around each; no phrase of words goes from one text to the other."""
        return " \n ".join(f" {' '.join(words(text))} " for text in self._texts)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word."""
        return frozenset(self.line.split())

    @cached_property
    def hashtags(self) -> frozenset[str]:
        """Every hashtag, folded."""
        return frozenset(tag for text in self._texts for tag in entities.hashtags(text))

    @cached_property
    def cashtags(self) -> frozenset[str]:
        """Every cashtag, in lower case."""
        return frozenset(tag for text in self._texts for tag in entities.cashtags(text))

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Every username mentioned, in lower case."""
        return frozenset(name for text in self._texts for name in entities.mentions(text))

    @cached_property
    def links(self) -> tuple[str, ...]:
        """Every link."""
        return tuple([link for text in self._texts for link in entities.links(text)])

    @cached_property
    def link_lines(self) -> tuple[str, ...]:
        """The words of each link, with spaces around each."""
        return tuple([f" {' '.join(words(link))} " for link in self.links])
