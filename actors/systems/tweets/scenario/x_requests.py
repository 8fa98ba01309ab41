"""What other programs of the account ask of X's API: odd things, that change nothing there."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from oauthlib import oauth1

from actors.simulation.net.current_host import on_host
from actors.simulation.requests.rough_request import RoughRequest, get_bytes, post_bytes
from actors.simulation.stage.edge_host import ADMIN_TOKEN, EDGE_HOST
from actors.systems.tweets.outside import SIMULATED_CREDENTIALS
from actors.systems.tweets.scenario import embedded_x
from actors.systems.tweets.scenario.moods import KEYWORD
from actors.systems.x_platform.messages import ACCOUNT_ID, DeleteTweet, PostTweet

if TYPE_CHECKING:
    from actors.simulation.requests.rough_request import RoughAnswer
    from actors.simulation.stage.client import Client

APP: Final = f"Authorization: Bearer {SIMULATED_CREDENTIALS.bearer_token}\r\n"
USER: Final = f"Authorization: Bearer {SIMULATED_CREDENTIALS.oauth2_token}\r\n"

# What may be asked for of a rule, and what not: each is looked at by itself, none is kept.
GOOD_RULES: Final = (
    f'"{KEYWORD} courses" OR {KEYWORD} -is:retweet',
    f"({KEYWORD} OR (golang -java)) (from:ann OR to:bob OR retweets_of:ada OR @bob)",
    f"{KEYWORD} has:links has:media has:hashtags #go $TSLA lang:de",
    "conversation_id:1 in_reply_to_tweet_id:2 quotes_of_tweet_id:3 url:example.org",
    'url:"https://example.org/a b" is:quote is:verified',
    " OR ".join(f"word{number}" for number in range(80)),
    "go OR (#python has:images)",
)
BAD_RULES: Final = (
    "",
    " ",
    "-is:retweet",
    "-(a b)",
    "a AND b",
    "OR",
    "a OR",
    "(a",
    "a)",
    "()",
    '"a',
    '""',
    "-",
    "from:",
    "from:a-b",
    "has:feathers",
    "is:odd",
    "lang:xx",
    "place:london",
    "context:1.2",
    "nothing:known",
    "conversation_id:x",
    "url:",
    "#",
    "@",
    "(" * 60 + "a" + ")" * 60,
    "b " + "(" * 70 + "a" + ")" * 70,
    "has:links lang:en",
    "has:links OR is:retweet",
    "@nobody_has_a_name_so_long",
    "a " * 600,
)
FIELDS: Final = (
    "tweet.fields=author_id,conversation_id,created_at,edit_history_tweet_ids,entities,"
    "in_reply_to_user_id,lang,public_metrics,referenced_tweets,reply_settings"
    "&expansions=author_id,referenced_tweets.id,referenced_tweets.id.author_id,"
    "entities.mentions.username&user.fields=created_at,username,name,description"
)
# How many rules X lets an account have here: more than anybody leaves there.
RULES_MAX: Final = 25
# What the account itself says now and then, in which language, and how it is shown.
OWN_TWEETS: Final = (
    ("まいにち プログラミング", "ja", '"lang":"ja"'),
    ("Это хорошо", "ru", '"lang":"ru"'),
    ("https://example.org/a_(b)). 12:30", "zxx", '"lang":"zxx"'),
    (f"the https://example.org/{'long/' * 12}?a=b#go is here", "en", "\u2026"),
    ("@dressrehearsal the #go and $TSLA, and it was all good", "en", '"username":"dressrehearsal"'),
)
ALL: Final = (
    "tweet.fields=entities,in_reply_to_user_id,lang,note_tweet&user.fields=username"
    "&expansions=in_reply_to_user_id,entities.mentions.username,entities.note.mentions.username"
)
# What X says to whoever wants to do anything as the account while it is locked.
LOCKED: Final = "Your account is suspended"
OPERATOR: Final = f"Authorization: Bearer {ADMIN_TOKEN}\r\n"
SAID_PATH: Final = "/admin/x/tweets"
STREAM: Final = "/2/tweets/search/stream"
# What tweets are looked through for: tags, signs of shares, pictures, films.
HOLDS: Final = "%23go%20OR%20%24TSLA%20OR%20(go%20has:images)%20OR%20(go%20has:videos)"
EARLY, LATE = "2023-11-14T10:00:00Z", "2023-11-14T11:00:00Z"
FORM: Final = "Content-Type: text/plain\r\nContent-Length: 4\r\n"
RULES_PATH: Final = "/2/tweets/search/stream/rules"
SEARCH: Final = f"/2/tweets/search/recent?query={KEYWORD}"


def _read(
    name: str, path: str, status: int, *, by: str = USER, method: str = "GET"
) -> RoughRequest:
    return RoughRequest(name, (get_bytes(path, by, method=method),), status, excuse=LOCKED)


def _send(name: str, path: str, body: Any, status: int, *, by: str = USER) -> RoughRequest:
    text = body if isinstance(body, str) else json.dumps(body)
    return RoughRequest(name, (post_bytes(path, text, by),), status, excuse=LOCKED)


def _tweet(name: str, body: Any, status: int) -> RoughRequest:
    return _send(name, "/2/tweets", body, status)


def _rules(
    name: str, body: Any, status: int, query: str = "dry_run=true", says: str = ""
) -> RoughRequest:
    made = _send(name, f"{RULES_PATH}?{query}", body, status, by=APP)
    return msgspec.structs.replace(made, says=says)


def _rule(rule: str, *, is_good: bool) -> RoughRequest:
    says = f'"created":{int(is_good)},"not_created":{int(not is_good)}'
    name = f"whether X takes the rule {rule[:30]!r}"
    return _rules(name, {"add": [{"value": rule}]}, 201, says=says)


def _said(name: str, more: dict[str, str], status: int) -> RoughRequest:
    """At the gateway, where an operator has anybody say anything."""
    body = {"username": "ann", "text": name, "lang": "en", **more}
    made = _send(name, SAID_PATH, body, status, by=OPERATOR)
    return msgspec.structs.replace(made, excuse="")


X_REQUESTS: Final = (
    _read("who one is at X", "/2/users/me?user.fields=created_at,name", 200),
    _read("a user", f"/2/users/{ACCOUNT_ID}?{FIELDS.partition('&')[2].partition('&')[2]}", 200),
    _read("a user of no id", "/2/users/x", 400),
    _read("users", f"/2/users?ids={ACCOUNT_ID},1", 200),
    _read("no users", "/2/users?ids=", 400),
    _read("too many users", f"/2/users?ids={','.join(['1'] * 101)}", 400),
    _read("a user by name", "/2/users/by/username/dressrehearsal", 200),
    _read("a user of no name", "/2/users/by/username/a-b", 400),
    _read("nobody by name", "/2/users/by/username/nobody_at_all", 200),
    _read("users by name", "/2/users/by?usernames=dressrehearsal,nobody_1", 200),
    _read("users by no name", "/2/users/by", 400),
    _read("users twice", "/2/users?ids=1&ids=2", 400),
    _read("a parameter that is not", "/2/users/me?friends=all", 400),
    _read("a field that is not", "/2/users/me?user.fields=shoe_size", 400),
    _read("a broken escape", "/2/users/me?user.fields=%f", 400),
    _read("as an app", "/2/users/me", 403, by=APP),
    _read("as nobody", "/2/users/me", 401, by="Authorization: Bearer nobody\r\n"),
    _read("unsigned", "/2/users/me", 401, by="Authorization: OAuth a=b\r\n"),
    _read("without a word", "/2/users/me", 401, by=""),
    _read("no tweet", f"/2/tweets/1?{FIELDS}", 200),
    _read("no tweets", f"/2/tweets?ids=1,2&{FIELDS}", 200),
    _read("tweets of no id", "/2/tweets?ids=1,b", 400),
    _read("no tweet's end", "/2/tweets/1", 404, method="DELETE"),
    _read("no like's end", f"/2/users/{ACCOUNT_ID}/likes/1", 404, method="DELETE"),
    _read("another's like's end", "/2/users/1/likes/1", 400, method="DELETE"),
    _send("a like of no tweet", f"/2/users/{ACCOUNT_ID}/likes", {"tweet_id": "1"}, 404),
    _send("a like of no id", f"/2/users/{ACCOUNT_ID}/likes", {"tweet_id": "x"}, 400),
    _send("another's like", "/2/users/1/likes", {"tweet_id": "1"}, 400),
    _tweet("a tweet of nothing", {"text": " "}, 400),
    _tweet("a tweet too long", {"text": "a" * 4_001}, 400),
    _tweet("an answer to no id", {"text": "a", "reply": {"in_reply_to_tweet_id": "x"}}, 400),
    _tweet("an answer to no tweet", {"text": "a", "reply": {"in_reply_to_tweet_id": "1"}}, 403),
    _tweet("an edit of no tweet", {"text": "a", "edit_options": {"previous_post_id": "1"}}, 403),
    _tweet("a quote of no tweet", {"text": "a", "quote_tweet_id": "1"}, 403),
    _tweet("a tweet of other fields", {"text": "a", "poll": {}}, 400),
    _tweet("a tweet that is a list", [], 400),
    _tweet("a tweet that is no JSON", "{", 400),
    _tweet("a tweet of a number", {"text": 5}, 400),
    _tweet("a tweet without a body", "", 400),
    _tweet("a tweet of a NUL", '{"text": "a\\u0000"}', 400),
    RoughRequest(
        "a tweet that is a form",
        (get_bytes("/2/tweets", f"{USER}{FORM}", method="POST") + b"text",),
        400,
        excuse=LOCKED,
    ),
    _rules(
        "a rule twice",
        {"add": [{"value": "go python"}, {"value": "go python"}]},
        201,
        says='"created":1,"not_created":1',
    ),
    _rules(
        "more rules than there may be",
        {"add": [{"value": f"go word{number}"} for number in range(RULES_MAX + 1)]},
        201,
        says=f"{RULES_MAX}",
    ),
    _said("a retweet that answers", {"retweet_tweet_id": "1", "in_reply_to_tweet_id": "1"}, 409),
    _said("a retweet that quotes", {"retweet_tweet_id": "1", "quote_tweet_id": "1"}, 422),
    _said("a quote of what is not", {"quote_tweet_id": "1"}, 409),
    _said("a retweet of what is not", {"retweet_tweet_id": "1"}, 409),
    _said("an edit that answers", {"edits": "1", "in_reply_to_tweet_id": "1"}, 422),
    _said("an edit of nobody's", {"edits": "1", "username": "nobody_at_all"}, 409),
    *[_rule(each, is_good=True) for each in GOOD_RULES],
    *[_rule(each, is_good=False) for each in BAD_RULES],
    _rules("no rules at all", {"add": []}, 400),
    _rules("rules of nothing", {}, 400),
    _rules("rules both ways", {"add": [], "delete": {}}, 400),
    _rules("no rules gone", {"delete": {}}, 400),
    _rules("rules gone by id", {"delete": {"ids": ["1", "x"], "values": []}}, 200),
    _rules("rules gone by value", {"delete": {"values": ["nothing", KEYWORD]}}, 200),
    _rules("whether all may go", {}, 200, "dry_run=true&delete_all=true"),
    _rules("all gone and one made", {"add": []}, 400, "dry_run=true&delete_all=true"),
    _rules("a run not dry nor wet", {"add": []}, 400, "dry_run=perhaps"),
    _read("all rules", RULES_PATH, 200, by=APP),
    _read("a page of rules", f"{RULES_PATH}?max_results=1&pagination_token=0", 200, by=APP),
    _read("a page of no rules", f"{RULES_PATH}?max_results=0&pagination_token=x", 400, by=APP),
    _read("rules by id", f"{RULES_PATH}?ids=1,2", 200, by=APP),
    _read("how many rules", f"{RULES_PATH}/counts", 200, by=APP),
    _read("how many rules of what", f"{RULES_PATH}/counts?rules_count.fields=hats", 400, by=APP),
    _read("a search", f"{SEARCH}&max_results=10&{FIELDS}", 200),
    _read("a search for nothing", "/2/tweets/search/recent?query=", 400),
    _read("a search that is none", "/2/tweets/search/recent?query=(a", 400),
    _read("a search of a page", f"{SEARCH}&next_token=b260000000000000001", 200),
    _read("a search of no page", f"{SEARCH}&next_token=b26&pagination_token=x", 400),
    _read("a search of no size", f"{SEARCH}&max_results=x&sort_order=up", 400),
    _read("a search of long ago", f"{SEARCH}&start_time=2001-01-01T00:00:00Z", 400),
    _read("a search of tomorrow", f"{SEARCH}&end_time=2100-01-01T00:00:00Z", 400),
    _read("a search of no time", f"{SEARCH}&start_time=today&since_id=x", 400),
    _read("a search of ids", f"{SEARCH}&since_id=1&until_id=9000000000000000000", 200),
    _read("a search for words", "/2/tweets/search/recent?query=go%20python", 200),
    _read("a search for what tweets hold", f"/2/tweets/search/recent?query={HOLDS}", 200),
    _read("a search of no such page", f"{SEARCH}&next_token=b26zz", 400),
    _read("a search from late to early", f"{SEARCH}&start_time={LATE}&end_time={EARLY}", 400),
    _read("a stream of the past without end", f"{STREAM}?start_time={EARLY}", 400, by=APP),
    _read(
        "a stream from late to early", f"{STREAM}?start_time={LATE}&end_time={EARLY}", 400, by=APP
    ),
    _read("another method", "/2/tweets", 404, method="PUT"),
    _read("an address X has not", "/2/lists/1", 404),
    _read("an older X", "/1.1/statuses/1.json", 404),
    RoughRequest("a look at the stream", (get_bytes("/2/tweets/search/stream?x=1", APP),), 400),
)

# What one call asks for, one after the other: not much of one kind, for X lets nobody ask for one
# thing often.
SERIES_COUNT: Final = 25
SERIES: Final = tuple([X_REQUESTS[at::SERIES_COUNT] for at in range(SERIES_COUNT)])


async def tweet_and_delete(client: Client, number: int) -> list[str]:
    """Tweet as the account, look at it, and delete it; return what was wrong with X's answers."""
    text, lang, shown = OWN_TWEETS[number % len(OWN_TWEETS)]
    post = PostTweet(author_id=ACCOUNT_ID, text=f"{text} ({number})")
    posted = await client.tell("x_platform", post, key=f"own-{number}")
    if posted.status != HTTPStatus.OK:
        return [] if posted.body is None or LOCKED in posted.body.detail else [str(posted)]
    tweet = posted.body
    await ask_x(
        client, msgspec.structs.replace(_read("it", f"/2/tweets/{tweet.id}?{ALL}", 200), says=shown)
    )
    gone = _read("its end", f"/2/tweets/{tweet.id}", 200, method="DELETE")
    await ask_x(client, msgspec.structs.replace(gone, says='"deleted":true'))
    delete = DeleteTweet(user_id=ACCOUNT_ID, tweet_id=tweet.id)
    await client.tell("x_platform", delete, key=f"own-{number}-gone")
    return [f"{tweet.text!r} is in {tweet.lang}"] if tweet.lang != lang else []


async def sign_twice(client: Client) -> None:
    """Ask by a signature, as the monitor does, and then by the same one: X knows it again."""
    keys, path = SIMULATED_CREDENTIALS, "/2/users/me"
    signer = oauth1.Client(
        keys.consumer_key,
        client_secret=keys.consumer_secret,
        resource_owner_key=keys.access_token,
        resource_owner_secret=keys.access_token_secret,
    )
    _, headers, _ = signer.sign(f"http://localhost{path}")
    by = f"Authorization: {headers['Authorization']}\r\n"
    first = await ask_x(client, _read("who one is, signed", path, 200, by=by))
    if first is not None and first.status == HTTPStatus.OK:
        await ask_x(client, _read("the same signature once more", path, 401, by=by))


async def look_beyond(client: Client, tweet_id: str) -> None:
    """Search from a tweet on, and up to it: it is in neither."""
    for name in ("since_id", "until_id"):
        search = _read(f"a search by {name}", f"{SEARCH}&{name}={tweet_id}", 200)
        await ask_x(client, msgspec.structs.replace(search, hides=f'"id":"{tweet_id}"'))


async def ask_x(client: Client, request: RoughRequest) -> RoughAnswer | None:
    """Send it from the machine on which X is embedded: no other reaches it. Or to the gateway.

    Return its answer, if there is one.
    """
    if SAID_PATH.encode() in request.pieces[0]:
        return await client.ask_roughly(request)
    with on_host(EDGE_HOST):
        return await client.ask_roughly(
            request, host=embedded_x.ADDRESS, port=embedded_x.PORT, wire=embedded_x.HOST
        )
