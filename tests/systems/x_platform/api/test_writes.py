"""What the account does: tweet, reply, quote, like; and what an operator lets others do."""

from __future__ import annotations

from typing import Any

import pytest

from actors.systems.x_platform.messages import ACCOUNT_ID
from tests.http_edge.serving import is_problem as is_ours
from tests.systems.x_platform.api.embedded_x import (
    LIKES,
    EmbeddedX,
    embedded_x,
    is_invalid,
    is_problem,
)

DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
INVISIBLE = "You attempted to reply to a Tweet that is deleted or not visible to you."


async def test_a_tweet_is_made_in_both_of_the_accounts_ways() -> None:
    """201 with its id and text; and there it is."""
    async with embedded_x() as x:
        for text, headers in (("one", x.user), ("two", x.signed("POST", "/2/tweets"))):
            reply = await x.post("/2/tweets", {"text": text}, headers)
            assert reply.status == 201
            tweet = reply.json["data"]
            assert tweet == {
                "id": tweet["id"],
                "text": text,
                "edit_history_tweet_ids": [tweet["id"]],
            }
            found = await x.get(f"/2/tweets/{tweet['id']}?tweet.fields=author_id")
            assert found["data"]["author_id"] == ACCOUNT_ID


async def test_the_same_again_is_refused_as_x_refuses_it() -> None:
    """A 403 with X's sentence; a day later it may be said again."""
    async with embedded_x() as x:
        assert (await x.post("/2/tweets", {"text": "one"}, x.user)).status == 201
        reply = await x.post("/2/tweets", {"text": "one"}, x.user)
        is_problem(reply, 403, title="Forbidden", detail=DUPLICATE)
        x.clock.advance(86_401)
        assert (await x.post("/2/tweets", {"text": "one"}, x.user)).status == 201


async def test_replies_and_quotes_refer_to_what_is_there() -> None:
    """And are refused where nothing is."""
    async with embedded_x() as x:
        first = (await x.tweet_as("ada", "one"))["id"]
        body: dict[str, Any] = {"text": "yes", "reply": {"in_reply_to_tweet_id": first}}
        reply = (await x.post("/2/tweets", body, x.user)).json["data"]["id"]
        body = {"text": "no", "quote_tweet_id": first}
        quote = (await x.post("/2/tweets", body, x.user)).json["data"]["id"]
        for tweet, kind in ((reply, "replied_to"), (quote, "quoted")):
            found = await x.get(f"/2/tweets/{tweet}?tweet.fields=referenced_tweets")
            assert found["data"]["referenced_tweets"] == [{"type": kind, "id": first}]
        body = {"text": "hm", "reply": {"in_reply_to_tweet_id": "7"}}
        is_problem(await x.post("/2/tweets", body, x.user), 403, detail=INVISIBLE)
        body = {"text": "hm", "quote_tweet_id": "7"}
        is_problem(await x.post("/2/tweets", body, x.user), 403, title="Forbidden")


@pytest.mark.parametrize(
    ("body", "parameter", "words"),
    [
        ({}, "$.text", "is missing but it is required"),
        ({"text": ""}, "text", "can not be empty"),
        ({"text": " \n"}, "text", "can not be empty"),
        ({"text": "x" * 4001}, "text", "Your Tweet text is too long."),
        ({"text": None}, "$.text", "Expected str, got null"),
        ({"text": "a\0b"}, "$", "NUL"),
        ({"text": "a", "reply": {}}, "$.reply.in_reply_to_tweet_id", "is missing but it is"),
        ({"text": "a", "reply": {"in_reply_to_tweet_id": 7}}, "$.reply.in_reply_to_tweet_id", ""),
        ({"text": "a", "reply": {"in_reply_to_tweet_id": "x"}}, "$.reply.in_reply_to_tweet_id", ""),
        ({"text": "a", "quote_tweet_id": "1" * 20}, "$.quote_tweet_id", "does not match"),
        ({"text": "a", "quote_tweet_id": "1" * 200}, "$.quote_tweet_id", ""),
        ({"text": "a", "poll": {"options": []}}, "$.poll", "does not allow additional properties"),
    ],
)
async def test_a_tweet_that_does_not_fit_is_named(
    body: dict[str, Any], parameter: str, words: str
) -> None:
    """What the embedded X does not know is refused, never ignored."""
    async with embedded_x() as x:
        is_invalid(await x.post("/2/tweets", body, x.user), parameter, words)


async def test_text_comes_back_as_it_was_sent() -> None:
    """Emoji, other scripts, escapes and line ends; a backslash before u0000 is just that."""
    async with embedded_x() as x:
        for text in ("🦜 ok", "日本語 です", 'a "quote" \\u0000 \\', "two\r\nlines", "x" * 280):
            reply = await x.post("/2/tweets", {"text": text}, x.user)
            assert reply.json["data"]["text"] == text
            assert (await x.get(f"/2/tweets/{reply.json['data']['id']}"))["data"]["text"] == text


async def test_a_like_is_one_however_often_it_is_given() -> None:
    """And is taken back likewise."""
    async with embedded_x() as x:
        tweet = (await x.tweet_as("ada", "one"))["id"]
        for _ in range(2):
            reply = await x.post(LIKES, {"tweet_id": tweet}, x.user)
            assert (reply.status, reply.json) == (200, {"data": {"liked": True}})
        for _ in range(2):
            path = f"{LIKES}/{tweet}"
            reply = await x.send("DELETE", path, headers=x.signed("DELETE", path))
            assert (reply.status, reply.json) == (200, {"data": {"liked": False}})


async def test_what_is_not_there_cannot_be_liked() -> None:
    """A 404 that names it: no success, and nothing to try again."""
    async with embedded_x() as x:
        for reply in (
            await x.post(LIKES, {"tweet_id": "7"}, x.user),
            await x.send("DELETE", f"{LIKES}/7", headers=x.user),
        ):
            assert reply.status == 404
            assert reply.json["detail"] == "Could not find tweet with tweet_id: [7]."
            assert (reply.json["resource_id"], reply.json["status"]) == ("7", 404)
            assert "errors" not in reply.json
            assert reply.headers["Content-Type"] == "application/problem+json"


async def test_nobody_likes_for_another() -> None:
    """The id of the path is the account's own; what else is wrong is named too."""
    words = f"[7] must be the same as the authenticating user [{ACCOUNT_ID}]"
    async with embedded_x() as x:
        is_invalid(await x.post("/2/users/7/likes", {"tweet_id": "1"}, x.user), "id", words)
        is_invalid(await x.send("DELETE", "/2/users/7/likes/1", headers=x.user), "id", words)
        reply = await x.send("DELETE", f"{LIKES}/x", headers=x.user)
        is_invalid(reply, "tweet_id", "is not valid")
        for body, parameter in (
            ({}, "$.tweet_id"),
            ({"tweet_id": "x"}, "$.tweet_id"),
            ({"tweet_id": 7}, "$.tweet_id"),
            ({"tweet_id": "1", "more": 1}, "$.more"),
        ):
            is_invalid(await x.post(LIKES, body, x.user), parameter)
        is_invalid(await x.post(f"{LIKES}?a=1", {"tweet_id": "1"}, x.user), "a")


async def test_an_operator_tweets_as_anybody() -> None:
    """201 with the tweet; the token is the operator's, and the problems are ours."""
    async with embedded_x() as x:
        tweet = await x.tweet_as("ada", "bonjour", lang="fr")
        assert (tweet["text"], tweet["lang"]) == ("bonjour", "fr")
        again = await x.tweet_as("bob", "look", retweet_tweet_id=tweet["id"])
        assert again["text"] == "RT @ada: bonjour"
        for headers in ({}, x.app, x.user):
            reply = await _tweet_as(x, {"username": "ada", "text": "two"}, headers)
            is_ours(reply, 401)
        operator = {"Authorization": f"Bearer {x.token}"}
        is_ours(await _tweet_as(x, {"username": "a b", "text": "x"}, operator), 422, "username")
        body = {"username": "ada", "text": "x", "in_reply_to_tweet_id": "7"}
        is_ours(await _tweet_as(x, body, operator), 409)
        reply = await x.send("POST", "/admin/x/tweets", headers=operator)
        assert reply.status == 404  # on X's own listener there is no such thing


async def _tweet_as(x: EmbeddedX, body: dict[str, Any], headers: dict[str, str]) -> Any:
    return await x.send("POST", "/admin/x/tweets", "gateway", json=body, headers=headers)
