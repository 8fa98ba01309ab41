"""What may happen to a brand monitor: the steps of a script, and how Hypothesis writes one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from actors.systems.tweets.messages import StoreTweet
from actors.systems.x_platform.messages import ACCOUNT_USERNAME, TweetAs, XTweet
from tests.systems.fate import Death
from tests.systems.tweets.brand_monitor import (
    ACTORS,
    BLAME,
    FACT,
    FOREIGN,
    IRONY,
    NAMES,
    PRAISE,
    RANT,
)
from tests.systems.tweets.faulty_x import FAULTS, Fault

if TYPE_CHECKING:
    from tests.systems.tweets.crowd import Crowd

# A next attempt; X's next count; a tweet that X has sent long ago is forgotten.
JUMPS_S = [31.0, 61.0, 2 * 86_400.0]
AUTHORS = ["ann", "bob", ACCOUNT_USERNAME]


class Step(msgspec.Struct, frozen=True):
    """One thing that happens; numbers are taken modulo what there is."""

    async def do(self, crowd: Crowd) -> None:
        raise NotImplementedError


class Tweet(Step, frozen=True):
    """A text that X has not seen, for it is numbered."""

    author: str
    text: str

    async def do(self, crowd: Crowd) -> None:
        text = f"{self.text} {len(crowd.requests)}"
        lang = "de" if self.text == FOREIGN else "en"
        crowd.request("x_platform", TweetAs(username=self.author, text=text, lang=lang))


class Retweet(Step, frozen=True):
    which: int

    async def do(self, crowd: Crowd) -> None:
        if tweets := crowd.tweets():
            tweet = tweets[self.which % len(tweets)]
            username = f"fan{len(crowd.requests)}"
            message = TweetAs(username=username, text="-", retweet_tweet_id=tweet.id)
            crowd.request("x_platform", message)


class Edit(Step, frozen=True):
    """Another version of a tweet; X may have none of it."""

    which: int
    text: str

    async def do(self, crowd: Crowd) -> None:
        tweeted = [each for each in crowd.requests if isinstance(each.message, TweetAs)]
        if answered := [each for each in tweeted if each.answers]:
            request = answered[self.which % len(answered)]
            tweet = request.answers[0]
            if isinstance(tweet, XTweet):
                text = f"{self.text} {len(crowd.requests)}"
                message = TweetAs(username=request.message.username, text=text, edits=tweet.id)
                crowd.request("x_platform", message)


class Retort(Step, frozen=True):
    """A bot answers our latest answer, or quotes it."""

    quotes: bool

    async def do(self, crowd: Crowd) -> None:
        if posted := crowd.monitor.x.posted:
            field = "quote_tweet_id" if self.quotes else "in_reply_to_tweet_id"
            text = f"{PRAISE} {len(crowd.requests)}"
            to: dict[str, Any] = {field: posted[-1]}
            message = TweetAs(username="bot", text=text, **to)
            crowd.request("x_platform", message)


class Insert(Step, frozen=True):
    """By the API, with an id of its own, or one that others use as well, or none."""

    text: str
    number: int | None

    async def do(self, crowd: Crowd) -> None:
        external_id = None if self.number is None else f"e{self.number}"
        message = StoreTweet(author="eve", text=self.text, external_id=external_id)
        crowd.request("tweets", message)


class Again(Step, frozen=True):
    """The same request with the same key."""

    which: int

    async def do(self, crowd: Crowd) -> None:
        if crowd.requests:
            crowd.send(crowd.requests[self.which % len(crowd.requests)])


class Follow(Step, frozen=True):
    async def do(self, crowd: Crowd) -> None:
        crowd.follow()


class Befall(Step, frozen=True):
    """The next requests to X go wrong."""

    faults: tuple[Fault | None, ...]

    async def do(self, crowd: Crowd) -> None:
        crowd.monitor.x.faults.extend(self.faults)


class Signal(Step, frozen=True):
    signal: str
    actor: str

    async def do(self, crowd: Crowd) -> None:
        getattr(crowd.monitor.system, self.signal)(self.actor)


class Jump(Step, frozen=True):
    seconds: float

    async def do(self, crowd: Crowd) -> None:
        crowd.monitor.clock.advance(self.seconds)


class Wait(Step, frozen=True):
    """For the runtime's own timers, of a millisecond or two."""

    async def do(self, crowd: Crowd) -> None:
        await asyncio.sleep(0.003)


class Doom(Step, frozen=True):
    """The service, or all of the process, dies with a commit of the service that is to come."""

    service: str
    commits: int
    death: Death

    async def do(self, crowd: Crowd) -> None:
        crowd.fate.dooms[self.service] = (self.commits, self.death)


class Die(Step, frozen=True):
    async def do(self, crowd: Crowd) -> None:
        await crowd.end_process()


# --- Scripts ---------------------------------------------------------------------------------

texts = st.sampled_from([PRAISE, PRAISE, BLAME, FACT, FOREIGN, IRONY, RANT])
tweets = st.builds(Tweet, author=st.sampled_from(AUTHORS), text=texts)
signals = st.builds(
    Signal,
    st.sampled_from(["kill", "kill", "suspend", "resume", "restart"]),
    st.sampled_from(ACTORS),
)
dooms = st.builds(
    Doom,
    service=st.sampled_from(NAMES),
    commits=st.integers(0, 3),
    death=st.builds(Death, after=st.booleans(), process=st.sampled_from([False, False, True])),
)
# Seldom so many that an effect gives up.
faults = st.lists(st.sampled_from([None, *FAULTS]), min_size=1, max_size=4).map(tuple)
steps = st.one_of(
    tweets,
    tweets,
    st.builds(Follow),
    st.builds(Follow),
    st.builds(Retweet, which=st.integers(0, 9)),
    st.builds(Edit, which=st.integers(0, 9), text=texts),
    st.builds(Retort, quotes=st.booleans()),
    st.builds(Insert, text=texts, number=st.sampled_from([None, 0, 1])),
    st.builds(Again, which=st.integers(0, 9)),
    st.builds(Befall, faults),
    st.builds(Befall, faults),
    st.builds(Befall, st.sampled_from(FAULTS).map(lambda fault: (fault,) * 12)),
    signals,
    signals,
    st.builds(Jump, st.sampled_from(JUMPS_S)),
    st.builds(Wait),
    st.builds(Die),
    dooms,
    dooms,
)
# A tweet has gone all its ways in some sixty turns.
scripts = st.lists(
    st.tuples(st.lists(steps, min_size=1, max_size=8), st.integers(0, 60)), min_size=1, max_size=12
)
Script = list[tuple[list[Step], int]]
