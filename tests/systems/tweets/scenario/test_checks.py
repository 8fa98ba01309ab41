"""What the scenario of the brand monitor takes for wrong, and what for explained."""

from __future__ import annotations

import asyncio
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from actors.config import load_config
from actors.simulation.time.virtual_clock import START_US
from actors.systems import SYSTEMS
from actors.systems.tweets.scenario.fickle import be_fickle
from actors.systems.tweets.scenario.moods import KEYWORD
from actors.systems.tweets.scenario.promptness import Promptness
from actors.systems.tweets.scenario.scenario import GAP_WAIT_S
from actors.systems.tweets.scenario.searches import SAID_BY, SEARCHES, searches_amiss
from actors.systems.tweets.scenario.told import RULE_IS_BACK_S, Lock, Told, Upset
from actors.systems.tweets.scenario.x_books import XBooks
from actors.systems.tweets.x.tweet_ids import first_id_at
from actors.systems.x_platform.messages import Like


@pytest.mark.parametrize(
    ("locks", "locked"),
    [
        ([(1.0, 8.0, 1.1)], [(1.1, 9.0)]),
        ([(1.0, 8.0, 1.1), (5.0, 2.0, 5.1)], [(1.1, 5.0), (5.1, 7.0)]),  # the last one counts
        ([(1.0, 8.0, 1.1), (5.0, 2.0, inf)], [(1.1, 5.0)]),  # nobody knows whether it was done
        ([(1.0, 8.0, 1.2), (1.1, 2.0, 1.3)], []),  # nor here which was the last
        ([(1.1, 2.0, 1.3), (1.0, 8.0, 1.2)], []),
    ],
)
def test_of_locks_the_last_one_counts(
    locks: list[tuple[float, float, float]], locked: list[tuple[float, float]]
) -> None:
    """As X has it: each says when it was asked for, for how long, and when it was done."""
    assert list(Told(locks=[Lock(*each) for each in locks]).locked()) == locked


def test_what_was_stopped_excuses_nothing_before_or_after_and_nobody_else() -> None:
    """Of a run in which it was stopped."""
    told = Told(upsets=[Upset(frozenset(["reader"]), 10.0, 20.0)])
    spans_s = [(0.0, 9.0), (9.0, 11.0), (12.0, 13.0), (19.0, 30.0), (21.0, 30.0)]
    assert [told.is_upset(["reader", "x"], *each) for each in spans_s] == [
        False,
        *[True] * 3,
        False,
    ]
    assert not told.is_upset(["tweets"], 0.0, 30.0)


@pytest.mark.parametrize(
    ("requests_s", "until_s"),
    [
        ([], 30.0),
        ([(0.0, 9.0), (31.0, 60.0)], 30.0),  # before, and when it was back
        ([(12.0, 32.0)], 32.0 + RULE_IS_BACK_S),
        ([(50.0, 70.0), (12.0, 32.0)], 70.0 + RULE_IS_BACK_S),
    ],
)
def test_a_rule_is_back_when_x_grants_that(
    requests_s: list[tuple[float, float]], until_s: float
) -> None:
    """It was deleted at ten seconds; who asks X for this and that uses up what the reader may."""
    used_up = [Upset(frozenset(["requests"]), *each) for each in requests_s]
    told = Told(upsets=[*used_up, Upset(frozenset(["rule"]), 10.0, 30.0)])
    spans_s = [(0.0, 9.0), (9.0, 11.0), (until_s - 0.1, inf), (until_s + 0.1, inf)]
    assert [told.lacks_rule(*each) for each in spans_s] == [False, True, True, False]
    assert not Told(upsets=used_up).lacks_rule(0.0, inf)


@pytest.mark.parametrize(
    ("backfill", "tweeted_s", "late"),
    [(5, 0.1, 1.0), (0, 0.1, 1.0 + GAP_WAIT_S), (0, 1.1, 1.0)],
    ids=["sent again", "found", "sent"],
)
async def test_what_came_before_the_stream_waits_for_the_search_without_backfill(
    backfill: int, tweeted_s: float, late: float
) -> None:
    """Until a gap has its turn, and no longer; what comes later is scored at once."""
    settings = [f"x.backfill_minutes_max={backfill}", f"x.gap_wait_s={GAP_WAIT_S}"]
    config = load_config(settings=settings, systems=SYSTEMS)
    time_s = asyncio.get_running_loop().time
    clock: Any = SimpleNamespace(now_us=lambda: START_US + round(time_s() * 1e6))

    def found(took_s: float) -> int:
        row = {
            "external_id": str(first_id_at(START_US + round(tweeted_s * 1e6))),
            "begun_us": START_US + round((tweeted_s + took_s) * 1e6),
            "status": "done",
            "reply_id": None,
        }
        kept: Any = SimpleNamespace(of={"likes": [row], "replies": []})
        history: Any = SimpleNamespace(operations=[])
        return len([*Promptness(kept, config, clock, Told()).violations(history)])

    assert [found(late - 0.1), found(late + 0.1)] == [0, 1]


@pytest.mark.parametrize(
    ("found", "wrong"), [({}, False), ({KEYWORD: []}, True), ({KEYWORD: [1]}, False)]
)
def test_a_search_that_finds_nothing_was_a_search(
    found: dict[str, list[int]], *, wrong: bool
) -> None:
    """Where somebody has said something, and all has come to rest."""
    row = {"id": 1, "text": f"{KEYWORD} {SAID_BY}0)", "retweeted": None, "deleted_us": None}
    kept: Any = SimpleNamespace(x_tweets={"1": row})
    assert bool([*XBooks(kept).search_violations(found)]) is wrong


def said(number: int, text: str, author: str = "ann", **more: Any) -> dict[str, Any]:
    """Return X's row of what somebody has said."""
    own = {"id": number, "text": f"{text} {SAID_BY}0)", "author_id": author, "lang": "en"}
    others = ("retweeted", "deleted_us", "replied_to", "quoted", "edit_of")
    return {**own, **dict.fromkeys(others), **more}


MEANT = {
    "awful OR nice": [said(2, "It is nice"), said(3, "so so")],
    "love -awful": [said(2, "Love!"), said(3, "love, awful")],
    "(awful OR love) from:bob": [said(2, "I love it", "bob"), said(3, "I love it")],
    '"best ever thank"': [said(2, "the best ever, thank you"), said(3, "thank the best ever")],
    "weather -is:reply -is:quote": [said(2, "weather"), said(3, "weather", replied_to=2)],
    "tutorialedge lang:de": [said(2, KEYWORD, lang="de"), said(3, KEYWORD)],
    "tutorialedge is:reply -from:ann": [
        said(2, "so it is", "bob", replied_to=1, quoted=3),
        said(3, KEYWORD, replied_to=1),
    ],
}


@pytest.mark.parametrize("query", SEARCHES)
def test_a_search_finds_what_it_means_and_nothing_else(query: str) -> None:
    """Of two that were said, the first alone; what was repeated may be found as well."""
    rows = [said(4, "gone", deleted_us=1), said(5, "nice love awful", retweeted=2), *MEANT[query]]
    kept: Any = SimpleNamespace(
        x_tweets={str(row["id"]): row for row in rows}, names={"ann": "ann", "bob": "Bob"}
    )
    for found, wrong in (([2], False), ([], True), ([3, 2], True), ([2, 2], True), ([5, 2], False)):
        assert bool([*searches_amiss(kept, {query: found})]) is wrong


@pytest.mark.parametrize(
    ("author", "settings", "text", "wrong"),
    [
        ("bob", "everyone", "all", False),
        ("bob", "mentionedUsers", "some", True),
        ("bob", "mentionedUsers", "for @BOB", False),
        ("ann", "mentionedUsers", "my own", False),
    ],
)
def test_who_answers_may(author: str, settings: str, text: str, *, wrong: bool) -> None:
    """Ann has tweeted, and lets everybody answer, or whom she mentions."""
    rows = [said(1, text, reply_settings=settings), said(2, "so it is", author, replied_to=1)]
    kept: Any = SimpleNamespace(
        x_tweets={str(row["id"]): row for row in rows}, names={"ann": "ann", "bob": "Bob"}
    )
    assert bool([*XBooks(kept).reply_violations()]) is wrong


HALF_AN_HOUR_US = 1_800_000_000


@pytest.mark.parametrize(
    ("after_us", "times", "author", "wrong"),
    [
        (HALF_AN_HOUR_US, 5, "ann", False),
        (HALF_AN_HOUR_US + 2_000, 1, "ann", True),
        (1_000, 6, "ann", True),
        (1_000, 1, "bob", True),
    ],
)
def test_a_tweet_is_edited_by_its_author_for_a_while_and_a_few_times(
    after_us: int, times: int, author: str, *, wrong: bool
) -> None:
    """X's half an hour, and its five times."""
    first, last = first_id_at(START_US), first_id_at(START_US + after_us)
    edits = [said(last + number, "a", author, edit_of=first) for number in range(times)]
    rows = [said(first, "b"), *edits]
    kept: Any = SimpleNamespace(x_tweets={str(row["id"]): row for row in rows})
    assert bool([*XBooks(kept).edit_violations()]) is wrong


@pytest.mark.parametrize(
    ("liked", "listed", "wrong"),
    [
        (False, ["2", "1"], False),
        (False, ["1", "2"], True),
        (False, ["1"], True),
        (True, ["2", "1"], True),
    ],
)
def test_what_one_likes_last_is_listed_first(
    listed: list[str], *, liked: bool, wrong: bool
) -> None:
    """And what is liked no more is said to be."""

    class X:
        name = "client-0"

        async def tell(self, _: str, message: Any, *, key: str | None = None) -> Any:
            tweets = [SimpleNamespace(id=each) for each in listed]
            body = SimpleNamespace(liked=liked or isinstance(message, Like), tweets=tweets)
            return SimpleNamespace(status=200, body=body)

    told, tweet = Told(tweeted={"1": "client-1"}), SimpleNamespace(id="2", author_id="3")
    asyncio.run(be_fickle(told, X(), "k", tweet))  # type: ignore[arg-type]
    assert bool(told.troubles) is wrong
