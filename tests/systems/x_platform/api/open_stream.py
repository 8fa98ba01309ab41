"""A stream as its client sees it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from tests.http_edge.serving import READ_S_MAX, hang_up


@dataclass
class OpenStream:
    """A stream as its client sees it: lines, of which an empty one is a sign of life."""

    status: int
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    rest: bytes = b""
    over: bool = False

    async def line(self) -> bytes:
        """Return the next line without its CRLF."""
        while b"\r\n" not in self.rest:
            await self._chunk()
            assert not self.over, f"the stream ended behind {self.rest!r}"
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    async def object(self) -> Any:
        """Return the next object."""
        while not (line := await self.line()):
            pass
        return json.loads(line)

    async def end(self) -> list[Any]:
        """Read on to the end; return the objects on the way, of which the last may be why."""
        while not self.over:
            await self._chunk()
        return [json.loads(line) for line in self.rest.split(b"\r\n") if line]

    async def close(self) -> None:
        await hang_up(self.writer)

    async def _chunk(self) -> None:
        async with asyncio.timeout(READ_S_MAX):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            data = await self.reader.readexactly(size + 2)
        self.rest += data[:-2]
        self.over = size == 0
