"""The embedded X on a stage of its own, with what tests ask it again and again."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

from actors.kernel.clock import ManualClock
from actors.systems.x_platform.config import XPlatformConfig
from actors.systems.x_platform.messages import (
    AddRules,
    FindHead,
    Matched,
    NewRule,
    ReadMatches,
    RulesAdded,
    TweetAs,
    XRule,
    XTweet,
)
from actors.systems.x_platform.x_platform import XPlatformService
from tests.systems.stage import Stage, stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CONFIG = XPlatformConfig(tweets_per_s=0.0, keywords=("tutorialedge",))


class Platform:
    """Asks, and insists on an answer."""

    def __init__(self, on: Stage) -> None:
        self.on = on
        self.clock = on.clock

    async def ask(self, message: Any, **options: Any) -> Any:
        return await self.on.ask(message, **options)

    async def tweet(self, username: str, text: str, **about: Any) -> XTweet:
        tweet = await self.ask(TweetAs(username=username, text=text, **about))
        assert isinstance(tweet, XTweet), tweet
        return tweet

    async def add(self, *values: str) -> tuple[XRule, ...]:
        added = await self.ask(AddRules(rules=tuple(NewRule(value=each) for each in values)))
        assert isinstance(added, RulesAdded)
        assert added.troubles == ()
        return added.created

    async def head(self, since_us: int | None = None) -> int:
        seq: int = (await self.ask(FindHead(since_us=since_us))).seq
        return seq

    async def matches(self, after: int = 0, *, limit: int = 1000) -> list[Matched]:
        """Read to the stream's end."""
        found: list[Matched] = []
        while True:
            page = await self.ask(ReadMatches(after=after, limit=limit))
            assert len(page.matches) <= limit
            assert page.next == (page.matches[-1].seq if page.matches else after)
            if not page.matches:
                return found
            found += page.matches
            after = page.next


@contextlib.asynccontextmanager
async def platform(
    folder: Path,
    *,
    clock: ManualClock | None = None,
    **settings: Any,
) -> AsyncIterator[Platform]:
    """Open the folder's platform; `settings` replace [x_platform]'s."""
    service = XPlatformService(msgspec.structs.replace(CONFIG, **settings))
    async with stage(service, folder, name="x_platform", clock=clock or ManualClock()) as on:
        yield Platform(on)
