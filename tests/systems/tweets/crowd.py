"""A brand monitor among people who tweet, and what they were told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import ActorError
from actors.systems.tweets.messages import TweetStored
from actors.systems.x_platform.messages import XTweet
from tests.systems.tweets.brand_monitor import ACTORS

if TYPE_CHECKING:
    from tests.systems.fate import Fate
    from tests.systems.tweets.brand_monitor import BrandMonitor

# One in so many tweets is by somebody who has blocked us.
BLOCKERS = 5


class Request(msgspec.Struct, eq=False):
    """What somebody wants, under a key; and the answers, if any."""

    service: str
    message: Any
    key: str
    answers: list[Any] = msgspec.field(default_factory=list)


class Crowd:
    """Asks, reads the stream, lets the process die, and makes sure of the end."""

    def __init__(self, monitor: BrandMonitor, fate: Fate) -> None:
        self.monitor = monitor
        self.fate = fate
        self.requests: list[Request] = []
        self._tasks: set[asyncio.Task[None]] = set()
        monitor.x.blocks = lambda tweet_id: int(tweet_id) % BLOCKERS == 0

    def request(self, service: str, message: Any) -> None:
        """Ask, under a key of its own."""
        request = Request(service, message, f"k{len(self.requests)}")
        self.requests.append(request)
        self.send(request)

    def send(self, request: Request) -> None:
        """Ask, maybe again."""
        self._spawn(self._ask(request))

    def follow(self) -> None:
        """Read the stream from its beginning."""
        self._spawn(self._follow())

    def tweets(self) -> list[XTweet]:
        """Return what was tweeted at X, as far as anybody knows."""
        answers = [request.answers[0] for request in self.requests if request.answers]
        return [answer for answer in answers if isinstance(answer, XTweet)]

    async def end_process(self) -> None:
        """Let the process die, and every connection with it; start another."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.monitor.die()
        await self.monitor.boot()

    async def turn(self, count: int) -> None:
        """Let the loop turn so often; the process may die of itself meanwhile."""
        for _ in range(count):
            if self.fate.dead:
                await self.end_process()
            await asyncio.sleep(0)

    async def rest(self) -> None:
        """Lift all faults, ask again for what has no answer, and let everything end."""
        await self.fate.spare()
        await self.turn(1)
        self.monitor.x.faults.clear()
        for name in ACTORS:
            self.monitor.system.resume(name)
        await self.monitor.settle()
        if self._tasks:
            _, pending = await asyncio.wait(self._tasks, timeout=1.0)
            assert not pending, "an ask has no end"
        for request in self.requests:
            await self._ask(request)
            assert request.answers, request
        await self.monitor.follow()
        await self.monitor.run_out()
        self.monitor.check()

    def check_answers(self) -> None:
        """A key has one answer; who stored was told what stands, which may be scored by now."""
        for request in self.requests:
            first, *others = request.answers
            for answer in others:
                if isinstance(answer, TweetStored):
                    assert answer.tweet.id == first.tweet.id, request
                else:
                    assert answer == first, request

    # --- Inside ------------------------------------------------------------------------------

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, request: Request) -> None:
        try:
            answer = await self.monitor.ask(request.service, request.message, key=request.key)
        except ActorError:
            return  # it may have been done, or not: it is asked again in the end
        request.answers.append(answer)

    async def _follow(self) -> None:
        try:
            await self.monitor.follow()
        except ActorError:
            return  # what was not read stands in the stream
