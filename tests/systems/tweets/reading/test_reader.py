"""The reader against an X that keeps to its manual: rules, tweets, backfill, its own restarts."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from actors.systems.tweets.x.x_errors import OutsideAddress
from tests.systems.tweets.reading.reading_stage import CREDENTIALS, ShiftedClock, reading
from tests.systems.tweets.rough_x import RULES, STREAM, Stage, opens, rough_x, tweet_line

if TYPE_CHECKING:
    from pathlib import Path

TAG = "dress-rehearsal:reader"
RULE = {"id": "1", "value": "tutorialedge", "tag": TAG}


async def test_tweets_of_the_stream_are_passed_on_once_and_in_order(tmp_path: Path) -> None:
    """Whatever the stream repeats."""
    async with rough_x() as x:
        lines = [tweet_line(number) for number in (1, 2, 1, 3, 2)]
        x.streams.append(opens(*lines, b"", then="hold"))
        async with reading(tmp_path, x.url) as on:
            assert await on.stored(3) == [1, 2, 3]
            state = await on.state()
            assert (state.status, state.tweets, state.gaps) == ("connected", 3, 0)
            assert state.last_tweet_id == "1900000000000000003"


async def test_the_stream_is_asked_for_as_x_documents_it(tmp_path: Path) -> None:
    """With the app's bearer token, and with what a tweet's author and kind are known by."""
    async with rough_x() as x, reading(tmp_path, x.url):
        request = await x.until_asked(STREAM, 1)
        assert request.headers["authorization"] == f"Bearer {CREDENTIALS.bearer_token}"
        assert request.headers["user-agent"].endswith("Tweepy/4.17.0")
        assert request.query == {
            "expansions": "author_id,referenced_tweets.id",
            "tweet.fields": (
                "author_id,conversation_id,created_at,edit_history_tweet_ids,in_reply_to_user_id,"
                "lang,note_tweet,referenced_tweets"
            ),
            "user.fields": "username",
        }


# --- Rules -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "posts"),
    [
        ([], [("tutorialedge", TAG)], 1),
        ([RULE], [("tutorialedge", TAG)], 0),
        # Another's rule stays, tag or none, and serves where it is the same.
        ([{"id": "7", "value": "x"}], [("x", None), ("tutorialedge", TAG)], 1),
        ([{"id": "7", "value": "tutorialedge", "tag": "y"}], [("tutorialedge", "y")], 0),
        # What the reader wanted before an edit of its configuration goes.
        ([{**RULE, "value": "old"}], [("tutorialedge", TAG)], 2),
        (
            [
                RULE,
                {"id": "2", "value": "old", "tag": TAG},
                {"id": "3", "value": "old", "tag": "z"},
            ],
            [("tutorialedge", TAG), ("old", "z")],
            1,
        ),
    ],
)
async def test_the_readers_rule_stands_and_nobody_elses_is_touched(
    tmp_path: Path, before: list[dict[str, str]], after: list[Any], posts: int
) -> None:
    """Rules stay on the account, whoever made them; the reader knows its own by their tag."""
    async with rough_x() as x:
        x.rules = before
        async with reading(tmp_path, x.url):
            await x.until_asked(STREAM, 1)
        assert [(rule["value"], rule.get("tag")) for rule in x.rules] == after
        assert len(x.asked(RULES, "POST")) == posts


async def test_any_of_several_keywords_meets_the_rule(tmp_path: Path) -> None:
    """One rule, however many keywords: accounts have few."""
    async with rough_x() as x, reading(tmp_path, x.url, 'tweets.keywords=["a", "#b", "c"]'):
        await x.until_asked(STREAM, 1)
        assert [rule["value"] for rule in x.rules] == ["(a OR #b OR c)"]


async def test_tweets_that_met_only_rules_of_others_are_not_passed_on(tmp_path: Path) -> None:
    """Whoever else uses the account has its tweets in the same stream."""
    theirs: dict[str, Any] = {"matching_rules": [{"id": "8", "tag": "pets"}]}
    both: dict[str, Any] = {"matching_rules": [{"id": "8", "tag": "pets"}, {"id": "1", "tag": TAG}]}
    async with rough_x() as x:
        x.rules = [RULE, {"id": "8", "value": "cats", "tag": "pets"}]
        lines = [tweet_line(1, **theirs), tweet_line(2, **both), tweet_line(3, **theirs)]
        x.streams.append(opens(*lines))
        async with reading(tmp_path, x.url) as on:
            state = await on.until(lambda state: state.reconnects == 1)
            assert await on.stored(1) == [2]
            assert (state.tweets, state.duplicates, state.unreadable) == (1, 0, 0)


async def test_anothers_rule_of_the_same_value_serves_under_its_own_tag(tmp_path: Path) -> None:
    """X takes none twice: what it brings is ours, too."""
    async with rough_x() as x:
        x.rules = [{"id": "7", "value": "tutorialedge", "tag": "y"}]
        line = tweet_line(1, matching_rules=[{"id": "7", "tag": "y"}])
        x.streams.append(opens(line, then="hold"))
        async with reading(tmp_path, x.url) as on:
            assert await on.stored(1) == [1]


# --- Reconnects --------------------------------------------------------------------------------


async def test_a_killed_reader_goes_on_where_it_was(tmp_path: Path) -> None:
    """It asks for what it may have missed, and what it had read stays read once."""
    async with rough_x() as x, reading(tmp_path, None) as on:
        x.held = opens(*[tweet_line(number) for number in (1, 2)], then="hold")
        x.streams.append(opens(tweet_line(1), then="hold"))
        on.access.open(x.url)
        await on.stored(1)
        on.system.kill("reader")
        request = await x.until_asked(STREAM, 2)
        assert request.query["backfill_minutes"] == "1"
        assert await on.stored(2) == [1, 2]


async def test_an_outage_of_minutes_is_asked_for_and_its_replay_may_be_interrupted(
    tmp_path: Path,
) -> None:
    """Until all of the replay is read, each connection asks for the whole of it."""
    clock = ShiftedClock()
    async with rough_x() as x, reading(tmp_path, x.url, "x.stall_s=1", clock=clock) as on:
        await on.until(lambda state: state.status == "connected")
        on.system.suspend("reader")
        clock.shift_s += 200
        # The first of the replay is of the outage's beginning; then it breaks.
        first = clock.now_us() / 1e6 - 195
        x.streams.append(opens(tweet_line(1, at=at(first)), then="close"))
        on.system.resume("reader")
        on.system.kill("reader")
        assert (await x.until_asked(STREAM, 2)).query["backfill_minutes"] == "4"
        assert (await x.until_asked(STREAM, 3)).query["backfill_minutes"] == "4"
        assert (await on.state()).gaps == 0


async def test_a_keep_alive_says_that_nothing_is_missing(tmp_path: Path) -> None:
    """Where everything before it is committed; so the next outage counts from there."""
    clock = ShiftedClock()
    async with rough_x() as x, reading(tmp_path, x.url, "x.stall_s=1", clock=clock) as on:
        await on.until(lambda state: state.status == "connected")
        clock.shift_s += 3600
        x.streams.append(quiet)
        on.system.kill("reader")
        assert (await x.until_asked(STREAM, 2)).query["backfill_minutes"] == "5"
        assert (await x.until_asked(STREAM, 3)).query["backfill_minutes"] == "1"
        state = await on.until(lambda state: state.reconnects == 2)
        assert state.gaps == 1
        (gap,) = state.latest_gaps
        assert (gap.until - gap.since).total_seconds() == pytest.approx(3301, abs=30)


async def quiet(stage: Stage) -> None:
    """Two signs of life, and nothing between them."""
    await stage.open()
    await stage.send(b"")
    await asyncio.sleep(0.05)
    await stage.send(b"")
    await stage.close()


@pytest.mark.real_time
async def test_a_sign_of_life_that_is_read_late_counts_from_when_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands behind it may be as old, and lost with the connection: it is asked for again."""
    monkeypatch.setattr("actors.systems.tweets.reading.stream_follower.NOTE_EVERY_S", 0.0)
    begin, over = asyncio.Event(), asyncio.Event()

    async def late(stage: Stage) -> None:
        await stage.open()
        await stage.send(b"")
        await begin.wait()
        # The first of these has the reader wait for a commit; the others wait behind it.
        await stage.send(b"", b"", b"damaged", tweet_line(1))
        while not over.is_set():  # X stays well, or the stream would be given up
            await stage.send(b"")
            await asyncio.sleep(0.02)
        await stage.hold()

    async with rough_x() as x, reading(tmp_path, None, "x.stall_s=0.5") as on:
        x.streams.append(late)
        on.access.open(x.url)
        await on.until(lambda state: state.status == "connected")
        await asyncio.sleep(0.05)
        on.system.suspend("reader")
        begin.set()
        sent_us = on.clock.now_us()
        await asyncio.sleep(1.2)
        on.system.resume("reader")
        over.set()
        state = await on.until(lambda state: state.unreadable == 1)
        assert state.read_to is not None
        assert state.read_to.timestamp() < sent_us / 1e6


# --- Where X is --------------------------------------------------------------------------------


async def test_nothing_is_asked_before_the_embedded_x_listens(tmp_path: Path) -> None:
    """The reader waits for its address; once it is there it connects."""
    async with rough_x() as x, reading(tmp_path, None) as on:
        await asyncio.sleep(0.05)
        assert (await on.state()).status == "waiting"
        on.access.open(x.url)
        await on.until(lambda state: state.status == "connected")


@pytest.mark.parametrize(
    "url",
    ["https://api.twitter.com", "http://api.x.com", "http://10.0.0.1", "http://127.0.0.1.evil.io"],
)
async def test_an_address_outside_is_refused_in_simulator_mode(tmp_path: Path, url: str) -> None:
    """Before anything is sent."""
    async with reading(tmp_path, None) as on:
        with pytest.raises(OutsideAddress, match="loopback"):
            on.access.open(url)
        assert (await on.state()).status == "waiting"


def at(epoch_s: float) -> str:
    return dt.datetime.fromtimestamp(epoch_s, tz=dt.UTC).isoformat(timespec="milliseconds")
