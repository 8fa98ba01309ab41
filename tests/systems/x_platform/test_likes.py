"""Likes: once each, and listed with the latest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.kernel.messages import Refusal
from actors.systems.x_platform.messages import ACCOUNT_ID, Like, Liked, ListLikes, Unlike
from tests.systems.x_platform.platform_stage import platform

if TYPE_CHECKING:
    from pathlib import Path


async def test_liking_again_changes_nothing_and_unliking_takes_it_back(tmp_path: Path) -> None:
    """Either says how it is now; what is listed comes with its authors."""
    async with platform(tmp_path) as x:
        first, second = await x.tweet("ada", "one"), await x.tweet("bob", "two")

        async def likes(limit: int = 100) -> list[str]:
            found = await x.ask(ListLikes(user_id=ACCOUNT_ID, limit=limit))
            return [tweet.id for tweet in found.tweets]

        for tweet in (first, second, first):
            liked = await x.ask(Like(user_id=ACCOUNT_ID, tweet_id=tweet.id))
            assert liked == Liked(liked=True)
        assert await likes() == [second.id, first.id]
        assert await likes(limit=1) == [second.id]
        found = await x.ask(ListLikes(user_id=ACCOUNT_ID))
        assert {user.username for user in found.users} == {"ada", "bob"}
        for _ in range(2):
            unliked = await x.ask(Unlike(user_id=ACCOUNT_ID, tweet_id=second.id))
            assert unliked == Liked(liked=False)
        assert await likes() == [first.id]


async def test_unknown_users_and_tweets_are_not_found(tmp_path: Path) -> None:
    """Whatever number they have."""
    async with platform(tmp_path) as x:
        tweet = await x.tweet("ada", "one")
        for unknown in ("1", "9" * 19, "0"):
            for message in (
                Like(user_id=ACCOUNT_ID, tweet_id=unknown),
                Unlike(user_id=ACCOUNT_ID, tweet_id=unknown),
                Like(user_id=unknown, tweet_id=tweet.id),
                ListLikes(user_id=unknown),
            ):
                refused = await x.ask(message)
                assert isinstance(refused, Refusal)
                assert refused.kind == "not_found"
