"""What the people of a simulation have said, and what they were told."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from actors.simulation.stage.client import ClientReply  # noqa: TC001 - msgspec may read it
from actors.systems.tweets.messages import ReaderState  # noqa: TC001 - msgspec may read it
from actors.systems.tweets.scenario.moods import KEYWORD, MOODS, Mood
from actors.systems.x_platform.messages import XTweet  # noqa: TC001 - likewise

# Who tweeted before there were scores, and what.
OLD_AUTHOR: Final = "old"
OLD_TEXT: Final = MOODS["angry"].about(KEYWORD)


class Utterance(msgspec.Struct, frozen=True):
    """Who has written a text, and how it was meant. `is_off`: about something else."""

    author: str
    mood: Mood
    is_off: bool = False


class Done(msgspec.Struct, frozen=True):
    """A tweet that was stored past X, or at the tutorial's address, as it was asked for."""

    method: str
    path: str
    body: dict[str, Any] | None
    key: str
    port: int | None
    reply: ClientReply


class ListWalk(msgspec.Struct, frozen=True):
    """A list as somebody has read it, from page to page; `is_whole` where that came to its end.

    `ids` and `texts` are what was known to stand in it when that began.
    """

    who: str
    address: str
    items: tuple[dict[str, Any], ...]
    is_whole: bool
    ids: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()


class Told(msgspec.Struct):
    """All of one run.

    `last` is the tweet that X acknowledged last, and `last_by` by whom, where it was one of them;
    `texts` are all that somebody has asked to have published; `inserted` those that were stored
    at the tutorial's address; `refused` those that must be nowhere; `deleted` X's ids of what was
    to be deleted there; `searched` are the ids that its search finds at rest, `reader` is what that
    says of itself then, each None where it did not come to rest; `seen` is what was last seen of
    each tweet and flag, by its address.
    `stores` are by external id and key the answers to who stored something past X; `locked` from
    when to when the account could do nothing, `asked_x` when its other programs have asked X for
    something, in seconds of the run.
    `is_disturbed` is whether somebody has stopped, locked or cut something; `silent` are the
    requests that nobody has answered.
    """

    last: XTweet | None = None
    last_by: str | None = None
    texts: dict[str, Utterance] = msgspec.field(
        default_factory=lambda: {OLD_TEXT: Utterance(OLD_AUTHOR, MOODS["angry"])}
    )
    tweeted: dict[str, str] = {}
    inserted: set[str] = set()
    refused: set[str] = set()
    deleted: set[str] = set()
    done: list[Done] = []
    seen: dict[str, dict[str, Any]] = {}
    walks: list[ListWalk] = []
    at_rest: list[ListWalk] = []
    searched: list[int] | None = None
    reader: ReaderState | None = None
    silent: list[str] = []
    stores: list[tuple[str, str, ClientReply]] = []
    locked: list[tuple[float, float]] = []
    asked_x: list[tuple[float, float]] = []
    deleted_rules: bool = False
    is_disturbed: bool = False
    troubles: list[str] = []

    def said(self, text: str) -> Utterance | None:
        """Return who has written it, and how; a retweet says what it repeats."""
        if text.startswith("RT @"):
            text = text.partition(": ")[2]
        return self.texts.get(text)
