"""A body is read within its limits of size and time, or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, hdrs, web

from http_edge.problems import Kind, ProblemError

if TYPE_CHECKING:
    from actors.config import EdgeConfig
    from http_edge.http_request import HttpRequest

# Whose body is part of what they ask.
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def refuse_body(body: bytes) -> None:
    """For an address that reads none: a 422 if there is one: its sender meant something."""
    if body:
        detail = "this address reads no body, so what yours asks for would not happen; send none"
        raise ProblemError(Kind.UNREAD_BODY, detail, field="body")


class BodyReader:
    """Reads what has not yet arrived when the handler starts; `ServiceEndpoint` reads the rest."""

    def __init__(self, config: EdgeConfig, *, bytes_max: int | None = None) -> None:
        """`bytes_max` is what the largest legal body takes, where that is known."""
        cap = config.body_bytes_max
        self.bytes_max = cap if bytes_max is None else min(bytes_max, cap)
        self._s_max = config.body_s_max

    def too_large(self) -> ProblemError:
        """The 413, which also ends the connection: what was not read cannot be skipped cheaply."""
        detail = f"a body holds at most {self.bytes_max} bytes"
        return ProblemError(Kind.BODY_TOO_LARGE, detail)

    async def read(self, request: HttpRequest) -> bytes:
        """Return the body, or raise a 408, 413 or 400; all of them end the connection."""
        if (request.content_length or 0) > self.bytes_max:
            raise self.too_large()
        await self._invite(request)
        # A body that is not there by the request's deadline leaves no time to do anything with it.
        s_max = min(self._s_max, request.look_again())
        try:
            async with asyncio.timeout(s_max):
                return await self._collect(request)
        except TimeoutError:
            detail = f"the body was not complete after {s_max:.3g} seconds"
            raise ProblemError(Kind.BODY_TOO_SLOW, detail) from None
        except web.RequestPayloadError as error:
            raise ProblemError(Kind.INCOMPLETE_BODY, str(error)) from None
        except (ConnectionError, RuntimeError):
            # aiohttp's stream says RuntimeError("Connection closed.") if it was closed before.
            raise ProblemError(Kind.INCOMPLETE_BODY, "the connection closed") from None

    async def _collect(self, request: web.BaseRequest) -> bytes:
        body = bytearray()
        while chunk := await request.content.readany():
            body += chunk
            if len(body) > self.bytes_max:
                raise self.too_large()
        return bytes(body)

    async def _invite(self, request: web.BaseRequest) -> None:
        """A client that waits for leave to send its body gets it (RFC 9110 section 10.1.1)."""
        expected = request.headers.get(hdrs.EXPECT)
        if expected is None or request.version < HttpVersion11:
            return  # what else may be expected, `HttpRequest.check` has refused
        await request.writer.write(CONTINUE)
