"""What must hold in a brand monitor at rest, read from the services' files.

They compare books that were kept apart: tweets with flags, likes and replies, those with what was
published, and all of it with the embedded X's own books, where that runs beside.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from actors.service.at_rest import file_is_sound, nothing_is_under_way, read_tables
from actors.systems.tweets.messages import TweetScored
from actors.systems.tweets.stream_rules import TAG, rule_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from actors.config import TweetsConfig
    from actors.service.at_rest import Row

SERVICES = ("tweets", "flagger", "favouriter", "responder")
# They run where X is read, and where it is the embedded one.
READER, X = "reader", "x_platform"
ENDED = {"done", "refused", "dry_run"}


class Monitor(msgspec.Struct, frozen=True, kw_only=True):
    """Whose books they are: our id at X, if we have one, and whether we act there."""

    config: TweetsConfig
    user_id: str | None
    writes: bool


class Books:
    """All rows of all tables, as they stand: `books.of["tweets"]["tweet"]` is a list of rows."""

    def __init__(self, folder: Path) -> None:
        beside = [name for name in (READER, X) if (folder / f"{name}.db").exists()]
        self.of = {name: read_tables(folder / f"{name}.db") for name in (*SERVICES, *beside)}
        self.tweets = self.of["tweets"]["tweet"]
        self.likes = self.of["favouriter"]["action"]
        self.replies = self.of["responder"]["action"]

    def actionable(self, monitor: Monitor) -> list[Row]:
        """Return the tweets from X that are neither our own nor retweets."""
        return [
            row
            for row in self.tweets
            if row["x_kind"] not in {None, "retweet"} and row["x_author_id"] != monitor.user_id
        ]


def violations(
    folder: Path, *, monitor: Monitor, now_us: int, planted: frozenset[str] = frozenset()
) -> list[str]:
    """Return a sentence for everything that is wrong with the files of a brand monitor at rest.

    `planted` are the message types of dead letters that a test meant to be there.
    """
    books = Books(folder)
    found = [each for name in books.of for each in file_is_sound(folder / f"{name}.db")]
    found += every_tweet_is_scored(books, monitor.config)
    found += every_score_is_published_once(books)
    found += every_negative_tweet_is_flagged_once(books)
    found += every_action_is_wanted_and_has_ended(books, monitor, now_us)
    if READER in books.of:
        found += what_was_read_is_stored(books)
    if X in books.of and monitor.user_id is not None:
        found += x_agrees_about_likes(books, monitor.user_id)
        found += x_agrees_about_replies(books, monitor.user_id)
    if READER in books.of and X in books.of:
        found += what_x_streamed_is_stored(books, monitor.config)
    return [*found, *nothing_is_under_way(books.of, now_us=now_us, planted=planted)]


# --- Tweets ------------------------------------------------------------------------------------


def every_tweet_is_scored(books: Books, config: TweetsConfig) -> Iterator[str]:
    """Its sentiment is what the configured bounds make of its score; none is left over."""
    for row in books.tweets:
        score = row["score"]
        if score is None:
            yield f"tweet {row['id']} has no score"
            continue
        sentiment = "positive" if score >= config.positive_min else "neutral"
        sentiment = "negative" if score <= config.negative_max else sentiment
        if row["sentiment"] != sentiment:
            yield f"tweet {row['id']} scores {score} and is {row['sentiment']}"
    for row in books.of["tweets"]["backlog"]:
        yield f"tweet {row['seq']} of the backlog is not asked for"


def every_score_is_published_once(books: Books) -> Iterator[str]:
    """With what stands of its tweet. Holds while no event was forgotten (store.events_kept_max)."""
    events = [
        msgspec.json.decode(row["message"], type=TweetScored)
        for row in books.of["tweets"]["event"]
        if row["message_type"] == TweetScored.__name__
    ]
    yield from _differ(
        "score of tweet",
        "published",
        Counter(event.tweet_id for event in events),
        Counter(row["id"] for row in books.tweets),
    )
    rows = {row["id"]: row for row in books.tweets}
    for event in events:
        row = rows.get(event.tweet_id)
        names = ("author", "text", "external_id", "score", "sentiment")
        if row is not None and any(getattr(event, name) != row[name] for name in names):
            yield f"tweet {event.tweet_id} was published as another: {event}"


def every_negative_tweet_is_flagged_once(books: Books) -> Iterator[str]:
    """And no other is; the flag shows the tweet as it stands."""
    flags = books.of["flagger"]["flag"]
    negative = {row["id"]: row for row in books.tweets if row["sentiment"] == "negative"}
    found = Counter(row["tweet_id"] for row in flags)
    yield from _differ("negative tweet", "flagged", found, Counter(negative.keys()))
    for flag in flags:
        row = negative.get(flag["tweet_id"])
        names = ("author", "text", "score")
        if row is not None and any(flag[name] != row[name] for name in names):
            yield f"flag {flag['id']} shows another tweet than {row['id']}"


def every_action_is_wanted_and_has_ended(
    books: Books, monitor: Monitor, now_us: int
) -> Iterator[str]:
    """Liked is what is positive enough, answered is everything; noted only, where we do not act.

    A reply that has failed is over, once its time is.
    """
    late_us = now_us - monitor.config.reply_s_max * 1_000_000
    actionable = books.actionable(monitor)
    like_min = monitor.config.like_min
    positive = [row for row in actionable if (row["score"] or 0) >= like_min]
    for what, rows, wanted in (
        ("like", books.likes, positive),
        ("reply", books.replies, actionable),
    ):
        found = Counter((row["external_id"], row["tweet_id"]) for row in rows)
        expected = Counter((row["external_id"], row["id"]) for row in wanted)
        yield from _differ(f"{what} of tweet", "on the books", found, expected)
        for row in rows:
            has_failed = what == "reply" and row["status"] == "failed"
            if has_failed and row["doubt_us"] is not None and row["doubt_us"] <= late_us:
                continue
            if row["status"] not in ENDED:
                yield f"{what} of {row['external_id']} is {row['status']}: {row['detail']}"
            elif (row["status"] == "dry_run") is monitor.writes:
                yield f"{what} of {row['external_id']} is {row['status']}, and that is not our way"


# --- X -----------------------------------------------------------------------------------------


def what_was_read_is_stored(books: Books) -> Iterator[str]:
    """Each tweet that the reader has passed on, once."""
    stored = {row["external_id"] for row in books.tweets}
    for row in books.of[READER]["seen"]:
        if row["tweet_id"] not in stored:
            yield f"{row['tweet_id']} was read and is not stored"
    (progress,) = books.of[READER]["progress"]
    from_x = sum(row["x_kind"] is not None for row in books.tweets)
    if from_x > progress["tweets"]:
        yield f"{from_x} tweets are X's, and {progress['tweets']} were read"


def what_x_streamed_is_stored(books: Books, config: TweetsConfig) -> Iterator[str]:
    """From the first that was read on, each that met our rule, but for what lies in a gap."""
    wanted = rule_of(config.keywords)
    ours = {row["id"] for row in books.of[X]["rule"] if row["tag"] == TAG or row["value"] == wanted}
    read = {row["external_id"] for row in books.tweets if row["external_id"] is not None}
    first = min((int(row["external_id"]) for row in books.tweets if row["x_kind"]), default=None)
    gaps = books.of[READER]["gap"]
    for row in books.of[X]["matched"]:
        number = row["tweet_id"]
        if first is None or number < first or str(number) in read:
            continue
        if ours.isdisjoint(msgspec.json.decode(row["rule_ids"])):
            continue  # it stood there for others, who share the account
        at_us = ((number >> 22) + 1_288_834_974_657) * 1000  # X's ids have the time in them
        if not any(gap["from_us"] <= at_us <= gap["to_us"] for gap in gaps):
            yield f"{number} stood in X's stream and is not stored"


def x_agrees_about_likes(books: Books, user_id: str) -> Iterator[str]:
    """It knows of each that is done, and of no other."""
    known = Counter(
        str(row["tweet_id"]) for row in books.of[X]["liked"] if str(row["user_id"]) == user_id
    )
    done = Counter(row["external_id"] for row in books.likes if row["status"] == "done")
    yield from _differ("like of", "on X's books", known, done)


def x_agrees_about_replies(books: Books, user_id: str) -> Iterator[str]:
    """It has each that is done, once, with its text and the id that it told us.

    And no other, but for those of which we do not know: once, or not at all.
    """
    posted = [
        row
        for row in books.of[X]["tweet"]
        if str(row["author_id"]) == user_id and row["replied_to"] is not None
    ]
    done = {row["external_id"]: row for row in books.replies if row["status"] == "done"}
    found = Counter(str(row["replied_to"]) for row in posted)
    unknown = {row["external_id"] for row in books.replies if row["status"] == "failed"}
    expected = Counter([*done, *(unknown & found.keys())])
    yield from _differ("reply to", "on X's books", found, expected)
    for row in posted:
        ours = done.get(str(row["replied_to"]))
        if ours is not None and ours["text"] != row["text"]:
            yield f"the reply to {row['replied_to']} says {row['text']!r} at X"
        elif ours is not None and ours["reply_id"] not in {None, str(row["id"])}:
            yield f"the reply to {row['replied_to']} is {row['id']} at X, not {ours['reply_id']}"


def _differ(what: str, where: str, found: Counter[Any], expected: Counter[Any]) -> Iterator[str]:
    keys: Iterable[Any] = sorted(found.keys() | expected.keys(), key=str)
    for key in keys:
        if found[key] != expected[key]:
            yield f"{what} {key} is {where} {found[key]} times, and should be {expected[key]}"
