"""The embedded X, whole: its service on a store of its own and its edge, in this process.

What the clients prove themselves with is made by oauthlib, which knows nothing of our verifier.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from oauthlib import oauth1
from yarl import URL

from actors.app import App
from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.kernel.rng import Rng
from actors.store.inline_store import InlineStore
from actors.systems.x_platform.api.addresses import addresses_over
from actors.systems.x_platform.api.api_context import ApiContext
from actors.systems.x_platform.api.embedded_credentials import (
    EmbeddedCredentials,
    read_embedded_credentials,
)
from actors.systems.x_platform.config import XPlatformConfig
from actors.systems.x_platform.messages import ACCOUNT_ID
from actors.systems.x_platform.system import X_PLATFORM
from tests.http_edge.serving import READ_S_MAX, Reply
from tests.systems.x_platform.api.open_stream import OpenStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from http_edge.edge import Edge

STREAM = "/2/tweets/search/stream"
RULES = f"{STREAM}/rules"
LIKES = f"/2/users/{ACCOUNT_ID}/likes"
PORTS = [f"edge.{name}.port=0" for name in ("gateway", "x_platform")]
NARROW_BYTES = 4096
# Long after the account and the first tweet's id.
NOW_US = 1_790_000_000_000_000


@dataclass
class EmbeddedX:
    edge: Edge
    api: ApiContext
    system: ServiceSystem
    clock: Any
    config: Config
    keys: EmbeddedCredentials
    token: str
    session: aiohttp.ClientSession
    streams: list[OpenStream] = field(default_factory=list)
    _nonces: int = 0

    @property
    def url(self) -> str:
        return self.edge.addresses["x_platform"]

    def transport(self, stream: OpenStream) -> Any:
        """Return the server's side of the stream's connection."""
        ours = stream.writer.get_extra_info("sockname")
        connections = self.edge._factories["x_platform"].connections
        transports: list[Any] = [connection.transport for connection in connections]
        (found,) = [each for each in transports if each.get_extra_info("peername") == ours]
        return found

    # --- Proofs ------------------------------------------------------------------------------

    @property
    def app(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys.bearer_token}"}

    @property
    def user(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys.oauth2_token}"}

    def signed(self, method: str, path: str, *, base: str | None = None, **changes: Any) -> Any:
        """Return the headers of a request that was signed for `base`, or for this server."""
        self._nonces += 1
        options: dict[str, Any] = {
            "client_secret": self.keys.consumer_secret,
            "resource_owner_key": self.keys.access_token,
            "resource_owner_secret": self.keys.access_token_secret,
            "nonce": f"nonce{self._nonces}",
            "timestamp": str(self.clock.now_us() // 1_000_000),
            **changes,
        }
        signer = oauth1.Client(options.pop("client_key", self.keys.consumer_key), **options)
        _, headers, _ = signer.sign(f"{base or self.url}{path}", http_method=method)
        return headers

    # --- Requests ----------------------------------------------------------------------------

    async def send(
        self, method: str, path: str, listener: str = "x_platform", **options: Any
    ) -> Reply:
        """Send the request with exactly this path and query."""
        url = URL(self.edge.addresses[listener] + path, encoded=True)
        async with self.session.request(method, url, **options) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, *, headers: dict[str, str] | None = None) -> Any:
        """GET as the app, insist on 200, return the body."""
        reply = await self.send("GET", path, headers=headers or self.app)
        assert reply.status == 200, (path, reply.status, reply.body)
        return reply.json

    async def post(self, path: str, body: Any, headers: dict[str, str]) -> Reply:
        return await self.send("POST", path, json=body, headers=headers)

    async def add_rules(self, *values: str, tag: str | None = "tag") -> list[str]:
        """Add rules; return their ids."""
        more = {} if tag is None else {"tag": tag}
        body = {"add": [{"value": value, **more} for value in values]}
        reply = await self.post(RULES, body, self.app)
        assert reply.status == 201, reply.body
        return [rule["id"] for rule in reply.json["data"]]

    async def tweet_as(self, username: str, text: str, **fields: Any) -> dict[str, Any]:
        """Tweet as an operator lets anybody tweet; return the tweet."""
        headers = {"Authorization": f"Bearer {self.token}"}
        body = {"username": username, "text": text, **fields}
        reply = await self.send("POST", "/admin/x/tweets", "gateway", json=body, headers=headers)
        assert reply.status == 201, reply.body
        tweet: dict[str, Any] = reply.json
        return tweet

    def places_taken(self) -> int:
        """Return how many streams there are."""
        return len(self.api.streams)

    async def no_stream(self) -> None:
        """Wait until there is none; it is a matter of turns of the loop, not of time."""
        await until(lambda: not self.places_taken())

    async def disconnect(self) -> int:
        """Have all streams ended; return how many there were."""
        headers = {"Authorization": f"Bearer {self.token}"}
        reply = await self.send("POST", "/admin/x/disconnect", "gateway", headers=headers)
        assert reply.status == 202, reply.body
        count: int = reply.json["disconnected"]
        return count

    async def open_stream(self, query: str = "", *, narrow: bool = False) -> OpenStream:
        """Ask for the stream; of a `narrow` one, little is on its way while nobody reads it."""
        url = URL(self.url)
        sock = socket.socket()
        sock.setblocking(False)
        if narrow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BYTES)
        await asyncio.get_running_loop().sock_connect(sock, (url.host, url.port))
        limit = NARROW_BYTES if narrow else 2**16
        reader, writer = await asyncio.open_connection(sock=sock, limit=limit)
        head = f"GET {STREAM}{query} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\n"
        proof = f"Authorization: {self.app['Authorization']}\r\n\r\n"
        writer.write((head + proof).encode())
        async with asyncio.timeout(READ_S_MAX):
            status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        stream = OpenStream(int(status.split()[1]), headers, reader, writer)
        self.streams.append(stream)
        if narrow:
            other_end = self.transport(stream).get_extra_info("socket")
            other_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NARROW_BYTES)
        if stream.status != 200:
            length = int(headers["content-length"])
            stream.rest = await reader.readexactly(length)
        return stream


@contextlib.asynccontextmanager
async def embedded_x(
    *, edge: dict[str, Any] | None = None, clock: Clock | None = None, **changes: Any
) -> AsyncIterator[EmbeddedX]:
    """Run it on the shipped configuration; `changes` are x_platform's, `edge` the edge's."""
    config = load_config(None, PORTS, [X_PLATFORM])
    config = msgspec.structs.replace(
        config,
        edge=msgspec.structs.replace(
            config.edge, **{"linger_s": 0.05, "hosts": ("x",), **(edge or {})}
        ),
    ).changed(XPlatformConfig, **{"tweets_per_s": 0.0, **changes})
    clock = clock or ManualClock(now_us=NOW_US)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        keys = read_embedded_credentials(path)
        api = ApiContext(config.section(XPlatformConfig), lambda: keys)
        booted = App(
            [replace(X_PLATFORM, addresses=lambda _: addresses_over(api))],
            config,
            data_dir=path,
            clock=clock,
            rng=Rng(1),
            store=InlineStore,
            simulated=True,
        )
        await booted.start()
        await booted.listen()
        try:
            async with aiohttp.ClientSession(auto_decompress=False) as session:
                x = EmbeddedX(
                    booted.edge,
                    api,
                    booted.tree,
                    clock,
                    config,
                    keys,
                    (path / "admin.token").read_text().strip(),
                    session,
                )
                try:
                    yield x
                finally:
                    for stream in x.streams:
                        await stream.close()
        finally:
            await booted.drain()
            await booted.stop()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(READ_S_MAX):
        while not holds():  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.001)


def disconnect(reason: str, detail: str = "disconnected for operational reasons") -> Any:
    """Return the last object of a stream that was ended for this reason."""
    error = {
        "title": "operational-disconnect",
        "disconnect_type": reason,
        "detail": f"This stream has been {detail}.",
        "type": "https://api.x.com/2/problems/operational-disconnect",
    }
    return {"errors": [error]}


def is_problem(reply: Reply, status: int, **fields: Any) -> None:
    """Assert that the reply is X's problem of this status, with these fields."""
    assert reply.status == status, (reply.status, reply.body[:300])
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json.items() >= {"type": "about:blank", "status": status, **fields}.items()


def is_invalid(reply: Reply, parameter: str, words: str = "") -> None:
    """Assert that the reply is X's 400, and that it blames this parameter in such words."""
    assert reply.status == 400, (reply.status, reply.body[:300])
    body = reply.json
    assert body["title"] == "Invalid Request"
    assert body["type"] == "https://api.x.com/2/problems/invalid-request"
    found = [error for error in body["errors"] if parameter in error["parameters"]]
    assert found, body
    assert any(words in error["message"] for error in found), body
