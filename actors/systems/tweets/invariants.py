"""What must hold in a brand monitor at rest, read from the services' files.

They compare books that were kept apart: tweets with flags, likes and replies, those with what was
published, and all of it with the embedded X's own books, where that runs beside.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from actors.service.common_invariants import file_is_sound, nothing_is_under_way
from actors.systems.tweets import x_invariants
from actors.systems.tweets.config import TweetsConfig, XConfig
from actors.systems.tweets.messages import TweetScored
from actors.systems.tweets.monitor_files import READER, Monitor, MonitorFiles, X, differ
from actors.systems.tweets.outside import account_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actors.config import Config
    from actors.service.common_invariants import Row

__all__ = ["Monitor", "MonitorFiles", "violations"]

ENDED = {"done", "refused", "dry_run", "withheld"}
HOUR_US = 3_600_000_000
DAY_US = 86_400_000_000


def violations(
    folder: Path, *, monitor: Monitor, now_us: int, planted: frozenset[str] = frozenset()
) -> list[str]:
    """Return a sentence for everything that is wrong with the files of a brand monitor at rest.

    `planted` are the message types of dead letters that a test meant to be there.
    """
    books = MonitorFiles(folder)
    found = [each for name in books.of for each in file_is_sound(folder / f"{name}.db")]
    found += every_tweet_is_scored(books, monitor.config)
    found += every_score_is_published_once(books)
    found += every_negative_tweet_is_flagged_once(books)
    found += every_action_is_wanted_and_has_ended(books, monitor, now_us)
    found += what_is_withheld_has_a_reason(books, monitor)
    found += no_bound_is_passed(books, monitor.config)
    if READER in books.of:
        found += x_invariants.what_was_read_is_stored(books)
    if X in books.of:
        if not monitor.is_garbled:
            found += x_invariants.what_is_stored_is_as_it_was_written(books)
        found += x_invariants.an_edited_tweet_is_one(books)
    if X in books.of and monitor.user_id is not None:
        found += x_invariants.x_agrees_about_likes(books, monitor.user_id)
        found += x_invariants.x_agrees_about_replies(books, monitor.user_id)
        if not monitor.config.replies_to_replies:
            found += x_invariants.no_answer_to_an_answer_is_answered(books, monitor.user_id)
    if READER in books.of and X in books.of:
        found += x_invariants.what_x_streamed_is_stored(books, monitor.config)
    return [*found, *nothing_is_under_way(books.of, now_us=now_us, planted=planted)]


def audit(folder: Path, config: Config, now_us: int) -> list[str]:
    """Return what is wrong with the monitor's files, as `System.audit` wants it."""
    user_id, is_embedded = account_of(folder)
    writes = is_embedded or config.section(XConfig).write
    monitor = Monitor(config=config.section(TweetsConfig), user_id=user_id, writes=writes)
    return violations(folder, monitor=monitor, now_us=now_us)


# --- Tweets ------------------------------------------------------------------------------------


def every_tweet_is_scored(books: MonitorFiles, config: TweetsConfig) -> Iterator[str]:
    """Its sentiment is what the configured bounds make of its score; none is left over.

    What is not English is unknown, and has none.
    """
    for row in books.tweets:
        score = row["score"]
        if re.match(r"(?i)en\b", row["lang"] or "en") is None:
            if (row["sentiment"], score) != ("unknown", None):
                yield f"tweet {row['id']} is {row['lang']} and {row['sentiment']}, score {score}"
            continue
        if score is None:
            yield f"tweet {row['id']} has no score"
            continue
        sentiment = "positive" if score >= config.positive_min else "neutral"
        sentiment = "negative" if score <= config.negative_max else sentiment
        if row["sentiment"] != sentiment:
            yield f"tweet {row['id']} scores {score} and is {row['sentiment']}"
    for row in books.of["tweets"]["backlog"]:
        yield f"tweet {row['seq']} of the backlog is not asked for"


def every_score_is_published_once(books: MonitorFiles) -> Iterator[str]:
    """With what stands of its tweet; of an earlier version maybe, and before.

    Holds while no event was forgotten (store.events_kept_max).
    """
    rows = {row["id"]: row for row in books.tweets}
    latest: dict[tuple[str, str | None], list[TweetScored]] = {}
    for row in books.of["tweets"]["event"]:
        if row["message_type"] == TweetScored.__name__:
            event = msgspec.json.decode(row["message"], type=TweetScored)
            latest.setdefault((event.tweet_id, event.version_id), []).append(event)
    found = Counter({tweet_id: len(events) for (tweet_id, _), events in latest.items()})
    for (tweet_id, version_id), events in latest.items():
        stands = rows.get(tweet_id)
        if stands is not None and version_id == stands["version_id"]:
            found[tweet_id] = len(events)
            yield from _as_published(events[-1], stands)
        elif len(events) > 1:
            yield f"version {version_id} of {tweet_id} is published {len(events)} times"
    for row in books.tweets:
        if (row["id"], row["version_id"]) not in latest:
            found[row["id"]] = 0
    yield from differ("score of tweet", "published", found, Counter(rows.keys()))


def _as_published(event: TweetScored, row: Row) -> Iterator[str]:
    names = ("author", "text", "external_id", "score", "sentiment")
    if any(getattr(event, name) != row[name] for name in names):
        yield f"tweet {row['id']} was published as another: {event}"


def every_negative_tweet_is_flagged_once(books: MonitorFiles) -> Iterator[str]:
    """And no other is, but one whose earlier version was; the flag shows the tweet as it stands."""
    flags = books.of["flagger"]["flag"]
    rows = {row["id"]: row for row in books.tweets}
    found = Counter(row["tweet_id"] for row in flags)
    expected = Counter(
        row["id"]
        for row in books.tweets
        if row["sentiment"] == "negative" or (books.is_edited(row) and row["id"] in found)
    )
    yield from differ("negative tweet", "flagged", found, expected)
    for flag in flags:
        if flag["tweet_id"] not in rows:
            continue
        row = rows[flag["tweet_id"]]
        is_other = any(flag[name] != row[name] for name in ("author", "text"))
        if is_other or row["score"] not in {None, flag["score"]}:
            yield f"flag {flag['id']} shows another tweet than {row['id']}"


# --- Likes and replies -------------------------------------------------------------------------


def every_action_is_wanted_and_has_ended(
    books: MonitorFiles, monitor: Monitor, now_us: int
) -> Iterator[str]:
    """Liked is what is positive enough, answered is everything; noted only, where we do not act.

    Each tweet once, whatever its versions. A reply that has failed is over, once its time is.
    """
    late_us = now_us - monitor.config.reply_s_max * 1_000_000
    actionable = books.actionable(monitor)
    liked = {row["tweet_id"] for row in books.likes}
    like_min = monitor.config.like_min
    positive = [
        row
        for row in actionable
        # Of an edited one an earlier version may have been.
        if (row["score"] or 0) >= like_min or (books.is_edited(row) and row["id"] in liked)
    ]
    ids = {row["id"]: books.ids_of(row) for row in actionable}
    for what, rows, wanted in (
        ("like", books.likes, positive),
        ("reply", books.replies, actionable),
    ):
        found = Counter(row["tweet_id"] for row in rows)
        expected = Counter(row["id"] for row in wanted)
        yield from differ(f"{what} of tweet", "on the books", found, expected)
        for row in rows:
            if row["external_id"] not in ids.get(row["tweet_id"], {row["external_id"]}):
                yield f"{what} of {row['external_id']} is for another's tweet {row['tweet_id']}"
            has_failed = what == "reply" and row["status"] == "failed"
            if has_failed and row["doubt_us"] is not None and row["doubt_us"] <= late_us:
                continue
            if row["status"] not in ENDED:
                yield f"{what} of {row['external_id']} is {row['status']}: {row['detail']}"
            elif row["status"] != "withheld" and (row["status"] == "dry_run") is monitor.writes:
                yield f"{what} of {row['external_id']} is {row['status']}, and that is not our way"


def what_is_withheld_has_a_reason(books: MonitorFiles, monitor: Monitor) -> Iterator[str]:
    """It names a failure, answers an answer, or there were as many as there may be; and says so.

    And no like names a failure, by its bare word.
    """
    config = monitor.config
    rows = {row["id"]: row for row in books.tweets}
    for what, actions, author_max, conversation_max, all_max in (
        ("like", books.likes, config.likes_author_hour_max, None, None),
        (
            "reply",
            books.replies,
            config.replies_author_hour_max,
            config.replies_conversation_day_max,
            config.replies_hour_max,
        ),
    ):
        begun = [rows[each["tweet_id"]] for each in actions if each["status"] != "withheld"
                 and each["tweet_id"] in rows]  # fmt: skip
        of_author = Counter(row["x_author_id"] for row in begun)
        of_conversation = Counter(row["x_conversation_id"] for row in begun)
        for each in actions:
            row = rows.get(each["tweet_id"])
            if row is None:
                continue
            named = [word for word in config.like_never if _says(row["text"], word)]
            may_name = any(word[:4] in row["text"].lower() for word in config.like_never)
            if each["status"] != "withheld":
                if what == "like" and named and not books.is_edited(row):
                    yield f"like of {row['id']}, which names a failure: {named[0]}"
                continue
            is_full = (
                of_author[row["x_author_id"]] >= author_max
                or (all_max is not None and len(begun) >= all_max)
                or (
                    conversation_max is not None
                    and of_conversation[row["x_conversation_id"]] >= conversation_max
                )
            )
            answers = monitor.user_id in (row["x_answers"] or "").split()
            is_right = is_full or (may_name if what == "like" else answers) or books.is_edited(row)
            if not is_right or not each["detail"]:
                yield f"{what} of {row['id']} is withheld without a reason: {each['detail']}"


def no_bound_is_passed(books: MonitorFiles, config: TweetsConfig) -> Iterator[str]:
    """In no hour more likes or answers, in no day more in a conversation, than there may be.

    As far as the clock has gone forward all the time: else nobody knows what an hour was.
    """
    for what, author_max, conversation_max, all_max in (
        ("favouriter", config.likes_author_hour_max, None, None),
        (
            "responder",
            config.replies_author_hour_max,
            config.replies_conversation_day_max,
            config.replies_hour_max,
        ),
    ):
        acted = sorted(books.of[what]["acted"], key=lambda row: row["seq"])
        times = [row["at_us"] for row in acted]
        if times != sorted(times):
            continue
        for name, window_us, most in (
            ("author_id", HOUR_US, author_max),
            ("conversation_id", DAY_US, conversation_max),
            (None, HOUR_US, all_max),
        ):
            begin, there = 0, Counter[str | None]()
            for row, at_us in zip(acted, times, strict=True):
                while times[begin] <= at_us - window_us:
                    there[name and acted[begin][name]] -= 1
                    begin += 1
                key = name and row[name]
                there[key] += 1
                is_bound = most is not None and (name is None or key is not None)
                if is_bound and there[key] > (most or 0):
                    yield f"{what} has done more for {name or 'all'} {key} than it may"
        known = {row["external_id"] for row in books.of[what]["action"]}
        for row in acted:
            if row["external_id"] not in known:
                yield f"{what} has counted {row['external_id']}, and not done it"


def _says(text: str, word: str) -> bool:
    return re.search(rf"(?i)(?<![a-z]){re.escape(word)}(?![a-z])", text) is not None
