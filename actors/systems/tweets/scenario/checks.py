"""What must hold of a simulated brand monitor at rest, and of what its clients were told."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.simulation.check.exactly_once import check_exactly_once
from actors.simulation.check.linearizability import check_linearizability
from actors.simulation.check.standard_models import Register
from actors.simulation.time.virtual_clock import START_US, VirtualClock
from actors.systems.tweets.config import XConfig
from actors.systems.tweets.flagger import ORDER
from actors.systems.tweets.messages import FlagStatus  # noqa: TC001 - msgspec may read it
from actors.systems.tweets.x_invariants import tweeted_at_us
from actors.systems.x_platform.messages import XTweet  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History, Operation

SECOND_US: Final = 1_000_000
# What connecting may take, and a note on how far has been read be late, in seconds.
NOTE_S_MAX: Final = 30.0

SAID = "SELECT text FROM tweet WHERE retweeted IS NULL AND text LIKE '%(client-%'"
STORED = "SELECT external_id, text FROM tweet WHERE x_kind IS NULL AND author != 'old'"
# Of an edited tweet those of all its versions.
EXTERNAL_IDS = (
    "SELECT external_id FROM tweet WHERE external_id IS NOT NULL"
    " UNION SELECT version_id FROM version"
)
GAPS = "SELECT from_us, to_us FROM gap"
# What was asked for afterwards is there.
NOT_FILLED = "SELECT from_us, to_us FROM gap WHERE state != 'filled'"
FLAGS = "SELECT id, status FROM flag"


class Told(msgspec.Struct):
    """What the clients were told.

    `last` is the tweet that X acknowledged last, and `last_by` by whom, where it was one of them;
    `unassigned` are flags that somebody gave back.
    """

    last: XTweet | None = None
    last_by: str | None = None
    tweeted: dict[str, str] = msgspec.field(default_factory=dict)
    flags: dict[str, set[FlagStatus]] = msgspec.field(default_factory=dict)
    unassigned: set[str] = msgspec.field(default_factory=set)
    deleted_rules: bool = False
    troubles: list[str] = msgspec.field(default_factory=list)


def tweets_violations(
    folder: Path, config: Config, clock: Clock, history: History, told: Told
) -> list[str]:
    """Return a sentence for everything that is wrong."""
    found = list(told.troubles)
    found += _what_x_acknowledged_is_stored(folder, told)
    found += _a_gap_had_its_outage(folder, config, clock, told)
    found += _flags_do_not_move_back(folder, told)
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
        if tweet_id not in stored and not any(since <= at_us <= until for since, until in gaps):
            yield f"{who} tweeted {tweet_id} about the keyword, and it is not stored"


def _a_gap_had_its_outage(folder: Path, config: Config, clock: Clock, told: Told) -> Iterator[str]:
    """No run that is shorter than what X sends again has a gap.

    But for those that begin before it: there the wall clock was set back, and nobody can know. And
    where it was set forward, maybe between a plan and its connection: what was asked for is too
    short by that, and the gap no longer. And where somebody has deleted the reader's rule.
    """
    forward_us = clock.set_forward_us if isinstance(clock, VirtualClock) else 0
    x = config.section(XConfig)
    reach_s = x.backfill_minutes_max * 60 - x.stall_s - NOTE_S_MAX
    lasted_s = max(asyncio.get_running_loop().time(), (clock.now_us() - START_US) / SECOND_US)
    begun_us = START_US - (x.stall_s + NOTE_S_MAX) * SECOND_US
    for since_us, until_us in _rows(folder, "reader", GAPS):
        if told.deleted_rules or since_us < begun_us or 0 < until_us - since_us <= forward_us:
            continue
        if lasted_s < reach_s:
            yield f"a gap from {since_us} to {until_us}, and X was there"


def _flags_do_not_move_back(folder: Path, told: Told) -> Iterator[str]:
    states: dict[str, Any] = dict(_rows(folder, "flagger", FLAGS))
    for flag, statuses in told.flags.items():
        furthest = max(
            ORDER.index(status)
            for status in statuses
            if status != "assigned" or flag not in told.unassigned
        )
        if ORDER.index(states[flag]) < furthest:
            yield f"flag {flag} was {ORDER[furthest]}, and is {states[flag]}"


def _stored(operation: Operation) -> str | None:
    return operation.key if operation.name == "put_if_absent" else None


def _said(operation: Operation) -> str | None:
    return operation.argument if operation.name == "tweet" else None


def _rows(folder: Path, service: str, sql: str) -> list[Any]:
    with closing(sqlite3.connect(folder / f"{service}.db")) as connection:
        return connection.execute(sql).fetchall()
