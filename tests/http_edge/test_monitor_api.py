"""The brand monitor's addresses: tweets by how they sound, flags, likes, replies, the reader."""

from __future__ import annotations

import pytest

from actors.errors import Busy
from actors.kernel.messages import Refusal
from actors.systems.tweets.messages import (
    Action,
    ChangeFlag,
    GetFlag,
    ListActions,
    ListFlags,
    ListTweets,
    RequeueAction,
    RequeueActions,
    Requeued,
    StoreTweet,
    Tweet,
)
from tests.http_edge.fake_system import FLAG
from tests.http_edge.serving import is_problem, serving

ACTION = Action(tweet_id="t-1", external_id="19", status="done", text="@ada hello", reply_id="20")


async def test_a_tweet_says_how_it_sounds_once_that_is_known() -> None:
    """Both are null until then."""
    async with serving() as served:
        created = await served.send("POST", "/api/v1/tweets", json={"author": "a", "text": "t"})
        assert created.json == {
            "id": "id-1",
            "author": "a",
            "text": "t",
            "external_id": None,
            "sentiment": None,
            "score": None,
        }
        scored = Tweet(
            id="t", author="a", text="t", external_id=None, sentiment="negative", score=-0.5
        )
        served.system.on_ask = lambda _: scored
        reply = await served.send("GET", "/api/v1/tweets/t")
        assert (reply.json["sentiment"], reply.json["score"]) == ("negative", -0.5)


@pytest.mark.parametrize(
    "lang", ["", "d", "german", "de_AT", "de-", "de\n", 7, "de" + "-abcdefgh" * 4]
)
async def test_a_language_is_a_tag(lang: object) -> None:
    """Bounded; what is none names the field."""
    async with serving() as served:
        tweet = {"author": "a", "text": "t", "lang": "de-AT"}
        assert (await served.send("POST", "/api/v1/tweets", json=tweet)).status == 201
        reply = await served.send("POST", "/api/v1/tweets", json={**tweet, "lang": lang})
        is_problem(reply, 422, "lang")
        assert [seen.message for seen in served.system.seen] == [StoreTweet(**tweet)]


async def test_tweets_are_asked_for_by_author_and_sentiment() -> None:
    """By one, by both, or by none."""
    async with serving() as served:
        for query in (
            "",
            "?author=a",
            "?sentiment=negative",
            "?sentiment=unknown",
            "?sentiment=positive&author=a&after=7",
        ):
            assert (await served.send("GET", f"/api/v1/tweets{query}")).status == 200
        assert [seen.message for seen in served.system.seen] == [
            ListTweets(limit=50),
            ListTweets(limit=50, author="a"),
            ListTweets(limit=50, sentiment="negative"),
            ListTweets(limit=50, sentiment="unknown"),
            ListTweets(limit=50, sentiment="positive", author="a", after=7),
        ]


async def test_a_flag_is_found_and_changed_at_its_own_address() -> None:
    """What the body leaves out stays; the reply is the flag as it is then."""
    async with serving() as served:
        served.system.items["flagger"].append(FLAG)
        found = await served.send("GET", "/api/v1/flags/id-1")
        assert found.status == 200
        assert found.json == {
            "id": "id-1",
            "status": "open",
            "assignee": None,
            "note": None,
            "tweet_id": "t-1",
            "author": "ada",
            "text": "awful",
            "score": -0.5,
        }
        change = {"status": "assigned", "assignee": "eve"}
        key = {"Idempotency-Key": "k"}
        changed = await served.send("PATCH", "/api/v1/flags/id-1", json=change, headers=key)
        assert (changed.status, changed.json) == (200, {**found.json, **change})
        assert (await served.send("GET", "/api/v1/flags/id-1")).json == changed.json
        assert [(seen.service, seen.message, seen.key) for seen in served.system.seen] == [
            ("flagger", GetFlag(flag_id="id-1"), None),
            ("flagger", ChangeFlag(flag_id="id-1", status="assigned", assignee="eve"), "k"),
            ("flagger", GetFlag(flag_id="id-1"), None),
        ]


async def test_a_flag_that_there_is_not_and_a_way_back_are_problems() -> None:
    """404 and 409."""
    async with serving() as served:
        is_problem(await served.send("GET", "/api/v1/flags/nothing"), 404)
        is_problem(await served.send("PATCH", "/api/v1/flags/nothing", json={}), 404)
        served.system.on_ask = lambda _: Refusal.conflict("the flag is resolved")
        is_problem(await served.send("PATCH", "/api/v1/flags/id-1", json={"status": "open"}), 409)
        is_problem(await served.send("POST", "/api/v1/flags", json={}), 405)
        is_problem(await served.send("DELETE", "/api/v1/flags/id-1"), 405)


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/flags", "flagger"),
        ("/api/v1/likes", "favouriter"),
        ("/api/v1/replies", "responder"),
    ],
)
async def test_lists_are_pages_of_one_status_if_one_is_given(path: str, service: str) -> None:
    """As all lists are."""
    async with serving() as served:
        item = FLAG if service == "flagger" else ACTION
        served.system.items[service] += [item] * 3
        first = await served.send("GET", f"{path}?limit=2")
        assert (len(first.json["items"]), first.json["next"]) == (2, "2")
        rest = await served.send("GET", f"{path}?limit=2&after=2")
        assert (len(rest.json["items"]), rest.json["next"]) == (1, None)
        wanted = (
            ListFlags(limit=50, status="open")
            if service == "flagger"
            else ListActions(limit=50, status="failed")
        )
        await served.send("GET", f"{path}?status={wanted.status}")
        seen = served.system.seen[-1]
        assert (seen.service, seen.message) == (service, wanted)


async def test_likes_and_replies_say_what_was_done() -> None:
    """To which tweet, ours and X's id of it; and of a reply its text and X's id."""
    async with serving() as served:
        served.system.items["responder"].append(ACTION)
        reply = await served.send("GET", "/api/v1/replies")
        (item,) = reply.json["items"]
        assert item == {
            "tweet_id": "t-1",
            "external_id": "19",
            "status": "done",
            "text": "@ada hello",
            "reply_id": "20",
            "detail": None,
        }


async def test_the_reader_says_how_it_stands() -> None:
    """Whether it is connected, and what may be missing."""
    async with serving() as served:
        reply = await served.send("GET", "/api/v1/reader")
        assert (reply.status, reply.json["status"], reply.json["gaps"]) == (200, "connected", 0)


async def test_the_reader_says_that_it_is_parked_and_where_the_reason_stands() -> None:
    """That is when it is asked; where it is only busy, that is a 503 as anywhere."""
    async with serving() as served:
        served.system.on_ask = lambda _: raises(Busy("reader is not running", retry_after_s=1.0))
        reply = await served.send("GET", "/api/v1/reader")
        assert reply.status == 503
        served.system.down = ["reader"]
        reply = await served.send("GET", "/api/v1/reader")
        assert (reply.status, reply.json["status"]) == (200, "parked")
        assert "/admin/actors" in reply.json["reason"]


async def raises(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(("what", "service"), [("likes", "favouriter"), ("replies", "responder")])
async def test_an_operator_has_what_was_refused_tried_again(what: str, service: str) -> None:
    """One by X's id of its tweet, or all; nobody without the token."""
    async with serving() as served:
        served.system.on_ask = lambda _: Requeued(external_ids=("19",))
        path = f"/admin/{what}/19/requeue"
        assert (await served.send("POST", path)).status == 401
        reply = await served.admin("POST", path)
        assert (reply.status, reply.json) == (200, {"external_ids": ["19"]})
        headers = {"Authorization": f"Bearer {served.token}"}
        reply = await served.send("POST", f"/admin/{what}/requeue", headers=headers, json={})
        assert reply.status == 200
        assert [(seen.service, seen.message) for seen in served.system.seen] == [
            (service, RequeueAction(external_id="19")),
            (service, RequeueActions()),
        ]
        served.system.on_ask = lambda _: Refusal.conflict("it is done")
        assert (await served.admin("POST", path)).status == 409
