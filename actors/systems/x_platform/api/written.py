"""A text as X writes it into its answers: cut where it is long, and escaped.

X shows 280 weighted characters (docs.x.com, "Counting characters": a link is 23, most of what is
not Latin counts twice), of a retweet 140; the rest of a post is in its `note_tweet` alone, that of
a retweet in the tweet that it repeats. In each text `&`, `<` and `>` are HTML's entities. Decided
here, where X's pages say nothing: what is cut ends with an ellipsis and, but for a retweet, with a
link to the post; places in a text (`start`, `end`) count its characters as they are shown.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

from actors.systems.x_platform.api.written_entities import find_entities

if TYPE_CHECKING:
    from actors.systems.x_platform.messages import XTweet

WEIGHT_MAX: Final = 280
RETWEET_CHARS_MAX: Final = 140
LINK_WEIGHT: Final = 23
ELLIPSIS: Final = "\u2026"
# What counts once; all else counts twice.
_LIGHT: Final = re.compile("[\\0-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def shown_text(tweet: XTweet) -> str:
    """Return the tweet's `text`, not escaped yet."""
    if _is_retweet(tweet):
        return _cut_retweet(tweet.text)
    return _cut(tweet) if is_long(tweet) else tweet.text


def is_long(tweet: XTweet) -> bool:
    """Whether it has a `note_tweet`."""
    # The heaviest character weighs two; this is asked of every tweet of a stream.
    if 2 * len(tweet.text) <= WEIGHT_MAX or _is_retweet(tweet):
        return False
    return _end_of(tweet.text, WEIGHT_MAX) < len(tweet.text)


def with_entities(text: str) -> str:
    """Return it with X's entities."""
    return text.translate(_ESCAPES)


def escaped_entities(text: str) -> dict[str, list[dict[str, Any]]]:
    """Return X's `entities` of the text, in places of what is shown of it."""
    found = find_entities(text)
    for entity in (each for entities in found.values() for each in entities):
        for place in ("start", "end"):
            entity[place] = len(with_entities(text[: entity[place]]))
        if "url" in entity:
            entity["url"] = with_entities(entity["url"])
    return found


def _is_retweet(tweet: XTweet) -> bool:
    return any(each.type == "retweeted" for each in tweet.references)


def _cut_retweet(text: str) -> str:
    return text if len(text) <= RETWEET_CHARS_MAX else f"{text[: RETWEET_CHARS_MAX - 1]}{ELLIPSIS}"


def _cut(tweet: XTweet) -> str:
    """Cut it, and link to it; the link is the same for the same tweet."""
    end = _end_of(tweet.text, WEIGHT_MAX - LINK_WEIGHT - 1 - _weight(ELLIPSIS))
    slug = hashlib.blake2b(tweet.id.encode(), digest_size=5).hexdigest()
    return f"{tweet.text[:end].rstrip()}{ELLIPSIS} https://t.co/{slug}"


def _end_of(text: str, weight_max: int) -> int:
    """Return up to where the text weighs no more; never amid a link."""
    links = {link["start"]: link["end"] for link in find_entities(text).get("urls", ())}
    # Most texts: to weigh each character of every tweet is most of what X has to do for a stream.
    if text.isascii() and not links:
        return min(len(text), weight_max)
    place = weight = 0
    while place < len(text):
        end = links.get(place, place + 1)
        weight += LINK_WEIGHT if place in links else _weight(text[place])
        if weight > weight_max:
            return place
        place = end
    return place


def _weight(character: str) -> int:
    return 1 if _LIGHT.match(character) else 2
