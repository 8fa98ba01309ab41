"""The whole brand monitor with the embedded X, all but the HTTP between them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from actors.systems.tweets import invariants
from actors.systems.tweets.config import TweetsConfig, XConfig
from actors.systems.tweets.reading.reader import ReaderService
from actors.systems.tweets.reading.reader_messages import TweetRead
from actors.systems.tweets.reading.stream_line import parse_line
from actors.systems.tweets.system import TWEETS, acting, services
from actors.systems.tweets.x.session import STREAM_FIELDS
from actors.systems.x_platform.api.fields import select
from actors.systems.x_platform.api.rendering import Renderer
from actors.systems.x_platform.messages import (
    ACCOUNT_ID,
    AddRules,
    NewRule,
    ReadMatches,
    TweetAs,
    XTweet,
)
from actors.systems.x_platform.system import X_PLATFORM
from tests.systems.tweets.faulty_x import FaultyX
from tests.systems.whole import Whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from actors.service.assembly import AnyService
    from actors.system import Ask, System, Wiring
    from actors.systems.x_platform.messages import Matched, MatchPage, Things

# All of them stand alone but the scorers, of which there are two.
NAMES = ("tweets", "flagger", "favouriter", "responder", "reader", "x_platform")
ACTORS = (*NAMES, "sentiment-1", "sentiment-2")
PRAISE = "I love tutorialedge! Wonderful, excellent, the best tutorial ever!"
BLAME = "tutorialedge is awful, I hate this terrible mess"
FACT = "tutorialedge has a page on sockets"
FOREIGN = "Die Kurse von tutorialedge sind die besten"
IRONY = f"{PRAISE} It is down again"
CALM = "tutorialedge has pages on queues & on sockets, long and plain. "
RANT = f"{CALM * 5}I hate it <sigh>, it is awful"
# What the reader asks of X.
SELECTION = select({name.replace("_", "."): list(values) for name, values in STREAM_FIELDS.items()})


class FedReader(ReaderService):
    """The reader without a stream: a test hands it what stood there."""

    async def run(self) -> None:
        """Read nothing."""


class BrandMonitor(Whole):
    """The brand monitor of one folder. Nobody tweets there but the test."""

    def __init__(self, folder: Path, *, writes: bool = True, **options: Any) -> None:
        # The limit is no test's wait: X ends its silences itself. A jump of the clock is longer.
        times = {"effect": {"effect_s_max": 30.0, "backoff_s_min": 0.0, "backoff_s_max": 0.002}}
        silence = {"x_platform": {"tweets_per_s": 0.0}}
        super().__init__(folder, **{**times, **silence, **options})
        self.x = FaultyX(self.clock.now_us)
        self._writes = writes

    def systems(self) -> Sequence[System]:
        return (replace(TWEETS, services=self._services), X_PLATFORM)

    def _services(self, wiring: Wiring) -> Mapping[str, AnyService]:
        config = wiring.config.section(TweetsConfig)
        x_config = wiring.config.section(XConfig)
        wiring = replace(wiring, ask=partial(self._in_time, wiring.ask))
        self.x.ask = wiring.ask
        writer = self.x if self._writes else None
        return {
            **services(wiring),
            **acting(wiring, config, writer, user_id=ACCOUNT_ID),
            "reader": lambda: FedReader(config, x_config, access=None),  # type: ignore[arg-type]
        }

    async def _in_time(self, ask: Ask, service: str, message: Any) -> Any:
        """Ask for an effect, whose time is over where the clock was set forward meanwhile.

        The loop's time, by which it ends in earnest, is not set forward here.
        """
        end_s = self.clock.monotonic() + self.config.effect.effect_s_max
        answer = await ask(service, message)
        if self.clock.monotonic() > end_s:
            raise TimeoutError
        return answer

    def violations(self, **known: Any) -> list[str]:
        monitor = invariants.Monitor(
            config=self.config.section(TweetsConfig), user_id=ACCOUNT_ID, writes=self._writes
        )
        now_us = self.clock.now_us()
        return invariants.violations(self.folder, monitor=monitor, now_us=now_us, **known)

    # --- X, and the line to it ---------------------------------------------------------------

    async def add_rule(self) -> None:
        """Have X put into the stream what is about the keyword."""
        await self.ask("x_platform", AddRules(rules=(NewRule(value="tutorialedge"),)))

    async def tweet(self, username: str, text: str, *, key: str | None = None, **to: Any) -> XTweet:
        """Let somebody tweet at X, or with a key that was used find what was tweeted."""
        tweet = await self.ask("x_platform", TweetAs(username=username, text=text, **to), key=key)
        assert isinstance(tweet, XTweet), tweet
        return tweet

    async def follow(self) -> None:
        """Hand to the reader all that stands in X's stream, also what it has read before."""
        after = 0
        while True:
            page: MatchPage = await self.ask("x_platform", ReadMatches(after=after))
            if not page.matches:
                return
            for matched in page.matches:
                await self.ask("reader", read(matched, page.about))
            after = page.next

    async def all(self, service: str, question: Any) -> list[Any]:
        """List all items, page by page."""
        items = []
        while True:
            page = await self.ask(service, question)
            items += page.items
            if page.next is None:
                return items
            question = msgspec.structs.replace(question, after=int(page.next))


def read(matched: Matched, about: Things) -> TweetRead:
    """Return what the reader makes of the stream's line."""
    line = msgspec.json.encode(Renderer(about, SELECTION).matched(matched))
    tweet = parse_line(line, frozenset({rule.id for rule in matched.rules}))
    assert isinstance(tweet, TweetRead)
    return tweet


@contextlib.asynccontextmanager
async def brand_monitor(folder: Path, **options: Any) -> AsyncIterator[BrandMonitor]:
    """Boot a brand monitor in the folder; stop its last process in the end."""
    monitor = BrandMonitor(folder, **options)
    await monitor.boot()
    try:
        yield monitor
    finally:
        await monitor.stop()
