"""X as those who write there meet it: the embedded one's service, on a bad line."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from actors.kernel.messages import Refusal
from actors.systems.tweets.x.x_errors import XBusy, XRefused, XUnreachable
from actors.systems.x_platform.messages import ACCOUNT_ID, Like, PostTweet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# What becomes of one request: it is not made, or its answer does not come; at once or never, which
# ends as an effect's time does. Or X has had enough for now.
Fault = Literal["not made", "answer lost", "not made, no end", "no end", "busy"]
FAULTS: tuple[Fault, ...] = ("not made", "answer lost", "not made, no end", "no end", "busy")
BUSY_S = 60.0
# Not a limit of the effects': on a busy machine it would strike those that X answers as well.
SILENCE_S = 0.03


class FaultyX:
    """Writes at the embedded X by messages, as XWriter does by HTTP.

    `faults` are what becomes of the next requests, None of one that is answered; `blocks` says of a
    tweet's id whether its author has blocked us, now and always. All of it outlives processes.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.ask: Callable[[str, Any], Awaitable[Any]]
        self.faults: deque[Fault | None] = deque()
        # The ids of our replies that we were told.
        self.posted: list[str] = []
        self.blocks: Callable[[str], bool] = lambda _: False
        self._now_us = now_us

    async def like(self, tweet_id: str) -> None:
        await self._request(tweet_id, Like(user_id=ACCOUNT_ID, tweet_id=tweet_id))

    async def reply(self, text: str, *, in_reply_to: str) -> str:
        post = PostTweet(author_id=ACCOUNT_ID, text=text, in_reply_to_tweet_id=in_reply_to)
        reply_id: str = (await self._request(in_reply_to, post)).id
        self.posted.append(reply_id)
        return reply_id

    async def _request(self, tweet_id: str, message: Any) -> Any:
        if self.blocks(tweet_id):
            raise XRefused("X answered 403: you have been blocked")
        fault = self.faults.popleft() if self.faults else None
        if fault == "not made":
            raise XUnreachable("no connection")
        if fault == "not made, no end":
            await silence()
        if fault == "busy":
            retry_at_us = self._now_us() + round(BUSY_S * 1_000_000)
            raise XBusy("X answered 429", retry_at_us=retry_at_us)
        answer = await self.ask("x_platform", message)
        if fault == "answer lost":
            raise XUnreachable("the connection broke")
        if fault == "no end":
            await silence()
        if isinstance(answer, Refusal):
            raise XRefused(f"X answered 403: {answer.detail}")
        return answer


async def silence() -> None:
    """Be asked in vain, for as long as an effect would wait."""
    await asyncio.sleep(SILENCE_S)
    raise TimeoutError
