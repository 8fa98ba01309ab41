"""What X's search is asked at rest, and which tweets are to be found: by rules in plain Python.

A rule's language is X's own. Here each rule stands beside what it means, told once more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from actors.systems.tweets.scenario.kept import Kept, Row

    # Whether a tweet is meant: its words, its author, and its row.
    Meant = Callable[["list[str]", str, "Row"], bool]

# What stands in everything that a simulation's people say.
SAID_BY: Final = "(client-"
WORD: Final = re.compile(r"\w+")

SEARCHES: Final[Mapping[str, Meant]] = {
    "awful OR nice": lambda words, *_: "awful" in words or "nice" in words,
    "love -awful": lambda words, *_: "love" in words and "awful" not in words,
    "(awful OR love) from:bob": lambda words, author, _: (
        author == "bob" and ("awful" in words or "love" in words)
    ),
    '"best ever thank"': lambda words, *_: ["best", "ever", "thank"] in _threes(words),
    "weather -is:reply -is:quote": lambda words, _, row: (
        "weather" in words and row["replied_to"] is None and row["quoted"] is None
    ),
    "tutorialedge lang:de": lambda words, _, row: "tutorialedge" in words and row["lang"] == "de",
    "tutorialedge is:reply -from:ann": lambda words, author, row: (
        "tutorialedge" in words and row["replied_to"] is not None and author != "ann"
    ),
}


def searches_amiss(kept: Kept, found: Mapping[str, list[int]]) -> Iterator[str]:
    """Yield what each search has found too much, or not: of what people said, but no retweets."""
    for query, ids in found.items():
        there = {
            row["id"]
            for row in kept.x_tweets.values()
            if row["deleted_us"] is None and _is_said(row) and _is_meant(kept, row, query)
        }
        told = [each for each in ids if _is_said(kept.x_tweets.get(str(each)))]
        if told != sorted(there, reverse=True):
            yield f"X's search for {query} finds {told}, and there are {sorted(there)}"


def _is_said(row: Row | None) -> bool:
    return row is not None and SAID_BY in row["text"] and row["retweeted"] is None


def _is_meant(kept: Kept, row: Row, query: str) -> bool:
    # X takes what a tweet quotes for its own words.
    quoted = kept.x_tweets.get(str(row["quoted"]), {"text": ""})
    texts = (row["text"], quoted["text"])
    words = [word.lower() for text in texts for word in [*WORD.findall(text), ""]]
    return SEARCHES[query](words, kept.names[row["author_id"]].lower(), row)


def _threes(words: list[str]) -> list[list[str]]:
    return [words[at : at + 3] for at in range(len(words))]
