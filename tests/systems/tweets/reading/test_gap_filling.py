"""Gaps: asked for afterwards, found once, and on record by what, or why not."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.config import load_config
from actors.systems import SYSTEMS
from actors.systems.tweets.config import TweetsConfig, XConfig
from actors.systems.tweets.messages import GetReader, ReaderGap, ReaderState, XDetails
from actors.systems.tweets.reading.gap_filler import GapWait
from actors.systems.tweets.reading.reader import ReaderService
from actors.systems.tweets.reading.reader_messages import (
    FillPlan,
    NoteFound,
    NoteNotFilled,
    NoteOpened,
    NoteProgress,
    NoteRule,
    OpenGap,
    PlanConnection,
    PlanFilling,
    Progress,
    TweetRead,
)
from actors.systems.tweets.tweets import TweetsService
from actors.systems.tweets.x.access import XAccess
from actors.systems.tweets.x.credentials import load_credentials
from actors.systems.tweets.x.tweet_ids import first_id_at
from tests.systems.stage import Stage, stage
from tests.systems.tweets.reading.reading_stage import CREDENTIALS, Reading, ShiftedClock, reading
from tests.systems.tweets.rough_x import SEARCH, STREAM, answers, opens, rough_x, sends, tweet_line
from tests.systems.x_platform.api.embedded_x import embedded_x

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.systems.tweets.rough_x import Act, RoughX
    from tests.systems.x_platform.api.embedded_x import EmbeddedX

HOUR_S = 3_600.0
DAY_S = 86_400.0
NOW = ("x.gap_wait_s=0.01", "x.gap_retry_s=0.05")


@asynccontextmanager
async def books(folder: Path, *settings: str) -> AsyncIterator[Stage]:
    config = load_config(settings=["x.stall_s=21", *settings], systems=SYSTEMS)
    access = XAccess(CREDENTIALS, simulator=True, write=True)
    reader = ReaderService(config.section(TweetsConfig), config.section(XConfig), access)
    async with stage(reader, folder, name="reader", others={"tweets": TweetsService}) as on:
        yield on


async def outage(on: Stage, lasts_s: float) -> None:
    """Read up to now, and be connected again after so long."""
    await on.ask(PlanConnection(backfill="on"))
    await on.ask(NoteOpened(backfill="on", backfill_minutes=0))
    await on.ask(NoteProgress(progress=Progress(read_to_us=on.clock.now_us())))
    on.clock.advance(lasts_s)
    plan = await on.ask(PlanConnection(backfill="on"))
    await on.ask(NoteOpened(backfill="on", backfill_minutes=plan.backfill_minutes))


async def shown(on: Stage) -> list[ReaderGap]:
    gaps: list[ReaderGap] = (await on.ask(GetReader())).latest_gaps
    return gaps


async def planned(on: Stage) -> list[OpenGap]:
    plan: FillPlan = await on.ask(PlanFilling())
    return list(plan.gaps)


def open_gap(seq: int, *, grown: int = 0) -> OpenGap:
    return OpenGap(seq=seq, grown=grown, from_us=1, to_us=None, end_us=2, by="search")


def rule_found(*found: str, stands: bool) -> NoteRule:
    return NoteRule(rule="a", found=found, stands=stands, age_s=0.0)


def tweet(number: int, at_us: int = 1) -> TweetRead:
    details = XDetails(author_id="42", kind="original", lang="en", posted_at_us=at_us)
    return TweetRead(external_id=str(number), author="ada", text="x", x=details)


# --- The books -----------------------------------------------------------------------------------


async def test_a_gap_that_was_searched_to_its_end_is_filled(tmp_path: Path) -> None:
    """Each tweet once, whatever the stream has brought; and it says how many were new."""
    async with books(tmp_path) as on:
        await outage(on, HOUR_S)
        await on.ask(tweet(2))
        (gap,) = await planned(on)
        found = NoteFound(gap=gap, tweets=(tweet(1), tweet(2), tweet(3)), is_whole=True)
        await on.ask(found)
        assert [message.external_id for _, message in on.sent] == ["1", "3"]
        (on_books,) = await shown(on)
        assert (on_books.state, on_books.filled_by, on_books.found) == ("filled", "search", 2)
        assert on_books.why_not is None
        assert await planned(on) == []
        await on.ask(found)
        assert on.sent == []


async def test_a_gap_that_is_partly_filled_goes_on_where_it_was_committed(tmp_path: Path) -> None:
    """Also in another process: what is left shrinks with each page."""
    async with books(tmp_path) as on:
        await outage(on, HOUR_S)
        (gap,) = await planned(on)
        middle_us = (gap.from_us + gap.end_us) // 2
        await on.ask(NoteFound(gap=gap, tweets=(tweet(1, middle_us),), to_us=middle_us))
        now_us = on.clock.now_us()
    async with books(tmp_path) as on:
        on.clock.advance((now_us - on.clock.now_us()) / 1e6)
        (again,) = await planned(on)
        assert (again.from_us, again.to_us) == (gap.from_us, middle_us)
        (on_books,) = await shown(on)
        assert (on_books.state, on_books.found) == ("open", 1)


@pytest.mark.parametrize("set_back_s", [0.0, HOUR_S])
async def test_a_gap_that_grew_while_it_was_filled_is_open_still(
    tmp_path: Path, set_back_s: float
) -> None:
    """All of it, for what was added lies above what was found; also where the clock went back."""
    async with books(tmp_path) as on:
        await on.ask(rule_found("a", stands=True))
        on.clock.advance(2 * HOUR_S)
        await on.ask(rule_found(stands=False))
        (gap,) = await planned(on)
        on.clock.advance(600.0)
        on.clock.step(-set_back_s)
        await on.ask(rule_found("a", stands=True))
        await on.ask(NoteFound(gap=gap, tweets=(tweet(1, gap.end_us),), to_us=gap.end_us))
        await on.ask(NoteFound(gap=gap, tweets=(), is_whole=True))
        assert any(each.to_us is None for each in await planned(on))
        if not set_back_s:
            (again,) = await planned(on)
            assert (again.from_us, again.end_us) == (gap.from_us, gap.end_us + 600_000_000)


async def test_what_is_older_than_the_search_reaches_is_lost_and_the_rest_is_not(
    tmp_path: Path,
) -> None:
    """Seven days: of a gap that is older in part the younger part is asked for."""
    async with books(tmp_path) as on:
        await outage(on, 8 * DAY_S)
        (gap,) = await planned(on)
        assert on.clock.now_us() - gap.from_us == pytest.approx(7 * DAY_S * 1e6, abs=6e7)
        await on.ask(NoteNotFilled(why_not="X answered 403"))
        lost, open_ = await shown(on)
        assert (lost.state, open_.state, open_.why_not) == ("lost", "open", "X answered 403")
        assert lost.until == open_.since
        on.clock.advance(7 * DAY_S)
        assert await planned(on) == []
        _, lost = await shown(on)
        assert lost.state == "lost"
        assert lost.why_not is not None
        assert "seven days" in lost.why_not
        assert "403" in lost.why_not


@pytest.mark.parametrize("set_back_s", [0.0, HOUR_S])
async def test_x_is_asked_for_all_since_the_last_tweet_whatever_our_clock_says(
    tmp_path: Path, set_back_s: float
) -> None:
    """When the rule was gone, and is back, only our clock says; X's ids have a time of theirs."""
    async with books(tmp_path) as on:
        last_us = on.clock.now_us() - 600_000_000
        await on.ask(tweet(first_id_at(last_us)))
        await on.ask(rule_found("a", stands=True))
        on.clock.advance(60.0)
        on.clock.step(-set_back_s)
        await on.ask(rule_found(stands=False))
        (gap,) = await planned(on)
        assert gap.from_us <= last_us
        assert gap.to_us is None


async def test_an_outage_in_which_the_clock_was_set_back_is_a_gap(tmp_path: Path) -> None:
    """It may have been longer than what X sends again: X is asked for all since the last tweet."""
    async with books(tmp_path) as on:
        last_us = on.clock.now_us()
        await on.ask(tweet(first_id_at(last_us)))
        await outage(on, -HOUR_S)
        (gap,) = await planned(on)
        assert gap.from_us == pytest.approx(last_us - HOUR_S * 1e6 - 300e6, abs=30e6)
        assert gap.to_us is None
        (on_books,) = await shown(on)
        assert "set back" in on_books.reason


async def test_a_gap_whose_end_is_in_the_future_keeps_no_other_waiting(tmp_path: Path) -> None:
    """The clock was ahead when it was noted; it is searched for itself, too."""
    async with books(tmp_path) as on:
        await outage(on, HOUR_S)
        on.clock.step(-DAY_S)
        await outage(on, HOUR_S)
        gaps = await planned(on)
        turns = GapWait(30.0)
        assert turns.choose(gaps, 0.0) == (None, 30.0)
        for each in gaps:
            assert turns.choose(gaps[gaps.index(each) :], 30.0) == (each, None)


def test_a_gap_waits_until_xs_search_has_what_was_in_it() -> None:
    """It lags, and takes no time of the last ten seconds; whoever grows waits anew, alone."""
    turns = GapWait(30.0)
    first, second, grown = open_gap(1), open_gap(2), open_gap(1, grown=1)
    assert turns.choose((), 0.0) == (None, None)
    assert turns.choose((first,), 1.0) == (None, 30.0)
    assert turns.choose((first, second), 11.0) == (None, 20.0)
    assert turns.choose((grown, second), 31.0) == (None, 10.0)
    assert turns.choose((grown, second), 41.0) == (second, None)
    assert turns.choose((grown,), 41.0) == (None, 20.0)
    assert turns.choose((grown,), 61.0) == (grown, None)


async def test_what_a_clock_that_was_ahead_gave_up_is_asked_for_again(tmp_path: Path) -> None:
    """Eight days ahead and put back: X has all of it."""
    async with books(tmp_path) as on:
        await outage(on, HOUR_S)
        (gap,) = await planned(on)
        on.clock.step(8 * DAY_S)
        assert await planned(on) == []
        on.clock.step(-8 * DAY_S)
        assert await planned(on) == [gap]


async def test_where_nothing_was_read_x_is_asked_for_all_since_the_first_rule(
    tmp_path: Path,
) -> None:
    """By its id: X's time, whatever ours has become since; a later rule changes nothing."""
    async with books(tmp_path) as on:
        first_us = on.clock.now_us() - int(HOUR_S * 1e6)
        for made_us in (first_us, first_us + 60_000_000):
            rule = rule_found("a", stands=True)
            await on.ask(msgspec.structs.replace(rule, made_us=made_us))
        on.clock.advance(60.0)
        await on.ask(rule_found(stands=False))
        (gap,) = await planned(on)
        assert gap.from_us == first_us - 21_000_000


async def test_nothing_is_asked_where_the_configuration_says_so(tmp_path: Path) -> None:
    """The gap stays open, on record."""
    async with books(tmp_path, "x.gaps_filled_by=nothing") as on:
        await outage(on, HOUR_S)
        assert await on.ask(PlanFilling()) == FillPlan()
        assert (await on.ask(GetReader())).gaps_open == 1


# --- With X --------------------------------------------------------------------------------------


def page(*numbers: int, token: str | None = None, **more: Any) -> Act:
    data = [json.loads(tweet_line(number))["data"] for number in numbers]
    users = [{"id": "42", "username": "ada", "name": "Ada"}]
    meta = {"result_count": len(data)} | ({"next_token": token} if token else {})
    return answers(200, {"data": data, "includes": {"users": users}, "meta": meta} | more)


@asynccontextmanager
async def after_an_outage(
    folder: Path, x: RoughX, *settings: str, lasts_s: float = HOUR_S
) -> AsyncIterator[Reading]:
    """Run a reader that was away for so long."""
    clock = ShiftedClock()
    async with reading(folder, x.url, clock=clock) as on:
        await on.until(lambda state: state.status == "connected")
    clock.shift_s += lasts_s
    async with reading(folder, x.url, *NOW, *settings, clock=clock) as on:
        yield on


def is_settled(state: ReaderState) -> bool:
    return state.status == "connected" and state.gaps > 0 and not state.gaps_open


async def test_a_gap_is_searched_for_page_by_page_beside_the_stream(tmp_path: Path) -> None:
    """With the rule as the query; what cannot be read of it is a dead letter."""
    async with rough_x() as x:
        x.held = opens(tweet_line(9), then="hold")
        odd = {"id": "7", "text": ""}
        whole = json.loads(tweet_line(1))["data"]
        x.searches += [page(4, 3, token="t1"), page(2, 9, token="t2")]
        x.searches.append(answers(200, {"data": [whole, odd], "meta": {"result_count": 2}}))
        async with after_an_outage(tmp_path, x) as on:
            state = await on.until(is_settled)
            assert sorted(await on.stored(5)) == [1, 2, 3, 4, 9]
            assert (state.tweets, state.last_tweet_id) == (5, "1900000000000000009")
            first, second, third = x.asked(SEARCH)
            assert first.query["query"] == "tutorialedge"
            assert "next_token" not in first.query
            assert [each.query["next_token"] for each in (second, third)] == ["t1", "t2"]
            assert first.headers["authorization"] == f"Bearer {CREDENTIALS.bearer_token}"
            (letter,) = await on.system.dead_letters(limit=9)
            assert letter.id == "x-tweet-7"
            (gap,) = state.latest_gaps
            assert (gap.filled_by, gap.found) == ("search", 4)


async def test_a_search_goes_on_at_the_tweet_at_which_it_was_interrupted(tmp_path: Path) -> None:
    """And not at the second or the tick of that: X may refuse before it has shown all of one."""
    async with rough_x() as x:
        x.held = opens(tweet_line(9), then="hold")
        # Half an hour ago, when it is connected again.
        second_s = ShiftedClock().now_us() // 1_000_000 + 1_800
        at = dt.datetime.fromtimestamp(second_s, tz=dt.UTC).isoformat()
        read_us = second_s * 1_000_000 + 7_000
        id_ = str(first_id_at(read_us) + 5)
        read = {"id": id_, "edit_history_tweet_ids": [id_]}
        tweet = json.loads(tweet_line(3, at=at, data=read))["data"]
        x.searches.append(answers(200, {"data": [tweet], "meta": {"next_token": "t1"}}))
        x.searches += [answers(429, {}), page(2, 1)]
        async with after_an_outage(tmp_path, x) as on:
            await on.until(is_settled)
            *_, again = x.asked(SEARCH)
            assert "next_token" not in again.query
            assert again.query["until_id"] == id_


async def test_an_x_that_does_not_search_is_on_record_and_the_stream_goes_on(
    tmp_path: Path,
) -> None:
    """A plan that lacks it, say; it is tried again, more and more seldom."""
    no = answers(403, {"title": "Client Forbidden", "type": ".../problems/client-forbidden"})
    async with rough_x() as x:
        x.held = opens(tweet_line(1), then="hold")
        x.searches += [no, no, answers(429, {}), answers(503, b"<html>")]
        async with after_an_outage(tmp_path, x) as on:
            state = await on.until(
                lambda state: bool(state.latest_gaps and state.latest_gaps[0].why_not)
            )
            (gap,) = state.latest_gaps
            assert (gap.state, state.status) == ("open", "connected")
            assert "X answered 403" in str(gap.why_not)
            assert await on.stored(1) == [1]
            await on.until(is_settled)
            assert len(x.asked(SEARCH)) == 5
            assert (await on.state()).reconnects == 1
            assert on.stats().restarts == 0


async def test_an_x_that_does_not_answer_is_asked_as_often_as_is_configured(
    tmp_path: Path,
) -> None:
    """It has not said no: after an outage of hours its first no costs no hours more."""
    async with rough_x() as x:
        x.held = opens(tweet_line(1), then="hold")
        x.searches += [sends(b"")] * 24 + [answers(503, b"<html>")] * 12 + [answers(403, {})]
        x.searches.append(answers(200, {"meta": {"result_count": 0}}))
        async with after_an_outage(tmp_path, x) as on:
            await on.until(is_settled)
            assert not x.searches


async def test_the_streams_recovery_goes_first_where_the_plan_has_it(tmp_path: Path) -> None:
    """Its own connection, from the gap's begin to its end; X closes it then."""
    async with rough_x() as x:
        live = opens(tweet_line(9), then="hold")
        x.held = opens(tweet_line(1), tweet_line(2))

        async def act(stage: Any) -> None:
            await (x.held if "start_time" in stage.request.query else live)(stage)

        x.streams += [live, act, act]
        async with after_an_outage(tmp_path, x, "x.gaps_filled_by=stream") as on:
            state = await on.until(is_settled)
            assert sorted(await on.stored(3)) == [1, 2, 9]
            (gap,) = state.latest_gaps
            assert (gap.filled_by, gap.found) == ("stream", 2)
            (asked,) = [each for each in x.asked(STREAM) if "start_time" in each.query]
            assert asked.query["start_time"] < asked.query["end_time"]
            assert x.asked(SEARCH) == []


async def test_where_the_stream_does_not_recover_it_is_searched_for(tmp_path: Path) -> None:
    """One connection is all that most plans have."""
    async with rough_x() as x:
        live = opens(tweet_line(9), then="hold")
        x.held = answers(429, {"connection_issue": "TooManyConnections"})

        async def act(stage: Any) -> None:
            await (x.held if "start_time" in stage.request.query else live)(stage)

        x.streams += [live, act, act]
        x.searches.append(page(1))
        async with after_an_outage(tmp_path, x, "x.gaps_filled_by=stream") as on:
            state = await on.until(is_settled)
            assert sorted(await on.stored(2)) == [1, 9]
            assert state.latest_gaps[0].filled_by == "search"


@pytest.mark.parametrize("by", ["search", "stream"])
async def test_the_embedded_x_gives_back_what_was_missed(tmp_path: Path, by: str) -> None:
    """An hour without the reader: every tweet of it is stored once, by its own search or stream."""
    clock = ShiftedClock()
    async with embedded_x(clock=clock, connections_max=2) as x:
        credentials = load_credentials(keys_of(tmp_path, x))
        options: dict[str, Any] = {"clock": clock, "credentials": credentials}
        async with reading(tmp_path, x.url, **options) as on:
            await on.until(lambda state: state.status == "connected")
        clock.shift_s += 60.0
        missed = [(await x.tweet_as("ada", f"tutorialedge {n}"))["id"] for n in range(120)]
        await x.tweet_as("ada", "nothing about it")
        clock.shift_s += HOUR_S
        settings = (*NOW, f"x.gaps_filled_by={by}")
        async with reading(tmp_path, x.url, *settings, **options) as on:
            state = await on.until(is_settled)
            assert len(await on.stored(120)) == 120
            assert (state.tweets, state.latest_gaps[0].filled_by) == (120, by)
            ids = {str(1_900_000_000_000_000_000 + number) for number in await on.stored(120)}
            assert ids == set(missed)


def keys_of(folder: Path, x: EmbeddedX) -> Path:
    path = folder / "keys.json"
    names = x.keys.__struct_fields__
    path.write_text(json.dumps({name: getattr(x.keys, name) for name in names}))
    return path
