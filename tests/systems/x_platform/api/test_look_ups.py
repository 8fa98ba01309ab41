"""Tweets and users, looked up with the fields and the company that were asked for."""

from __future__ import annotations

from typing import Any

import pytest

from actors.systems.x_platform.api.fields import EXPANSIONS, TWEET_FIELDS, USER_FIELDS
from actors.systems.x_platform.messages import ACCOUNT_ID
from tests.systems.x_platform.api.embedded_x import EmbeddedX, embedded_x, is_invalid

NOT_FOUND = {
    "title": "Not Found Error",
    "type": "https://api.x.com/2/problems/resource-not-found",
}


def lost(kind: str, parameter: str, value: str) -> dict[str, str]:
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        **NOT_FOUND,
    }


async def a_reply(x: EmbeddedX) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a tweet, and the account's reply to it."""
    tweet = await x.tweet_as("ada", "what do you think of #cats?")
    body = {"text": "@ada a lot!", "reply": {"in_reply_to_tweet_id": tweet["id"]}}
    reply = await x.post("/2/tweets", body, x.user)
    assert reply.status == 201
    return tweet, reply.json["data"]


async def test_a_tweet_shows_what_was_asked_for_and_no_more() -> None:
    """By default its id, its text and its history; what has no value is left out."""
    async with embedded_x() as x:
        tweet, reply = await a_reply(x)
        shown = {"id": tweet["id"], "text": tweet["text"], "edit_history_tweet_ids": [tweet["id"]]}
        assert await x.get(f"/2/tweets/{tweet['id']}") == {"data": shown}
        fields = ",".join(TWEET_FIELDS)
        everything = (await x.get(f"/2/tweets/{reply['id']}?tweet.fields={fields}"))["data"]
        assert everything == {
            "id": reply["id"],
            "text": "@ada a lot!",
            "edit_history_tweet_ids": [reply["id"]],
            "author_id": ACCOUNT_ID,
            "conversation_id": tweet["id"],
            "created_at": "2026-09-21T14:13:20.000Z",
            "lang": everything["lang"],
            "possibly_sensitive": False,
            "reply_settings": "everyone",
            "in_reply_to_user_id": tweet["author_id"],
            "referenced_tweets": [{"type": "replied_to", "id": tweet["id"]}],
            "entities": {
                "mentions": [
                    {"start": 0, "end": 4, "username": "ada", "id": tweet["author_id"]},
                ]
            },
        }
        lang = await x.get(f"/2/tweets/{tweet['id']}?tweet.fields=lang,in_reply_to_user_id")
        assert lang == {"data": {**shown, "lang": "en"}}


async def test_an_expansion_brings_whom_it_names_and_the_field_it_follows() -> None:
    """Each tweet and user once, with their own fields."""
    async with embedded_x() as x:
        tweet, reply = await a_reply(x)
        path = f"/2/tweets/{reply['id']}?expansions="
        ada = {"id": tweet["author_id"], "name": "ada", "username": "ada"}
        for expansion, field, users, tweets in (
            ("author_id", "author_id", [ACCOUNT_ID], []),
            ("in_reply_to_user_id", "in_reply_to_user_id", [ada["id"]], []),
            ("entities.mentions.username", "entities", [ada["id"]], []),
            ("referenced_tweets.id", "referenced_tweets", [], [tweet["id"]]),
            ("referenced_tweets.id.author_id", "referenced_tweets", [ada["id"]], [tweet["id"]]),
        ):
            answer = await x.get(path + expansion)
            assert field in answer["data"]
            includes = answer["includes"]
            assert [user["id"] for user in includes.get("users", [])] == users
            assert [each["id"] for each in includes.get("tweets", [])] == tweets
        answer = await x.get(path + ",".join(EXPANSIONS))
        assert [user["id"] for user in answer["includes"]["users"]] == [ACCOUNT_ID, ada["id"]]
        assert answer["includes"]["users"][1] == ada
        assert answer["includes"]["tweets"][0]["author_id"] == ada["id"]


async def test_what_is_not_there_is_an_error_in_an_answer_of_success() -> None:
    """Of one alone there is no data at all; of several, those that there are, as asked, once."""
    async with embedded_x() as x:
        first = (await x.tweet_as("ada", "one"))["id"]
        second = (await x.tweet_as("ada", "two"))["id"]
        assert await x.get("/2/tweets/7") == {"errors": [lost("tweet", "id", "7")]}
        answer = await x.get(f"/2/tweets?ids={second},7,{first},8,{second}")
        assert [tweet["id"] for tweet in answer["data"]] == [second, first]
        assert answer["errors"] == [lost("tweet", "ids", "7"), lost("tweet", "ids", "8")]
        assert await x.get("/2/users/7") == {"errors": [lost("user", "id", "7")]}
        missing = lost("user", "username", "Nobody")
        assert await x.get("/2/users/by/username/Nobody") == {"errors": [missing]}
        answer = await x.get("/2/users/by?usernames=nobody,ADA")
        assert [user["username"] for user in answer["data"]] == ["ada"]
        assert answer["errors"] == [lost("user", "usernames", "nobody")]
        assert await x.get("/2/users?ids=7") == {"errors": [lost("user", "ids", "7")]}


async def test_a_user_shows_what_was_asked_for() -> None:
    """By default id, name and username; /me is the account itself."""
    async with embedded_x() as x:
        tweet = await x.tweet_as("ada", "one")
        ada = {"id": tweet["author_id"], "name": "ada", "username": "ada"}
        for path in (
            f"/2/users/{ada['id']}",
            "/2/users/by/username/Ada",
        ):
            assert await x.get(path) == {"data": ada}
        for path in (f"/2/users?ids={ada['id']}", "/2/users/by?usernames=ada"):
            assert await x.get(path) == {"data": [ada]}
        me = await x.get("/2/users/me", headers=x.user)
        assert me["data"]["id"] == ACCOUNT_ID
        fields = ",".join(USER_FIELDS)
        answer = await x.get(f"/2/users/{ada['id']}?user.fields={fields}")
        assert answer["data"]["created_at"] == "2026-09-21T14:13:20.000Z"
        assert answer["data"]["protected"] is False


@pytest.mark.parametrize(
    ("path", "parameter", "words"),
    [
        ("/2/tweets/x", "id", "The `id` query parameter value [x] is not valid"),
        ("/2/tweets/99999999999999999999", "id", "is not valid"),
        ("/2/tweets/9999999999999999999", "id", "is not valid"),
        ("/2/tweets", "ids", "The `ids` query parameter can not be empty"),
        ("/2/tweets?ids=,,", "ids", "can not be empty"),
        ("/2/tweets?ids=1,-1", "ids", "value [-1] is not valid"),
        ("/2/tweets?ids=1&ids=2", "ids", "Duplicate parameters are not allowed"),
        (f"/2/tweets?ids={','.join(['1'] * 101)}", "ids", "list [101] is not between 1 and 100"),
        ("/2/tweets?ids=1&max_results=5", "max_results", "is not one of [ids,expansions,"),
        ("/2/tweets/1?expansions=author", "expansions", "[author] is not one of ["),
        ("/2/tweets/1?tweet.fields=text,a", "tweet.fields", "[a] is not one of ["),
        ("/2/tweets/1?media.fields=a", "media.fields", "[a] is not one of ["),
        ("/2/tweets/1?poll.fields=a", "poll.fields", "[a] is not one of ["),
        ("/2/tweets/1?place.fields=a", "place.fields", "[a] is not one of ["),
        ("/2/users/me?user.fields=a", "user.fields", "[a] is not one of ["),
        ("/2/users/1?expansions=author_id", "expansions", "[author_id] is not one of ["),
        ("/2/users/x", "id", "is not valid"),
        ("/2/users?ids=x", "ids", "is not valid"),
        ("/2/users/by?usernames=a-b", "usernames", "[a-b] does not match ^[A-Za-z0-9_]{1,15}$"),
        ("/2/users/by/username/%C3%A9", "username", "[é] does not match"),
        ("/2/users/by", "usernames", "can not be empty"),
    ],
)
async def test_what_is_wrong_with_an_address_is_named(
    path: str, parameter: str, words: str
) -> None:
    """In X's words, and with the value."""
    async with embedded_x() as x:
        is_invalid(await x.send("GET", path, headers=x.user), parameter, words)


async def test_all_that_is_wrong_is_named_at_once() -> None:
    """One answer, as X gives it, for whoever mends an address."""
    async with embedded_x() as x:
        path = "/2/tweets/x?foo=1&expansions=dummy&tweet.fields=dummy&user.fields=dummy"
        reply = await x.send("GET", path, headers=x.app)
        names = [name for error in reply.json["errors"] for name in error["parameters"]]
        assert sorted(names) == ["expansions", "foo", "id", "tweet.fields", "user.fields"]


async def test_what_is_not_there_is_xs_404() -> None:
    """Whatever the method: no HEAD, no OPTIONS, and nothing that tells a path from a method."""
    async with embedded_x() as x:
        for method, path in (
            ("GET", "/"),
            ("GET", "/2"),
            ("GET", "/2/tweets/1/2"),
            ("GET", "/1.1/statuses/update.json"),
            ("GET", "/healthz"),
            ("HEAD", "/2/users/me"),
            ("OPTIONS", "/2/tweets"),
            ("PUT", "/2/tweets"),
            ("DELETE", "/2/tweets"),
            ("POST", "/2/users/me"),
        ):
            reply = await x.send(method, path, headers=x.user)
            assert reply.status == 404, (method, path)
            assert reply.headers["Content-Type"] == "application/problem+json"
            if method != "HEAD":
                assert reply.json == {
                    "title": "Not Found",
                    "detail": "Not Found",
                    "type": "about:blank",
                    "status": 404,
                }
