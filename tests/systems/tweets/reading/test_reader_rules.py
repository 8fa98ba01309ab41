"""The reader's rule, which anybody with the account may delete: X says nothing about that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import structlog

from tests.systems.tweets.reading.reading_stage import reading
from tests.systems.tweets.rough_x import RULES, STREAM, Stage, answers, opens, rough_x, tweet_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.systems.tweets.rough_x import Act

OFTEN = "x.rules_check_s=0.01"
WORDS = "tweets may be missing"


async def reset(stage: Stage) -> None:
    stage.abort()


async def test_a_rule_that_somebody_deletes_is_added_again_beside_the_stream(
    tmp_path: Path,
) -> None:
    """And what it would have met meanwhile is a gap: counted, listed, and said once."""
    async with rough_x() as x, reading(tmp_path, x.url, OFTEN) as on:
        await on.until(lambda state: state.status == "connected")
        deleted_s = on.clock.now_us() / 1e6
        with structlog.testing.capture_logs() as logs:
            x.rules.clear()
            await on.until(lambda state: state.gaps == 1)
            listed = len(x.asked(RULES))
            await x.until_asked(RULES, listed + 3)
        assert [rule["value"] for rule in x.rules] == ["tutorialedge"]
        state = await on.state()
        assert (state.status, state.reconnects, state.gaps) == ("connected", 0, 1)
        (gap,) = state.latest_gaps
        assert gap.since.timestamp() < deleted_s < gap.until.timestamp()
        assert gap.reason.startswith("somebody had deleted the stream rule")
        assert len(x.asked(STREAM)) == 1
        assert [line["log_level"] for line in logs if line["event"] == WORDS] == ["warning"]


@pytest.mark.parametrize("way", ["between two checks", "while the service is down"])
async def test_a_rule_that_lacks_when_the_reader_connects_is_a_gap(
    tmp_path: Path, way: str
) -> None:
    """Which X's backfill cannot fill: it has nothing of what no rule met."""
    async with rough_x() as x:
        async with reading(tmp_path, x.url) as on:
            await on.until(lambda state: state.status == "connected")
            assert (await on.state()).gaps == 0
            if way == "between two checks":
                x.rules.clear()
                on.system.kill("reader")
                await on.until(lambda state: state.gaps == 1)
        if way != "between two checks":
            x.rules.clear()
        async with reading(tmp_path, x.url) as on:
            state = await on.until(lambda state: state.status == "connected")
            assert state.gaps == 1
            (gap,) = state.latest_gaps
            assert gap.reason.startswith("somebody had deleted the stream rule")


async def test_other_keywords_make_another_rule_and_no_gap(tmp_path: Path) -> None:
    """The one before stood until it was replaced."""
    async with rough_x() as x:
        for keyword in ("a", "b", "a"):
            async with reading(tmp_path, x.url, f'tweets.keywords=["{keyword}"]') as on:
                state = await on.until(lambda state: state.status == "connected")
                assert [rule["value"] for rule in x.rules] == [keyword]
                assert state.gaps == 0


async def test_a_reader_killed_while_the_rule_lacks_still_knows(tmp_path: Path) -> None:
    """The books are told before X is: what is added again looks as if it had always stood."""
    added = asyncio.Event()

    async def add_and_say_nothing(stage: Stage) -> None:
        x.rules += [{"id": "9", **rule} for rule in stage.request.json["add"]]
        added.set()
        await stage.hold()

    async with rough_x() as x, reading(tmp_path, x.url) as on:
        await on.until(lambda state: state.status == "connected")
        x.rules.clear()
        x.answers += [answers(200, {"meta": {}}), add_and_say_nothing]
        on.system.kill("reader")
        await added.wait()
        on.system.kill("reader")
        state = await on.until(lambda state: (state.status, state.reconnects) == ("connected", 1))
        assert state.gaps == 1


@pytest.mark.parametrize(
    "answer", [answers(503), answers(429, {}), answers(401, b"<html>no</html>"), reset]
)
async def test_a_check_that_fails_for_now_leaves_the_stream_alone(
    tmp_path: Path, answer: Act
) -> None:
    """It is made again, and said once."""
    async with rough_x() as x, reading(tmp_path, x.url, OFTEN) as on:
        await on.until(lambda state: state.status == "connected")
        with structlog.testing.capture_logs() as logs:
            x.answers += [answer] * 4
            asked = len(x.asked(RULES))
            await x.until_asked(RULES, asked + 6)
        state = await on.state()
        assert (state.status, state.reconnects, state.gaps) == ("connected", 0, 0)
        assert [line["event"] for line in logs] == ["stream rule not checked"]


async def test_a_check_that_x_refuses_leaves_the_stream_that_is_open_alone(tmp_path: Path) -> None:
    """Whatever X says of the rules: what it sends is read; and it is said once."""
    async with rough_x() as x:
        lines = asyncio.Event()

        async def act(stage: Stage) -> None:
            await stage.open()
            await lines.wait()
            await opens(tweet_line(1), then="hold")(stage)

        x.streams.append(act)
        async with reading(tmp_path, x.url, "x.rules_check_s=0.05") as on:
            await on.until(lambda state: state.status == "connected")
            x.answers += [answers(403, {"title": "Forbidden"})] * 3
            with structlog.testing.capture_logs() as logs:
                await x.until_asked(RULES, len(x.asked(RULES)) + 4)
            lines.set()
            told = [line for line in logs if line["event"] == "stream rule not checked"]
            assert len(told) == 1
            state = await on.state()
            assert (state.status, state.reconnects) == ("connected", 0)
            assert on.stats().restarts == 0
