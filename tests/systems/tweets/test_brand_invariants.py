"""The invariants see what they are there for: every rule is broken once, and says so."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from actors.systems.tweets.invariants import Monitor, violations
from actors.systems.tweets.messages import StoreTweet
from actors.systems.x_platform.messages import ACCOUNT_ID
from tests.systems.tweets.brand_monitor import BLAME, FACT, PRAISE, brand_monitor
from tests.systems.whole import config_of_tests, copy_files

if TYPE_CHECKING:
    from pathlib import Path

NOW_US = 1_800_000_000_000_000
LETTER = (
    "INSERT INTO dead_letter (id, message_type, message, attempts, reason, at_us)"
    " VALUES ('x', 'Poison', X'', 3, 'y', 0)"
)
COPY_EVENT = "INSERT INTO event SELECT seq + 99, message_type, message, trace, at_us FROM event"
COPY_FLAG = (
    "INSERT INTO flag (id, tweet_id, author, text, score, status)"
    " SELECT 'x', 'x', author, text, score, status FROM flag"
)
FOREIGN = "UPDATE tweet SET x_kind = 'original', external_id = '7' WHERE x_kind IS NULL"
COPY_ACTION = (
    "INSERT INTO action (external_id, tweet_id, status, begun_us)"
    " SELECT '7', 'x', 'done', 0 FROM action LIMIT 1"
)
REPLY_AGAIN = (
    "INSERT INTO tweet (id, author_id, text, text_crc, lang, conversation_id, replied_to)"
    " SELECT id + 1000, author_id, text, 0, lang, conversation_id, replied_to FROM tweet"
    " WHERE replied_to IS NOT NULL"
)

WITHHOLD = "UPDATE action SET status = 'withheld', detail = 'x'"
MANY = (
    "INSERT INTO acted (external_id, author_id, conversation_id, at_us)"
    " WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 500)"
)
OTHERS = "replied_to IS NULL AND retweeted IS NULL AND author_id <> 1500000000000000001"
ONE_OF_TWO = (
    f"UPDATE tweet SET edit_of = (SELECT min(id) FROM tweet WHERE {OTHERS})"
    f" WHERE id = (SELECT max(id) FROM tweet WHERE {OTHERS})"
)
ANSWERED_ANSWER = (
    "UPDATE tweet SET replied_to = (SELECT min(id) FROM tweet WHERE replied_to IS NOT NULL)"
    f" WHERE id = (SELECT max(id) FROM tweet WHERE {OTHERS})"
)

# What is done to which file, and a part of what is said about it.
SABOTAGE = [
    ("tweets", "DELETE FROM tweet WHERE author = 'cyd'", "was read and is not stored"),
    ("tweets", "DELETE FROM tweet WHERE author = 'cyd'", "stood in X's stream and is not stored"),
    ("tweets", "UPDATE tweet SET score = NULL WHERE author = 'cyd'", "has no score"),
    ("tweets", "UPDATE tweet SET sentiment = 'neutral'", "and is neutral"),
    ("tweets", "INSERT INTO backlog SELECT seq FROM tweet", "is not asked for"),
    ("tweets", "DELETE FROM event", "is published 0 times"),
    ("tweets", COPY_EVENT, "is published 2 times"),
    ("tweets", "UPDATE tweet SET text = 'other' WHERE author = 'cyd'", "as another"),
    ("tweets", "UPDATE tweet SET score = 0.1 WHERE author = 'bob'", "is negative"),
    ("tweets", "UPDATE channel SET last = last + 1 WHERE receiver = 'flagger'", "has applied"),
    ("tweets", "INSERT INTO later VALUES ('x', NULL, NULL)", "is not answered"),
    ("tweets", "INSERT INTO timer VALUES (99, 1, 'X', X'', NULL, NULL)", "was due"),
    ("tweets", LETTER, "dead letter Poison"),
    ("tweets", FOREIGN, "5 tweets are X's, and 4 were read"),
    ("flagger", "DELETE FROM flag", "is flagged 0 times"),
    ("flagger", COPY_FLAG, "is flagged 1 times, and should be 0"),
    ("flagger", "UPDATE flag SET score = -0.9", "shows another tweet"),
    ("favouriter", "DELETE FROM action", "like of tweet"),
    ("favouriter", COPY_ACTION, "on the books 1 times, and should be 0"),
    ("favouriter", "UPDATE action SET status = 'pending'", "is pending"),
    ("favouriter", "UPDATE action SET status = 'failed', detail = 'y'", "is failed: y"),
    ("favouriter", "UPDATE action SET status = 'dry_run'", "not our way"),
    ("favouriter", "UPDATE action SET status = 'refused'", "on X's books 1 times"),
    ("responder", "DELETE FROM action", "reply of tweet"),
    ("responder", f"UPDATE action SET status = 'failed', doubt_us = {NOW_US}", "is failed"),
    ("favouriter", "UPDATE action SET status = 'failed', begun_us = 0", "is failed"),
    ("responder", COPY_ACTION, "on the books 1 times, and should be 0"),
    ("responder", "UPDATE action SET status = 'pending'", "is pending"),
    ("responder", "UPDATE action SET status = 'refused'", "on X's books 1 times"),
    ("responder", "UPDATE action SET text = 'other'", "says"),
    ("responder", "UPDATE action SET reply_id = '7'", "at X, not 7"),
    ("reader", "UPDATE progress SET tweets = 1", "and 1 were read"),
    ("reader", "INSERT INTO seen VALUES ('7', 0)", "7 was read and is not stored"),
    ("x_platform", "DELETE FROM liked", "on X's books 0 times"),
    ("x_platform", "INSERT INTO liked SELECT 9, user_id, tweet_id + 1 FROM liked", "refers to no"),
    ("x_platform", "DELETE FROM tweet WHERE replied_to IS NOT NULL", "on X's books 0 times"),
    ("x_platform", REPLY_AGAIN, "on X's books 2 times"),
    ("tweets", "UPDATE tweet SET lang = 'de' WHERE author = 'cyd'", "is de and neutral"),
    ("tweets", "UPDATE tweet SET text = 'other' WHERE author = 'cyd'", "and 'other' here"),
    ("tweets", "UPDATE tweet SET author = 'x' WHERE author = 'cyd'", "is by x here"),
    ("tweets", "UPDATE tweet SET text = text || ', down' WHERE author = 'ann'", "which names"),
    ("favouriter", WITHHOLD, "is withheld without a reason: x"),
    ("responder", WITHHOLD, "is withheld without a reason: x"),
    ("responder", "UPDATE acted SET external_id = '7'", "has counted 7"),
    ("responder", f"{MANY} SELECT '1', 'a', NULL, {NOW_US} FROM n", "more for author_id a"),
    ("responder", f"{MANY} SELECT '1', n, '7', {NOW_US} FROM n", "more for conversation_id 7"),
    ("responder", f"{MANY} SELECT '1', n, NULL, {NOW_US} FROM n", "more for all"),
    ("x_platform", ONE_OF_TWO, "is stored 2 times"),
    ("x_platform", ANSWERED_ANSWER, "answers an answer of ours"),
]


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A monitor of a positive, a negative and a neutral tweet, a retweet, and one by the API."""
    folder = tmp_path_factory.mktemp("lived_in")

    async def live() -> None:
        async with brand_monitor(folder) as monitor:
            await monitor.add_rule()
            praise = await monitor.tweet("ann", PRAISE)
            await monitor.tweet("bob", BLAME)
            await monitor.tweet("cyd", FACT)
            await monitor.tweet("dee", "tutorialedge", retweet_tweet_id=praise.id)
            await monitor.follow()
            await monitor.ask("tweets", StoreTweet(author="eve", text=FACT))
            await monitor.settle()
            monitor.check()

    asyncio.run(live())
    return folder


def complaints(folder: Path, *, planted: frozenset[str] = frozenset()) -> list[str]:
    config = config_of_tests().tweets
    monitor = Monitor(config=config, user_id=ACCOUNT_ID, writes=True)
    return violations(folder, monitor=monitor, now_us=NOW_US, planted=planted)


def break_books(folder: Path, service: str, sql: str) -> None:
    with closing(sqlite3.connect(folder / f"{service}.db")) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(sql).rowcount > 0


def test_sound_books_are_passed(lived_in: Path, tmp_path: Path) -> None:
    """Of a monitor at rest there is nothing to say."""
    copy_files(lived_in, tmp_path)
    assert complaints(tmp_path) == []


@pytest.mark.parametrize(("service", "sql", "complaint"), SABOTAGE)
def test_broken_books_are_not(
    lived_in: Path, tmp_path: Path, service: str, sql: str, complaint: str
) -> None:
    """Each rule notices what breaks it, and says what it is."""
    copy_files(lived_in, tmp_path)
    break_books(tmp_path, service, sql)
    assert any(complaint in each for each in complaints(tmp_path)), complaints(tmp_path)


def test_of_a_reply_that_was_given_up_x_may_know_or_not(lived_in: Path, tmp_path: Path) -> None:
    """But not twice."""
    copy_files(lived_in, tmp_path)
    break_books(tmp_path, "responder", "UPDATE action SET status = 'failed', doubt_us = 0")
    assert complaints(tmp_path) == []
    break_books(tmp_path, "x_platform", REPLY_AGAIN)
    assert any("on X's books 2 times" in each for each in complaints(tmp_path))


def test_of_a_like_that_was_refused_x_may_know_where_the_tweet_is_gone(
    lived_in: Path, tmp_path: Path
) -> None:
    """The answer of the attempt that made it was lost; the next one has found no tweet."""
    copy_files(lived_in, tmp_path)
    break_books(tmp_path, "favouriter", "UPDATE action SET status = 'refused', detail = 'x'")
    assert any("like of" in each for each in complaints(tmp_path))
    break_books(
        tmp_path,
        "x_platform",
        "UPDATE tweet SET deleted_us = 1 WHERE id IN (SELECT tweet_id FROM liked)",
    )
    assert not any("like of" in each for each in complaints(tmp_path))


def test_of_a_reply_that_was_refused_x_may_know_where_the_tweet_is_gone(
    lived_in: Path, tmp_path: Path
) -> None:
    """As of a like: the attempt that posted it was killed before it heard the answer."""
    copy_files(lived_in, tmp_path)
    break_books(tmp_path, "responder", "UPDATE action SET status = 'refused', detail = 'x'")
    assert any("reply to" in each for each in complaints(tmp_path))
    break_books(
        tmp_path,
        "x_platform",
        "UPDATE tweet SET deleted_us = 1 WHERE id IN (SELECT replied_to FROM tweet)",
    )
    assert not any("reply to" in each for each in complaints(tmp_path))


def test_what_lies_in_a_gap_is_on_the_books(lived_in: Path, tmp_path: Path) -> None:
    """The reader has said that it may be missing: then it is not missing in silence."""
    copy_files(lived_in, tmp_path)
    break_books(tmp_path, "tweets", "DELETE FROM tweet WHERE author = 'cyd'")
    break_books(tmp_path, "reader", "DELETE FROM seen")
    assert any("stood in X's stream" in each for each in complaints(tmp_path))
    gap = f"INSERT INTO gap (from_us, to_us, reason) VALUES (0, {NOW_US}, 'x')"
    break_books(tmp_path, "reader", gap)
    assert not any("stood in X's stream" in each for each in complaints(tmp_path))


def test_what_x_streamed_for_others_alone_need_not_be_stored(
    lived_in: Path, tmp_path: Path
) -> None:
    """Their rules stand on the same account."""
    copy_files(lived_in, tmp_path)
    break_books(tmp_path, "tweets", "DELETE FROM tweet WHERE author = 'cyd'")
    break_books(tmp_path, "reader", "DELETE FROM seen")
    assert any("stood in X's stream" in each for each in complaints(tmp_path))
    break_books(tmp_path, "x_platform", "UPDATE rule SET value = 'pets', tag = 'theirs'")
    assert not any("stood in X's stream" in each for each in complaints(tmp_path))


def test_a_monitor_without_x_has_less_to_compare(lived_in: Path, tmp_path: Path) -> None:
    """Where X is X's own, or is not read at all, its books are not here."""
    copy_files(lived_in, tmp_path)
    for name in ("reader", "x_platform"):
        (tmp_path / f"{name}.db").unlink()
    assert complaints(tmp_path) == []


def test_letters_that_were_planted_are_no_violation(lived_in: Path, tmp_path: Path) -> None:
    """A test that makes dead letters names their types."""
    copy_files(lived_in, tmp_path)
    break_books(tmp_path, "flagger", LETTER)
    assert complaints(tmp_path) != []
    assert complaints(tmp_path, planted=frozenset({"Poison"})) == []
