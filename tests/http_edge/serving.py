"""An edge on free ports over a fake system, an HTTP client that changes nothing, and raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from yarl import URL

from actors.config import EdgeConfig, load_config
from actors.system import listeners_of, unbooted
from http_edge.edge import Edge
from http_edge.listener import bind
from tests.http_edge.fake_system import SERVED, FakeSystem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from http_edge.listener import Listener

READ_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Served:
    edge: Edge
    system: FakeSystem
    config: EdgeConfig
    addresses: dict[str, str]
    session: aiohttp.ClientSession
    token: str

    async def send(
        self, method: str, path: str, listener: str = "gateway", **options: Any
    ) -> Reply:
        """Send the request with exactly this path and query."""
        url = URL(self.addresses[listener] + path, encoded=True)
        async with self.session.request(method, url, **options) as response:
            return Reply(response.status, response.headers, await response.read())

    async def admin(self, method: str, path: str, **options: Any) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.send(method, path, headers=headers, **options)

    async def raw(self, data: bytes, listener: str = "gateway") -> bytes:
        """Send these bytes and no more; return all that comes back until the edge hangs up."""
        reader, writer = await self.connect(listener)
        try:
            writer.write(data)
            async with asyncio.timeout(READ_S_MAX):
                return await reader.read()
        finally:
            await hang_up(writer)

    async def connect(
        self, listener: str = "gateway"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        url = URL(self.addresses[listener])
        return await asyncio.open_connection(url.host, url.port)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(
    system: FakeSystem | None = None,
    *,
    log_requests: bool = False,
    there: list[Listener] | None = None,
    **changes: Any,
) -> AsyncIterator[Served]:
    """Run an edge whose configuration is the shipped one with `changes`, as its listeners."""
    system = system or FakeSystem()
    settings = [f"edge.{name}.port=0" for name in ("gateway", "hotel", "tweets")]
    # The pause that lets a client read its refusal is not what is tested.
    changes = {"linger_s": 0.02, "hosts": ("x",), **changes}
    whole = load_config(None, settings, SERVED)
    config = msgspec.structs.replace(whole.edge, **changes)
    with tempfile.TemporaryDirectory() as data_dir:
        path = Path(data_dir)
        there = there or listeners_of(SERVED, unbooted(SERVED, whole, path))
        edge = Edge(
            system,
            config,
            there,
            data_dir=path,
            log_requests=log_requests,
            sockets=bind(there),
        )
        await edge.start()
        token = (path / "admin.token").read_text().strip()
        try:
            async with aiohttp.ClientSession(auto_decompress=False) as session:
                yield Served(edge, system, config, edge.addresses, session, token)
        finally:
            await edge.drain(1.0)


def is_problem(reply: Reply, status: int, field: str | None = None) -> None:
    """Assert that the reply is a problem of this status, naming this field if any."""
    assert reply.status == status, (reply.status, reply.body[:300])
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json
    assert {"type", "title", "status", "detail"} <= problem.keys(), problem
    assert problem["status"] == status
    assert problem["type"].startswith("/problems/")
    assert problem["detail"]
    assert problem.get("field") == field, problem
