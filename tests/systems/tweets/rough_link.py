"""A network link that breaks as it is told to: a TCP proxy on loopback, for the real embedded X."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Literal, get_args
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Kind = Literal["refuse", "reset", "close", "stall", "lose", "garble", "delay"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

READ_BYTES: Final = 65_536
STREAM_REQUEST: Final = b"GET /2/tweets/search/stream?"
# No byte of UTF-8: a reader can notice it. That a letter became another, or that a name is shorter,
# is TLS's to notice: it stands in the place of lost bytes, too.
GARBLED: Final = b"\xff"
LOST_BYTES: Final = 7
DELAY_S: Final = 0.02


class Trouble(msgspec.Struct, frozen=True):
    """What befalls a connection when this many bytes more of the answer have gone through.

    They count from when the connection takes it: when it begins, or when the last one is over.
    `refuse` is for one that begins, else a `reset`. `reset` and `close` end it; `stall` passes on
    nothing more; `lose` and `garble` change a few bytes, and go on; `delay` goes on a little later.
    """

    kind: Kind
    at_byte: int


class RoughLink:
    """Passes bytes on. Troubles are for connections of their own kind, the oldest first."""

    def __init__(self, target: str) -> None:
        """`target` is the URL that it leads to."""
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self.url = ""
        # For the connections to the stream, and for all others.
        self.of_stream: deque[Trouble] = deque()
        self.of_others: deque[Trouble] = deque()
        self.happened: Counter[Kind] = Counter()
        self.connections = 0

    @property
    def planned(self) -> int:
        """How many troubles are still to come."""
        return len(self.of_stream) + len(self.of_others)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        self.connections += 1
        with contextlib.suppress(OSError):
            # Which kind it is, its first bytes tell; tweepy sends a request's head in one piece.
            request = await reader.read(READ_BYTES)
            queue = self.of_stream if request.startswith(STREAM_REQUEST) else self.of_others
            trouble = queue.popleft() if queue else None
            if trouble is not None and trouble.kind == "refuse":
                self.happened["refuse"] += 1
                writer.transport.abort()
                return
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            far_writer.write(request)
            there = asyncio.ensure_future(_pass_on(reader, far_writer))
            back = asyncio.ensure_future(self._bring_back(far_reader, writer, trouble, queue))
            try:
                await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                back.cancel()
                await asyncio.wait([there, back])
                far_writer.transport.abort()

    async def _bring_back(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        trouble: Trouble | None,
        queue: deque[Trouble],
    ) -> None:
        try:
            while data := await reader.read(READ_BYTES):
                if trouble is None and queue:
                    trouble = queue.popleft()
                while trouble is not None and len(data) > trouble.at_byte:
                    writer.write(data[: trouble.at_byte])
                    rest, kind = data[trouble.at_byte :], trouble.kind
                    self.happened[kind] += 1
                    trouble = None
                    data = await self._befall(kind, rest, writer)
                if trouble is not None:
                    trouble = Trouble(trouble.kind, trouble.at_byte - len(data))
                writer.write(data)
                await writer.drain()
            writer.close()
        finally:
            if trouble is not None:  # its byte never came: it is another connection's
                queue.append(trouble)

    async def _befall(self, kind: Kind, data: bytes, writer: asyncio.StreamWriter) -> bytes:
        """Return what is passed on of the data from the place of the trouble on."""
        match kind:
            case "lose":
                return GARBLED + data[LOST_BYTES:]
            case "garble":
                return GARBLED + data[1:]
            case "delay":
                await asyncio.sleep(DELAY_S)
                return data
            case "reset" | "refuse":
                writer.transport.abort()
            case "close":
                writer.close()
            case _:
                with contextlib.suppress(OSError):
                    await writer.drain()
                await asyncio.get_running_loop().create_future()
        raise ConnectionResetError(kind)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(READ_BYTES):
            writer.write(data)
            await writer.drain()


@contextlib.asynccontextmanager
async def rough_link(target: str) -> AsyncIterator[RoughLink]:
    """Carry connections to `target` from a free port of loopback, at `url`."""
    link = RoughLink(target)
    tasks: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await link.carry(reader, writer)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(carry(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    link.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield link
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
