"""The brand monitor's addresses: the API's, and the tutorial's own."""

from __future__ import annotations

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
from http_edge.address import Address
from http_edge.endpoints.admin_endpoint import guarded
from http_edge.endpoints.parked import while_parked
from http_edge.endpoints.service_endpoint import service
from http_edge.endpoints.stream_endpoint import stream
from http_edge.endpoints.text_endpoint import text

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


# By listener.
ADDRESSES: dict[str, tuple[Address, ...]] = {
    "gateway": (
        Address(
            "POST",
            _TWEETS,
            service("tweets", StoreTweet, 201, location=f"{_TWEETS}/", reply=_stored),
        ),
        Address("GET", _TWEETS, service("tweets", ListTweets)),
        Address("GET", f"{_TWEETS}/{{tweet_id}}", service("tweets", GetTweet)),
        Address("GET", _FLAGS, service("flagger", ListFlags)),
        Address("GET", _FLAG, service("flagger", GetFlag)),
        Address("PATCH", _FLAG, service("flagger", ChangeFlag)),
        Address("GET", "/api/v1/likes", service("favouriter", ListActions)),
        Address("GET", "/api/v1/replies", service("responder", ListActions)),
        Address("GET", "/api/v1/reader", while_parked(service("reader", GetReader))),
        Address("POST", "/admin/likes/requeue", guarded(service("favouriter", RequeueActions))),
        Address("POST", f"/admin/likes/{_REQUEUE}", guarded(service("favouriter", RequeueAction))),
        Address("POST", "/admin/replies/requeue", guarded(service("responder", RequeueActions))),
        Address("POST", f"/admin/replies/{_REQUEUE}", guarded(service("responder", RequeueAction))),
    ),
    "tweets": (
        Address("GET", "/", text("Our Simple RESTful Microservice!")),
        # The tutorial's GET writes; so does its HEAD, which HTTP makes the same request.
        Address("GET", "/insert/{author}/{text*}", service("tweets", StoreTweet, reply=_inserted)),
        Address("GET", "/all", stream("tweets", ListTweets, _tutorial_tweet)),
    ),
}
