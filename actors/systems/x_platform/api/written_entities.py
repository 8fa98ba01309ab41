"""Where in a text X finds links, hashtags, cashtags and mentions, in code points.

After X's twitter-text library: a hashtag is letters, marks, digits and underscores, not digits
alone; a mention at most fifteen ASCII characters; a link begins with its protocol (X also finds
bare domains). What stands in a link is nothing else, and links stay as they were written (X puts
its own shortened ones in their place).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from actors.systems.x_platform.entities import hashtag

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINK: Final = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_CASHTAG: Final = re.compile(
    r"(?:^|(?<=\s))\$([A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?)(?![A-Za-z0-9_])"
)
_MENTION: Final = re.compile(r"(?<![\w@\uff20!#$%&*])[@\uff20]([A-Za-z0-9_]{1,15})(?![\w@\uff20])")

# What ends a sentence ends the link before it.
_AFTER_LINK: Final = ".,;:!?'\")]}\u2026"
_BRACKETS: Final = {")": "(", "]": "[", "}": "{"}
_DISPLAY_CHARS_MAX: Final = 26


def find_entities(text: str) -> dict[str, list[dict[str, Any]]]:
    """Return X's `entities` of the text: lists by kind, none of them empty.

    Each has `start` and `end`, an index behind its last; mentions have no `id` yet.
    """
    links = list(_links(text))
    found = {
        "urls": links,
        "hashtags": list(_tags(text, hashtag(), links, "tag")) if _has(text, "#\uff03") else [],
        "cashtags": list(_tags(text, _CASHTAG, links, "tag")) if "$" in text else [],
        "mentions": list(_tags(text, _MENTION, links, "username")) if _has(text, "@\uff20") else [],
    }
    return {kind: entities for kind, entities in found.items() if entities}


def mentioned(text: str) -> list[str]:
    """Return the usernames mentioned, as written."""
    return [entity["username"] for entity in find_entities(text).get("mentions", ())]


def _has(text: str, signs: str) -> bool:
    return any(sign in text for sign in signs)


def _links(text: str) -> Iterator[dict[str, Any]]:
    for match in _LINK.finditer(text) if "://" in text else ():
        url = _without_end(match[0])
        display = url.partition("://")[2].removeprefix("www.")
        if len(display) > _DISPLAY_CHARS_MAX:
            display = f"{display[:_DISPLAY_CHARS_MAX]}\u2026"
        yield {
            "start": match.start(),
            "end": match.start() + len(url),
            "url": url,
            "expanded_url": url,
            "display_url": display,
        }


def _without_end(link: str) -> str:
    """Return the link without what ends a sentence; a bracket that it opens itself is its own."""
    while link and link[-1] in _AFTER_LINK:
        opening = _BRACKETS.get(link[-1])
        if opening is not None and link.count(opening) >= link.count(link[-1]):
            break
        link = link[:-1]
    return link


def _tags(
    text: str, pattern: re.Pattern[str], links: list[dict[str, Any]], key: str
) -> Iterator[dict[str, Any]]:
    for match in pattern.finditer(text):
        if not any(link["start"] <= match.start() < link["end"] for link in links):
            yield {"start": match.start(), "end": match.end(), key: match[1]}
