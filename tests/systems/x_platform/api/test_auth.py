"""Who may ask what: 401, 403 and 429, in X's words."""

from __future__ import annotations

from typing import Any

import pytest

from actors.systems.x_platform.api.identity import SKEW_S_MAX
from tests.systems.x_platform.api.embedded_x import (
    LIKES,
    RULES,
    STREAM,
    EmbeddedX,
    embedded_x,
    is_problem,
)

LOOK_UPS = (
    "/2/tweets/1",
    "/2/tweets?ids=1",
    "/2/users/1",
    "/2/users?ids=1",
    "/2/users/by?usernames=ada",
    "/2/users/by/username/ada",
)
OF_THE_APP = (("GET", STREAM), ("GET", RULES), ("POST", RULES))
OF_THE_ACCOUNT = (
    ("GET", "/2/users/me"),
    ("POST", "/2/tweets"),
    ("POST", LIKES),
    ("DELETE", f"{LIKES}/1"),
)
EVERYTHING = [*(("GET", path) for path in LOOK_UPS), *OF_THE_APP, *OF_THE_ACCOUNT]
UNSUPPORTED = {
    "title": "Unsupported Authentication",
    "type": "https://api.x.com/2/problems/unsupported-authentication",
}


def unauthorized(reply: Any) -> None:
    is_problem(reply, 401, title="Unauthorized", detail="Unauthorized")


async def test_nobody_is_told_nothing() -> None:
    """Without a proof, or with a wrong one, every address is a 401, whatever was asked there."""
    async with embedded_x() as x:
        token = x.keys.bearer_token
        for headers in (
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer"},
            {"Authorization": f"Bearer {token}x"},
            {"Authorization": f"Bearer {token[:-1]}"},
            {"Authorization": token},
            {"Authorization": f"Basic {token}"},
            {"Authorization": f"Bearer {x.token}"},
            {"Authorization": f"Bearer {x.keys.access_token}"},
            {"Authorization": "OAuth"},
            {"Authorization": 'OAuth oauth_token="x"'},
            {"Authorization": "Bearer \xff\xfe"},
        ):
            for method, path in EVERYTHING:
                unauthorized(await x.send(method, path, headers=headers))
        # Two proofs are none: which of them counts would be for each server to say.
        twice = [("Authorization", f"Bearer {token}")] * 2
        reply = await x.send("GET", RULES, headers=twice)
        unauthorized(reply)
        # Nobody's requests are nobody's to count.
        assert "x-rate-limit-limit" not in reply.headers


async def test_a_scheme_is_written_in_any_case() -> None:
    """RFC 9110 section 11.1."""
    async with embedded_x() as x:
        await x.get(RULES, headers={"Authorization": f"bearer {x.keys.bearer_token}"})
        signed = x.signed("GET", "/2/users/me")["Authorization"].removeprefix("OAuth")
        await x.get("/2/users/me", headers={"Authorization": f"oAUTH{signed}"})


async def test_the_stream_is_the_apps() -> None:
    """An account, in either way, gets a 403 that says which way it would be."""
    async with embedded_x() as x:
        for method, path in OF_THE_APP:
            for headers, used in (
                (x.signed(method, path), "OAuth 1.0a User Context"),
                (x.user, "OAuth 2.0 User Context"),
            ):
                detail = (
                    f"Authenticating with {used} is forbidden for this endpoint.  Supported"
                    " authentication types are [OAuth 2.0 Application-Only]."
                )
                reply = await x.send(method, path, headers=headers)
                is_problem(reply, 403, detail=detail, **UNSUPPORTED)


async def test_an_accounts_doings_are_its_own() -> None:
    """The app by itself gets a 403 that names the two other ways."""
    detail = (
        "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported"
        " authentication types are [OAuth 1.0a User Context, OAuth 2.0 User Context]."
    )
    async with embedded_x() as x:
        for method, path in OF_THE_ACCOUNT:
            reply = await x.send(method, path, headers=x.app)
            is_problem(reply, 403, detail=detail, **UNSUPPORTED)


async def test_look_ups_are_everybodys() -> None:
    """Of the app and of the account, in each of the three ways."""
    async with embedded_x() as x:
        for path in LOOK_UPS:
            for headers in (x.app, x.user, x.signed("GET", path)):
                await x.get(path, headers=headers)


@pytest.mark.parametrize("base", ["https://api.twitter.com", "https://api.x.com", None])
async def test_a_signed_request_is_the_accounts(base: str | None) -> None:
    """Signed for X or for the address that was really asked."""
    async with embedded_x() as x:
        headers = x.signed("GET", "/2/users/me?user.fields=created_at", base=base)
        me = await x.get("/2/users/me?user.fields=created_at", headers=headers)
        assert me["data"]["username"] == "dressrehearsal"


async def test_a_signature_is_good_once() -> None:
    """The same again is a 401, also much later; another nonce is another request."""
    async with embedded_x() as x:
        headers = x.signed("GET", "/2/users/me")
        await x.get("/2/users/me", headers=headers)
        for seconds in (0, SKEW_S_MAX, SKEW_S_MAX, SKEW_S_MAX):
            x.clock.advance(seconds)
            unauthorized(await x.send("GET", "/2/users/me", headers=headers))
        await x.get("/2/users/me", headers=x.signed("GET", "/2/users/me"))
        # What is remembered does not grow with what is long past.
        assert len(_spent(x)) == 1


async def test_signatures_of_a_clock_that_was_ahead_are_forgotten_all_the_same() -> None:
    """400 days ahead and put back: what is remembered is of the last minutes, and no more."""
    async with embedded_x() as x:
        for step_s in (400 * 86_400.0, -400 * 86_400.0):
            x.clock.step(step_s)
            for _ in range(20):
                await x.get("/2/users/me", headers=x.signed("GET", "/2/users/me"))
                x.clock.advance(SKEW_S_MAX / 2)
        assert len(_spent(x)) <= 5


async def test_the_signers_clock_may_be_five_minutes_off() -> None:
    """In either direction, and not a second more; what lies ahead is no second time good for it."""
    async with embedded_x() as x:
        now_s = x.clock.now_us() // 1_000_000
        for offset_s, right in ((-300, True), (300, True), (-301, False), (301, False)):
            headers = x.signed("GET", "/2/users/me", timestamp=str(now_s + offset_s))
            reply = await x.send("GET", "/2/users/me", headers=headers)
            assert (reply.status == 200) is right
        ahead = x.signed("GET", "/2/users/me", timestamp=str(now_s + 300))
        await x.get("/2/users/me", headers=ahead)
        for _ in range(3):
            x.clock.advance(200)
            unauthorized(await x.send("GET", "/2/users/me", headers=ahead))


async def test_an_account_has_so_many_requests_a_window() -> None:
    """Of each endpoint; the answers say how many are left, the last is a 429 until the reset."""
    async with embedded_x(requests_max=3, window_s=900.0) as x:
        for left in (2, 1, 0):
            reply = await x.send("GET", RULES, headers=x.app)
            assert reply.status == 200
            assert quota(reply) == (3, left)
        x.clock.advance(1.5)
        reply = await x.send("GET", RULES, headers=x.app)
        is_problem(reply, 429, title="Too Many Requests", detail="Too Many Requests")
        assert quota(reply) == (3, 0)
        # Another endpoint, method or account has a count of its own.
        assert (await x.send("GET", "/2/tweets?ids=1", headers=x.app)).status == 200
        assert (await x.post(RULES, {"add": [{"value": "cats"}]}, x.app)).status == 201
        assert (await x.send("GET", "/2/tweets?ids=1", headers=x.user)).status == 200
        reset_s = int(reply.headers["x-rate-limit-reset"])
        x.clock.advance(reset_s - x.clock.now_us() / 1e6 - 0.001)
        assert (await x.send("GET", RULES, headers=x.app)).status == 429
        x.clock.advance(0.001)
        assert quota(await x.send("GET", RULES, headers=x.app)) == (3, 2)


async def test_what_fails_counts_and_says_what_is_left() -> None:
    """Bad requests, refusals and what is not there: each an answer with its quota."""
    async with embedded_x(requests_max=10) as x:
        seen = [
            await x.send("GET", "/2/tweets?ids=x", headers=x.user),
            await x.post("/2/tweets", {}, x.user),
            await x.post(LIKES, {"tweet_id": "1"}, x.user),
            await x.send("GET", STREAM, headers=x.app),
        ]
        assert [reply.status for reply in seen] == [400, 400, 404, 409]
        assert [quota(reply) for reply in seen] == [(10, 9)] * 4


async def test_the_account_is_one_in_both_of_its_ways() -> None:
    """Signed or with its token, its requests count together."""
    async with embedded_x(requests_max=2, window_s=60.0) as x:
        for headers in (x.user, x.signed("GET", "/2/users/me")):
            await x.get("/2/users/me", headers=headers)
        for headers in (x.user, x.signed("GET", "/2/users/me")):
            assert (await x.send("GET", "/2/users/me", headers=headers)).status == 429
        # What the limit turned away was not done, so its signature is not used up.
        turned_away = x.signed("GET", "/2/users/me")
        assert (await x.send("GET", "/2/users/me", headers=turned_away)).status == 429
        x.clock.advance(60)
        await x.get("/2/users/me", headers=turned_away)


async def test_a_clock_that_is_set_back_begins_a_new_window() -> None:
    """Rather than one that lasts until the clock has caught up."""
    async with embedded_x(requests_max=1) as x:
        await x.get(RULES)
        x.clock.advance(-10_000)
        await x.get(RULES)
        assert (await x.send("GET", RULES, headers=x.app)).status == 429


def quota(reply: Any) -> tuple[int, int]:
    limit, left = (reply.headers[f"x-rate-limit-{name}"] for name in ("limit", "remaining"))
    assert reply.headers["x-rate-limit-reset"].isdigit()
    return int(limit), int(left)


def _spent(x: EmbeddedX) -> Any:
    return x.api.identity._spent
