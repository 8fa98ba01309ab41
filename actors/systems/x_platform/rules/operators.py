"""X's `name:value` operators that can be decided from what the embedded X knows of a tweet.

The others (context:, entity:, place:, sample:, bio:, followers_count: and so on) are refused as X
refuses those that a customer's package lacks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from actors.systems.x_platform import entities
from actors.systems.x_platform.language import LANGUAGES
from actors.systems.x_platform.rules.words import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.systems.x_platform.rules.rule import Test, Weight
    from actors.systems.x_platform.rules.subject import Subject, Who

_ID: Final = re.compile(r"[0-9]{1,19}")

HAS: Final[dict[str, Test]] = {
    "hashtags": lambda subject: bool(subject.hashtags),
    "cashtags": lambda subject: bool(subject.cashtags),
    "mentions": lambda subject: bool(subject.mentions),
    "links": lambda subject: bool(subject.links),
    "images": lambda subject: any(map(entities.is_picture, subject.links)),
    "media": lambda subject: any(
        entities.is_picture(link) or entities.is_video(link) for link in subject.links
    ),
    "videos": lambda subject: any(map(entities.is_video, subject.links)),
    "video_link": lambda subject: any(map(entities.is_video, subject.links)),
    "geo": lambda _subject: False,  # nobody says here where they are
}

IS: Final[dict[str, Test]] = {
    "retweet": lambda subject: subject.refers("retweeted"),
    "quote": lambda subject: subject.refers("quoted"),
    "reply": lambda subject: subject.is_reply,
    "verified": lambda _subject: False,  # nobody is
    "nullcast": lambda _subject: False,  # nothing is: those are advertisements
}


class Operator(msgspec.Struct, frozen=True):
    """`read` makes the test of a value, or None where the value makes no sense.

    `values`: it is one of a list, and one that is not is no operator at all, in X's words.
    """

    weight: Weight
    read: Callable[[str], Test | None]
    values: bool = False


def _of_user(field: Callable[[Subject], Who]) -> Callable[[str], Test | None]:
    def read(value: str) -> Test | None:
        if not (entities.USERNAME.fullmatch(value) or _ID.fullmatch(value)):
            return None
        name = value.lower()
        return lambda subject: name in field(subject)

    return read


def _of_tweet(field: Callable[[Subject], str | None]) -> Callable[[str], Test | None]:
    def read(value: str) -> Test | None:
        if not _ID.fullmatch(value):
            return None
        return lambda subject: field(subject) == value

    return read


def _of_list(tests: dict[str, Test]) -> Callable[[str], Test | None]:
    return lambda value: tests.get(value.lower())


def _lang(value: str) -> Test | None:
    wanted = value.lower()
    return (lambda subject: subject.lang == wanted) if wanted in LANGUAGES else None


def _url(value: str) -> Test | None:
    """Match the words of a link, in their order, anywhere in one of the tweet's."""
    wanted = words(value)
    needle = f" {' '.join(wanted)} "
    return (lambda subject: any(needle in each for each in subject.link_lines)) if wanted else None


OPERATORS: Final[dict[str, Operator]] = {
    "from": Operator("standalone", _of_user(lambda subject: subject.author)),
    "to": Operator("standalone", _of_user(lambda subject: subject.reply_to)),
    "retweets_of": Operator("standalone", _of_user(lambda subject: subject.retweets_of)),
    "conversation_id": Operator("standalone", _of_tweet(lambda subject: subject.conversation_id)),
    "in_reply_to_tweet_id": Operator(
        "standalone", _of_tweet(lambda subject: subject.references.get("replied_to"))
    ),
    "retweets_of_tweet_id": Operator(
        "standalone", _of_tweet(lambda subject: subject.references.get("retweeted"))
    ),
    "quotes_of_tweet_id": Operator(
        "standalone", _of_tweet(lambda subject: subject.references.get("quoted"))
    ),
    "url": Operator("standalone", _url),
    "has": Operator("conjunction", _of_list(HAS), values=True),
    "is": Operator("conjunction", _of_list(IS), values=True),
    "lang": Operator("conjunction", _lang),
}
