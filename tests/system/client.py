"""An HTTP client of a real process: what it asks is sent once, exactly as written."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from tests.http_edge.serving import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from actors.testing.live_system import LiveSystem

PAGE_ITEMS_MAX = 200
REQUEST_S_MAX = 100.0


class Client:
    """Made by `connected`."""

    def __init__(self, process: LiveSystem, session: aiohttp.ClientSession) -> None:
        self._process = process
        self._session = session

    async def send(
        self, method: str, path: str, listener: str = "gateway", **options: Any
    ) -> Reply:
        """Send the request with exactly this path and query."""
        url = URL(self._process.listeners[listener] + path, encoded=True)
        async with self._session.request(method, url, **options) as response:
            return Reply(response.status, response.headers, await response.read())

    async def create(self, path: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        """POST the body, insist on 201, return what was created."""
        reply = await self.send("POST", path, json=body, **options)
        assert reply.status == 201, (path, body, reply.status, reply.body[:500])
        created: dict[str, Any] = reply.json
        return created

    async def admin(self, method: str, path: str, **options: Any) -> Reply:
        """Send the request with the operator's token."""
        headers = {"Authorization": f"Bearer {self._process.token}"}
        return await self.send(method, path, headers=headers, **options)

    async def order(self, name: str, action: str) -> None:
        """Kill, restart, suspend or resume the actor; it is done soon after."""
        confirm = "?confirm=root" if name == "root" else ""
        reply = await self.admin("POST", f"/admin/actors/{name}/{action}{confirm}")
        assert reply.status == 202, (name, action, reply.status, reply.body)

    async def actor(self, name: str) -> dict[str, Any]:
        """Return what /admin/actors says of the actor."""
        reply = await self.admin("GET", "/admin/actors")
        assert reply.status == 200, reply.body
        (actor,) = [actor for actor in reply.json["items"] if actor["name"] == name]
        found: dict[str, Any] = actor
        return found

    async def actor_where(
        self, name: str, holds: Callable[[dict[str, Any]], bool], *, timeout_s: float = 100.0
    ) -> dict[str, Any]:
        """Wait until `holds` is true of the actor, and return what it then looks like."""
        deadline = time.monotonic() + timeout_s
        while not holds(actor := await self.actor(name)):
            assert time.monotonic() < deadline, f"after {timeout_s} s: {actor}"
            await asyncio.sleep(0.02)
        return actor

    async def until_ready(self, *, timeout_s: float = 100.0) -> None:
        """Wait until every service is up: one that answers says nothing of the rest."""
        deadline = time.monotonic() + timeout_s
        while (reply := await self.send("GET", "/readyz")).status != 200:
            assert time.monotonic() < deadline, f"after {timeout_s} s: {reply.body!r}"
            await asyncio.sleep(0.02)

    async def list_all(self, path: str) -> list[dict[str, Any]]:
        """Return every item of a list, page by page."""
        items: list[dict[str, Any]] = []
        query = f"?limit={PAGE_ITEMS_MAX}"
        while True:
            reply = await self.send("GET", path + query)
            assert reply.status == 200, reply.body
            items += reply.json["items"]
            if reply.json["next"] is None:
                return items
            query = f"?limit={PAGE_ITEMS_MAX}&after={reply.json['next']}"


class Kills:
    """Kills services of a process, and knows which incarnations that has to end."""

    def __init__(self, client: Client, process: LiveSystem) -> None:
        self._client = client
        self._process = process
        self.counts: Counter[str] = Counter()
        # Service and incarnation of those that were running when they were about to be killed.
        self._doomed: set[tuple[str, int]] = set()

    async def kill(self, service: str) -> None:
        """Kill whatever incarnation there is, if any."""
        self.counts[service] += 1
        actor = await self._client.actor(service)
        await self._client.order(service, "kill")
        # Killed by this, or by another before it: at the end it has crashed, in any case.
        if actor["state"] == "running":
            self._doomed.add((service, actor["incarnation"]))

    async def have_ended(
        self, service: str, holds: Callable[[dict[str, Any]], bool]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Wait for all its ends, and until it runs and `holds`; return it, and how it crashed.

        By nothing but these kills, each of which has ended one incarnation or none.
        """
        for name, number in sorted(self._doomed):
            if name == service:
                self._process.wait_for("crashed", actor=service, incarnation=number)
        actor = await self._client.actor_where(
            service, lambda actor: actor["state"] == "running" and holds(actor)
        )
        crashed = self._process.events("crashed", actor=service)
        kills = self.counts[service]
        assert len(crashed) <= kills, f"{service}: {kills} kills, {len(crashed)} crashes logged"
        assert all(line["killed"] for line in crashed), "something crashed that nobody killed"
        return actor, crashed


@contextlib.asynccontextmanager
async def connected(process: LiveSystem) -> AsyncIterator[Client]:
    """A client with as many connections as it needs, which never sends a request twice."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=REQUEST_S_MAX),
        auto_decompress=False,
    ) as session:
        # aiohttp repeats a GET on a connection that was closed under it, without a word.
        session._retry_connection = False
        yield Client(process, session)
