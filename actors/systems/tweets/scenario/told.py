"""What the people of a simulation have said, and what they were told."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.simulation.stage.client import ClientReply  # noqa: TC001 - msgspec may read it
from actors.simulation.time.virtual_clock import START_US
from actors.systems.tweets.messages import ReaderState  # noqa: TC001 - msgspec may read it
from actors.systems.tweets.scenario.moods import KEYWORD, MOODS, Mood
from actors.systems.tweets.x.tweet_ids import first_id_at
from actors.systems.x_platform.messages import XTweet  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# How long it is until the reader looks after its rule once more, and has put it back.
RULE_IS_BACK_S: Final = 20.0
# Who tweeted before there were scores, and what.
OLD_AUTHOR: Final = "old"
OLD_TEXT: Final = MOODS["angry"].about(KEYWORD)
# What somebody has said at X an hour before all runs.
OLD_X_USERNAME: Final = "ann"
OLD_X_ID: Final = first_id_at(START_US - 3_600_000_000)


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


class Upset(msgspec.Struct, frozen=True):
    """What somebody has stopped, locked, cut or used up; seconds of the run.

    A service, the `stream`, the `rule` of it, the `account`, or the `requests` that X grants it.
    """

    what: frozenset[str]
    since_s: float
    until_s: float


class Lock(msgspec.Struct):
    """When X was asked to lock the account, for how long, and when it had; seconds of the run."""

    asked_s: float
    for_s: float
    done_s: float = inf


class Silence(msgspec.Struct, frozen=True):
    """A request that nobody has answered, however often it was made; seconds of the run."""

    what: str
    since_s: float
    until_s: float


class Told(msgspec.Struct):
    """All of one run.

    `last` is the tweet that X acknowledged last, and `last_by` by whom, where it was one of them;
    `texts` are all that somebody has asked to have published; `inserted` those that were stored
    at the tutorial's address; `refused` those that must be nowhere; `deleted` X's ids of what was
    to be deleted there; `closed` of what only those may answer whom it mentions; `fickle` what was
    liked and is not any more, and `likers` by whom, each time; `searched` are the ids that its
    search finds at rest, by what it is asked, `reader` is what that says of itself then, each empty
    where it did not come to rest; `seen` is what was last seen of each tweet and flag, by its
    address.
    `set_aside` are the dead letters of X's lines that no search has ended.
    `stores` are by external id and key the answers to who stored something past X; `asked_x` when
    its other programs have asked X for something, in seconds of the run; `parked` who was told that
    the reader is parked; `is_calm` a run without a fault.
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
    closed: set[str] = set()
    fickle: list[str] = []
    likers: list[str] = []
    done: list[Done] = []
    seen: dict[str, dict[str, Any]] = {}
    walks: list[ListWalk] = []
    at_rest: list[ListWalk] = []
    searched: dict[str, list[int]] = {}
    reader: ReaderState | None = None
    parked: list[str] = []
    silent: list[Silence] = []
    upsets: list[Upset] = []
    set_aside: set[str] = set()
    stores: list[tuple[str, str, ClientReply]] = []
    locks: list[Lock] = []
    asked_x: list[tuple[float, float]] = []
    deleted_rules: bool = False
    is_calm: bool = False
    troubles: list[str] = []

    @contextmanager
    def upset(self, *what: str, after_s: float = 0.0) -> Iterator[None]:
        """Note that this is stopped, locked, cut or used up meanwhile, and for so long after."""
        time_s = asyncio.get_running_loop().time
        since_s = time_s()
        try:
            yield
        finally:
            self.upsets.append(Upset(frozenset(what), since_s, time_s() + after_s))

    @contextmanager
    def asking_x(self) -> Iterator[None]:
        """Note that one of its other programs asks X for something meanwhile."""
        time_s = asyncio.get_running_loop().time
        since_s = time_s()
        try:
            yield
        finally:
            self.asked_x.append((since_s, time_s()))

    def silence(self, what: str, since_s: float) -> None:
        """Note that nobody has answered it."""
        self.silent.append(Silence(what, since_s, asyncio.get_running_loop().time()))

    def is_upset(self, what: Collection[str], since_s: float, until_s: float) -> bool:
        """Whether any of it was at some time between the two."""
        return any(
            not each.what.isdisjoint(what) and each.since_s <= until_s and since_s <= each.until_s
            for each in self.upsets
        )

    def lacks_rule(self, since_s: float, until_s: float) -> bool:
        """Whether X may not have known the reader's rule at some time between the two.

        It cannot be put back where somebody has used up what X grants, until X grants more.
        """
        used_up = [each for each in self.upsets if "requests" in each.what]
        for gone in self.upsets:
            if "rule" in gone.what and gone.since_s <= until_s:
                back_s = gone.until_s
                for each in sorted(used_up, key=lambda each: each.since_s):
                    if each.since_s <= back_s and gone.since_s <= each.until_s:
                        back_s = max(back_s, each.until_s + RULE_IS_BACK_S)
                if since_s <= back_s:
                    return True
        return False

    def locked(self) -> Iterator[tuple[float, float]]:
        """Yield from when to when the account surely could do nothing: X goes by the last lock."""
        for each in self.locks:
            others = [other for other in self.locks if other is not each]
            later = [other.asked_s for other in others if other.done_s >= each.asked_s]
            since_s, until_s = each.done_s, min([each.asked_s + each.for_s, *later])
            if since_s < until_s:
                yield since_s, until_s

    def said(self, text: str) -> Utterance | None:
        """Return who has written it, and how; a retweet says what it repeats."""
        if text.startswith("RT @"):
            text = text.partition(": ")[2]
        return self.texts.get(text)
