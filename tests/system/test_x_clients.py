"""X's own client and npm's most used against the embedded X: their address rebased, and no more.

Each adds rules, streams, likes and replies, and sees errors as exceptions of their kind.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from actors.systems.x_platform.messages import ACCOUNT_ID
from tests.system.npm_package import install
from tests.system.x_server import x_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from tests.system.x_server import XServer

pytestmark = pytest.mark.real_time

NODE_S_MAX = 200.0
TWITTER_API_V2 = ("twitter-api-v2", "1.29.1")
TWITTER_API_V2_SHA512 = (
    "l5U8aP6woe+gv0RViz/YA0YEG/NRtqkO1iXWqxNfrn3MSc2V85u6w44oNDBWhy8zVV9r36SJv/uXNmnfni8Uxw=="
)


@pytest.fixture
def server() -> Iterator[XServer]:
    with x_server() as running:
        yield running


# --- xdk -------------------------------------------------------------------------------------


def x_kit() -> ModuleType:
    """Return the package: it takes more to import than all tests, which every worker does."""
    for module in ("oauth1_auth", "posts.models", "streaming", "users.models"):
        importlib.import_module(f"xdk.{module}")
    return importlib.import_module("xdk")


def xdk_client(server: XServer, *, bearer_token: str | None = None) -> Any:
    """Return X's own client; it takes the address by itself."""
    xdk, keys = x_kit(), server.keys
    signer = xdk.oauth1_auth.OAuth1(
        keys.consumer_key,
        keys.consumer_secret,
        "oob",
        keys.access_token,
        keys.access_token_secret,
    )
    token = bearer_token or keys.bearer_token
    return xdk.Client(base_url=server.url, bearer_token=token, auth=signer)


def test_xdk_streams_likes_and_replies(server: XServer) -> None:
    """X's own client for Python, whose models hold our answers to X's OpenAPI description."""
    app = xdk_client(server)
    added = app.stream.update_rules({"add": [{"value": "cats", "tag": "pets"}]})
    assert [(rule.value, rule.tag) for rule in added.data] == [("cats", "pets")]
    (page,) = app.stream.get_rules()
    assert [rule.id for rule in page.data] == [added.data[0].id]

    connected: queue.Queue[None] = queue.Queue()
    config = x_kit().streaming.StreamConfig(max_retries=0, on_connect=lambda: connected.put(None))
    account = xdk_client(server)
    # It connects when it is first asked; what was tweeted by then is there by `backfill_minutes`.
    posts = app.stream.posts(
        backfill_minutes=1,
        tweet_fields=["created_at", "author_id"],
        expansions=["author_id"],
        stream_config=config,
    )
    posted = server.tweet_as("ada", "cats, once more")
    found = next(posts)
    assert (found.data.id, found.data.text) == (posted["id"], "cats, once more")
    assert found.includes.users[0].username == "ada"
    assert found.matching_rules[0].tag == "pets"
    body = x_kit().posts.models.CreateRequest(
        text="cats!", reply={"in_reply_to_tweet_id": found.data.id}
    )
    reply = account.posts.create(body)
    assert next(posts).data.id == reply.data.id
    liked = account.users.like_post(
        ACCOUNT_ID, x_kit().users.models.LikePostRequest(tweet_id=found.data.id)
    )
    assert liked.data.liked is True
    assert account.users.get_me().data.username == "dressrehearsal"
    assert account.users.unlike_post(ACCOUNT_ID, found.data.id).data.liked is False
    assert app.posts.get_by_id(found.data.id).data.text == posted["text"]
    assert app.users.get_by_username("ada").data.id == posted["author_id"]
    several = app.posts.get_by_ids(["7", found.data.id])
    assert [post.id for post in several.data] == [found.data.id]
    assert [error.resource_id for error in several.errors] == ["7"]

    assert connected.qsize() == 1
    second = xdk_client(server).stream.posts(
        stream_config=x_kit().streaming.StreamConfig(max_retries=0)
    )
    with pytest.raises(x_kit().streaming.StreamError) as caught:
        next(second)
    assert "429" in str(caught.value)
    posts.close()
    app.session.close()
    ids = [rule.id for rule in page.data]
    deleted = xdk_client(server).stream.update_rules({"delete": {"ids": ids}})
    assert deleted.meta.summary == {"deleted": 1, "not_deleted": 0}


def test_xdk_sees_errors_for_what_they_are(server: XServer) -> None:
    """requests' HTTPError with the status, and StreamError with its kind."""
    account = xdk_client(server)
    account.posts.create({"text": "one"})
    for status, fails in (
        (403, lambda: account.posts.create({"text": "one"})),
        (404, lambda: account.users.like_post(ACCOUNT_ID, {"tweet_id": "7"})),
        (400, lambda: account.users.like_post("7", {"tweet_id": "7"})),
        (401, lambda: list(xdk_client(server, bearer_token="wrong").stream.get_rules())),
    ):
        with pytest.raises(requests.HTTPError) as caught:
            fails()
        assert caught.value.response is not None
        assert caught.value.response.status_code == status
    for status, token in ((409, None), (401, "wrong")):
        stream = xdk_client(server, bearer_token=token).stream
        with pytest.raises(x_kit().streaming.StreamError) as failed:
            next(stream.posts(stream_config=x_kit().streaming.StreamConfig(max_retries=0)))
        assert failed.value.status_code == status


def test_xdk_counts_pages_and_deletes_rules(server: XServer) -> None:
    """What its methods ask for beyond the stream: counts, pages, all rules at once."""
    app = xdk_client(server)
    values = [{"value": value} for value in ("cats", "dogs", "mice")]
    app.stream.update_rules({"add": values})
    counts = app.stream.get_rule_counts().data
    assert (counts.cap_per_project, counts.project_rules_count) == ("1000", "3")
    assert counts.client_app_rules_count.rule_count == 3
    pages = [[rule.value for rule in page.data] for page in app.stream.get_rules(max_results=2)]
    assert pages == [["cats", "dogs"], ["mice"]]
    gone = app.stream.update_rules({"delete": {"ids": ["1"]}}, delete_all=True)
    assert gone.meta.summary == {"deleted": 3, "not_deleted": 0}


def test_xdk_posts_with_settings_deletes_and_searches(server: XServer) -> None:
    """Its models hold the answers; a tweet that is not there is one problem with a 404."""
    account = xdk_client(server)
    body = x_kit().posts.models.CreateRequest(
        text="cats, ours", made_with_ai=True, reply_settings="following"
    )
    posted = account.posts.create(body).data
    theirs = server.tweet_as("ada", "cats, theirs")
    found = [post.id for page in account.posts.search_recent("cats") for post in page.data or ()]
    assert found == [theirs["id"], posted.id]
    assert account.posts.delete(posted.id).data.deleted is True
    found = [post.id for page in account.posts.search_recent("cats") for post in page.data or ()]
    assert found == [theirs["id"]]
    missing: tuple[Callable[[], Any], ...] = (
        lambda: account.posts.delete(posted.id),
        lambda: account.users.like_post(ACCOUNT_ID, {"tweet_id": posted.id}),
    )
    for fails in missing:
        with pytest.raises(requests.HTTPError) as caught:
            fails()
        answer = caught.value.response
        assert answer is not None
        assert (answer.status_code, answer.json()["title"]) == (404, "Not Found Error")
        assert answer.json()["resource_id"] == posted.id


def test_xdk_asks_the_stream_for_times(server: XServer) -> None:
    """X has a day of them: what is older is a 400 that says so, and no stream that begins now."""
    app = xdk_client(server)
    app.stream.update_rules({"add": [{"value": "cats"}]})
    posts = app.stream.posts(
        start_time="2023-01-01T00:00:00Z",
        end_time="2023-01-01T00:01:00Z",
        stream_config=x_kit().streaming.StreamConfig(max_retries=0),
    )
    with pytest.raises(x_kit().streaming.StreamError) as caught:
        next(posts)
    assert caught.value.status_code == 400


# --- npm's twitter-api-v2 --------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
@pytest.mark.timeout(300)
@pytest.mark.long
def test_twitter_api_v2_streams_likes_and_replies(
    server: XServer, pytestconfig: pytest.Config
) -> None:
    """JavaScript's most used client, as npm has it: what it saw, and its errors' kinds."""
    cache = pytestconfig.cache
    assert cache is not None
    package = install(cache.mkdir("npm"), *TWITTER_API_V2, TWITTER_API_V2_SHA512)
    script = Path(__file__).parent / "twitter_api_v2.cjs"
    keys = {name: getattr(server.keys, name) for name in server.keys.__struct_fields__}
    done = subprocess.run(
        ["node", str(script), str(package)],
        env={**os.environ, "BASE_URL": server.url, "KEYS": json.dumps(keys)},
        capture_output=True,
        text=True,
        timeout=NODE_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["empty"]["meta"]["result_count"] == 0
    assert seen["added"]["data"][0]["tag"] == "pets"
    titles = [error["title"] for error in seen["again"]["errors"]]
    assert titles == ["DuplicateRule", "UnprocessableEntity"]
    assert len(seen["listed"]["data"]) == 1
    assert seen["streamed"]["data"]["text"] == "cats are fine"
    assert seen["streamed"]["includes"]["users"][0]["id"] == ACCOUNT_ID
    assert seen["streamed"]["matching_rules"][0]["tag"] == "pets"
    assert seen["repliedTo"]["data"]["id"] == seen["reply"]["id"]
    assert (seen["liked"], seen["unliked"]) == ({"liked": True}, {"liked": False})
    assert seen["me"]["id"] == ACCOUNT_ID
    assert seen["found"]["data"]["author_id"] == ACCOUNT_ID
    assert seen["lost"]["errors"][0]["title"] == "Not Found Error"
    assert seen["deleted"]["meta"]["summary"]["deleted"] == 1
    assert seen["noRules"]["issue"] == "RuleConfigurationIssue"
    assert seen["second"]["issue"] == "TooManyConnections"
    codes = {name: seen[name]["code"] for name in ("noRules", "second", "duplicate", "forbidden")}
    assert codes == {"noRules": 409, "second": 429, "duplicate": 403, "forbidden": 403}
    assert (seen["unauthorized"]["code"], seen["unauthorized"]["isAuthError"]) == (401, True)
    assert (seen["invalid"]["code"], seen["invalid"]["title"]) == (400, "Invalid Request")
    assert all(seen[name]["isApiError"] for name in (*codes, "unauthorized", "invalid"))
