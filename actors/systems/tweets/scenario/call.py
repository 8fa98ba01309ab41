"""What people at X, the PR team and an operator do in a simulation of the brand monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from actors.systems.tweets.scenario.moods import MOODS
from actors.systems.tweets.scenario.x_requests import SERIES

if TYPE_CHECKING:
    from actors.simulation.script.chooser import Chooser

# Most love it or hate it: the others give the monitor little to do.
MOOD_PARTS: Final = (0, 1, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8)
# The last one is the account for which the monitor acts.
AUTHORS: Final = ("ann", "bob", "dressrehearsal")
STORED: Final = 3
# Whoever stores a tweet past X may be called as somebody there is, in any case.
STORERS: Final = ("ada", "ann", "ANN")
# Some are refused: what moves back, has nobody, or is said of nobody's.
FLAG_CHANGES: Final[tuple[dict[str, str | None], ...]] = (
    {"status": "assigned", "assignee": "eve"},
    {"status": "resolved", "note": "called them"},
    {"note": "once more"},
    {"assignee": None},
    {"assignee": "mia"},
    {"status": "open"},
    {"status": "open", "assignee": "eve"},
    {"status": "assigned"},
)
# What is read from its first page to its last.
LISTS: Final = (
    "/api/v1/tweets",
    "/api/v1/tweets?sentiment=negative",
    "/api/v1/tweets?sentiment=positive",
    "/api/v1/tweets?author=Ann",
    "/api/v1/tweets?author=ADA&sentiment=negative",
    "/api/v1/flags",
    "/api/v1/flags?status=open",
    "/api/v1/likes",
    "/api/v1/likes?status=done",
    "/api/v1/replies",
    "/api/v1/replies?status=withheld",
    "/all",
)
# What there is not, or makes no sense, and what is to be answered.
ODD_REQUESTS: Final[tuple[tuple[str, str, int], ...]] = (
    ("GET", "/api/v1/tweets/nobody-s", 404),
    ("GET", "/api/v1/flags/nobody-s", 404),
    ("PATCH", "/api/v1/flags/nobody-s", 404),
    ("GET", "/api/v1/tweets?sentiment=cross", 422),
    ("GET", "/api/v1/tweets?limit=0", 422),
    ("GET", "/api/v1/flags?after=-1", 422),
    ("GET", "/api/v1/likes?status=open", 422),
    ("POST", "/admin/likes/1/requeue", 404),
    ("POST", "/admin/replies/1/requeue", 404),
)
# How much later a request is made once more, in seconds: minutes, an hour, and when its key is as
# good as forgotten. Here it is remembered for hours and not for a day, in which the reader looks
# after its rules so often that a run took twenty seconds of processor time, and was ended.
KEYS_KEPT_S: Final = 9_000.0
LATER_S: Final = (90.0, 3_700.0, 0.9 * KEYS_KEPT_S)
# A conversation goes on so much later: after an hour, and within the day that counts for it.
TALK_S: Final = 3_650.0

# X counts requests in windows of so many seconds: short enough for a run to see their ends. And how
# long what was refused in one, or waited for who was stopped, may wait until it is tried again.
WINDOW_S: Final = 20.0
TRIED_AGAIN_S: Final = WINDOW_S + 15.0

# What an old rule of the reader's might ask for besides.
OLD_RULES: Final = (
    "has:links",
    "(is:reply OR is:retweet OR is:quote)",
    "-from:ann lang:de",
    "(@bob OR #go OR to:ann OR retweets_of:bob)",
    '"on sockets" -has:media',
    "(url:example.org OR conversation_id:1)",
)

# Whom an operator stops for a while, and how long, in seconds: longer than an effect's attempts
# last, and longer than a silent stream is waited for.
STOPPED: Final[tuple[tuple[str, ...], ...]] = (
    ("sentiment-1", "sentiment-2"),
    ("x_platform",),
    ("reader",),
    ("reader",),
    ("favouriter", "responder"),
    ("tweets",),
)
STOPS_S: Final = (1.0, 6.0, 25.0)
# Who reads, or stores what was read, is stopped for longer than what X sends again.
READING: Final = frozenset({"reader", "tweets"})
READER_STOPS_S: Final = (1.0, 25.0, 400.0)
# Of so many tweets two are the first of several, by one author: more than are liked, or answered.
# The last of these comes at once, or minutes later, which is within an hour.
TALKS: Final = 12
PAUSES_S: Final = (0.0, 0.0, 150.0)
# So many changes of a flag follow each other.
CHANGES: Final = 3
# How long X has the account do nothing: shorter, and longer, than an effect's attempts.
LOCKS_S: Final = (2.0, 8.0, 30.0)

Kind = Literal[
    "say", "answer", "repeat", "edit", "retort", "compose", "store", "insert", "flag", "fickle",
    "meddle", "unrule", "lock", "requeue", "disconnect", "look", "stop",
    "list", "get", "odd", "misuse", "late", "delete", "ask_x",
]  # fmt: skip
PARTS: Final[dict[Kind, int]] = {
    "say": 12,
    "answer": 3,
    "repeat": 3,
    "edit": 3,
    "retort": 3,
    "compose": 2,
    "store": 3,
    "insert": 2,
    "flag": 3,
    "fickle": 2,
    "meddle": 2,
    "unrule": 1,
    "lock": 1,
    "requeue": 2,
    "disconnect": 2,
    "look": 1,
    "stop": 4,
    "list": 4,
    "get": 2,
    "odd": 1,
    "misuse": 2,
    "late": 1,
    "delete": 1,
    "ask_x": 3,
}
# Calls that are all told by a number, and how many there are.
NUMBERS: Final[dict[Kind, int]] = {
    "list": len(LISTS),
    "odd": len(ODD_REQUESTS),
    "get": 8,
    "requeue": 4,
    "unrule": 4,
    "meddle": len(OLD_RULES),
    "ask_x": len(SERIES),
}
MENU: Final[tuple[Kind, ...]] = tuple([kind for kind, parts in PARTS.items() for _ in range(parts)])


SENTENCES: Final[dict[Kind, str]] = {
    "say": "tweet",
    "answer": "answer or quote the last tweet",
    "repeat": "retweet the last tweet",
    "edit": "edit the last tweet",
    "delete": "delete the last tweet",
    "retort": "answer our last answer",
    "compose": "let an embedded author tweet",
    "insert": "insert a tweet",
    "fickle": "like the last tweet, and take it back",
    "meddle": "leave an old rule of the reader's on the account",
    "unrule": "delete all rules of the account",
    "requeue": "have what was refused tried again",
    "disconnect": "disconnect the stream",
    "look": "look at the reader",
    "get": "look at a tweet or a flag",
    "misuse": "ask for something else under somebody's key",
}


class TweetsCall(msgspec.Struct, frozen=True):
    """One request. With `again` it is made twice, under one key.

    | kind | asks for |
    | --- | --- |
    | `say` | a tweet at X, and but for number 0 some more, at number 2 the last one later |
    | `answer`, `repeat` | one that answers, or quotes, or repeats the last one |
    | `edit` | another version of the last tweet, or two |
    | `delete` | the end of the last tweet, where it was never edited |
    | `retort` | an answer to our latest answer, or a quote of it, as a bot's would be |
    | `compose` | a tweet of X's embedded authors |
    | `store` | a tweet past X, under an id that others use as well, and one more under the same |
    | `insert` | a tweet at the tutorial's address |
    | `flag` | some changes of a flag |
    | `fickle` | a like at X that is taken back |
    | `meddle` | a rule on the account that looks like an old one of the reader's |
    | `unrule` | the end of all rules on the account; but for number 0, a tweet then, one later |
    | `lock` | a while in which X lets the account do nothing, and a tweet in it, maybe deleted |
    | `requeue` | another attempt at what X has refused: at one like or reply, or at all |
    | `disconnect` | X's end of the stream, and a tweet |
    | `look` | the reader's state |
    | `stop` | an operator's suspension of services, tweets about then, and its end a while later |
    | `list` | a list, page by page, to its end |
    | `get` | one tweet or flag that was seen in a list or an answer |
    | `odd` | what there is not, or what makes no sense |
    | `misuse` | another tweet to be stored, under a key that was somebody's |
    | `late` | what was stored before once more, under its key, long after; a talk about then |
    | `ask_x` | what another program of the account asks of X, and changes nothing there |
    """

    kind: Kind
    mood: int = 0
    author: int = 0
    off: bool = False  # about something else
    number: int = 0
    again: bool = False
    lasts: int = 0

    @property
    def username(self) -> str:
        """Who tweets. The account itself answers nobody but through the responder."""
        return AUTHORS[self.author % (len(AUTHORS) - (self.kind == "answer"))]

    @property
    def storer(self) -> str:
        """By whom a tweet is that is stored past X."""
        return STORERS[self.author % len(STORERS)]

    @property
    def flag_changes(self) -> tuple[dict[str, str | None], ...]:
        """What of a flag is changed, one after the other: the digits of the number."""
        count = len(FLAG_CHANGES)
        return tuple([FLAG_CHANGES[self.number // count**n % count] for n in range(CHANGES)])

    @property
    def list(self) -> str:
        """Which list is read."""
        return LISTS[self.number % len(LISTS)]

    @property
    def stops_s(self) -> float:
        """For how long."""
        return (READER_STOPS_S if READING & {*self.stopped} else STOPS_S)[self.lasts]

    @property
    def stopped(self) -> tuple[str, ...]:
        """Who is suspended."""
        return STOPPED[self.number % len(STOPPED)]

    def __str__(self) -> str:  # noqa: PLR0911 - one a kind
        match self.kind:
            case "say" | "answer" | "repeat" | "edit" | "retort":
                mood = list(MOODS)[self.mood]
                about = " about something else" if self.off else ""
                often = ", again and again" if self.kind == "say" and self.number else ""
                return f"{SENTENCES[self.kind]} as {self.username}, {mood}{about}{often}"
            case "store":
                return f"store tweet {self.number} by {self.storer}"
            case "list":
                return f"read {self.list}"
            case "odd":
                return "ask {} {}".format(*ODD_REQUESTS[self.number % len(ODD_REQUESTS)])
            case "ask_x":
                return f"ask X for {' and '.join(map(str, SERIES[self.number % len(SERIES)]))}"
            case "late":
                return f"ask once more after {LATER_S[self.lasts]:g} s"
            case "flag":
                return f"change a flag: {self.flag_changes}"
            case "stop":
                return f"stop {' and '.join(self.stopped)} for {self.stops_s:g} s"
            case "lock":
                return f"lock the account for {LOCKS_S[self.lasts]:g} s"
            case _:
                return SENTENCES[self.kind]


def choose_tweets_call(choose: Chooser) -> TweetsCall:  # noqa: PLR0911 - one a kind
    """Choose what a client does; 0 is always the simplest."""
    kind = MENU[choose(len(MENU))]
    if kind == "stop":
        return TweetsCall("stop", number=choose(len(STOPPED)), lasts=choose(len(STOPS_S)))
    if kind == "lock":
        return TweetsCall("lock", lasts=choose(len(LOCKS_S)))
    if kind in NUMBERS:
        return TweetsCall(kind, number=choose(NUMBERS[kind]))
    again = bool(choose(2))
    match kind:
        case "say" | "answer" | "repeat":
            return TweetsCall(
                kind,
                mood=_choose_mood(choose),
                # The account itself seldom says a word.
                author=max(0, choose(2 * len(AUTHORS)) - len(AUTHORS)),
                off=choose(5) == 4,  # noqa: PLR2004 - one in five
                number=_choose_number(choose, kind),
                again=again,
            )
        case "store":
            mood, number = _choose_mood(choose), choose(STORED)
            author = choose(len(STORERS))
            return TweetsCall(kind, mood=mood, author=author, number=number, again=again)
        case "edit" | "retort":
            mood, author, number = _choose_mood(choose), choose(len(AUTHORS) - 1), choose(STORED)
            return TweetsCall(kind, mood=mood, author=author, number=number, again=again)
        case "late":
            # Hours are simple to wait for, and dear to play.
            return TweetsCall(kind, lasts=max(0, choose(16) - 13))
        case "insert":
            return TweetsCall(kind, mood=_choose_mood(choose, english=True), again=again)
        case "flag":
            return TweetsCall(kind, number=choose(len(FLAG_CHANGES) ** CHANGES), again=again)
        case _:
            return TweetsCall(kind)


def _choose_number(choose: Chooser, kind: Kind) -> int:
    """Draw how much is said, or whether what answers is a quote."""
    if kind == "say":
        return max(0, choose(TALKS) - TALKS + 3)
    return choose(2) if kind == "answer" else 0


def _choose_mood(choose: Chooser, *, english: bool = False) -> int:
    """Draw a mood; only one in `english` where nobody can say in which language a text is."""
    mood = MOOD_PARTS[choose(len(MOOD_PARTS))]
    return 0 if english and list(MOODS.values())[mood].lang != "en" else mood
