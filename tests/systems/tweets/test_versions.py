"""Posts that X lets people edit: one tweet with versions; and what the language says of each."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.systems.tweets.favouriter import FavouriterService
from actors.systems.tweets.flagger import FlaggerService
from actors.systems.tweets.messages import (
    GetTweet,
    ListFlags,
    ListTweets,
    ScoreTweet,
    StoreTweet,
    StoreXTweet,
    TweetScored,
    XDetails,
)
from actors.systems.tweets.responder import ResponderService
from actors.systems.tweets.tweets import TweetsService
from tests.systems.stage import Stage, stage
from tests.systems.tweets.scored import Scorer, score_of, scored, x_id
from tests.systems.tweets.test_scores import tweeting

if TYPE_CHECKING:
    from pathlib import Path


def version(number: int, text: str, *, history: tuple[int, ...] = (), **about: Any) -> StoreXTweet:
    details = {"author_id": "42", "kind": "original", "lang": "en", "posted_at_us": number}
    return StoreXTweet(
        external_id=str(number),
        author="ada",
        text=text,
        x=XDetails(**{**details, **about}),
        history=tuple(map(str, history)),
    )


OLD_TWEET = (
    "INSERT INTO tweet (id, author, text, external_id, score, sentiment, x_author_id, x_kind,"
    " x_lang, x_posted_at_us)"
    " VALUES ('t1', 'ada', 'die', '5', -0.8, 'negative', '42', 'original', 'de', 7)"
)
OLD_ACTION = (
    "INSERT INTO action (external_id, tweet_id, status, begun_us) VALUES ('5', 't', 'done', 1)"
)
V1 = version(5, "one")
V2 = version(6, "two", history=(5, 6))
V3 = version(7, "three", history=(5, 6, 7))


async def stands(on: Stage) -> list[tuple[str | None, str]]:
    page = await on.ask(ListTweets(limit=9))
    return [(each.external_id, each.text) for each in page.items]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ((V1, V2, V3), "three"),
        ((V1, V3, V2), "three"),
        ((V3, V2, V1), "three"),
        ((V3, V1), "three"),
        ((V2, V1), "two"),
        ((V2,), "two"),
        ((V1, V2, V2, V1), "two"),
    ],
)
async def test_versions_are_one_tweet_that_shows_the_newest(
    tmp_path: Path, told: tuple[StoreXTweet, ...], text: str
) -> None:
    """In whatever order they come; its id is the first one's, which need not have come."""
    async with tweeting(tmp_path) as on:
        answers = await on.send(*told)
        assert [each.created for each in answers] == [True, *[False] * (len(told) - 1)]
        assert len({each.tweet.id for each in answers}) == 1
        assert await stands(on) == [("5", text)]
        effects = [message for _, message in on.timers]
        assert effects[-1].text == text


async def test_a_version_is_known_whoever_tells_of_it(tmp_path: Path) -> None:
    """A client of the API, or a line that says nothing of its history: there is one tweet."""
    async with tweeting(tmp_path) as on:
        await on.send(V1, V2)
        for again in (StoreTweet(author="bob", text="mine", external_id="6"), version(6, "two")):
            assert not (await on.ask(again)).created
        assert await stands(on) == [("5", "two")]


async def test_each_version_is_scored_and_told_once(tmp_path: Path) -> None:
    """The score of an earlier one that comes late is not the later one's."""
    async with tweeting(tmp_path, Scorer(one=-0.6, two=0.9)) as on:
        tweet = (await on.ask(V1)).tweet
        ((_, first),) = on.timers
        await on.ask(V2)
        ((_, second),) = on.timers
        await on.ask(await on.run_effect(first))
        assert on.sent == []
        assert (await on.ask(GetTweet(tweet_id=tweet.id))).score is None
        await on.ask(await on.run_effect(second))
        ((_, event),) = on.sent
        assert (event.text, event.score, event.version_id, event.x_id) == ("two", 0.9, "6", "6")
        assert event.external_id == "5"
        await on.ask(score_of(tweet.id, 0.1, "6"))
        assert on.sent == []


async def test_what_did_not_come_from_x_has_no_versions(tmp_path: Path) -> None:
    """A client of the API has taken the id: what it stored stands."""
    async with tweeting(tmp_path) as on:
        await on.ask(StoreTweet(author="bob", text="mine", external_id="5"))
        await on.send(V1, V2)
        assert await stands(on) == [("5", "mine")]


async def test_versions_that_were_stored_apart_stay_so(tmp_path: Path) -> None:
    """An earlier program took them for tweets of their own; the next edit is the oldest's."""
    async with tweeting(tmp_path) as on:
        await on.send(V1, version(6, "two"))
        await on.ask(V3)
        assert await stands(on) == [("5", "three"), ("6", "two")]


# --- Languages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["de", "und", "ja", "qme", "zxx"])
async def test_what_nobody_can_score_is_told_at_once(tmp_path: Path, lang: str) -> None:
    """As unknown, without a score; nobody is asked for one."""
    async with tweeting(tmp_path) as on:
        tweet = (await on.ask(version(5, "die besten", lang=lang))).tweet
        assert (tweet.sentiment, tweet.score, tweet.lang) == ("unknown", None, lang)
        assert on.timers == []
        ((receiver, event),) = on.sent
        assert (receiver, event.sentiment, event.score) == ("flagger", "unknown", None)
        # The score of a program that did not look at languages is not believed.
        await on.ask(score_of(tweet.id, -0.9))
        assert (await on.ask(GetTweet(tweet_id=tweet.id))).sentiment == "unknown"
        page = await on.ask(ListTweets(limit=9, sentiment="unknown"))
        assert page.items == [tweet]


async def test_what_comes_by_the_api_is_english_unless_it_says_otherwise(tmp_path: Path) -> None:
    """With or without an id of its own."""
    async with tweeting(tmp_path) as on:
        plain = await on.ask(StoreTweet(author="ada", text="die"))
        assert plain.tweet.lang is msgspec.UNSET
        assert on.timers == [(0.0, ScoreTweet(tweet_id=plain.tweet.id, text="die"))]
        english = await on.ask(StoreTweet(author="ada", text="x", lang="en-GB", external_id="e"))
        assert (english.tweet.lang, len(on.timers)) == ("en-GB", 1)
        german = await on.ask(StoreTweet(author="ada", text="die", lang="de"))
        assert (german.tweet.lang, german.tweet.sentiment) == ("de", "unknown")


async def test_an_edit_into_another_language_and_back(tmp_path: Path) -> None:
    """It is what its newest version is."""
    async with tweeting(tmp_path, Scorer(three=0.9)) as on:
        await on.ask(V1)
        await on.ask(version(6, "zwei", history=(5, 6), lang="de"))
        ((_, event),) = on.sent
        assert (event.sentiment, event.version_id) == ("unknown", "6")
        await on.ask(V3)
        ((_, effect),) = on.timers
        await on.ask(await on.run_effect(effect))
        ((_, event),) = on.sent
        assert (event.sentiment, event.version_id) == ("positive", "7")


# --- Flags -------------------------------------------------------------------------------------


def edited(number: int, score: float | None, text: str) -> TweetScored:
    return scored(1, score or 0.0, text=text, version=x_id(number), is_unknown=score is None)


async def test_a_flag_shows_the_newest_version_and_stays(tmp_path: Path) -> None:
    """Positive by now, or in a language that nobody scores: whoever works on it decides."""
    async with stage(FlaggerService(), tmp_path, name="flagger") as on:
        await on.send(scored(1, -0.5, text="bad"), edited(2, 0.9, "good"))
        (flag,) = (await on.ask(ListFlags(limit=9))).items
        assert (flag.status, flag.text, flag.score) == ("open", "good", 0.9)
        await on.ask(edited(3, None, "gut"))
        (flag,) = (await on.ask(ListFlags(limit=9))).items
        assert (flag.status, flag.text, flag.score) == ("open", "gut", 0.9)
        await on.ask(edited(4, -0.7, "worse"))
        (flag,) = (await on.ask(ListFlags(limit=9))).items
        assert (flag.status, flag.text, flag.score) == ("open", "worse", -0.7)


async def test_a_tweet_that_turns_negative_is_flagged(tmp_path: Path) -> None:
    """It is in the queue as soon as it is; one that never was is not."""
    async with stage(FlaggerService(), tmp_path, name="flagger") as on:
        await on.send(scored(1, 0.5), edited(2, 0.9, "good"))
        assert (await on.ask(ListFlags(limit=9))).items == []
        await on.ask(edited(3, -0.5, "bad"))
        (flag,) = (await on.ask(ListFlags(limit=9))).items
        assert flag.text == "bad"


# --- Files of an earlier program ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "name", "count", "rows"),
    [
        (
            TweetsService,
            "tweets",
            2,
            [
                OLD_TWEET,
                "INSERT INTO tweet (id, author, text) VALUES ('t2', 'bob', 'x')",
            ],
        ),
        (
            FavouriterService,
            "favouriter",
            1,
            [OLD_ACTION],
        ),
        (
            ResponderService,
            "responder",
            1,
            [OLD_ACTION],
        ),
    ],
)
async def test_a_folder_of_an_earlier_program_opens(
    tmp_path: Path, service: Any, name: str, count: int, rows: list[str]
) -> None:
    """All that stood there stands, in its order; a score that was given stays."""
    old = tmp_path / "schema"
    old.mkdir()
    for path in sorted(service.schema.iterdir())[:count]:
        shutil.copy(path, old)
    before: Any = type("Before", (service,), {"schema": old})
    async with stage(before.__new__(before), tmp_path, name=name) as on:
        for sql in rows:
            on.execute(sql)
        table = "tweet" if name == "tweets" else "action"
        there = on.rows(f"SELECT * FROM {table} ORDER BY seq")
    async with stage(service.__new__(service), tmp_path, name=name) as on:
        now = on.rows(f"SELECT * FROM {table} ORDER BY seq")
    for row in there:
        row["lang" if name == "tweets" else "detail"] = row.pop("x_lang", None)
    assert [{key: row[key] for key in old} for row, old in zip(now, there, strict=True)] == there


async def test_an_old_tweets_edit_is_its_next_version(tmp_path: Path) -> None:
    """What an earlier program has stored is known by its id at X; its late score is its own."""
    async with tweeting(tmp_path) as on:
        await on.ask(V1)
        on.execute("DELETE FROM version")
        await on.ask(V2)
        assert await stands(on) == [("5", "two")]
