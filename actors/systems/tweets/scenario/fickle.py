"""Who likes something at X and takes it back sees both in what he likes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from actors.systems.x_platform.messages import Like, ListLikes, Unlike

if TYPE_CHECKING:
    from actors.simulation.stage.client import Client
    from actors.systems.tweets.scenario.told import Told
    from actors.systems.x_platform.messages import XTweet


async def be_fickle(told: Told, client: Client, key: str, tweet: XTweet) -> None:
    """Like it, and take that back; between the two it is what one likes last.

    Before it, something else is liked, and that is taken back as well.
    """
    mine = tweet.author_id
    told.fickle.append(tweet.id)
    told.likers.append(mine)
    others = [each for each in told.tweeted if each not in {tweet.id, *told.deleted}]
    if others:
        like = Like(user_id=mine, tweet_id=others[-1])
        await client.tell("x_platform", like, key=f"{key}-other")
    like = Like(user_id=mine, tweet_id=tweet.id)
    liked = await client.tell("x_platform", like, key=key)
    found = await client.tell("x_platform", ListLikes(user_id=mine))
    is_only = told.likers.count(mine) == 1
    for each in (tweet.id, *others[-1:]):
        unlike = Unlike(user_id=mine, tweet_id=each)
        gone = await client.tell("x_platform", unlike, key=f"{key}-{each}-back")
        if gone.status == HTTPStatus.OK and gone.body.liked:
            told.troubles.append(f"{client.name} likes {each} no more, and is told {gone.body}")
    is_alone = told.fickle.count(tweet.id) == 1 and tweet.id not in told.deleted
    if liked.status == found.status == HTTPStatus.OK and is_alone:
        ids = [each.id for each in found.body.tweets]
        if tweet.id not in ids or (is_only and ids[0] != tweet.id):
            told.troubles.append(f"{client.name} likes {tweet.id} last, and X lists {ids}")
