"""What X finds in a tweet's text: hashtags, cashtags, mentions and links.

After X's own twitter-text library: a hashtag is letters, marks, digits and underscores, not digits
alone; a mention is at most fifteen ASCII characters; a link is only what begins with its protocol
(X also finds bare domains).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

CASHTAG_BODY: Final = re.compile(r"[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?")
USERNAME: Final = re.compile(r"[A-Za-z0-9_]{1,15}")

_CASHTAG: Final = re.compile(rf"(?:^|(?<=\s))\$({CASHTAG_BODY.pattern})(?!\w)")
_MENTION: Final = re.compile(rf"(?<![\w@\uff20!#$%&*])[@\uff20]({USERNAME.pattern})(?![\w@\uff20])")
_LINK: Final = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
# How X itself writes uploads into a text.
_PICTURE: Final = re.compile(r"https?://pic\.(?:x|twitter)\.com/", re.IGNORECASE)
_VIDEO: Final = re.compile(
    r"https?://(?:www\.)?(?:x|twitter)\.com/\w+/status/\d+/video/", re.IGNORECASE
)


@cache
def hashtag_body() -> re.Pattern[str]:
    """Return what a hashtag is without its sign; made when first asked for, in some 20 ms."""
    # `re` knows no marks, without which Hindi and Thai hashtags would break off: those of both
    # planes that have any.
    marks = "".join(
        chr(code) for code in range(0x300, 0x1F000) if unicodedata.category(chr(code))[0] == "M"
    )
    return re.compile(rf"(?=\d*[^\W\d])[\w{marks}]+")


@cache
def hashtag() -> re.Pattern[str]:
    """Return what a hashtag is within a text; its group is what stands behind the sign."""
    return re.compile(rf"(?<![\w&])[#\uff03]({hashtag_body().pattern})")


def hashtags(text: str) -> list[str]:
    """Return the hashtags in their order, without their sign, folded for comparison."""
    if "#" not in text and "\uff03" not in text:
        return []
    return [fold(tag) for tag in hashtag().findall(text)]


def cashtags(text: str) -> list[str]:
    """Return the cashtags in their order, without their sign, in lower case."""
    return [tag.lower() for tag in _CASHTAG.findall(text)] if "$" in text else []


def mentions(text: str) -> list[str]:
    """Return the usernames mentioned, in their order and in lower case."""
    if "@" not in text and "\uff20" not in text:
        return []
    return [name.lower() for name in _MENTION.findall(text)]


def links(text: str) -> list[str]:
    """Return the links in their order."""
    return _LINK.findall(text) if "://" in text else []


def is_picture(link: str) -> bool:
    """Whether X shows a picture for the link."""
    return _PICTURE.match(link) is not None


def is_video(link: str) -> bool:
    """Whether X shows a video for the link."""
    return _VIDEO.match(link) is not None


def fold(tag: str) -> str:
    """Return the tag as it compares: without regard to case and width."""
    return unicodedata.normalize("NFKC", tag).casefold()
