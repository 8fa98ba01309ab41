"""The brand monitor's addresses: the API's, and the tutorial's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.systems.tweets.messages import (
    ChangeFlag,
    GetFlag,
    GetReader,
    GetTweet,
    ListActions,
    ListFlags,
    ListTweets,
    RequeueAction,
    RequeueActions,
    StoreTweet,
    Tweet,
    TweetStored,
)
from http_edge.routes.admin import Guarded
from http_edge.routes.reader import WhileParked
from http_edge.routes.route import Route, Stream, Text

if TYPE_CHECKING:
    from http_edge.handler import Row

_TWEETS = "/api/v1/tweets"
_FLAGS = "/api/v1/flags"
_REQUEUE = "{external_id}/requeue"
_FLAG = f"{_FLAGS}/{{flag_id}}"


def _stored(reply: TweetStored) -> tuple[int, Tweet]:
    return (201 if reply.created else 200), reply.tweet


def _inserted(reply: TweetStored) -> tuple[int, str]:
    del reply  # the tutorial says the same whatever it stored
    return 200, "Inserted one into the Database"


def _tutorial_tweet(tweet: Tweet) -> dict[str, str]:
    return {"id": tweet.id, "NAME": tweet.author, "TWEET": tweet.text}


ROUTES: dict[str, tuple[Row, ...]] = {
    "gateway": (
        Route("POST", _TWEETS, "tweets", StoreTweet, 201, location=f"{_TWEETS}/", reply=_stored),
        Route("GET", _TWEETS, "tweets", ListTweets),
        Route("GET", f"{_TWEETS}/{{tweet_id}}", "tweets", GetTweet),
        Route("GET", _FLAGS, "flagger", ListFlags),
        Route("GET", _FLAG, "flagger", GetFlag),
        Route("PATCH", _FLAG, "flagger", ChangeFlag),
        Route("GET", "/api/v1/likes", "favouriter", ListActions),
        Route("GET", "/api/v1/replies", "responder", ListActions),
        WhileParked(Route("GET", "/api/v1/reader", "reader", GetReader)),
        Guarded(Route("POST", "/admin/likes/requeue", "favouriter", RequeueActions)),
        Guarded(Route("POST", f"/admin/likes/{_REQUEUE}", "favouriter", RequeueAction)),
        Guarded(Route("POST", "/admin/replies/requeue", "responder", RequeueActions)),
        Guarded(Route("POST", f"/admin/replies/{_REQUEUE}", "responder", RequeueAction)),
    ),
    "tweets": (
        Text("GET", "/", "Our Simple RESTful Microservice!"),
        # The tutorial's GET writes; so does its HEAD, which HTTP makes the same request.
        Route("GET", "/insert/{author}/{text*}", "tweets", StoreTweet, reply=_inserted),
        Stream("GET", "/all", "tweets", ListTweets, _tutorial_tweet),
    ),
}
