"""The reader's books: what to ask X for again, what is a gap, how long to leave X alone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.systems import SYSTEMS
from actors.systems.tweets.config import TweetsConfig, XConfig
from actors.systems.tweets.messages import GetReader, StoreXTweet, XDetails
from actors.systems.tweets.reading.reader import RATE_WINDOW_S, ReaderService
from actors.systems.tweets.reading.reader_messages import (
    NoteLost,
    NoteOpened,
    NoteProgress,
    NoteRule,
    PlanConnection,
    Progress,
    TweetRead,
)
from actors.systems.tweets.tweets import TweetsService
from actors.systems.tweets.x.access import XAccess
from actors.systems.tweets.x.credentials import XCredentials
from tests.systems.stage import Stage, stage
from tests.systems.tweets.reading.reading_stage import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STALL_S = 21.0


@asynccontextmanager
async def books(folder: Path, *settings: str) -> AsyncIterator[Stage]:
    config = load_config(settings=[f"x.stall_s={STALL_S}", *settings], systems=SYSTEMS)
    access = XAccess(CREDENTIALS, simulator=True, write=True)
    reader = ReaderService(config.section(TweetsConfig), config.section(XConfig), access)
    others = {"tweets": TweetsService}
    async with stage(reader, folder, name="reader", others=others) as on:
        yield on


async def connect(on: Stage, backfill: Any = "on") -> int:
    """Plan and open a connection at once; return the minutes of backfill."""
    plan = await on.ask(PlanConnection(backfill=backfill))
    message = NoteOpened(backfill=backfill, backfill_minutes=plan.backfill_minutes)
    await on.ask(message)
    return int(plan.backfill_minutes)


async def read_up_to_now(on: Stage) -> None:
    await on.ask(NoteProgress(progress=Progress(read_to_us=on.clock.now_us())))


async def gaps(on: Stage) -> list[float]:
    """Return the gaps' lengths in seconds, oldest first."""
    rows = on.rows("SELECT from_us, to_us FROM gap ORDER BY seq")
    return [(row["to_us"] - row["from_us"]) / 1e6 for row in rows]


def tweet(number: int) -> TweetRead:
    details = XDetails(author_id="42", kind="original", lang="en", posted_at_us=1)
    return TweetRead(external_id=str(number), author="ada", text="x", x=details)


async def test_what_may_be_on_its_way_still_is_not_said_to_be_read(tmp_path: Path) -> None:
    """X has given a sign of life just now; it may be late with what is older by `x.stall_s`."""
    async with books(tmp_path) as on:
        await connect(on)
        on.clock.advance(3_600.0)
        now_us = on.clock.now_us()
        await read_up_to_now(on)
        state = await on.ask(GetReader())
        said_us = [round(each.timestamp() * 1e6) for each in (state.alive_at, state.read_to)]
        assert said_us == [now_us, now_us - round(STALL_S * 1e6)]


async def test_the_first_connection_asks_for_nothing_and_misses_nothing(tmp_path: Path) -> None:
    """What was tweeted before anybody listened is nobody's loss."""
    async with books(tmp_path) as on:
        assert await connect(on) == 0
        assert await gaps(on) == []
        assert (await on.ask(GetReader())).reconnects == 0


@pytest.mark.parametrize(
    ("outage_s", "minutes", "gap_s"),
    [
        # The last word may be late by stall_s, and so may the connection: 42 s more.
        (1.0, 1, None),
        (17.0, 1, None),
        (19.0, 2, None),
        (60.0, 2, None),
        (200.0, 5, None),
        (278.0, 5, None),
        (280.0, 5, 1.0),
        (3600.0, 5, 3600.0 + STALL_S - 300.0),
    ],
)
async def test_an_outage_is_asked_for_again_and_what_is_out_of_reach_is_a_gap(
    tmp_path: Path, outage_s: float, minutes: int, gap_s: float | None
) -> None:
    """To the whole minute upwards, as X counts; a gap is noted once."""
    async with books(tmp_path) as on:
        await connect(on)
        await read_up_to_now(on)
        on.clock.advance(outage_s)
        assert await connect(on) == minutes
        assert await gaps(on) == ([] if gap_s is None else [pytest.approx(gap_s)])
        # The same again, with nothing read: it is the same gap.
        await connect(on)
        state = await on.ask(GetReader())
        assert (state.gaps, state.reconnects) == (int(gap_s is not None), 2)


async def test_a_plan_that_is_too_short_by_now_is_made_again(tmp_path: Path) -> None:
    """The reader was held up between the two: X has what it was not asked for, and it is no gap."""
    async with books(tmp_path) as on:
        await connect(on)
        await read_up_to_now(on)
        plan = await on.ask(PlanConnection(backfill="on"))
        on.clock.advance(100.0)
        message = NoteOpened(backfill="on", backfill_minutes=plan.backfill_minutes)
        assert (await on.ask(message)).is_short
        assert await connect(on) == 3
        assert await gaps(on) == []


async def test_a_gap_that_goes_on_is_one_gap(tmp_path: Path) -> None:
    """While nothing can be read, each connection makes it longer; the next outage is another."""
    async with books(tmp_path) as on:
        await connect(on)
        await read_up_to_now(on)
        for _ in range(3):
            on.clock.advance(600.0)
            await connect(on)
        assert await gaps(on) == [pytest.approx(1800.0 + STALL_S - 300.0)]
        await read_up_to_now(on)
        on.clock.advance(600.0)
        await connect(on)
        assert await gaps(on) == [pytest.approx(1521.0), pytest.approx(321.0)]
        assert (await on.ask(GetReader())).gaps == 2


async def test_an_interrupted_backfill_is_asked_for_again_from_its_beginning(
    tmp_path: Path,
) -> None:
    """That something of it has come does not mean that all before now has."""
    async with books(tmp_path) as on:
        await connect(on)
        await read_up_to_now(on)
        begun_us = on.clock.now_us()
        on.clock.advance(200.0)
        assert await connect(on) == 5
        # A tweet of shortly after the outage began was the last that came.
        await on.ask(NoteProgress(progress=Progress(read_to_us=begun_us + 5_000_000)))
        assert await connect(on) == 4
        assert await gaps(on) == []


async def test_a_clock_that_is_set_back_under_a_connection_hides_nothing(tmp_path: Path) -> None:
    """How far has been read was told by the clock as it was: what comes now is told by this one."""
    async with books(tmp_path) as on:
        await connect(on)
        await read_up_to_now(on)
        on.clock.advance(-120.0)
        await on.ask(NoteProgress(progress=Progress(duplicates=1)))
        await on.ask(NoteProgress(progress=Progress(read_to_us=on.clock.now_us() + 120_000_000)))
        on.clock.advance(200.0)
        assert await connect(on) == 5
        assert await gaps(on) == []


@pytest.mark.parametrize(("backfill", "why"), [("off", "is 0"), ("refused", "this account")])
async def test_without_backfill_every_reconnect_is_a_gap(
    tmp_path: Path, backfill: str, why: str
) -> None:
    """Nobody knows what was tweeted meanwhile, and the books say so, and why."""
    async with books(tmp_path) as on:
        await connect(on, backfill)
        await read_up_to_now(on)
        on.clock.advance(2.0)
        assert await connect(on, backfill) == 0
        assert await gaps(on) == [pytest.approx(STALL_S + 2.0)]
        (gap,) = (await on.ask(GetReader())).latest_gaps
        assert why in gap.reason
        assert gap.until.timestamp() == pytest.approx(on.clock.now_us() / 1e6)


async def test_a_clock_set_back_asks_for_all_there_is(tmp_path: Path) -> None:
    """How long the outage was, nobody knows; from then on it is known again."""
    async with books(tmp_path) as on:
        await connect(on)
        await read_up_to_now(on)
        on.clock.advance(-3600.0)
        assert await connect(on) == 5
        await read_up_to_now(on)
        on.clock.advance(1.0)
        assert await connect(on) == 1


async def test_a_time_in_the_future_is_not_believed(tmp_path: Path) -> None:
    """A tweet's time is X's word, and a wrong one must not hide an outage."""
    async with books(tmp_path) as on:
        await connect(on)
        await on.ask(NoteProgress(progress=Progress(read_to_us=on.clock.now_us() * 2)))
        on.clock.advance(100.0)
        assert await connect(on) == 3


async def test_gaps_kept_are_bounded_and_all_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go; the latest are shown first."""
    monkeypatch.setattr("actors.systems.tweets.reading.gap_rows.GAPS_KEPT_MAX", 10)
    async with books(tmp_path) as on:
        for _ in range(20):
            await connect(on, "off")
            on.clock.advance(100.0)
            await read_up_to_now(on)
        assert await gaps(on) == [pytest.approx(STALL_S)] * 10
        state = await on.ask(GetReader())
        assert state.gaps == 19
        shown = [gap.until for gap in state.latest_gaps]
        assert shown == sorted(shown, reverse=True)


# --- The rule ----------------------------------------------------------------------------------


async def check(on: Stage, *found: str, stands: bool = True, rule: str = "a") -> bool:
    """Note a check of the rules that took 2 s; return whether a gap was told."""
    noted = await on.ask(NoteRule(rule=rule, found=found, stands=stands, age_s=2.0))
    return noted.gap is not None


async def test_a_rule_that_was_not_found_is_a_gap_since_it_last_was(tmp_path: Path) -> None:
    """One, until it stands again, however often it cannot be added; and it is told once."""
    async with books(tmp_path) as on:
        assert not await check(on, stands=False)  # the first time: nobody has lost anything
        assert not await check(on, "b", "a")
        on.clock.advance(60.0)
        assert not await check(on, "a")
        on.clock.advance(60.0)
        assert await check(on, "b", stands=False)
        for _ in range(3):
            on.clock.advance(60.0)
            assert not await check(on, "b", stands=False)
        on.clock.advance(1.0)
        # It has been added, perhaps by an incarnation that was killed before it could say so.
        assert not await check(on, "a")
        whole_s = pytest.approx(241.0 + 2.0 + STALL_S)
        assert await gaps(on) == [whole_s]
        on.clock.advance(60.0)
        assert not await check(on, "a")
        assert (await on.ask(GetReader())).gaps == 1
        on.clock.advance(60.0)
        assert await check(on, "b")
        assert await gaps(on) == [whole_s, pytest.approx(60.0 + 2.0 + STALL_S)]
        assert (await on.ask(GetReader())).gaps == 2


@pytest.mark.parametrize(
    ("found", "is_gap"),
    [(("a",), False), (("b",), False), (("a", "b"), False), ((), True), (("c",), True)],
)
async def test_other_keywords_are_no_gap_where_the_rule_before_stood(
    tmp_path: Path, found: tuple[str, ...], *, is_gap: bool
) -> None:
    """Or the new one does already: then it was replaced, and the killed one has not said so."""
    async with books(tmp_path) as on:
        await check(on, "a")
        assert await check(on, *found, rule="b") is is_gap
        assert not await check(on, "b", rule="b")


async def test_a_clock_set_back_hides_no_deleted_rule(tmp_path: Path) -> None:
    """The gap is told by the clock as it is now."""
    async with books(tmp_path) as on:
        await check(on, "a")
        on.clock.advance(-3600.0)
        assert await check(on)
        assert await gaps(on) == [pytest.approx(2.0 + STALL_S)]


async def test_a_tweet_is_passed_on_once(tmp_path: Path) -> None:
    """Also within one batch; the others are counted."""
    async with books(tmp_path) as on:
        assert await on.send(tweet(1), tweet(2), tweet(1)) == [True, True, False]
        sent = [message for _, message in on.sent]
        assert all(isinstance(message, StoreXTweet) for message in sent)
        assert [message.external_id for message in sent] == ["1", "2"]
        assert await on.ask(tweet(2)) is False
        assert on.sent == []
        state = await on.ask(GetReader())
        assert (state.tweets, state.duplicates, state.last_tweet_id) == (2, 2, "2")


async def test_ids_are_forgotten_in_time(tmp_path: Path) -> None:
    """A backlog of old ones shrinks by each new one; a day's are kept."""
    async with books(tmp_path) as on:
        await on.send(*[tweet(number) for number in range(100)])
        on.clock.advance(86_399.0)
        await on.send(*[tweet(number) for number in range(100, 120)])
        assert len(on.rows("SELECT * FROM seen")) == 120
        on.clock.advance(2.0)
        await on.send(*[tweet(number) for number in range(120, 180)])
        assert len(on.rows("SELECT * FROM seen")) == 80


async def test_ids_of_a_clock_that_was_ahead_are_forgotten_in_time(tmp_path: Path) -> None:
    """400 days ahead and put back: they count as of now, at first, and go with the others."""
    async with books(tmp_path) as on:
        on.clock.step(400 * 86_400.0)
        await on.send(*[tweet(number) for number in range(40)])
        on.clock.step(-400 * 86_400.0)
        await on.send(*[tweet(number) for number in range(40, 60)])
        assert len(on.rows("SELECT * FROM seen")) == 60
        on.clock.advance(86_401.0)
        await on.send(*[tweet(number) for number in range(60, 90)])
        assert len(on.rows("SELECT * FROM seen")) == 30


async def test_pauses_grow_with_jitter_up_to_their_maximum(tmp_path: Path) -> None:
    """Between half and all of min * 2**n; never zero, which would be a storm of connections."""
    settings = ("x.reconnect_s_min=0.25", "x.reconnect_s_max=16")
    async with books(tmp_path, *settings) as on:
        for failures in (1, 2, 3, 4, 7, 8, 1_000_000):
            bound = min(0.25 * 2.0 ** min(failures - 1, 63), 16.0)
            message = NoteLost(failures=failures, progress=Progress())
            pauses = [await on.ask(message) for _ in range(20)]
            assert all(bound / 2 <= pause <= bound for pause in pauses)
            assert len(set(pauses)) > 10


@pytest.mark.parametrize(
    ("in_s", "pause_s"), [(-5.0, 0.0), (90.0, 90.0), (86_400.0, RATE_WINDOW_S)]
)
async def test_x_says_when_to_come_again_and_is_believed_within_reason(
    tmp_path: Path, in_s: float, pause_s: float
) -> None:
    """Its window is a quarter of an hour; what is longer is a broken header."""
    async with books(tmp_path) as on:
        retry_at_us = on.clock.now_us() + int(in_s * 1e6)
        message = NoteLost(failures=1, retry_at_us=retry_at_us, progress=Progress())
        assert pause_s <= await on.ask(message) <= pause_s + 0.25


def test_access_and_credentials_show_nothing() -> None:
    """Not even in a traceback that shows variables."""
    assert "SECRET" not in repr([CREDENTIALS, XAccess(CREDENTIALS, simulator=True, write=True)])
    assert isinstance(CREDENTIALS, XCredentials)
