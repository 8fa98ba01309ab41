"""`make run` alone: what the embedded X tweets is read, scored, flagged, liked, answered."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.client import connected

if TYPE_CHECKING:
    from tests.system.client import Client
    from tests.system.conftest import Report
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time

# A second or two on a machine that does nothing else; the run's figures say how long it was.
STANDS_S_MAX = 100.0
SETTLED_S_MAX = 100.0
TWEETS = {
    "ann": "tutorialedge is awful, I hate this terrible, horrible mess",
    "bob": "I love tutorialedge! Wonderful, excellent, the best tutorial ever, thank you so much!",
    "cyd": "tutorialedge has a page on sockets",
    "dee": "nobody here speaks of it",
}


async def _items(client: Client, path: str) -> list[dict[str, Any]]:
    return await client.list_all(path)


async def test_tweets_stand_scored_as_shipped(processes: Processes, report: Report) -> None:
    """They are in /all, scored, the negative ones flagged; /insert works beside."""
    begun = time.monotonic()
    process = processes.boot("x_platform.tweets_per_s=2")
    async with connected(process) as client:
        while True:
            listed = (await client.send("GET", "/all", "tweets")).json
            scored = [each for each in await _items(client, "/api/v1/tweets") if each["sentiment"]]
            took_s = time.monotonic() - begun
            if listed and scored:
                break
            assert took_s < STANDS_S_MAX, f"{len(listed)} tweets, {len(scored)} scored"
            await asyncio.sleep(0.05)
        report(f"{took_s:.2f} s from the command to the first scored tweet")
        assert [list(item) for item in listed] == [["id", "NAME", "TWEET"]] * len(listed)
        assert (await client.send("GET", "/insert/elliot/hello", "tweets")).status == 200
        listed = (await client.send("GET", "/all", "tweets")).json
        assert ("elliot", "hello") in [(item["NAME"], item["TWEET"]) for item in listed]
        deadline = begun + 60
        while not (flags := await _items(client, "/api/v1/flags")):
            assert time.monotonic() < deadline, "nobody is ever unhappy"
            await asyncio.sleep(0.1)
        assert flags[0]["status"] == "open"
        assert flags[0]["score"] <= -0.05


async def test_what_people_tweet_goes_all_the_way(processes: Processes) -> None:
    """One is flagged, one is liked, the three about the keyword are answered, one is not seen."""
    process = processes.boot()
    async with connected(process) as client:
        headers = {"Authorization": f"Bearer {process.token}"}
        await _wait_until(client, lambda reader: reader["status"] == "connected")
        for username, text in TWEETS.items():
            body = {"username": username, "text": text}
            await client.create("/admin/x/tweets", body, headers=headers)
        deadline = time.monotonic() + SETTLED_S_MAX
        while True:
            replies = await _items(client, "/api/v1/replies")
            likes = await _items(client, "/api/v1/likes")
            if [each["status"] for each in (*replies, *likes)] == ["done"] * 4:
                break
            assert time.monotonic() < deadline, (replies, likes)
            await asyncio.sleep(0.05)
        stored = {each["author"]: each for each in await _items(client, "/api/v1/tweets")}
        assert stored.keys() == {"ann", "bob", "cyd"}
        sentiments = {author: each["sentiment"] for author, each in stored.items()}
        assert sentiments == {"ann": "negative", "bob": "positive", "cyd": "neutral"}
        (flag,) = await _items(client, "/api/v1/flags")
        assert (flag["author"], flag["status"]) == ("ann", "open")
        assert likes[0]["external_id"] == stored["bob"]["external_id"]
        for change, status in (
            ({"status": "assigned", "assignee": "eve"}, 200),
            ({"status": "resolved", "note": "called them"}, 200),
            ({"status": "open"}, 409),
        ):
            reply = await client.send("PATCH", f"/api/v1/flags/{flag['id']}", json=change)
            assert reply.status == status, reply.body
        reply = await client.send("GET", "/api/v1/flags?status=resolved")
        (resolved,) = reply.json["items"]
        assert (resolved["assignee"], resolved["note"]) == ("eve", "called them")
        negative = await _items(client, "/api/v1/tweets")
        reply = await client.send("GET", "/api/v1/tweets?sentiment=negative")
        assert reply.json["items"] == [each for each in negative if each["author"] == "ann"]


async def test_the_data_of_one_account_are_not_anothers(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits to be liked at the embedded X is never liked at X itself."""
    process = processes.boot()
    assert await asyncio.to_thread(process.stop) == 0
    for name in ("BEARER_TOKEN", "CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN_SECRET"):
        monkeypatch.setenv(f"X_{name}", "not-a-secret-at-all")
    monkeypatch.setenv("X_ACCESS_TOKEN", "12345-not-a-secret-at-all")
    other = processes.make("x.platform=auto").launch()
    assert await asyncio.to_thread(other.wait) == 2
    assert "choose another --data-dir" in other.errors
    assert "not-a-secret" not in other.last_words


async def _wait_until(client: Client, holds: Any) -> None:
    deadline = time.monotonic() + SETTLED_S_MAX
    while not holds(reader := (await client.send("GET", "/api/v1/reader")).json):
        assert time.monotonic() < deadline, reader
        await asyncio.sleep(0.05)
