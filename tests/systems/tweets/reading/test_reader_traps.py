"""The reader against an X, and a way there, that do anything: each trap is survived."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from typing import TYPE_CHECKING

import msgspec
import pytest
import structlog

from actors.systems.tweets.reading.reader import ReaderService
from actors.systems.tweets.reading.reader_messages import TweetRead
from actors.systems.tweets.reading.rule_watch import TAG
from actors.systems.tweets.reading.stream_line import parse_line
from actors.systems.tweets.x import session, x_client
from actors.systems.tweets.x.pauses import Pauses
from actors.systems.tweets.x.x_errors import XError
from tests.systems.tweets.reading.reading_stage import reading
from tests.systems.tweets.rough_x import (
    RULES,
    STREAM,
    Stage,
    answers,
    opens,
    rough_x,
    sends,
    tweet_line,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actors.store.transaction import Transaction
    from tests.systems.tweets.rough_x import Act

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n\r\n" % (len(tweet_line(1)) + 2, tweet_line(1))
DISCONNECT = {
    "title": "operational-disconnect",
    "disconnect_type": "UpstreamOperationalDisconnect",
    "detail": "This stream has been disconnected upstream for operational reasons.",
    "type": "https://api.twitter.com/2/problems/operational-disconnect",
}
TOO_MANY = {
    "title": "ConnectionException",
    "detail": "This stream is currently at the maximum allowed connection limit.",
    "connection_issue": "TooManyConnections",
    "type": "https://api.twitter.com/2/problems/streaming-connection",
}


LIMITED = answers(429, {"title": "Too Many Requests"})


async def reset(stage: Stage) -> None:
    stage.abort()


# A connection that brings nothing, or nothing that can be trusted.
BROKEN: dict[str, Act] = {
    "closed before the head": sends(b""),
    "reset before the head": reset,
    "half a head": sends(b"HTTP/1.1 200 OK\r\nTransfer-"),
    "no HTTP": sends(b"\xff\xfe\x00nonsense\r\n\r\n"),
    "closed at once": opens(),
    "reset at once": opens(then="abort"),
    "chunk size that is none": sends(HEAD + b"zz\r\n"),
    "half a chunk": sends(HEAD + CHUNK[:60]),
    "a chunk that is longer than it says": sends(HEAD + b"5\r\n" + CHUNK),
    "half a line, then closed in order": opens(tweet_line(1)[:70]),
    "a line of garbage": opens(b"\x00\xff{{{", then="hold"),
    "an error": opens(json.dumps({"errors": [DISCONNECT]}).encode(), then="hold"),
    "an error that is no list": opens(json.dumps({"errors": DISCONNECT}).encode(), then="hold"),
    "a status that is no 200": answers(204, b""),
    "no rules": answers(409, {"title": "ConnectionException"}),
    "a second connection": answers(429, TOO_MANY, x_rate_limit_reset="9999999999"),
    "down": answers(503, b"<html>over capacity</html>"),
    "a proxy's own no": answers(403, b"<html>Forbidden</html>"),
    "gone elsewhere": answers(302, b"", location="http://198.51.100.1/"),
    "out of memory": opens(b"x" * 300_000, then="hold"),
    "compressed, it says": sends(HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n" + CHUNK),
}
# Whole lines of JSON that are no tweet to us.
ODD: dict[str, bytes] = {
    "no object": b"[1, 2]",
    "an object that says nothing": b"{}",
    "data without an id": b'{"data": {"text": "tutorialedge"}}',
    "data that is no object": b'{"data": "?"}',
    "a tweet without its text": b'{"data": {"id": "1"}}',
    "an empty text": tweet_line(3, data={"text": ""}),
    "an id that is none": b'{"data": {"id": -1.5, "text": "tutorialedge"}}',
    "an id that differs from its second mention": tweet_line(3).replace(
        b'"id": "1900', b'"id": "1800', 1
    ),
}
OWN_RULE = {"id": "2", "tag": TAG}
# Whole tweets, as X sends them: the parts that come and go.
WHOLE: dict[str, bytes] = {
    "a rule without a tag": tweet_line(1, matching_rules=[{"id": "1"}, OWN_RULE]),
    "rules that make no sense": tweet_line(1, matching_rules=[7]),
    "no rules named": tweet_line(1, matching_rules=None),
    "nobody included": tweet_line(1, includes={}),
    "an error beside it": tweet_line(1, errors=[{"title": "Not Found Error"}]),
    "no time": tweet_line(1, data={"created_at": None}),
    "ids that are numbers": json.dumps(
        {"data": {"id": 1_900_000_000_000_000_001, "text": "x", "author_id": 42}}
    ).encode(),
    "an unheard-of field": tweet_line(1, data={"new": {"a": [1]}}),
}


@pytest.mark.sampled
@pytest.mark.parametrize("way", BROKEN)
async def test_a_broken_connection_is_replaced(tmp_path: Path, way: str) -> None:
    """By one that asks for what was missed; nothing crashes, and nothing is made up."""
    async with rough_x() as x, reading(tmp_path, x.url) as on:
        await on.until(lambda state: state.status == "connected")
        x.streams += [BROKEN[way], opens(tweet_line(1), tweet_line(2), then="hold")]
        on.system.kill("reader")
        assert await on.stored(2) == [1, 2]
        assert x.asked(STREAM)[2].query["backfill_minutes"] == "1"
        assert on.stats().restarts == 1


@pytest.mark.parametrize("way", WHOLE)
async def test_a_tweet_is_read_whatever_else_its_line_has_or_lacks(
    tmp_path: Path, way: str
) -> None:
    """A tag that is missing kills tweepy's own reading; ours needs the tweet alone."""
    async with rough_x() as x:
        x.streams.append(opens(WHOLE[way], then="hold"))
        async with reading(tmp_path, x.url) as on:
            assert await on.stored(1) == [1]
            assert (await on.state()).reconnects == 0


async def test_an_x_that_closes_at_once_is_left_alone_for_longer_and_longer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """tweepy's own client asks such an X some 1,900 times a second."""
    settings = ("x.reconnect_s_min=0.02", "x.reconnect_s_max=0.32")
    async with rough_x() as x:
        x.held = opens()
        loop = asyncio.get_running_loop()
        times = []
        async with reading(tmp_path, x.url, *settings):
            for number in range(7):
                await x.until_asked(STREAM, number + 1)
                times.append(loop.time())
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert all(pause >= 0.01 * 2**number for number, pause in enumerate(pauses[:5]))
    assert pauses[-1] >= 0.16


async def test_news_make_the_next_pause_short_again(tmp_path: Path) -> None:
    """And what had come before is no news."""
    settings = ("x.reconnect_s_min=0.001", "x.reconnect_s_max=1000")
    async with rough_x() as x, reading(tmp_path, x.url, *settings) as on:
        await on.until(lambda state: state.status == "connected")
        x.streams += [opens(), opens(), opens(tweet_line(1)), opens(tweet_line(1)), opens()]
        with structlog.testing.capture_logs() as logs:
            on.system.kill("reader")
            await x.until_asked(STREAM, 7)
        lost = [line["failures"] for line in logs if line["event"] == "stream lost"]
        assert lost[-5:] == [1, 2, 1, 2, 3]


async def test_news_of_one_connection_are_none_of_the_next(tmp_path: Path) -> None:
    """An X that is down altogether, after a stream that was well, is left alone as any."""

    async def well_then_down(stage: Stage) -> None:
        x.answers += [answers(503)] * 4
        await opens(tweet_line(1))(stage)

    async with rough_x() as x:
        x.streams.append(well_then_down)
        with structlog.testing.capture_logs() as logs:
            async with reading(tmp_path, x.url):
                await x.until_asked(STREAM, 2)
    lost = [line["failures"] for line in logs if line["event"] == "stream lost"]
    assert lost == [1, 2, 3, 4, 5]


async def test_a_process_that_leaves_complains_of_no_end(tmp_path: Path) -> None:
    """It ends the streams itself: a line for who debugs, and for nobody else."""
    leaving: list[bool] = []
    async with rough_x() as x, reading(tmp_path, x.url, is_leaving=lambda: bool(leaving)):
        x.held = opens()
        with structlog.testing.capture_logs() as before:
            await x.until_asked(STREAM, 2)
        leaving.append(True)
        with structlog.testing.capture_logs() as after:
            await x.until_asked(STREAM, 4)
    levels = [
        {line["log_level"] for line in logs if line["event"] == "stream lost"}
        for logs in (before, after)
    ]
    assert levels == [{"warning"}, {"debug"}]


@pytest.mark.real_time
async def test_a_stalled_stream_is_noticed_and_replaced(tmp_path: Path) -> None:
    """Not a byte for stall_s, not even a keep-alive: the connection is dead."""
    async with rough_x() as x:
        x.streams += [opens(tweet_line(1), then="hold"), sends(HEAD + CHUNK[:40], then="hold")]
        x.held = opens(tweet_line(1), tweet_line(2), then="hold")
        async with reading(tmp_path, x.url, "x.stall_s=0.2") as on:
            assert await on.stored(2) == [1, 2]
            assert len(x.asked(STREAM)) == 3


# --- What X says no to -------------------------------------------------------------------------


async def test_a_rate_limit_is_waited_out(tmp_path: Path) -> None:
    """Until X's own reset, or for a minute where it names none; nothing is sent meanwhile."""
    async with rough_x() as x, reading(tmp_path, x.url) as on:
        await x.until_asked(STREAM, 1)
        reset_s = int(on.clock.now_us() / 1e6) + 100
        for headers in ({}, {"x_rate_limit_reset": str(reset_s)}, {"x_rate_limit_reset": "soon"}):
            x.streams.append(answers(429, {"title": "Too Many Requests"}, **headers))
            asked = len(x.asked(STREAM))
            with structlog.testing.capture_logs() as logs:
                on.system.kill("reader")
                await x.until_asked(STREAM, asked + 1)
                await on.until(lambda state: state.status == "waiting")
            (lost,) = [line for line in logs if line["event"] == "stream lost"]
            if headers == {"x_rate_limit_reset": str(reset_s)}:
                assert reset_s - on.clock.now_us() / 1e6 - 0.1 <= lost["pause_s"] <= 100.1
            else:
                assert 59.0 <= lost["pause_s"] <= 60.1
            assert len(x.asked(STREAM)) == asked + 1


@pytest.mark.parametrize("status", [401, 402, 403, 404, 422])
async def test_what_no_repetition_of_ours_mends_blocks_the_reader_with_its_reason(
    tmp_path: Path, status: int
) -> None:
    """Wrong credentials, say: no crash, X is left alone for seconds, and the books can be read."""
    async with rough_x() as x:
        x.held = answers(status, {"title": "Unauthorized"})
        async with reading(tmp_path, x.url) as on:
            state = await on.until(lambda state: state.status == "blocked")
            assert state.reason == f'X answered {status}: {{"title": "Unauthorized"}}'
            (paused,) = state.paused
            assert paused.reason == state.reason
            assert "stream" in paused.what
            assert (len(x.asked(STREAM)), on.stats().restarts) == (1, 0)
            assert "SECRET" not in repr(state)


async def test_a_reader_that_was_blocked_goes_on_when_that_is_mended(tmp_path: Path) -> None:
    """After pauses that grow; what it was blocked by is forgotten then."""
    async with rough_x() as x:
        x.streams += [answers(401, {"title": "Unauthorized"})] * 3
        x.held = opens(tweet_line(1), then="hold")
        async with reading(tmp_path, None) as on:
            on.access.pauses = Pauses(s_min=0.01, s_max=1.0)
            on.access.open(x.url)
            assert await on.stored(1) == [1]
            state = await on.state()
            assert (state.status, state.reason, state.paused) == ("connected", None, [])
            assert (len(x.asked(STREAM)), on.stats().restarts) == (4, 0)


async def test_a_refused_rule_blocks_the_reader_with_its_reason(tmp_path: Path) -> None:
    """X's own words, and which keywords they are about."""
    errors = [{"value": "tutorialedge", "details": ["no such operator (at position 1)"]}]
    async with rough_x() as x, reading(tmp_path, None) as on:
        x.answers += [answers(200, {"meta": {}}), answers(201, {"errors": errors})]
        on.access.open(x.url)
        state = await on.until(lambda state: state.status == "blocked")
        assert state.reason is not None
        assert "RuleRefused: X does not take the rule 'tutorialedge'" in state.reason
        assert "no such operator (at position 1)" in state.reason


@pytest.mark.parametrize("status", [400, 403])
async def test_a_refused_backfill_is_done_without_and_is_a_gap(tmp_path: Path, status: int) -> None:
    """Once it is refused twice: one answer may be damage on the way."""
    async with rough_x() as x, reading(tmp_path, x.url) as on:
        await on.until(lambda state: state.status == "connected")
        x.streams += [answers(status, {"detail": "backfill"}), answers(status, {})]
        x.streams.append(opens(tweet_line(1), then="hold"))
        on.system.kill("reader")
        assert await on.stored(1) == [1]
        queries = [request.query.get("backfill_minutes") for request in x.asked(STREAM)]
        assert queries == [None, "1", "1", None]
        (gap,) = (await on.state()).latest_gaps
        assert gap.reason == "X does not send again for this account"


async def test_a_no_to_the_rules_is_none_to_the_backfill_before(tmp_path: Path) -> None:
    """It is as final as it was at the first connection, and nothing is thought of backfill."""
    no = answers(403, {"title": "Forbidden"})

    async def then_refused(stage: Stage) -> None:
        x.answers += [no] * 3
        await opens(tweet_line(1))(stage)

    async with rough_x() as x:
        x.streams += [opens(), then_refused]  # the second one asks for a minute
        async with reading(tmp_path, x.url) as on:
            state = await on.until(lambda state: state.status == "blocked")
            assert state.reason == 'X answered 403: {"title": "Forbidden"}'
            assert x.asked(STREAM)[1].query["backfill_minutes"] == "1"


async def test_a_proxys_no_says_nothing_about_backfill(tmp_path: Path) -> None:
    """However often it comes: X is asked for what was missed as soon as it is there again."""
    async with rough_x() as x, reading(tmp_path, x.url) as on:
        await on.until(lambda state: state.status == "connected")
        x.streams += [answers(403, b"<html>Forbidden</html>")] * 3
        x.streams.append(opens(tweet_line(1), then="hold"))
        on.system.kill("reader")
        assert await on.stored(1) == [1]
        queries = [request.query.get("backfill_minutes") for request in x.asked(STREAM)]
        assert queries == [None, "1", "1", "1", "1"]
        assert (await on.state()).gaps == 0


async def test_rules_that_somebody_removed_are_made_again(tmp_path: Path) -> None:
    """X has no stream without rules; the next connection begins with them."""
    async with rough_x() as x, reading(tmp_path, x.url) as on:
        await x.until_asked(STREAM, 1)
        x.rules.clear()
        x.streams.append(answers(409, {"connection_issue": "RuleConfigurationIssue"}))
        on.system.kill("reader")
        await x.until_asked(STREAM, 3)
        assert [rule["value"] for rule in x.rules] == ["tutorialedge"]


@pytest.mark.parametrize(
    "answer",
    [
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\xff\xff\xff\xff\xff\xff\xff\xff"),
        answers(200, [1]),
        answers(200, {"data": {"id": 1}}),
        answers(500, b"\xff" * 10_000),
        LIMITED,
    ],
)
async def test_rules_that_cannot_be_had_are_asked_for_again(tmp_path: Path, answer: Act) -> None:
    """Whatever comes in their place."""
    async with rough_x() as x, reading(tmp_path, None) as on:
        x.answers.append(answer)
        on.access.open(x.url)
        await x.until_asked(RULES, 1)
        if answer is LIMITED:
            await on.until(lambda state: state.status == "waiting")
        else:
            await on.until(lambda state: state.status == "connected")
        assert on.stats().restarts == 0


# --- Lines and tweets that are wrong in themselves ---------------------------------------------


@pytest.mark.parametrize("way", ODD)
async def test_a_whole_line_that_is_no_tweet_is_a_dead_letter_and_no_reconnect(
    tmp_path: Path, way: str
) -> None:
    """With its reason and itself; what may have been in it is a gap, and the next line is read."""
    async with rough_x() as x:
        x.held = opens(tweet_line(1), ODD[way], tweet_line(2), ODD[way], then="hold")
        async with reading(tmp_path, x.url) as on:
            assert await on.stored(2) == [1, 2]
            state = await on.until(lambda state: state.duplicates == 1)
            assert (state.status, state.reconnects, state.unreadable) == ("connected", 0, 1)
            assert (state.gaps, state.gaps_open) == (1, 1)
            (letter,) = await on.system.dead_letters(limit=10)
            assert msgspec.json.decode(letter.message)["line"] == ODD[way].decode()
            assert "is kept as a dead letter" in letter.reason
            assert letter.durable


async def test_twenty_unreadable_lines_cost_no_second(tmp_path: Path) -> None:
    """One connection, all that stands between them is read, and each is kept, crash or not."""
    lines = []
    for number in range(20):
        lines += [tweet_line(100 + number, data={"text": ""}), tweet_line(number)]
    async with rough_x() as x:
        x.held = opens(*lines, then="hold")
        async with reading(tmp_path, x.url) as on:
            assert await on.stored(20) == [*range(20)]
            assert len(x.asked(STREAM)) == 1
            on.system.kill("reader")
            await x.until_asked(STREAM, 2)
            await on.until(lambda state: state.duplicates >= 40)
            assert len(x.asked(STREAM)) == 2
            letters = await on.system.dead_letters(limit=100)
            assert len(letters) == 20
            assert len(await on.stored(20)) == 20


async def test_lines_that_are_no_json_are_asked_for_again_once(tmp_path: Path) -> None:
    """It may be damage on the way; what comes so again, or so soon, is X's own, and is kept."""
    garbage = [b"{", b"\x00\xff{{{", b"<html>", b'{"data": {"id": "1']
    async with rough_x() as x:
        x.held = opens(tweet_line(1), *garbage, tweet_line(2), then="hold")
        async with reading(tmp_path, x.url) as on:
            assert await on.stored(2) == [1, 2]
            assert len(x.asked(STREAM)) == 2
            assert len(await on.system.dead_letters(limit=100)) == 4


async def test_a_line_that_was_kept_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that can read it passes it on; one that cannot says why not."""
    async with rough_x() as x:
        x.held = opens(ODD["a tweet without its text"], then="hold")
        async with reading(tmp_path, x.url) as on:
            await on.until(lambda state: state.unreadable == 1)
            (letter,) = await on.system.dead_letters(limit=10)
            replayed = await on.system.replay(letter.id)
            assert replayed.outcome == "refused"
        read = parse_line(tweet_line(1))
        monkeypatch.setattr("actors.systems.tweets.reading.reader.read_line", lambda _: read)
        async with reading(tmp_path, x.url) as on:
            for letter in await on.system.dead_letters(limit=10):
                assert (await on.system.replay(letter.id)).outcome == "handled"
                assert await on.stored(1) == [1]


async def test_lines_kept_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go; all are counted."""
    monkeypatch.setattr("actors.systems.tweets.reading.reader.LINES_KEPT_MAX", 5)
    lines = [b'{"data": {"id": "%d"}}' % number for number in range(12)]
    async with rough_x() as x:
        x.held = opens(*lines, then="hold")
        async with reading(tmp_path, x.url) as on:
            await on.until(lambda state: state.unreadable == 12)
            letters = await on.system.dead_letters(limit=100)
            assert [each.id for each in letters] == [f"x-tweet-{n}" for n in range(11, 6, -1)]


async def test_a_tweet_that_crashes_its_handler_is_a_dead_letter_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept, and does not come between X and the others for ever, however often X sends it."""
    spec = ReaderService.handlers[TweetRead]

    def poisoned(self: ReaderService, tx: Transaction, cmd: TweetRead) -> bool:
        if cmd.external_id.endswith("2"):
            message = "poison"
            raise ValueError(message)
        passed: bool = spec.function(self, tx, cmd)
        return passed

    patched = msgspec.structs.replace(spec, function=poisoned)
    monkeypatch.setitem(ReaderService.handlers, TweetRead, patched)
    async with rough_x() as x:
        x.held = opens(*[tweet_line(number) for number in (1, 2, 3)], then="hold")
        async with reading(tmp_path, x.url) as on:
            # Its three attempts are three crashes; the fourth incarnation connects, and stays.
            await on.until(lambda state: (state.status, state.tweets) == ("connected", 2))
            for kills in range(4):
                assert await on.stored(2) == [1, 3]
                (letter,) = await on.system.dead_letters(limit=10)
                assert "poison" in letter.reason
                assert on.stats().restarts == 3 + kills
                next_one = len(x.asked(STREAM)) + 1
                on.system.kill("reader")
                await x.until_asked(STREAM, next_one)
                await on.until(lambda state: state.status == "connected")


async def test_a_receiver_that_takes_nothing_makes_the_reader_wait_and_lose_nothing(
    tmp_path: Path,
) -> None:
    """The outbox is bounded: what it does not take comes again by a backfill."""
    count = 60
    settings = ("store.outbox_messages_max=10", "x.window_tweets=4")
    async with rough_x() as x, reading(tmp_path, None, *settings) as on:
        x.held = opens(*[tweet_line(number) for number in range(count)], then="hold")
        on.system.suspend("tweets")
        on.access.open(x.url)
        await x.until_asked(STREAM, 3)
        on.system.resume("tweets")
        assert sorted(await on.stored(count)) == list(range(count))
        assert on.stats().restarts == 0


async def test_no_more_than_the_window_is_read_and_not_committed(tmp_path: Path) -> None:
    """The rest stays in the socket: a service that is suspended costs no memory."""
    async with rough_x() as x, reading(tmp_path, x.url, "x.window_tweets=4") as on:
        await on.until(lambda state: state.status == "connected")
        on.system.suspend("reader")
        x.streams.append(opens(*[tweet_line(number) for number in range(50)], then="hold"))
        on.system.resume("reader")
        on.system.kill("reader")
        await x.until_asked(STREAM, 2)
        on.system.suspend("reader")
        await asyncio.sleep(0.05)
        assert on.stats().mailbox_depth <= 5
        on.system.resume("reader")
        assert await on.stored(50) == list(range(50))


# --- Secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_kept", [True, False])
async def test_no_credential_is_ever_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    """By nobody, at debug level, whatever breaks; tweepy and oauthlib would, were they let."""
    if not is_kept:
        monkeypatch.setattr(session._NoHeaders, "filter", lambda *_: True)
    with everything_logged(caplog), structlog.testing.capture_logs() as logs:
        async with rough_x() as x, reading(tmp_path, x.url, "x.stall_s=1") as on:
            on.access.pauses = Pauses(s_min=0.01, s_max=0.01)
            x.streams += [*BROKEN.values(), opens(*ODD.values()), answers(403, {})]
            x.held = opens(tweet_line(1), tweet_line(2), then="hold")
            await on.stored(2)
            writer = x_client.XWriter(on.access)
            x.answers += [answers(status, {}) for status in (403, 429, 500)]
            for _ in range(4):
                with contextlib.suppress(XError):
                    await writer.like("1")
            assert on.stats().restarts == 0
    told = caplog.text + repr([vars(each) for each in caplog.records]) + repr(logs)
    assert ("SECRET" in told) != is_kept


@contextlib.contextmanager
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Every logger there is speaks at debug level."""
    loggers = [logging.getLogger(name) for name in ("", *logging.root.manager.loggerDict)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        # These two say much, and nothing of what is looked for.
        is_chatty = logger.name.partition(".")[0] in {"aiosqlite", "pykka"}
        logger.setLevel(logging.INFO if is_chatty else logging.DEBUG)
    caplog.handler.setLevel(logging.DEBUG)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
