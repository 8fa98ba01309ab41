"""What must hold between a brand monitor at rest and the X that it reads, from both's books."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from actors.systems.tweets.monitor_files import READER, X, differ
from actors.systems.tweets.reading.rule_watch import TAG, rule_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.systems.tweets.config import TweetsConfig
    from actors.systems.tweets.monitor_files import MonitorFiles


def tweeted_at_us(tweet_id: int) -> int:
    """Return when it was tweeted, in epoch microseconds: X's ids have the time in them."""
    return ((tweet_id >> 22) + 1_288_834_974_657) * 1000


def what_was_read_is_stored(books: MonitorFiles) -> Iterator[str]:
    """Each tweet that the reader has passed on, once; an edited one with all its versions."""
    stored = books.x_ids()
    for row in books.of[READER]["seen"]:
        if row["tweet_id"] not in stored:
            yield f"{row['tweet_id']} was read and is not stored"
    (progress,) = books.of[READER]["progress"]
    from_x = sum(row["x_kind"] is not None for row in books.tweets)
    if from_x > progress["tweets"]:
        yield f"{from_x} tweets are X's, and {progress['tweets']} were read"


def what_x_streamed_is_stored(books: MonitorFiles, config: TweetsConfig) -> Iterator[str]:
    """From the first that was read on, each that met our rule, but for what lies in an open gap."""
    wanted = rule_of(config.keywords)
    ours = {row["id"] for row in books.of[X]["rule"] if row["tag"] == TAG or row["value"] == wanted}
    read = books.x_ids()
    first = min((int(row["external_id"]) for row in books.tweets if row["x_kind"]), default=None)
    gaps = [gap for gap in books.of[READER]["gap"] if gap["state"] != "filled"]
    gone = {row["id"] for row in books.of[X]["tweet"] if row["deleted_us"] is not None}
    for row in books.of[X]["matched"]:
        number = row["tweet_id"]
        # What is deleted leaves the stream: whoever has not read it by then never does.
        if first is None or number < first or str(number) in read or number in gone:
            continue
        if ours.isdisjoint(msgspec.json.decode(row["rule_ids"])):
            continue  # it stood there for others, who share the account
        at_us = tweeted_at_us(number)
        if not any(gap["from_us"] <= at_us <= gap["to_us"] for gap in gaps):
            yield f"{number} stood in X's stream and is not stored"


def what_is_stored_is_as_it_was_written(books: MonitorFiles) -> Iterator[str]:
    """All of its text, by whom and in which language X has it, in the version that stands."""
    tweets = {str(row["id"]): row for row in books.of[X]["tweet"]}
    names = {row["id"]: row["username"] for row in books.of[X]["x_user"]}
    for row in books.tweets:
        written = tweets.get(row["version_id"] or row["external_id"])
        if row["x_kind"] is None or written is None:
            continue
        if (row["text"], row["lang"]) != (written["text"], written["lang"]):
            yield f"{row['external_id']} says {written['text']!r} at X, and {row['text']!r} here"
        if row["author"] != names[written["author_id"]]:
            yield f"{row['external_id']} is by {row['author']} here, and not at X"


def an_edited_tweet_is_one(books: MonitorFiles) -> Iterator[str]:
    """X's versions of a tweet are one tweet here, which shows the newest that was read."""
    first_of = {str(row["id"]): str(row["edit_of"] or row["id"]) for row in books.of[X]["tweet"]}
    found = Counter(
        first_of.get(row["external_id"], row["external_id"])
        for row in books.tweets
        if row["x_kind"] is not None
    )
    yield from differ("tweet", "stored", found, Counter(found.keys()))
    seen = {row["tweet_id"] for row in books.of[READER]["seen"]} if READER in books.of else set()
    for row in books.tweets:
        stands = row["version_id"] or row["external_id"]
        read = [int(each) for each in books.ids_of(row) & seen]
        if row["x_kind"] is not None and read and int(stands) < max(read):
            yield f"{row['external_id']} shows {stands}, and {max(read)} was read"


def x_agrees_about_likes(books: MonitorFiles, user_id: str) -> Iterator[str]:
    """It knows of each that is done, and of no other.

    But for one whose tweet is deleted: made, unconfirmed and asked for again, it is refused.
    """
    known = Counter(
        str(row["tweet_id"]) for row in books.of[X]["liked"] if str(row["user_id"]) == user_id
    )
    done = Counter(row["external_id"] for row in books.likes if row["status"] == "done")
    gone = {str(row["id"]) for row in books.of[X]["tweet"] if row["deleted_us"] is not None}
    refused = {row["external_id"] for row in books.likes if row["status"] == "refused"}
    expected = done + Counter(refused & gone & known.keys())
    yield from differ("like of", "on X's books", known, expected)


def x_agrees_about_replies(books: MonitorFiles, user_id: str) -> Iterator[str]:
    """It has each that is done, once, with its text and the id that it told us.

    And no other, but for those of which we do not know: once, or not at all. As of a like: posted,
    unconfirmed and asked for again, it is refused where the tweet is gone.
    """
    posted = [
        row
        for row in books.of[X]["tweet"]
        if str(row["author_id"]) == user_id and row["replied_to"] is not None
    ]
    done = {row["external_id"]: row for row in books.replies if row["status"] == "done"}
    found = Counter(str(row["replied_to"]) for row in posted)
    gone = {str(row["id"]) for row in books.of[X]["tweet"] if row["deleted_us"] is not None}
    unknown = {
        row["external_id"]
        for row in books.replies
        if row["status"] == "failed" or (row["status"] == "refused" and row["external_id"] in gone)
    }
    expected = Counter([*done, *(unknown & found.keys())])
    yield from differ("reply to", "on X's books", found, expected)
    for row in posted:
        ours = done.get(str(row["replied_to"]))
        if ours is not None and ours["text"] != row["text"]:
            yield f"the reply to {row['replied_to']} says {row['text']!r} at X"
        elif ours is not None and ours["reply_id"] not in {None, str(row["id"])}:
            yield f"the reply to {row['replied_to']} is {row['id']} at X, not {ours['reply_id']}"


def no_answer_to_an_answer_is_answered(books: MonitorFiles, user_id: str) -> Iterator[str]:
    """Neither a reply to a reply of ours nor what quotes one: by X's books of who said what."""
    tweets = {row["id"]: row for row in books.of[X]["tweet"]}

    def is_our_reply(number: int | None) -> bool:
        row = None if number is None else tweets.get(number)
        return row is not None and str(row["author_id"]) == user_id and bool(row["replied_to"])

    for row in tweets.values():
        if is_our_reply(row["id"]):
            answered = tweets[row["replied_to"]]
            if is_our_reply(answered["replied_to"]) or is_our_reply(answered["quoted"]):
                yield f"{answered['id']} answers an answer of ours, and {row['id']} answers it"
