"""The filtered stream: in order, from any place, with what belongs to it, and pruned behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.systems.x_platform.messages import (
    ACCOUNT_ID,
    DeleteRules,
    PostTweet,
    ReadMatches,
)
from tests.systems.x_platform.platform_stage import platform

if TYPE_CHECKING:
    from pathlib import Path

DAYS_400_S = 400 * 86_400.0


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
async def test_every_match_is_read_once_in_order(tmp_path: Path, limit: int) -> None:
    """In pages of any size, and nothing that does not match."""
    async with platform(tmp_path) as x:
        await x.add("cat")
        await x.on.send(
            *[
                PostTweet(author_id=ACCOUNT_ID, text=f"{'cat' if number % 3 else 'dog'} {number}")
                for number in range(10)
            ]
        )
        found = await x.matches(limit=limit)
        assert [match.tweet.text for match in found] == [
            f"cat {number}" for number in range(10) if number % 3
        ]
        assert [match.seq for match in found] == sorted({match.seq for match in found})
        middle = found[2].seq
        assert await x.matches(middle, limit=limit) == found[3:]
        assert (await x.ask(ReadMatches(after=2**63 - 1))).next == 2**63 - 1


async def test_a_page_brings_what_its_tweets_refer_to(tmp_path: Path) -> None:
    """Tweets answered and quoted, their authors, who is answered, and who is mentioned."""
    async with platform(tmp_path) as x:
        first = await x.tweet("ada", "hello @eve")
        await x.tweet("eve", "I am here")
        second = await x.tweet("bob", "a quote of mine")
        await x.add("cat")
        reply = await x.tweet("carl", "cat @Dan @eve", in_reply_to_tweet_id=first.id)
        quote = await x.ask(PostTweet(author_id=ACCOUNT_ID, text="cat", quote_tweet_id=second.id))
        page = await x.ask(ReadMatches(after=0))
        assert [match.tweet for match in page.matches] == [reply, quote]
        assert set(page.about.tweets) == {first, second}
        named = {user.username for user in page.about.users}
        assert named == {"carl", "ada", "eve", "dressrehearsal", "bob"}


async def test_a_stream_that_begins_now_has_no_past(tmp_path: Path) -> None:
    """And misses nothing that comes after."""
    async with platform(tmp_path) as x:
        assert await x.matches(await x.head()) == []
        await x.add("cat")
        await x.tweet("ada", "cat 1")
        head = await x.head()
        assert await x.matches(head) == []
        await x.tweet("ada", "cat 2")
        assert [match.tweet.text for match in await x.matches(head)] == ["cat 2"]


async def test_backfill_reaches_back_as_far_as_it_may(tmp_path: Path) -> None:
    """What was tweeted from then on, no further than backfill_minutes_max, never beyond now."""
    async with platform(tmp_path, backfill_minutes_max=2) as x:
        await x.add("cat")
        began = x.clock.now_us()
        for minute in range(6):
            await x.tweet("ada", f"cat {minute}")
            x.clock.advance(60.0)

        async def since(us: int) -> list[str]:
            return [match.tweet.text[-1] for match in await x.matches(await x.head(us))]

        assert await since(began + 5 * 60_000_000) == ["5"]
        assert await since(began + 4 * 60_000_000) == ["4", "5"]
        assert await since(began + 4 * 60_000_000 + 1000) == ["5"]
        assert await since(began) == ["4", "5"]
        assert await since(-(2**62)) == ["4", "5"]
        assert await since(2**62) == []
        assert await x.head(2**62) == await x.head()


async def test_without_backfill_a_stream_begins_now(tmp_path: Path) -> None:
    """Whatever is asked for."""
    async with platform(tmp_path, backfill_minutes_max=0) as x:
        await x.add("cat")
        await x.tweet("ada", "cat")
        assert await x.head(x.clock.now_us()) == await x.head()


async def test_the_past_is_forgotten_and_places_stay(tmp_path: Path) -> None:
    """Matches older than matches_kept_s go; a place among them is then before those that stay."""
    async with platform(tmp_path, matches_kept_s=100.0, recovery_s_max=100.0) as x:
        (cat,) = await x.add("cat")
        for number in range(5):
            await x.tweet("ada", f"cat {number}")
            x.clock.advance(40.0)
        assert [match.tweet.text for match in await x.matches()] == ["cat 2", "cat 3", "cat 4"]
        x.clock.advance(1000.0)
        await x.tweet("ada", "cat 5")
        (last,) = await x.matches()
        await x.ask(DeleteRules(ids=(cat.id,)))
        assert [match.rules for match in await x.matches()] == [(cat,)]
        assert x.on.rows("SELECT count(*) AS n FROM rule") == [{"n": 1}]
        x.clock.advance(1000.0)
        await x.ask(DeleteRules())
        assert x.on.rows("SELECT count(*) AS n FROM rule") == [{"n": 0}]
        assert await x.matches() == []
        assert await x.head() >= last.seq


async def test_a_clock_that_was_ahead_keeps_nothing_for_ever(tmp_path: Path) -> None:
    """400 days ahead and put back: the stream's past and its rules go after matches_kept_s."""
    async with platform(tmp_path, matches_kept_s=100.0, recovery_s_max=100.0) as x:
        (old, *_) = await x.add("old", "cat")
        for step_s, name in ((DAYS_400_S, "ahead"), (-DAYS_400_S, "back"), (0.0, "later")):
            x.clock.step(step_s)
            for number in range(12):
                await x.tweet("ada", f"cat {name} {number}")
                x.clock.advance(10.0)
            if name == "ahead":
                await x.ask(DeleteRules(ids=(old.id,)))
            if name == "back":
                # What the clock had dated ahead counts as of when it was put back, and is going.
                assert len(await x.matches()) <= 12 + 10
        texts = [match.tweet.text for match in await x.matches()]
        assert texts == [f"cat later {number}" for number in range(1, 12)]
        await x.ask(DeleteRules())
        x.clock.advance(101.0)
        await x.ask(DeleteRules())
        assert x.on.rows("SELECT count(*) AS n FROM rule WHERE deleted_us NOT NULL") == [{"n": 0}]


async def test_the_stream_survives_the_process(tmp_path: Path) -> None:
    """Rules, matches and places are the file's."""
    async with platform(tmp_path) as x:
        await x.add("cat")
        await x.tweet("ada", "cat 1")
        found, head = await x.matches(), await x.head()
        clock = x.clock
    async with platform(tmp_path, clock=clock) as x:
        assert (await x.matches(), await x.head()) == (found, head)
        await x.tweet("ada", "cat 2")
        assert [match.tweet.text for match in await x.matches(head)] == ["cat 2"]
