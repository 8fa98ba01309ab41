"""An X that misbehaves as it is told to: raw bytes on loopback, whatever HTTP or X would allow."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Act = Callable[["Stage"], Awaitable[None]]

STREAM = "/2/tweets/search/stream"
RULES = f"{STREAM}/rules"
SEARCH = "/2/tweets/search/recent"
CRLF = b"\r\n"


@dataclass
class Request:
    """What the client sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Stage:
    """One connection on which the stream was asked for, and what may be done with it."""

    def __init__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self._writer = writer

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def open(self) -> None:
        """Send the head of a stream."""
        await self.raw(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )

    async def send(self, *lines: bytes) -> None:
        """Send lines, each a chunk of its own."""
        for line in lines:
            data = line + CRLF
            await self.raw(f"{len(data):x}".encode() + CRLF + data + CRLF)

    async def close(self) -> None:
        """End the stream in order."""
        await self.raw(b"0\r\n\r\n")

    async def answer(self, status: int, body: Any, **headers: str) -> None:
        """Answer with something else than a stream; `x_y` in `headers` is the header x-y."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(data)}"]
        head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join([*head, "", ""]).encode() + data)

    def leave(self) -> None:
        """Close the connection, once all is sent."""
        self._writer.close()

    def abort(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()

    async def hold(self) -> None:
        """Say nothing more, until the client goes."""
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def opens(*lines: bytes, then: str = "close") -> Act:
    """Open the stream, send the lines, then `close`, `abort` or `hold`."""

    async def act(stage: Stage) -> None:
        await stage.open()
        await stage.send(*lines)
        match then:
            case "close":
                await stage.close()
            case "abort":
                stage.abort()
            case _:
                await stage.hold()

    return act


def answers(status: int, body: Any = b"{}", **headers: str) -> Act:
    """Answer the request for the stream with this instead."""

    async def act(stage: Stage) -> None:
        await stage.answer(status, body, **headers)

    return act


def sends(data: bytes, *, then: str = "close") -> Act:
    """Send these bytes, whatever they mean."""

    async def act(stage: Stage) -> None:
        await stage.raw(data)
        if then == "hold":
            await stage.hold()
        stage.leave()

    return act


def tweet_line(number: int, *, at: str = "2023-11-14T22:13:20.000Z", **more: Any) -> bytes:
    """Return the line of tweet `number`, as X sends it."""
    id_ = str(1_900_000_000_000_000_000 + number)
    data = {
        "id": id_,
        "text": f"tutorialedge {number}",
        "author_id": "42",
        "created_at": at,
        "lang": "en",
        "edit_history_tweet_ids": [id_],
    }
    line = {
        "data": data | more.pop("data", {}),
        "includes": {"users": [{"id": "42", "username": "ada", "name": "Ada"}]},
        "matching_rules": [{"id": "1", "tag": "dress-rehearsal:reader"}],
    }
    return json.dumps(line | more).encode()


@dataclass
class RoughX:
    """Answers as X does where nothing else is planned; `streams` are the next connections' acts."""

    rules: list[dict[str, str]] = field(default_factory=list)
    streams: deque[Act] = field(default_factory=deque)
    # Answers to anything, in place of one of its own.
    answers: deque[Act] = field(default_factory=deque)
    # Answers to the recent search; it finds nothing where none is planned.
    searches: deque[Act] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    held: Act = field(default_factory=lambda: opens(then="hold"))
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def asked(self, path: str, method: str = "GET") -> list[Request]:
        """Return the requests for a path."""
        return [each for each in self.requests if (each.method, each.path) == (method, path)]

    async def until_asked(self, path: str, times: int, method: str = "GET") -> Request:
        """Wait for the `times`-th request, and return it."""
        async with asyncio.timeout(100):
            while len(self.asked(path, method)) < times:
                self._arrived.clear()
                await self._arrived.wait()
        return self.asked(path, method)[times - 1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read(reader)
                self.requests.append(request)
                self._arrived.set()
                stage = Stage(request, writer)
                if self.answers and request.path != STREAM:
                    await self.answers.popleft()(stage)
                elif request.path == STREAM:
                    await (self.streams.popleft() if self.streams else self.held)(stage)
                    return
                elif request.path == RULES:
                    await self._serve_rules(stage)
                elif request.path == SEARCH:
                    await self.searches.popleft()(stage) if self.searches else await stage.answer(
                        200, {"meta": {"result_count": 0}}
                    )
                elif request.path.endswith("/likes"):
                    await stage.answer(200, {"data": {"liked": True}})
                else:
                    await stage.answer(201, {"data": {"id": "77", "text": "x"}})
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve_rules(self, stage: Stage) -> None:
        if stage.request.method == "POST":
            asked = stage.request.json
            gone = set(asked.get("delete", {}).get("ids", ()))
            self.rules = [each for each in self.rules if each["id"] not in gone]
            for new in asked.get("add", ()):
                self.rules.append({"id": str(1000 + len(self.requests)), **new})
            await stage.answer(201 if "add" in asked else 200, {"meta": {}})
            return
        meta = {"meta": {"result_count": len(self.rules)}}
        await stage.answer(200, {"data": self.rules} | meta if self.rules else meta)


@contextlib.asynccontextmanager
async def rough_x() -> AsyncIterator[RoughX]:
    """Serve on a free port of loopback."""
    x = RoughX()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(x.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    x.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield x
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    fields = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return Request(method, parts.path, query, headers, body)
