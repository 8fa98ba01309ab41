"""A death at every commit of a tweet's way, one after the other: it goes on, and the books agree.

The way is gone once to count the commits of all services on it. Then it is gone again for each of
them, and at that commit, just before it or just after it and before anybody hears of it, the
service dies, or the process with all services. X itself does not die: it is somebody else's.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from actors.service.stateless.inline_runner import InlineRunner
from actors.service.stateless.thread_runner import ThreadRunner
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.inline_store import InlineStore
from actors.systems.tweets.messages import ListActions, ListFlags, ListTweets
from tests.systems.fate import Death, Fate
from tests.systems.tweets.brand_monitor import BLAME, PRAISE, BrandMonitor, brand_monitor
from tests.systems.whole import copy_files, outlive

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _pytest.mark import ParameterSet

    from tests.systems.tweets.faulty_x import Fault


class Way(NamedTuple):
    """What is tweeted, what befalls the requests to X, and how it ends.

    It takes so many commits of all services, or `more`: requests to X may share one there, as may
    the notes of attempts, of which there are as many as chance has them.
    """

    texts: tuple[str, ...]
    end: str
    commits: int
    faults: tuple[Fault | None, ...] = ()
    blocks: bool = False
    more: int = 2


WAYS = {
    "both": Way((PRAISE, BLAME), "2 tweets, 1 flags, done, done, done", 13, more=8),
    "answers lost": Way(
        (PRAISE,), "1 tweets, 0 flags, done, done", 12, ("answer lost", "answer lost")
    ),
    "given up": Way((PRAISE,), "1 tweets, 0 flags, done, done", 15, ("not made",) * 10, more=10),
    "busy": Way((PRAISE,), "1 tweets, 0 flags, done, done", 13, ("busy", "busy"), more=3),
    "blocked": Way((PRAISE,), "1 tweets, 0 flags, refused, refused", 8, blocks=True),
}
STORES: Mapping[str, dict[str, Any]] = {
    "inline": {"kind": InlineStore, "runner": InlineRunner},
    "threads": {"kind": AiosqliteStore, "runner": ThreadRunner},
}


async def go(
    name: str, prepared: Path, store: str, deaths: dict[int, Death] | None = None
) -> tuple[Fate, str]:
    """Go that way with these deaths, check everything; return what came of it."""
    way, fate = WAYS[name], Fate()
    fate.at = deaths or {}
    parts = dict(STORES[store])
    with tempfile.TemporaryDirectory() as folder:
        copy_files(prepared, Path(folder))
        made = fate.store(parts.pop("kind"))
        monitor = BrandMonitor(Path(folder), store=made, fate=fate, **parts)
        await monitor.boot()
        try:
            await monitor.settle()
            for number, text in enumerate(way.texts):
                tweet = await monitor.tweet("ann", text, key=f"k{number}")
                if way.blocks:
                    monitor.x.blocks = {tweet.id}.__contains__
            monitor.x.faults.extend(way.faults)
            fate.counts = True

            async def act() -> None:
                await monitor.follow()
                await monitor.run_out()

            await outlive(monitor, fate, act)
            fate.counts = False
            monitor.check()
            # All of the stream comes once more.
            await act()
            monitor.check()
            return fate, await summary(monitor)
        finally:
            await monitor.stop()


async def summary(monitor: BrandMonitor) -> str:
    tweets = await monitor.all("tweets", ListTweets(limit=9))
    flags = await monitor.all("flagger", ListFlags(limit=9))
    parts = [f"{len(tweets)} tweets, {len(flags)} flags"]
    for service in ("favouriter", "responder"):
        actions = await monitor.all(service, ListActions(limit=9))
        parts += [each.status for each in actions]
    return ", ".join(parts)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to begin with: migrations at every death would take most of the time."""
    folder = tmp_path_factory.mktemp("prepared")

    async def prepare() -> None:
        async with brand_monitor(folder) as monitor:
            await monitor.add_rule()
            await monitor.settle()

    asyncio.run(prepare())
    return folder


async def die_everywhere(
    name: str, prepared: Path, store: str, death: Death, *, first: int, every: int
) -> int:
    """Go that way with a death at each of its commits from `first` on; return how many it has.

    Or at every second or third, then. The last run goes past them all: nobody dies in it.
    """
    at = first
    while True:
        try:
            fate, end = await go(name, prepared, store, {at: death})
            assert end == WAYS[name].end
        except BaseException as error:
            error.add_note(f"at commit {at} (of all services, from 0): {death}")
            raise
        if fate.at:  # the way was over before
            return len(fate.commits)
        at += every


DEATHS = {
    "service, before": Death(after=False, process=False),
    "service, after": Death(after=True, process=False),
    "process, before": Death(after=False, process=True),
    "process, after": Death(after=True, process=True),
}
# Just before a commit the process leaves the files that it left just after the commit before. And
# one service's death differs by its neighbours, who live on: the first way has all of them, and the
# last what no other comes to. A busy X is left to the long tests: what is given up is tried more.
# All commits are gone through on the first way alone, and every sixth of what else there is: which
# ones, the run's seed says.
INLINE = [
    ("both", "process, after", 0, 1),
    *((name, "process, after", 0, 6) for name in WAYS if name not in {"both", "busy"}),
    *((name, death, 0, 6) for name in ("both", "blocked") for death in list(DEATHS)[:2]),
]
# Where threads differ from what runs in place: what is under way elsewhere when the death comes.
ON_THREADS = [("both", "process, before", 0, 4)]


def also_long(short: list[tuple[str, str, int, int]], names: Iterable[str]) -> list[ParameterSet]:
    """Every way with every death at all commits, and the `short` ones as they say.

    What is not `short` is left to the long tests.
    """
    every = [(name, death, 0, 1) for name in names for death in DEATHS]
    return [
        pytest.param(*each, marks=[] if each in short else pytest.mark.long)
        for each in dict.fromkeys([*short, *every])
    ]


@pytest.mark.parametrize("name", WAYS)
async def test_way_has_about_so_many_commits(prepared: Path, name: str) -> None:
    """What the tests below go through; on a busy machine more of them, or fewer, share one."""
    fate, end = await go(name, prepared, "inline")
    assert end == WAYS[name].end
    way = WAYS[name]
    assert abs(len(fate.commits) - way.commits) <= way.commits // 2 + way.more, fate.commits


@pytest.mark.parametrize(("name", "death", "first", "every"), also_long(INLINE, WAYS))
async def test_death_at_any_commit_changes_nothing(
    prepared: Path, seed: int, name: str, death: str, first: int, every: int
) -> None:
    """Each tweet is stored, scored, flagged, liked and answered as if nothing had been."""
    fate, first = DEATHS[death], first + seed % every
    commits = await die_everywhere(name, prepared, "inline", fate, first=first, every=every)
    assert commits >= WAYS[name].commits // 2


@pytest.mark.parametrize(
    ("name", "death", "first", "every"), also_long(ON_THREADS, ["both", "answers lost"])
)
async def test_death_at_any_commit_changes_nothing_on_threads(
    prepared: Path, name: str, death: str, first: int, every: int
) -> None:
    """The same on the store of a running system."""
    fate = DEATHS[death]
    commits = await die_everywhere(name, prepared, "threads", fate, first=first, every=every)
    # They may hold what are two on an inline store.
    assert commits >= 7
