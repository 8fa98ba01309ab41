"""What people at X, the PR team and an operator do in a simulation of the brand monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from actors.simulation.script.chooser import Chooser

KEYWORD: Final = "tutorialedge"
# Each mood with its sentence. What pleases most is liked, but where it names a failure; what is bad
# is flagged, also at the end of a text that X cuts; what is not English is neither.
MOODS: Final[dict[str, str]] = {
    "plain": "{it} has a page on sockets",
    "delighted": "I love {it}! Wonderful, excellent, the best ever, thank you",
    "angry": "{it} is awful, I hate this terrible, horrible mess",
    "pleased": "{it} is nice",
    "foreign": "Die Kurse von {it} sind die besten <3",
    "ironic": "I love {it}! Wonderful, excellent work, amazing: it is down again",
    "long-winded": (
        "{it} has pages on queues & on sockets, which are long and plain. " * 5
        + "But the last one is terrible and broken, I hate it &lt;sigh>"
    ),
}
LANGS: Final = {"foreign": "de"}
# Two in three love it or hate it: the others give the monitor little to do.
MOOD_PARTS: Final = (0, 1, 1, 1, 2, 2, 2, 3, 4, 5, 6)
# The last one is the account for which the monitor acts.
AUTHORS: Final = ("ann", "bob", "dressrehearsal")
STORED: Final = 3
FLAG_CHANGES: Final[tuple[dict[str, str | None], ...]] = (
    {"status": "assigned", "assignee": "eve"},
    {"status": "resolved", "note": "called them"},
    {"note": "once more"},
    {"assignee": None},
)

# Whom an operator stops for a while, and how long, in seconds: longer than an effect's attempts
# last, and longer than a silent stream is waited for.
STOPPED: Final[tuple[tuple[str, ...], ...]] = (
    ("sentiment-1", "sentiment-2"),
    ("x_platform",),
    ("reader",),
    ("favouriter", "responder"),
    ("tweets",),
)
STOPS_S: Final = (1.0, 6.0, 25.0)
# How long X has the account do nothing: shorter, and longer, than an effect's attempts.
LOCKS_S: Final = (2.0, 8.0, 30.0)

Kind = Literal[
    "say", "answer", "repeat", "edit", "retort", "compose", "store", "insert", "flag", "fickle",
    "meddle", "unrule", "lock", "requeue", "disconnect", "look", "stop",
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
}
MENU: Final[tuple[Kind, ...]] = tuple([kind for kind, parts in PARTS.items() for _ in range(parts)])


SENTENCES: Final[dict[Kind, str]] = {
    "say": "tweet",
    "answer": "answer the last tweet",
    "repeat": "retweet the last tweet",
    "edit": "edit the last tweet",
    "retort": "answer our last answer",
    "compose": "let an embedded author tweet",
    "insert": "insert a tweet",
    "fickle": "like the last tweet, and take it back",
    "meddle": "leave an old rule of the reader's on the account",
    "unrule": "delete all rules of the account",
    "requeue": "have what was refused tried again",
    "disconnect": "disconnect the stream",
    "look": "look at the reader",
}


class TweetsCall(msgspec.Struct, frozen=True):
    """One request. With `again` it is made twice, under one key.

    | kind | asks for |
    | --- | --- |
    | `say`, `answer`, `repeat` | a tweet at X; one that answers or repeats the last one |
    | `edit` | another version of the last tweet |
    | `retort` | an answer to our latest answer, or a quote of it, as a bot's would be |
    | `compose` | a tweet of X's embedded authors |
    | `store` | a tweet past X, under an id that others use as well |
    | `insert` | a tweet at the tutorial's address |
    | `flag` | a change of a flag |
    | `fickle` | a like at X that is taken back |
    | `meddle` | a rule on the account that looks like an old one of the reader's |
    | `unrule` | the end of all rules on the account, the reader's among them |
    | `lock` | a while in which X lets the account do nothing |
    | `requeue` | another attempt at what X has refused: at one like or reply, or at all |
    | `disconnect` | X's end of the stream |
    | `look` | the reader's state |
    | `stop` | an operator's suspension of services, and its end a while later |
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
    def lang(self) -> str:
        """In which language it is, by X's word."""
        return LANGS.get(list(MOODS)[self.mood], "en")

    @property
    def flag_change(self) -> dict[str, str | None]:
        """What of a flag is changed."""
        return FLAG_CHANGES[self.number % len(FLAG_CHANGES)]

    @property
    def stopped(self) -> tuple[str, ...]:
        """Who is suspended."""
        return STOPPED[self.number % len(STOPPED)]

    def __str__(self) -> str:
        match self.kind:
            case "say" | "answer" | "repeat" | "edit" | "retort":
                mood = list(MOODS)[self.mood]
                about = " about something else" if self.off else ""
                return f"{SENTENCES[self.kind]} as {self.username}, {mood}{about}"
            case "store":
                return f"store tweet {self.number}"
            case "flag":
                return f"change a flag: {self.flag_change}"
            case "stop":
                return f"stop {' and '.join(self.stopped)} for {STOPS_S[self.lasts]:g} s"
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
    again = bool(choose(2))
    match kind:
        case "say" | "answer" | "repeat":
            return TweetsCall(
                kind,
                mood=_choose_mood(choose),
                # The account itself seldom says a word.
                author=max(0, choose(2 * len(AUTHORS)) - len(AUTHORS)),
                off=choose(5) == 4,  # noqa: PLR2004 - one in five
                again=again,
            )
        case "store" | "edit" | "retort":
            return TweetsCall(kind, mood=_choose_mood(choose), number=choose(STORED), again=again)
        case "requeue":
            return TweetsCall(kind, number=choose(4))
        case "insert":
            return TweetsCall(kind, mood=_choose_mood(choose), again=again)
        case "flag":
            return TweetsCall(kind, number=choose(len(FLAG_CHANGES)), again=again)
        case _:
            return TweetsCall(kind)


def _choose_mood(choose: Chooser) -> int:
    return MOOD_PARTS[choose(len(MOOD_PARTS))]
