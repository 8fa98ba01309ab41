"""Reads HTTP answers off a socket, and takes nothing for one that is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\x20-\x7e]+")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\x20-\x7e]*)")
_NO_CONTENT: Final = 204
_FINAL: Final = 200


class AnswerError(Exception):
    """What came is no HTTP answer, or only half of one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Field names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


async def read_answer(reader: asyncio.StreamReader, *, head: bool = False) -> Answer | None:
    """Return the next answer, interim ones too; None where the connection ended before one began.

    `head`: it is that to a HEAD, which has no body.
    """
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except EOFError as error:
        partial = getattr(error, "partial", b"")
        if not partial:
            return None
        message = f"half a head: {partial[:100]!r}"
        raise AnswerError(message) from error
    except ConnectionResetError:
        return None
    status, headers = _parse(raw)
    if status < _FINAL or status == _NO_CONTENT or head:
        return Answer(status, headers, b"")
    try:
        body = await _body(reader, headers)
    except EOFError as error:
        message = f"half a body, after {raw[:100]!r}"
        raise AnswerError(message) from error
    return Answer(status, headers, body)


def _parse(raw: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    status = _STATUS.fullmatch(first)
    fields = [_FIELD.fullmatch(line) for line in lines]
    if status is None or None in fields:
        message = f"no head: {raw[:200]!r}"
        raise AnswerError(message)
    found = [(field[1].decode().lower(), field[2].decode()) for field in fields if field]
    names = [name for name, _ in found]
    if len(set(names)) != len(names):
        message = f"a field twice: {raw[:200]!r}"
        raise AnswerError(message)
    return int(status[1]), dict(found)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
        return body
    if "content-length" not in headers:
        message = f"no end is known: {headers}"
        raise AnswerError(message)
    return await reader.readexactly(int(headers["content-length"]))
