"""Tweets: looking them up, and tweeting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from actors.kernel.messages import Refusal
from actors.systems.x_platform.api.fields import OF_TWEETS
from actors.systems.x_platform.api.parameters import Parameters, is_id
from actors.systems.x_platform.api.rendering import Renderer, edit_history
from actors.systems.x_platform.api.written import shown_text, with_entities
from actors.systems.x_platform.api.x_body import JsonReader
from actors.systems.x_platform.api.x_endpoint import ANYBODY, USER_ONLY, XRow
from actors.systems.x_platform.api.x_problems import (
    invalid,
    missing,
    not_found,
    parameter_error,
    plain_problem,
)
from actors.systems.x_platform.messages import (
    ACCOUNT_ID,
    Deleted,
    DeleteTweet,
    GetTweets,
    PostTweet,
    Things,
    XTweet,
)

if TYPE_CHECKING:
    from aiohttp import web

    from actors.systems.x_platform.api.fields import Selection
    from actors.systems.x_platform.api.x_endpoint import XCall

TEXT_CHARS_MAX: Final = 4_000  # X's own for accounts that may write more than 280
TOO_LONG: Final = (
    "Your Tweet text is too long. For more information on how Twitter determines text length see"
    " https://github.com/twitter/twitter-text."
)

# X has no word for everyone here: that is the default.
RestrictedReplies = Literal["following", "mentionedUsers", "subscribers", "verified"]
SomeId = Annotated[str, Meta(max_length=100)]


class ReplyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    in_reply_to_tweet_id: SomeId


class EditOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    previous_post_id: SomeId


class TweetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of X's fields the embedded X knows; others are refused, not ignored."""

    text: str
    reply: ReplyBody | None = None
    quote_tweet_id: SomeId | None = None
    edit_options: EditOptions | None = None
    reply_settings: RestrictedReplies | None = None
    # A disclosure that X shows to people and not in its API: taken, and said nowhere.
    made_with_ai: bool = False


_BODY: Final = JsonReader(TweetBody)


async def one(call: XCall) -> web.StreamResponse:
    """The tweet of this id; an id that nobody has is an error in an answer of success."""
    parameters = Parameters(call.query, fields=OF_TWEETS)
    tweet_id = parameters.path_id("id", call.params["id"])
    return await _look_up(call, (tweet_id,), parameters.done(), "id")


async def many(call: XCall) -> web.StreamResponse:
    """Likewise, of up to a hundred ids."""
    parameters = Parameters(call.query, names=("ids",), fields=OF_TWEETS)
    ids = parameters.ids("ids", required=True)
    return await _look_up(call, ids, parameters.done(), "ids")


async def create(call: XCall) -> web.StreamResponse:
    """Tweet as the account, or edit what it has tweeted."""
    Parameters(call.query).done()
    body = await _BODY.read(call.request, call.context.config)
    tweet: XTweet | Refusal = await call.ask(_post(body))
    if isinstance(tweet, Refusal):
        # The service says it in X's own words.
        raise plain_problem(403, tweet.detail)
    text = with_entities(shown_text(tweet))
    shown = {"edit_history_tweet_ids": edit_history(tweet), "id": tweet.id, "text": text}
    return call.answer(201, {"data": shown})


async def delete(call: XCall) -> web.StreamResponse:
    """Delete one of the account's own."""
    parameters = Parameters(call.query)
    tweet_id = parameters.path_id("id", call.params["id"])
    parameters.done()
    outcome: Deleted | Refusal = await call.ask(DeleteTweet(user_id=ACCOUNT_ID, tweet_id=tweet_id))
    if isinstance(outcome, Refusal):
        if outcome.kind == "not_found":
            raise missing("tweet", "id", tweet_id)
        raise plain_problem(403, outcome.detail)
    return call.answer(200, {"data": {"deleted": True}})


async def _look_up(
    call: XCall, ids: tuple[str, ...], selection: Selection, parameter: str
) -> web.StreamResponse:
    about: Things = await call.ask(GetTweets(ids=ids))
    known = {tweet.id: tweet for tweet in about.tweets}
    asked = [known[each] for each in dict.fromkeys(ids) if each in known]
    data, includes, errors = Renderer(about, selection).tweets(asked)
    lost = [each for each in dict.fromkeys(ids) if each not in known]
    errors = [*(not_found("tweet", parameter, each) for each in lost), *errors]
    shown: Any = data[0] if parameter == "id" and data else data
    answer = {"data": shown, "includes": includes, "errors": errors}
    return call.answer(200, {name: value for name, value in answer.items() if value})


def _post(body: TweetBody) -> PostTweet:
    """Return the command, or raise the 400 for what it cannot hold."""
    if not body.text.strip():
        raise invalid(parameter_error("text", [body.text], "$.text: can not be empty"))
    if len(body.text) > TEXT_CHARS_MAX:
        raise invalid(parameter_error("text", [], TOO_LONG))
    replied = None if body.reply is None else body.reply.in_reply_to_tweet_id
    edits = None if body.edit_options is None else body.edit_options.previous_post_id
    for path, value in (
        ("$.edit_options.previous_post_id", edits),
        ("$.reply.in_reply_to_tweet_id", replied),
        ("$.quote_tweet_id", body.quote_tweet_id),
    ):
        if value is not None and not is_id(value):
            message = f"{path}: [{value}] does not match ^[0-9]{{1,19}}$"
            raise invalid(parameter_error(path, [value], message))
    return PostTweet(
        author_id=ACCOUNT_ID,
        text=body.text,
        in_reply_to_tweet_id=replied,
        quote_tweet_id=body.quote_tweet_id,
        edits=edits,
        reply_settings=body.reply_settings or "everyone",
    )


TWEETS: Final = (
    XRow("GET", "/2/tweets/{id}", ANYBODY, one),
    XRow("GET", "/2/tweets", ANYBODY, many),
    XRow("POST", "/2/tweets", USER_ONLY, create),
    XRow("DELETE", "/2/tweets/{id}", USER_ONLY, delete),
)
