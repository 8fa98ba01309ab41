"""What X says of the account is no word about a tweet: what waits goes on, and X is left alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors.kernel.messages import Refusal
from actors.systems.tweets.messages import RequeueAction, RequeueActions, Requeued
from tests.systems.tweets.scripted_x import Acting, Post, done, on_virtual_time, problem, x_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.systems.tweets.scripted_x import Answer

BOTH = ("favouriter", "responder")
DAY_S = 86_400.0
PERMISSIONS = problem(
    "oauth1-permissions",
    "Your client app is not configured with the appropriate oauth1 app permissions for this"
    " endpoint.",
)
NOT_FOUND = {
    "errors": [{"value": "7", "detail": "Could not find tweet with tweet_id: [7]."}],
    "title": "Not Found Error",
    "type": "https://api.x.com/2/problems/resource-not-found",
}
INVALID = {
    "errors": [{"parameters": {"text": []}, "message": "text: is not well"}],
    "title": "Invalid Request",
    "type": "https://api.x.com/2/problems/invalid-request",
}
# What X says of everything that the account does, until somebody mends it.
ACCOUNT: dict[str, tuple[int, Any]] = {
    "no permission to write": (403, PERMISSIONS),
    "an app without a project": (403, problem("client-forbidden", "attached to a Project")),
    "a suspended account": (
        403,
        problem("about:blank", "Your account is suspended and is not permitted to access this."),
    ),
    "a sentence that nobody has heard": (403, problem("about:blank", "Not today.")),
    "keys that are none": (401, problem("about:blank", "Unauthorized", 401)),
    "no signature": (400, {"errors": [{"code": 215, "message": "Bad Authentication data."}]}),
    "a bill": (402, problem("about:blank", "Payment Required", 402)),
    "a month's cap": (429, problem("usage-capped", "Usage cap exceeded: Monthly product cap")),
    "an address that is gone": (404, problem("about:blank", "Not Found", 404)),
}
# What X says of the one tweet.
TWEET: dict[str, tuple[int, Any]] = {
    "a tweet that is gone": (404, NOT_FOUND),
    "a request that is none": (400, INVALID),
    "a conversation of few": (
        403,
        problem("about:blank", "Reply to this conversation is not allowed because you have not..."),
    ),
    "a block": (403, problem("about:blank", "You have been blocked from the author of this")),
    "what is not to be seen": (403, problem("not-authorized-for-resource", "not authorized")),
}


def until(end_s: float, status: int, body: Any, **headers: str) -> Callable[[Post], Answer]:
    """Answer so until then, and do as asked afterwards."""

    def script(post: Post) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (status, body, named) if post.at_s < end_s else done(post)

    return script


@pytest.mark.sampled
@pytest.mark.parametrize("what", ACCOUNT)
def test_an_account_wide_no_loses_nothing(tmp_path: Path, what: str) -> None:
    """An hour of it: all is done within a window after it ends, and X was asked seldom."""
    hour_s = 3_600.0

    async def main(on: Acting) -> None:
        on.x.script = until(hour_s, *ACCOUNT[what])
        await on.hear_of(*range(10))
        await asyncio.sleep(hour_s)
        during = len(on.x.posts)
        for service in BOTH:
            assert await on.statuses(service) == {"failed": 10}
        assert on.access.pauses.state() != []
        await asyncio.sleep(2_000.0)
        for service in BOTH:
            assert await on.statuses(service) == {"done": 10}
        assert on.access.pauses.state() == []
        # Those that were under way together, and then one at the end of each pause.
        assert during <= 40
        assert len(on.x.posts) <= during + 20 + 5

    on_virtual_time(tmp_path, main)


def test_a_401_pauses_likes_and_replies_alike(tmp_path: Path) -> None:
    """Growing pauses, with one request at the end of each: not one from each that waits."""

    async def main(on: Acting) -> None:
        on.x.script = until(DAY_S, *ACCOUNT["keys that are none"])
        await on.hear_of(0)
        await asyncio.sleep(1.0)
        first = len(on.x.posts)
        assert first <= 2  # both may be under way when the first of them is refused
        await on.hear_of(*range(1, 50))
        await asyncio.sleep(60.0)
        assert len(on.x.posts) - first <= 4
        await asyncio.sleep(3_600.0)
        assert len(on.x.posts) - first <= 13

    on_virtual_time(tmp_path, main)


@pytest.mark.parametrize("what", TWEET)
def test_what_x_says_of_one_tweet_is_final_and_stops_no_other(tmp_path: Path, what: str) -> None:
    """One request each, and its reason on record."""

    async def main(on: Acting) -> None:
        on.x.script = lambda post: (*TWEET[what], {}) if post.tweet_id == x_id(3) else done(post)
        await on.hear_of(*range(10))
        await asyncio.sleep(300.0)
        for service in BOTH:
            assert await on.statuses(service) == {"refused": 1, "done": 9}
        assert len(on.x.posts) == 20

    on_virtual_time(tmp_path, main)


def test_a_no_that_may_be_about_one_tweet_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """X has not said which: the one is tried ever more seldom, the others are done."""
    unclear: Answer = (
        403,
        problem("about:blank", "You are not permitted to perform this action."),
        {},
    )

    async def main(on: Acting) -> None:
        on.x.script = lambda post: unclear if post.tweet_id == x_id(3) else done(post)
        await on.hear_of(*range(10))
        await asyncio.sleep(300.0)
        for service in BOTH:
            assert await on.statuses(service) == {"failed": 1, "done": 9}
        await asyncio.sleep(DAY_S)
        asked = [post for post in on.x.posts if post.tweet_id == x_id(3)]
        assert len(asked) <= 70

    on_virtual_time(tmp_path, main)


AHEAD_S = (0.0, 5_000.0, -5_000.0)


@pytest.mark.parametrize(
    ("used_up", "reset_s", "ahead_s"),
    [
        ({"x-user-limit-24hour": 80_000, "x-rate-limit": 900}, 80_000, 0.0),
        *[
            ({"x-app-limit-24hour": 40_000, "x-user-limit-24hour": 20_000}, 40_000, ahead_s)
            for ahead_s in AHEAD_S
        ],
        *[({"x-rate-limit": 900}, 900, ahead_s) for ahead_s in AHEAD_S],
    ],
)
def test_the_longest_limit_that_is_used_up_is_waited_for(
    tmp_path: Path, used_up: dict[str, int], reset_s: int, ahead_s: float
) -> None:
    """By X's own clock, whatever ours says; what has something left does not count."""

    async def main(on: Acting) -> None:
        on.x.ahead_s = ahead_s
        ends: dict[str, int] = {}

        def script(post: Post) -> Answer:
            for limit, after_s in used_up.items():
                ends.setdefault(f"{limit}-reset", int(post.epoch_s) + after_s)
            if post.at_s > reset_s + 2.0:
                return done(post)
            left = {f"{limit}-remaining": "0" for limit in used_up}
            others = {"x-rate-limit-remaining": "9", "x-rate-limit-reset": "99999999999"}
            headers = {name: str(value) for name, value in ends.items()}
            return 429, {"title": "Too Many Requests"}, {**others, **left, **headers}

        on.x.script = script
        await on.hear_of(*range(10))
        await asyncio.sleep(reset_s - 10.0)
        assert len(on.x.posts) == 20  # all that were under way when the first was refused
        for service in BOTH:
            assert await on.statuses(service) == {"failed": 10}
        await asyncio.sleep(200.0)
        for service in BOTH:
            assert await on.statuses(service) == {"done": 10}
        assert len(on.x.posts) <= 20 + 20 + 2

    on_virtual_time(tmp_path, main)


def test_a_limit_that_is_used_up_is_known_before_the_429(tmp_path: Path) -> None:
    """The last answer says so, and what comes then waits without a request."""

    async def main(on: Acting) -> None:
        def script(post: Post) -> Answer:
            status, body, _ = done(post)
            end_s = int(post.epoch_s) + 1_000
            return status, body, {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(end_s)}

        on.x.script = script
        await on.hear_of(0)
        await asyncio.sleep(1.0)
        await on.hear_of(*range(1, 6))
        await asyncio.sleep(900.0)
        assert len(on.x.posts) == 2
        for service in BOTH:
            assert await on.statuses(service) == {"done": 1, "failed": 5}
        assert {each.what for each in on.access.pauses.state()} == {"likes", "replies"}

    on_virtual_time(tmp_path, main)


def test_a_429_never_counts_towards_giving_up(tmp_path: Path) -> None:
    """X has said no to each attempt, so nothing stands: half a day later it is posted."""

    async def main(on: Acting) -> None:
        on.x.script = until(0.6 * DAY_S, 429, {"title": "Too Many Requests"})
        await on.hear_of(0)
        await asyncio.sleep(0.6 * DAY_S + 2_000.0)
        assert await on.statuses("responder") == {"done": 1}

    on_virtual_time(tmp_path, main)


def test_a_reply_that_may_stand_is_given_up_though_x_is_busy_then(tmp_path: Path) -> None:
    """Its first attempt has no answer: from then on X forgets the text."""

    async def main(on: Acting) -> None:
        def script(post: Post) -> Answer:
            if post.at_s < 1.0:
                return 503, "down", {}
            return 429, {"title": "Too Many Requests"}, {}

        on.x.script = script
        await on.hear_of(0)
        await asyncio.sleep(DAY_S)
        (reply,) = await on.actions("responder")
        assert (reply.status, reply.detail) == (
            "failed",
            "X has not confirmed it in time: whether it stands is unknown",
        )

    on_virtual_time(tmp_path, main)


def test_what_was_refused_an_operator_can_have_tried_again(tmp_path: Path) -> None:
    """One, or all of them; and nothing that is done or under way."""

    async def main(on: Acting) -> None:
        on.x.script = lambda _: (*TWEET["a block"], {})
        await on.hear_of(*range(4))
        await asyncio.sleep(60.0)
        on.x.script = done
        for service in BOTH:
            assert await on.statuses(service) == {"refused": 4}
            again = await on.ask(service, RequeueAction(external_id=x_id(1)))
            assert again == Requeued(external_ids=(x_id(1),))
            await asyncio.sleep(1.0)
            assert await on.statuses(service) == {"refused": 3, "done": 1}
            no = await on.ask(service, RequeueAction(external_id=x_id(1)))
            assert isinstance(no, Refusal)
            assert no.kind == "conflict"
            unknown = await on.ask(service, RequeueAction(external_id="1"))
            assert isinstance(unknown, Refusal)
            assert unknown.kind == "not_found"
            others = await on.ask(service, RequeueActions())
            assert others == Requeued(external_ids=(x_id(0), x_id(2), x_id(3)))
            await asyncio.sleep(60.0)
            assert await on.statuses(service) == {"done": 4}

    on_virtual_time(tmp_path, main)
