"""Likes and replies on virtual time, at an X that answers as its script says, and keeps count."""

from __future__ import annotations

import asyncio
import contextlib
import json
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import msgspec

from actors.config import load_config
from actors.service.stateless.inline_runner import InlineRunner
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run
from actors.store.inline_store import InlineStore
from actors.systems.tweets.config import TweetsConfig, XConfig
from actors.systems.tweets.messages import Action, ListActions
from actors.systems.tweets.system import TWEETS
from actors.systems.tweets.system import acting as make_acting
from actors.systems.tweets.x.access import XAccess
from actors.systems.tweets.x.limit_headers import reset_of, wait_until
from actors.systems.tweets.x.pauses import Pauses
from actors.systems.tweets.x.x_client import XWriter
from actors.systems.tweets.x.x_errors import XStatus
from tests.booting import app_of
from tests.systems.tweets.reading.reading_stage import CREDENTIALS
from tests.systems.tweets.scored import OURSELVES, scored, x_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from actors.service.assembly import ServiceSystem

    # An answer: its status, its body, and its headers by name.
    Answer = tuple[int, Any, dict[str, str]]
    Script = Callable[["Post"], Answer]

ASK_S_MAX = 30.0


class Post(msgspec.Struct, frozen=True):
    """A request to X: when, in seconds of the run and of the epoch; what, and about which tweet."""

    at_s: float
    epoch_s: float
    kind: str
    tweet_id: str


class Response:
    def __init__(self, answer: Answer) -> None:
        self._text = json.dumps(answer[1])
        self.headers = answer[2]

    async def text(self, encoding: str) -> str:
        del encoding
        return self._text


class ScriptedX:
    """In place of tweepy's client: what `script` says becomes of each request; `posts` has all."""

    def __init__(self, loop: SimulationLoop) -> None:
        self._loop = loop
        self.posts: list[Post] = []
        self.script: Script = done
        self.ahead_s = 0.0  # of our clock

    async def like(self, tweet_id: str) -> Response:
        return await self._answer("like", tweet_id)

    async def create_tweet(self, *, text: str, in_reply_to_tweet_id: str) -> Response:
        del text
        return await self._answer("reply", in_reply_to_tweet_id)

    async def _answer(self, kind: str, tweet_id: str) -> Response:
        epoch_s = self._loop.clock.now_us() / 1e6 + self.ahead_s
        post = Post(self._loop.time(), epoch_s, kind, tweet_id)
        self.posts.append(post)
        await asyncio.sleep(0.05)
        status, body, headers = self.script(post)
        headers = {"date": formatdate(epoch_s, usegmt=True), **headers}
        if status < 300:
            return Response((status, body, headers))
        reset_s = reset_of(headers)
        raise XStatus(
            status,
            json.dumps(body),
            is_own=isinstance(body, dict),
            reset_s=reset_s,
            wait_s=wait_until(reset_s, headers),
        )


class ScriptedWriter(XWriter):
    def __init__(self, access: XAccess, x: ScriptedX) -> None:
        super().__init__(access)
        self._x = x

    def _client(self, session: Any) -> Any:
        del session
        return self._x


def done(post: Post) -> Answer:
    """X does it."""
    data = {"liked": True} if post.kind == "like" else {"id": f"7{post.tweet_id[-6:]}"}
    return 201, {"data": data}, {}


def problem(kind: str, detail: str, status: int = 403) -> dict[str, Any]:
    type_ = "about:blank" if kind == "about:blank" else f"https://api.x.com/2/problems/{kind}"
    return {"title": "Forbidden", "detail": detail, "type": type_, "status": status}


class Acting:
    """A started favouriter and responder."""

    def __init__(self, system: ServiceSystem, x: ScriptedX, access: XAccess) -> None:
        self.system = system
        self.x = x
        self.access = access

    async def ask(self, service: str, message: Any) -> Any:
        return await self.system.ask(service, message, timeout_s=ASK_S_MAX)

    async def hear_of(self, *numbers: int) -> None:
        """Tell both of tweets that are to be liked and answered."""
        for number in numbers:
            for service in ("favouriter", "responder"):
                await self.ask(service, scored(number, 0.9))

    async def actions(self, service: str) -> list[Action]:
        actions: list[Action] = (await self.ask(service, ListActions(limit=100))).items
        return actions

    async def statuses(self, service: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in await self.actions(service):
            found[each.status] = found.get(each.status, 0) + 1
        return found


@contextlib.asynccontextmanager
async def acting(folder: Path, loop: SimulationLoop, *settings: str) -> AsyncIterator[Acting]:
    """Boot the two services in the folder, on inline stores."""
    many = ("tweets.likes_author_hour_max=1000", "tweets.replies_author_hour_max=1000")
    # A day passes: each look at the clock costs more than what is done meanwhile.
    seldom = "timer.poll_s_max=20"
    config = load_config(settings=(*many, seldom, *settings), systems=[TWEETS])
    x_config = config.section(XConfig)
    access = XAccess(
        CREDENTIALS,
        simulator=True,
        write=True,
        pauses=Pauses(s_min=x_config.barred_s_min, s_max=x_config.barred_s_max),
    )
    access.open("http://127.0.0.1:1")
    x = ScriptedX(loop)
    tweets = msgspec.structs.replace(
        config.section(TweetsConfig), reply_text="@{author} thanks [{ref}]"
    )
    system = app_of(
        lambda wiring: make_acting(wiring, tweets, ScriptedWriter(access, x), user_id=OURSELVES),
        folder,
        config,
        clock=loop.clock,
        store=InlineStore,
        runner=InlineRunner,
    ).tree
    await system.start()
    try:
        yield Acting(system, x, access)
    finally:
        await system.stop()


def on_virtual_time(
    folder: Path, main: Callable[[Acting], Awaitable[None]], *settings: str
) -> None:
    """Run `main` with the two services; no second of it is waited for."""
    loop = SimulationLoop()

    async def go() -> None:
        async with acting(folder, loop, *settings) as on:
            await main(on)

    run(go(), loop=loop)
    assert loop.unhandled == []


__all__ = ["Acting", "Post", "done", "on_virtual_time", "problem", "x_id"]
