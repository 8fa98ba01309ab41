"""What must hold of a simulated brand monitor at rest, and of what its clients were told."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from actors.service.common_invariants import reading
from actors.simulation.check.assertions import sometimes
from actors.simulation.check.exactly_once import check_exactly_once
from actors.simulation.check.linearizability import check_linearizability
from actors.simulation.check.standard_models import Register
from actors.simulation.time.virtual_clock import VirtualClock
from actors.systems.tweets.config import TweetsConfig, XConfig
from actors.systems.tweets.scenario.deeds import TweetsDeeds
from actors.systems.tweets.scenario.embedded_x import counted
from actors.systems.tweets.scenario.flag_model import FlagModel
from actors.systems.tweets.scenario.gap_causes import gaps_amiss
from actors.systems.tweets.scenario.garblings import ODD_LINES
from actors.systems.tweets.scenario.kept import Kept
from actors.systems.tweets.scenario.looks import PAGE
from actors.systems.tweets.scenario.promptness import Promptness, in_run_s
from actors.systems.tweets.scenario.reader_books import reader_amiss
from actors.systems.tweets.scenario.walks import walks_amiss
from actors.systems.tweets.scenario.x_books import XBooks
from actors.systems.tweets.scenario.x_windows import taken_amiss
from actors.systems.tweets.x_invariants import tweeted_at_us
from actors.systems.x_platform.messages import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History, Operation
    from actors.systems.tweets.scenario.told import Told

SECOND_US: Final = 1_000_000
HOUR_US: Final = 3_600 * SECOND_US
# A reply's last state where X has not confirmed it in `reply_s_max`: nothing tries it again.
GIVEN_UP: Final = "X has not confirmed it in time: whether it stands is unknown"

SAID = "SELECT text FROM tweet WHERE retweeted IS NULL AND text LIKE '%(client-%'"
STORED = "SELECT external_id, text FROM tweet WHERE x_kind IS NULL AND author != 'old'"
# Of an edited tweet those of all its versions.
EXTERNAL_IDS = (
    "SELECT external_id FROM tweet WHERE external_id IS NOT NULL"
    " UNION SELECT version_id FROM version"
)
GAPS = "SELECT from_us, to_us, reason FROM gap"
# What was asked for afterwards is there.
NOT_FILLED = "SELECT from_us, to_us FROM gap WHERE state != 'filled'"
GAP_STATES = "SELECT state FROM gap"
UNREADABLE = "SELECT unreadable FROM progress"
FILLED = "SELECT from_us, to_us FROM gap WHERE state = 'filled'"
# What the dead letter of a line is called that has a tweet's id.
OF_TWEET: Final = "x-tweet-"
FLAGS = "SELECT id, status, assignee, note FROM flag"


def tweets_violations(
    folder: Path,
    config: Config,
    clock: Clock,
    history: History,
    told: Told,
    *,
    is_calm: bool,
    garbled: Sequence[tuple[str, int]] = (),
) -> list[str]:
    """Return a sentence for everything that is wrong.

    `is_calm` is a run without a fault; `garbled` is what has come so from X, and when.
    """
    found = list(told.troubles)
    found += _what_x_acknowledged_is_stored(folder, told)
    gaps = _rows(folder, "reader", GAPS)
    found += gaps_amiss(gaps, config.section(XConfig), clock, told, garbled)
    found += _what_is_set_aside_came_so(folder, told, garbled)
    found += _flags_do_as_they_are_told(folder, history)
    kept = Kept(folder, account_id=ACCOUNT_ID)
    found += TweetsDeeds(kept, told, config.section(TweetsConfig)).violations()
    found += walks_amiss(kept, told)
    found += XBooks(kept).violations()
    found += XBooks(kept).reply_violations()
    found += XBooks(kept).search_violations(told.searched)
    found += _what_is_given_up_had_its_time(kept, config, clock)
    _note_what_came(folder, kept, told)
    found += _stored_once_each(told)
    if not _clock_was_set(clock):
        found += _bounds_are_kept(kept, config)
        found += _who_is_locked_says_nothing(kept, clock, told)
        found += XBooks(kept).stream_violations()
        found += XBooks(kept).edit_violations()
        ((unreadable,),) = _rows(folder, "reader", UNREADABLE)
        found += reader_amiss(kept, told.reader, unreadable=unreadable)
        x = config.named("x_platform")
        found += taken_amiss(counted(), most=x.requests_max, window_s=x.window_s)
    if is_calm:
        found += [f"{each} was told that the reader is parked" for each in told.parked]
        found += Promptness(kept, config, clock, told).violations(history)
    stores = [each for each in history.operations if each.name == "put_if_absent"]
    verdict = check_linearizability(stores, Register())
    if not verdict.linearizable:
        found.append(str(verdict))
    stored = [external_id or text for external_id, text in _rows(folder, "tweets", STORED)]
    found += check_exactly_once(history.operations, stored, effect_of=_stored)
    said = [text for (text,) in _rows(folder, "x_platform", SAID)]
    found += check_exactly_once(history.operations, said, effect_of=_said)
    return found


def _what_x_acknowledged_is_stored(folder: Path, told: Told) -> Iterator[str]:
    """All about the keyword, but for what lies in a gap that is not filled."""
    stored = {each for (each,) in _rows(folder, "tweets", EXTERNAL_IDS)}
    gaps = _rows(folder, "reader", NOT_FILLED)
    for tweet_id, who in told.tweeted.items():
        at_us = tweeted_at_us(int(tweet_id))
        if tweet_id in told.deleted:
            continue
        if tweet_id not in stored and not any(since <= at_us <= until for since, until in gaps):
            yield f"{who} tweeted {tweet_id} about the keyword, and it is not stored"


def _what_is_set_aside_came_so(
    folder: Path, told: Told, garbled: Sequence[tuple[str, int]]
) -> Iterator[str]:
    """No more lines cannot be read than came garbled; what the search has found is kept no more."""
    odd_lines = sum(what in ODD_LINES for what, _ in garbled)
    ((unreadable,),) = _rows(folder, "reader", UNREADABLE)
    if unreadable > odd_lines:
        yield f"{unreadable} of X's lines could not be read, and {odd_lines} came garbled"
    filled = _rows(folder, "reader", FILLED)
    stored = {each for (each,) in _rows(folder, "tweets", EXTERNAL_IDS)}
    for tweet_id in [each.removeprefix(OF_TWEET) for each in sorted(told.set_aside)]:
        at_us = tweeted_at_us(int(tweet_id)) if tweet_id.isdecimal() else 0
        if tweet_id in stored and any(since <= at_us <= until for since, until in filled):
            yield f"{tweet_id} was found, and its line is a dead letter still"


def _what_is_given_up_had_its_time(kept: Kept, config: Config, clock: Clock) -> Iterator[str]:
    """No reply is given up in a run that is shorter than it may take, by a clock that was set."""
    forward_us = clock.set_forward_us if isinstance(clock, VirtualClock) else 0
    lasted_s = asyncio.get_running_loop().time() + forward_us / SECOND_US
    if lasted_s >= config.section(TweetsConfig).reply_s_max:
        return
    for row in kept.of["replies"]:
        if row["detail"] == GIVEN_UP:
            yield f"the answer to {row['external_id']} was given up after {lasted_s:.1f} s at most"


def _flags_do_as_they_are_told(folder: Path, history: History) -> Iterator[str]:
    """Each answer, each look and what is left in the end fit one order of all that was asked."""
    for flag, *state in _rows(folder, "flagger", FLAGS):
        with history.invoke("flagger.db", "read", key=flag) as attempt:
            attempt.ok(state)
    asked = [each for each in history.operations if each.name in {"change", "read"}]
    verdict = check_linearizability(asked, FlagModel())
    if not verdict.linearizable:
        yield str(verdict)


def _note_what_came(folder: Path, kept: Kept, told: Told) -> None:
    """Say which cases it has reached: where one never comes, a campaign has seen too little."""
    for name in ("likes", "replies"):
        statuses = {row["status"] for row in kept.of[name]}
        for status in ("done", "withheld", "refused"):
            sometimes(f"one of the {name} is {status}", status in statuses)
    statuses = {row["status"] for row in kept.of["flags"]}
    for status in ("assigned", "resolved"):
        sometimes(f"a flag is {status}", status in statuses)
    kinds = {row["x_kind"] for row in kept.of["tweets"]}
    for kind in ("reply", "retweet", "quote"):
        sometimes(f"a {kind} is stored", kind in kinds)
    versions = [row["version_id"] for row in kept.of["tweets"]]
    sometimes("a tweet shows another version than its first", any(versions))
    sometimes("a gap is filled", ("filled",) in _rows(folder, "reader", GAP_STATES))
    known = [reply for *_, reply in told.stores if reply.status == HTTPStatus.OK]
    sometimes("what is to be stored is known", known)
    sometimes("the account is locked", list(told.locked()))
    sometimes("a list has several pages", any(len(walk.items) > PAGE for walk in told.walks))


def _clock_was_set(clock: Clock) -> bool:
    """Whether times of the run may be no differences."""
    return not isinstance(clock, VirtualClock) or bool(clock.set_forward_us)


def _stored_once_each(told: Told) -> Iterator[str]:
    """Under one external id there is one tweet; one request alone has made it."""
    ids: dict[str, set[str]] = {}
    made: dict[str, set[str]] = {}
    for external_id, key, reply in told.stores:
        if reply.status in {HTTPStatus.OK, HTTPStatus.CREATED}:
            ids.setdefault(external_id, set()).add(reply.body["id"])
        if reply.status == HTTPStatus.CREATED:
            made.setdefault(external_id, set()).add(key)
    yield from [f"{each} is {sorted(every)}" for each, every in ids.items() if len(every) > 1]
    yield from [
        f"{each} was made by {sorted(every)}" for each, every in made.items() if len(every) > 1
    ]


def _bounds_are_kept(kept: Kept, config: Config) -> Iterator[str]:
    """In no hour, or day, is more begun than there may be: of an author, a conversation, in all."""
    bounds = config.section(TweetsConfig)
    of_tweet = {row["id"]: row for row in kept.of["tweets"]}
    for name, by, window_us, most in (
        ("likes", "x_author_id", HOUR_US, bounds.likes_author_hour_max),
        ("replies", "x_author_id", HOUR_US, bounds.replies_author_hour_max),
        ("replies", "x_conversation_id", 24 * HOUR_US, bounds.replies_conversation_day_max),
        ("replies", "", HOUR_US, bounds.replies_hour_max),
    ):
        begun: dict[Any, list[int]] = {}
        for row in kept.of[name]:
            tweet = of_tweet[row["tweet_id"]]
            if row["status"] != "withheld":
                begun.setdefault(tweet[by] if by else None, []).append(row["begun_us"])
        for what, times in begun.items():
            times.sort()
            late = [
                at for at, first in zip(times[most:], times, strict=False) if at - first < window_us
            ]
            is_full = len(times) >= most
            sometimes(f"{name} are as many as may be, {by or 'in all'}", is_full)
            if late:
                yield f"{len(times)} {name} of {what}, and {most} is the most"


def _who_is_locked_says_nothing(kept: Kept, clock: Clock, told: Told) -> Iterator[str]:
    """Nothing stands at X that the account has written while it was locked."""
    for row in kept.of["x_tweets"]:
        at_s = in_run_s(clock, tweeted_at_us(row["id"]))
        is_locked = any(since_s < at_s < until_s for since_s, until_s in told.locked())
        if is_locked and kept.is_ours(row["id"]) and row["replied_to"] is not None:
            yield f"{row['id']} was tweeted by an account that was locked"


def _stored(operation: Operation) -> str | None:
    return operation.key if operation.name == "put_if_absent" else None


def _said(operation: Operation) -> str | None:
    return operation.argument if operation.name == "tweet" else None


def _rows(folder: Path, service: str, sql: str) -> list[Any]:
    with reading(folder / f"{service}.db") as connection:
        return connection.execute(sql).fetchall()
