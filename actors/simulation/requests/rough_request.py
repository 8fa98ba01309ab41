"""A request as bytes, which no client library has to let pass, and its answer as it came."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

# How long one waits for an answer, in virtual seconds: longer than any limit of the edge's.
ANSWER_S_MAX: Final = 60.0
# Between two pieces, so that they arrive one by one.
PIECE_S: Final = 0.05
# Longer than `edge.send_s_max`; how much is taken meanwhile; what says that the answer still comes.
DEAF_S: Final = 40.0
DEAF_BYTES: Final = 1_024
READ_BYTES: Final = 65_536
WAITED_FOR: Final = -1
# What is said to whoever comes when there is no room, or no time.
OVERLOAD: Final = frozenset({429, 503, 504})
# And where the way is long: the rest of it did not come in time.
TOO_SLOW: Final = 408


class RoughRequest(msgspec.Struct, frozen=True):
    """The pieces that are sent, and the status that is to come; 0 where nobody waits for one.

    With `half` the client closes its side behind the last piece. `cut` is what may be refused while
    it is still sent: who sends hears of it or not, as with any network. `says` is what stands in
    the answer's body, and what it `hides` does not; one that says the `excuse` may be any. Who is
    `deaf` reads nothing for longer than anybody waits for that, and finds the connection gone.
    """

    name: str
    pieces: tuple[bytes, ...]
    status: int
    half: bool = False
    cut: bool = False
    says: str = ""
    excuse: str = ""
    deaf: bool = False
    hides: str = ""

    def __str__(self) -> str:
        return self.name

    def amiss(self, answer: RoughAnswer, *, links_whole: bool, has_room: bool) -> str | None:
        """Return what is wrong with an answer, if anything is.

        Where it `has_room`, and time, nobody is turned away for want of it.
        """
        status, said = answer.status, answer.body.decode()
        if status == WAITED_FOR and not has_room:  # or its process has ended in order
            return None
        if (status in OVERLOAD and not has_room) or (status == TOO_SLOW and not links_whole):
            return None
        if self.excuse and self.excuse in said:
            return None
        if status != self.status:
            return f"{self.name} was answered {status}, and not {self.status}: {said}"
        if self.hides and self.hides in said:
            return f"{self.name} was answered {said}, and {self.hides} is nothing to be found"
        return None if self.says in said else f"{self.name} was answered {said}, not {self.says}"


class RoughAnswer(msgspec.Struct, frozen=True):
    """The first that came; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def get_bytes(target: str = "/healthz", fields: str = "", *, method: str = "GET") -> bytes:
    """Return a request without a body, the last of its connection."""
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n"
    return head.encode("latin-1")


def post_bytes(target: str, body: str, fields: str = "") -> bytes:
    """Return one with a body, as JSON."""
    length = f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n"
    return get_bytes(target, length + fields, method="POST") + body.encode("latin-1")


async def exchange(host: str, port: int, rough: RoughRequest) -> RoughAnswer | None:
    """Return the first answer; None where nobody waits for one.

    Raises what asyncio's streams do where none came: OSError, EOFError, TimeoutError.
    """
    async with asyncio.timeout(ANSWER_S_MAX):
        limit = DEAF_BYTES if rough.deaf else READ_BYTES
        reader, writer = await asyncio.open_connection(host, port, limit=limit)
        try:
            for index, piece in enumerate(rough.pieces):
                if index:
                    await asyncio.sleep(PIECE_S)
                writer.write(piece)
                await writer.drain()
            if rough.half:
                writer.write_eof()
            if rough.deaf:
                await asyncio.sleep(DEAF_S)
                is_cut_off = reader.exception() is not None
                return None if is_cut_off else RoughAnswer(WAITED_FOR, {}, b"")
            if not rough.status:
                return None
            return await _read_answer(reader)
        finally:
            writer.close()


async def _read_answer(reader: asyncio.StreamReader) -> RoughAnswer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.rstrip("\r\n").split("\r\n")
    headers = {}
    for field in fields:
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip()
    try:
        rest = await reader.read()
    except OSError:  # refused amid its request: the rest of the answer is lost with it
        rest = b""
    body = rest[: int(headers.get("content-length", "0"))]
    return RoughAnswer(int(line.split()[1]), headers, body)
