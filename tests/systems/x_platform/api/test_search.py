"""The recent search, and the stream's recovery: what was tweeted, asked for afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.systems.x_platform.api.embedded_x import STREAM, embedded_x, is_invalid, is_problem

PROBLEMS = "https://api.x.com/2/problems"
SEARCH = "/2/tweets/search/recent"
DAY_S = 86_400.0


async def find(x: Any, query: str) -> dict[str, Any]:
    found: dict[str, Any] = await x.get(f"{SEARCH}?query={query}")
    return found


async def all_pages(x: Any, query: str, parameter: str = "next_token") -> list[str]:
    """Follow the tokens; return the ids in the order in which they came."""
    ids, page = [], await find(x, query)
    while True:
        ids += [each["id"] for each in page.get("data", ())]
        if "next_token" not in page["meta"]:
            return ids
        page = await find(x, f"{query}&{parameter}={page['meta']['next_token']}")


async def test_a_search_finds_what_the_rule_would_have_met_latest_first() -> None:
    """The same language, and the fields and company that are asked for."""
    async with embedded_x() as x:
        tweets = [await x.tweet_as("ada", f"cats {number}") for number in range(3)]
        await x.tweet_as("bob", "dogs")
        reply = await x.tweet_as("bob", "fine", in_reply_to_tweet_id=tweets[0]["id"])
        await x.tweet_as("cyd", "cats", retweet_tweet_id=tweets[1]["id"])
        x.clock.advance(1.0)
        found = await find(x, "cats%20-is:retweet&expansions=author_id&tweet.fields=created_at")
        ids = [tweet["id"] for tweet in reversed(tweets)]
        assert [each["id"] for each in found["data"]] == ids
        assert found["meta"] == {"result_count": 3, "newest_id": ids[0], "oldest_id": ids[-1]}
        assert [user["username"] for user in found["includes"]["users"]] == ["ada"]
        assert all("created_at" in each for each in found["data"])
        assert len((await find(x, "is:retweet%20cats"))["data"]) == 1
        assert [each["id"] for each in (await find(x, "to:ada"))["data"]] == [reply["id"]]
        assert await find(x, "mice") == {"meta": {"result_count": 0}}


async def test_pages_follow_each_other_without_a_gap_or_a_double() -> None:
    """Whatever is tweeted meanwhile; also where many that do not meet it lie between."""
    async with embedded_x() as x:
        tweets = [await x.tweet_as("ada", f"cats {number}") for number in range(25)]
        for number in range(1_100):
            await x.tweet_as("bob", f"dogs {number}")
        tweets += [await x.tweet_as("ada", f"cats again {number}") for number in range(25)]
        x.clock.advance(1.0)
        ids = [each["id"] for each in reversed(tweets)]
        for parameter in ("next_token", "pagination_token"):
            assert await all_pages(x, "cats&max_results=10", parameter) == ids


async def test_a_search_has_bounds_in_time_and_in_ids() -> None:
    """Times from and before, to the second; ids beyond and below; and seven days."""
    async with embedded_x() as x:
        old = await x.tweet_as("ada", "cats of long ago")
        x.clock.advance(8 * DAY_S)
        ids = []
        for number in range(4):
            ids.append((await x.tweet_as("ada", f"cats {number}"))["id"])
            x.clock.advance(60.0)
        assert await all_pages(x, "cats") == ids[::-1]
        assert old["id"] not in ids
        second, third = "2026-09-29T14:14:20Z", "2026-09-29T14:15:20Z"
        assert await all_pages(x, f"cats&start_time={second}&end_time={third}") == [ids[1]]
        assert await all_pages(x, f"cats&start_time={third}") == ids[:1:-1]
        assert await all_pages(x, f"cats&since_id={ids[1]}") == ids[:1:-1]
        assert await all_pages(x, f"cats&since_id={ids[0]}&until_id={ids[2]}") == [ids[1]]


@pytest.mark.parametrize(
    ("query", "parameter", "words"),
    [
        ("", "query", "is not between 1 and"),
        ("query=", "query", "is not between 1 and"),
        ("query=cats&max_results=9", "max_results", "is not between 10 and 100"),
        ("query=cats&max_results=101", "max_results", "is not between 10 and 100"),
        ("query=cats&start_time=yesterday", "start_time", "is not a time such as"),
        ("query=cats&start_time=2026-09-01T00:00:00Z", "start_time", "must be on or after"),
        ("query=cats&end_time=2026-09-21T14:13:15Z", "end_time", "10 seconds prior"),
        ("query=cats&since_id=1&start_time=2026-09-21T00:00:00Z", "start_time", "can not be used"),
        ("query=cats&next_token=x", "next_token", "is not valid"),
        ("query=cats&sort_order=fame", "sort_order", "is not one of"),
        ("query=cats&since_id=x", "since_id", "is not valid"),
        ("query=has:links", "query", "standalone"),
        ("query=cats&place=1", "place", "is not one of"),
    ],
)
async def test_what_cannot_be_searched_for_is_blamed(
    query: str, parameter: str, words: str
) -> None:
    """In X's form, each by its name."""
    async with embedded_x() as x:
        reply = await x.send("GET", f"{SEARCH}?{query}", headers=x.app)
        is_invalid(reply, parameter, words)


async def test_a_search_counts_for_its_own_limit() -> None:
    """And says how much of it is left."""
    async with embedded_x(requests_max=2) as x:
        for left in ("1", "0"):
            reply = await x.send("GET", f"{SEARCH}?query=cats", headers=x.app)
            assert (reply.status, reply.headers["x-rate-limit-remaining"]) == (200, left)
        is_problem(await x.send("GET", f"{SEARCH}?query=cats", headers=x.app), 429)


# --- Recovery ------------------------------------------------------------------------------------


async def test_a_stream_with_times_sends_what_matched_then_and_ends() -> None:
    """The oldest first, as it was sent then; and it closes in order."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        ids = []
        for number in range(250):
            ids.append((await x.tweet_as("ada", f"cats {number}"))["id"])
            x.clock.advance(1.0)
        x.clock.advance(3 * 3600.0)
        begin, end = "2026-09-21T14:13:25Z", "2026-09-21T14:17:00Z"
        reply = await x.send("GET", f"{STREAM}?start_time={begin}&end_time={end}", headers=x.app)
        assert reply.status == 200
        lines = reply.body.decode().split("\r\n")
        assert lines.pop() == ""
        assert [line.partition('"id":"')[2][:19] for line in lines] == ids[5:220]
        assert x.places_taken() == 0


@pytest.mark.parametrize(
    ("query", "parameter", "words"),
    [
        ("start_time=2026-09-21T14:00:00Z", "start_time", "needs 'end_time'"),
        ("end_time=2026-09-21T14:00:00Z", "end_time", "needs 'start_time'"),
        (
            "start_time=2026-09-21T14:00:00Z&end_time=2026-09-21T13:00:00Z",
            "end_time",
            "must be after",
        ),
        (
            "start_time=2026-09-20T14:00:00Z&end_time=2026-09-21T13:00:00Z",
            "start_time",
            "must be on or after",
        ),
        (
            "start_time=2026-09-21T14:00:00Z&end_time=2026-09-21T14:01:00Z&backfill_minutes=1",
            "backfill_minutes",
            "can not be used",
        ),
    ],
)
async def test_times_that_cannot_be_recovered_are_blamed(
    query: str, parameter: str, words: str
) -> None:
    """Both or none, in their order, and within a day."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        reply = await x.send("GET", f"{STREAM}?{query}", headers=x.app)
        is_invalid(reply, parameter, words)


# --- Deleting, and who may reply -----------------------------------------------------------------


async def test_what_is_deleted_is_gone_everywhere() -> None:
    """Looked up, searched, streamed, answered; and its text may be tweeted again."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        posted = (await x.post("/2/tweets", {"text": "cats"}, x.user)).json["data"]
        x.clock.advance(1.0)
        path = f"/2/tweets/{posted['id']}"
        reply = await x.send("DELETE", path, headers=x.user)
        assert (reply.status, reply.json) == (200, {"data": {"deleted": True}})
        again = await x.send("DELETE", path, headers=x.user)
        is_problem(again, 404, type=f"{PROBLEMS}/resource-not-found", title="Not Found Error")
        assert "data" not in await x.get(path)
        assert await all_pages(x, "cats") == []
        body = {"text": "x", "reply": {"in_reply_to_tweet_id": posted["id"]}}
        is_problem(await x.post("/2/tweets", body, x.user), 403)
        assert (await x.post("/2/tweets", {"text": "cats"}, x.user)).status == 201


async def test_only_ones_own_tweet_can_be_deleted() -> None:
    """And only by an account."""
    async with embedded_x() as x:
        tweet = await x.tweet_as("ada", "cats")
        path = f"/2/tweets/{tweet['id']}"
        is_problem(await x.send("DELETE", path, headers=x.user), 403)
        no = await x.send("DELETE", path, headers=x.app)
        is_problem(no, 403, type=f"{PROBLEMS}/unsupported-authentication")


async def test_who_may_reply_is_as_the_author_wants() -> None:
    """The author, whom it mentions, and else nobody; X's own sentence says so."""
    async with embedded_x() as x:
        closed = await x.tweet_as("ada", "cats", reply_settings="mentionedUsers")
        open_to_us = await x.tweet_as("ada", "@dressrehearsal cats", reply_settings="verified")
        for tweet, status in ((closed, 403), (open_to_us, 201)):
            body: dict[str, Any] = {
                "text": f"re {tweet['id']}",
                "reply": {"in_reply_to_tweet_id": tweet["id"]},
            }
            reply = await x.post("/2/tweets", body, x.user)
            assert reply.status == status
            if status == 403:
                assert "Reply to this conversation is not allowed" in reply.json["detail"]
        body = {"text": "ours", "reply_settings": "following", "made_with_ai": True}
        ours = (await x.post("/2/tweets", body, x.user)).json["data"]
        shown = await x.get(f"/2/tweets/{ours['id']}?tweet.fields=reply_settings")
        assert shown["data"]["reply_settings"] == "following"
