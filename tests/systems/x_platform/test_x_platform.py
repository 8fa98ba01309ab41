"""The embedded X as it runs: kept by its supervisor, killed, its authors at their pace."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from actors.app import App
from actors.config import SupervisorConfig, load_config
from actors.kernel.clock import ManualClock
from actors.kernel.lifecycle import Crashed
from actors.kernel.rng import Rng
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.inline_store import InlineStore
from actors.systems.x_platform.config import XPlatformConfig
from actors.systems.x_platform.messages import (
    ACCOUNT_ID,
    AddRules,
    FindHead,
    Like,
    ListLikes,
    ListRules,
    Matched,
    NewRule,
    PostTweet,
    ReadMatches,
    XTweet,
)
from actors.systems.x_platform.system import X_PLATFORM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from actors.kernel.lifecycle import LifecycleEvent
    from actors.service.assembly import ServiceSystem, StoreType

NAME = "x_platform"
ASK_S_MAX = 100.0


class Running:
    """A started platform, alone in its system."""

    def __init__(self, system: ServiceSystem, crashes: list[LifecycleEvent]) -> None:
        self.system = system
        self.crashes = crashes

    async def ask(self, message: Any, **options: Any) -> Any:
        return await self.system.ask(NAME, message, timeout_s=ASK_S_MAX, **options)

    async def matches(self, after: int = 0) -> list[Matched]:
        found: list[Matched] = []
        while (page := await self.ask(ReadMatches(after=after, limit=1000))).matches:
            found += page.matches
            after = page.next
        return found

    async def wait_for(self, count: int, after: int = 0) -> list[Matched]:
        """Follow the stream as the edge does, until so many have come."""
        found: list[Matched] = []
        async with asyncio.timeout(ASK_S_MAX):
            while len(found) < count:
                news = self.system.committed(NAME)
                page = await self.ask(ReadMatches(after=after, limit=100))
                found += page.matches
                after = page.next
                if not page.matches:
                    await news
        return found


@contextlib.asynccontextmanager
async def running(
    folder: Path, seed: int, *, store: StoreType = InlineStore, **settings: Any
) -> AsyncIterator[Running]:
    """Run the platform in the folder; `settings` replace [x_platform]'s."""
    silent = {"tweets_per_s": 0.0, "keywords": ("cat",), **settings}
    config = load_config(systems=[X_PLATFORM]).changed(XPlatformConfig, **silent)
    crashes: list[LifecycleEvent] = []

    def note(event: LifecycleEvent) -> None:
        if isinstance(event, Crashed) and not event.killed:
            crashes.append(event)

    app = App(
        [X_PLATFORM],
        config.changed(SupervisorConfig, backoff_s_max=0.002),
        data_dir=folder,
        clock=ManualClock(),
        rng=Rng(seed),
        store=store,
        simulated=True,
        heard=note,
    )
    system = app.tree
    await system.start()
    try:
        yield Running(system, crashes)
    finally:
        await system.stop()
    assert crashes == []


async def test_a_killed_platform_loses_nothing_it_has_acknowledged(
    tmp_path: Path, seed: int
) -> None:
    """Tweets from many sides, killed again and again: each answered one is in the stream, once."""
    rng = Rng(seed)
    async with running(tmp_path, seed, store=AiosqliteStore) as x:
        added = await x.ask(AddRules(rules=(NewRule(value="cat", tag="t"), NewRule(value="-a"))))
        (cat,) = added.created
        answered: list[XTweet] = []

        async def tweet(worker: int) -> None:
            for number in range(40):
                text = f"cat {worker} {number}"
                posted = await x.ask(PostTweet(author_id=ACCOUNT_ID, text=text), key=text)
                assert isinstance(posted, XTweet), posted
                answered.append(posted)

        kills = 0

        async def kill() -> None:
            nonlocal kills
            while True:
                for _ in range(rng.randint(1, 4)):
                    await x.system.committed(NAME)
                for _ in range(rng.randint(0, 5)):
                    await asyncio.sleep(0)
                x.system.kill(NAME)
                kills += 1

        killer = asyncio.ensure_future(kill())
        await asyncio.gather(*[tweet(worker) for worker in range(6)])
        killer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await killer
        assert kills >= 5
        found = await x.matches()
        assert len(answered) == 240
        assert [match.tweet for match in found] == sorted(answered, key=lambda each: int(each.id))
        assert {match.rules for match in found} == {(cat,)}
        assert (await x.ask(ListRules())).rules == (cat,)


async def test_rules_likes_and_places_stand_after_a_kill(tmp_path: Path, seed: int) -> None:
    """And the next incarnation matches by the same rules."""
    async with running(tmp_path, seed) as x:
        await x.ask(AddRules(rules=(NewRule(value="cat"),)))
        first = await x.ask(PostTweet(author_id=ACCOUNT_ID, text="cat 1"))
        await x.ask(Like(user_id=ACCOUNT_ID, tweet_id=first.id))
        head = (await x.ask(FindHead())).seq
        x.system.kill(NAME)
        second = await x.ask(PostTweet(author_id=ACCOUNT_ID, text="cat 2"))
        assert [match.tweet for match in await x.matches(head)] == [second]
        assert (await x.ask(ListLikes(user_id=ACCOUNT_ID))).tweets == (first,)
        again = await x.ask(PostTweet(author_id=ACCOUNT_ID, text="cat 1"))
        assert again.kind == "conflict"


@pytest.mark.real_time
async def test_authors_tweet_by_themselves_and_go_on_after_a_kill(
    tmp_path: Path, seed: int
) -> None:
    """Who waits for the stream's next commit hears of each tweet."""
    async with running(tmp_path, seed, tweets_per_s=500.0, keyword_share=1.0) as x:
        await x.ask(AddRules(rules=(NewRule(value="cat"),)))
        before = await x.wait_for(20)
        x.system.kill(NAME)
        after = await x.wait_for(20, before[-1].seq)
        assert len({match.seq for match in before + after}) == len(before + after)


async def test_no_authors_no_tweets(tmp_path: Path, seed: int) -> None:
    """At a rate of 0 the platform is quiet, and that is no crash."""
    async with running(tmp_path, seed, tweets_per_s=0.0) as x:
        head = await x.ask(FindHead())
        for _ in range(20):
            await asyncio.sleep(0)
        assert await x.ask(FindHead()) == head


@pytest.mark.real_time
async def test_a_suspended_platform_owes_no_tweets(tmp_path: Path, seed: int) -> None:
    """What its authors could not say meanwhile is at most what they were about to say."""
    async with running(tmp_path, seed, tweets_per_s=200.0, keyword_share=1.0) as x:
        await x.ask(AddRules(rules=(NewRule(value="cat"),)))
        await x.wait_for(4)
        x.system.suspend(NAME)
        await asyncio.sleep(0.2)
        (platform,) = [each for each in x.system.actors() if each.name == NAME]
        assert platform.mailbox_depth <= 2
        x.system.resume(NAME)
        await x.wait_for(10, (await x.ask(FindHead())).seq)
