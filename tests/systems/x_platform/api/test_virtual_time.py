"""The stream on virtual time and a simulated network: nothing in it asks for another clock."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from actors.config import load_config
from actors.simulation.net.current_host import on_host
from actors.simulation.net.network import Network
from actors.simulation.sealed.escapes import forbid
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run
from actors.system import listeners_of, unbooted
from actors.systems.x_platform.api.embedded_credentials import (
    read_embedded_credentials,
)
from actors.systems.x_platform.config import XPlatformConfig
from actors.systems.x_platform.messages import (
    FindHead,
    Head,
    ListRules,
    Matched,
    MatchPage,
    ReadMatches,
    Rules,
    Things,
    XRule,
    XTweet,
)
from actors.systems.x_platform.system import X_PLATFORM
from http_edge.edge import Edge
from tests.http_edge.fake_system import FakeSystem

if TYPE_CHECKING:
    from actors.config import Config

LISTENERS = ("gateway", "x_platform")
SPAN_S = 3_600.0
TWEETS = 30
RULE = XRule(id="1", value="cats", tag="pets")


class FakeX(FakeSystem):
    """A service that has one rule, and whose tweets all match."""

    def __init__(self, loop: SimulationLoop) -> None:
        super().__init__()
        self.clock = loop.clock  # type: ignore[assignment]
        self._loop = loop
        self._matches: list[Matched] = []
        self._news: asyncio.Future[None] | None = None

    def handles(self, service: str, message_type: type[Any], /) -> bool:
        return service == "x_platform"

    async def ask(self, service: str, message: Any, **options: Any) -> Any:
        assert service == "x_platform"
        if isinstance(message, ListRules):
            return Rules(rules=(RULE,))
        if isinstance(message, FindHead):
            return Head(seq=len(self._matches))
        assert isinstance(message, ReadMatches)
        matches = tuple(self._matches[message.after : message.after + message.limit])
        return MatchPage(matches=matches, about=Things(), next=message.after + len(matches))

    def committed(self, service: str, /) -> Any:
        self._news = self._news or self._loop.create_future()
        return asyncio.shield(self._news)

    def tweet(self) -> None:
        number = len(self._matches) + 1
        tweet = XTweet(
            id=str(number),
            text=f"cats {number}",
            author_id="7",
            created_at_us=self.clock.now_us(),
            lang="en",
            conversation_id=str(number),
        )
        self._matches.append(
            Matched(seq=number, at_us=self.clock.now_us(), tweet=tweet, rules=(RULE,))
        )
        if self._news is not None:
            self._news.set_result(None)
            self._news = None


async def _read(url: str, bearer_token: str, told: list[tuple[float, bytes]]) -> None:
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("edge", int(url.rpartition(":")[2]))
    head = "GET /2/tweets/search/stream HTTP/1.1\r\nHost: edge\r\n"
    writer.write(f"{head}Authorization: Bearer {bearer_token}\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    while size := int(await reader.readuntil(b"\r\n"), 16):
        data = await reader.readexactly(size + 2)
        told.append((loop.time(), data[:-4]))
    writer.close()


async def _hour(loop: SimulationLoop, config: Config, folder: Path, told: Any) -> None:
    system = FakeX(loop)
    there = listeners_of([X_PLATFORM], unbooted([X_PLATFORM], config, folder))
    with on_host("edge"):
        edge = Edge(system, config.edge, there, data_dir=folder)
        await edge.start()
    token = read_embedded_credentials(folder).bearer_token
    with on_host("client"):
        client = asyncio.create_task(_read(edge.addresses["x_platform"], token, told))
    for _ in range(TWEETS):
        await asyncio.sleep(SPAN_S / TWEETS)
        system.tweet()
    await edge.drain(1.0)
    await client


def test_an_hour_of_a_stream_takes_no_time() -> None:
    """Each tweet at once, a sign of life after each `keepalive_s` without one, and the end."""
    loop = SimulationLoop(seed=1)
    network = Network(loop, seed=1, record=lambda event, /, **fields: None)
    network.add_host("edge")
    network.add_host("client")
    told: list[tuple[float, bytes]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "admin.token").write_text("a-token-that-is-not-secret\n")
        (folder / "admin.token").chmod(0o600)
        read_embedded_credentials(folder)
        config = load_config(None, [f"edge.{each}.host=edge" for each in LISTENERS], [X_PLATFORM])
        with forbid(loop):
            run(_hour(loop, config, folder, told), loop=loop)
    assert loop.unhandled == []
    *lines, (_, last) = told
    texts = [msgspec.json.decode(line)["data"]["text"] for _, line in lines if line]
    assert texts == [f"cats {number}" for number in range(1, TWEETS + 1)]
    pauses = [after - before for (before, _), (after, _) in itertools.pairwise(lines)]
    assert max(pauses) <= config.section(XPlatformConfig).keepalive_s + 1
    assert len([line for _, line in lines if not line]) >= SPAN_S / 15 - 2 * TWEETS
    assert msgspec.json.decode(last)["errors"][0]["disconnect_type"] == "OperationalDisconnect"
    assert loop.time() >= SPAN_S
