"""Users: looking them up, and what the account likes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from actors.kernel.messages import Refusal
from actors.systems.x_platform.api.fields import OF_USERS
from actors.systems.x_platform.api.parameters import Parameters, is_id
from actors.systems.x_platform.api.rendering import Renderer
from actors.systems.x_platform.api.x_body import JsonReader
from actors.systems.x_platform.api.x_endpoint import ANYBODY, USER_ONLY, XRow
from actors.systems.x_platform.api.x_problems import (
    invalid,
    missing,
    not_found,
    parameter_error,
    plain_problem,
)
from actors.systems.x_platform.messages import ACCOUNT_ID, GetUsers, Like, Liked, Things, Unlike

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from actors.systems.x_platform.api.fields import Selection
    from actors.systems.x_platform.api.x_endpoint import XCall
    from actors.systems.x_platform.messages import XUser


class LikeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tweet_id: Annotated[str, Meta(max_length=100)]


_LIKE: Final = JsonReader(LikeBody)


# --- Looking up --------------------------------------------------------------------------


async def me(call: XCall) -> web.StreamResponse:
    """The account itself."""
    selection = Parameters(call.query, fields=OF_USERS).done()
    return await _look_up(call, GetUsers(ids=(ACCOUNT_ID,)), selection, "id")


async def by_id(call: XCall) -> web.StreamResponse:
    """The user of this id; an id that nobody has is an error in an answer of success."""
    parameters = Parameters(call.query, fields=OF_USERS)
    user_id = parameters.path_id("id", call.params["id"])
    selection = parameters.done()
    return await _look_up(call, GetUsers(ids=(user_id,)), selection, "id")


async def by_ids(call: XCall) -> web.StreamResponse:
    """Likewise, of up to a hundred ids."""
    parameters = Parameters(call.query, names=("ids",), fields=OF_USERS)
    ids = parameters.ids("ids", required=True)
    selection = parameters.done()
    return await _look_up(call, GetUsers(ids=ids), selection, "ids")


async def by_username(call: XCall) -> web.StreamResponse:
    """Likewise, of a name."""
    parameters = Parameters(call.query, fields=OF_USERS)
    name = parameters.path_username("username", call.params["username"])
    selection = parameters.done()
    return await _look_up(call, GetUsers(usernames=(name,)), selection, "username")


async def by_usernames(call: XCall) -> web.StreamResponse:
    """Likewise, of up to a hundred names."""
    parameters = Parameters(call.query, names=("usernames",), fields=OF_USERS)
    names = parameters.usernames("usernames")
    selection = parameters.done()
    return await _look_up(call, GetUsers(usernames=names), selection, "usernames")


# --- Likes -------------------------------------------------------------------------------


async def like(call: XCall) -> web.StreamResponse:
    """Like a tweet; again says the same."""
    parameters = Parameters(call.query)
    user_id = _own_id(parameters, call)
    parameters.done()
    tweet_id = (await _LIKE.read(call.request, call.context.config)).tweet_id
    if not is_id(tweet_id):
        message = f"$.tweet_id: [{tweet_id}] does not match ^[0-9]{{1,19}}$"
        raise invalid(parameter_error("$.tweet_id", [tweet_id], message))
    return await _change_like(call, Like(user_id=user_id, tweet_id=tweet_id))


async def unlike(call: XCall) -> web.StreamResponse:
    """Like it no more; again says the same."""
    parameters = Parameters(call.query)
    user_id = _own_id(parameters, call)
    tweet_id = parameters.path_id("tweet_id", call.params["tweet_id"])
    parameters.done()
    return await _change_like(call, Unlike(user_id=user_id, tweet_id=tweet_id))


def _own_id(parameters: Parameters, call: XCall) -> str:
    """Return the path's id, which must be the account's: nobody acts for others."""
    user_id = parameters.path_id("id", call.params["id"])
    if user_id != ACCOUNT_ID:
        complaint = f"must be the same as the authenticating user [{ACCOUNT_ID}]"
        parameters.blame_path("id", user_id, complaint)
    return user_id


async def _change_like(call: XCall, message: Like | Unlike) -> web.StreamResponse:
    outcome: Liked | Refusal = await call.ask(message)
    if isinstance(outcome, Refusal):
        if outcome.kind != "not_found":
            raise plain_problem(403, outcome.detail)
        raise missing("tweet", "tweet_id", message.tweet_id)
    return call.answer(200, {"data": {"liked": outcome.liked}})


async def _look_up(
    call: XCall, question: GetUsers, selection: Selection, parameter: str
) -> web.StreamResponse:
    about: Things = await call.ask(question)
    asked, known = _keys(question, about.users)
    renderer = Renderer(about, selection)
    data = [renderer.user(known[key]) for key in asked if key in known]
    lost = [asked[key] for key in asked if key not in known]
    errors = [not_found("user", parameter, each) for each in lost]
    plural = parameter.endswith("s")
    shown: Any = data if plural else next(iter(data), None)
    answer = {"data": shown, "errors": errors}
    return call.answer(200, {name: value for name, value in answer.items() if value})


def _keys(question: GetUsers, users: Iterable[XUser]) -> tuple[dict[str, str], dict[str, XUser]]:
    """Return what was asked for, each once, and the users, both by id or by name in lower case."""
    if question.ids:
        return {each: each for each in question.ids}, {user.id: user for user in users}
    asked = {name.lower(): name for name in question.usernames}
    return asked, {user.username.lower(): user for user in users}


USERS: Final = (
    XRow("GET", "/2/users/me", USER_ONLY, me),
    XRow("GET", "/2/users/by/username/{username}", ANYBODY, by_username),
    XRow("GET", "/2/users/by", ANYBODY, by_usernames),
    XRow("GET", "/2/users/{id}", ANYBODY, by_id),
    XRow("GET", "/2/users", ANYBODY, by_ids),
    XRow("POST", "/2/users/{id}/likes", USER_ONLY, like),
    XRow("DELETE", "/2/users/{id}/likes/{tweet_id}", USER_ONLY, unlike),
)
