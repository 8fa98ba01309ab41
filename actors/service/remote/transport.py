"""What carries requests to a remote service: the protocol, and what goes over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class RemoteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request: `url` is whole and escaped, `body` JSON or None."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class RemoteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer whose body came whole; `retry_after` is that header's text."""

    status: int
    retry_after: str | None
    body: bytes


class NoAnswerCame(Exception):
    """The connection was refused, broke, or what came was no HTTP; the text says which."""


class Transport(Protocol):
    """One incarnation's connections to one remote service. Used on the event loop alone."""

    async def send(self, request: RemoteRequest) -> RemoteAnswer:
        """Return the answer, however long it takes; cancelled, it lets go of the connection.

        Follows no redirect. Raises NoAnswerCame.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class TransportType(Protocol):
    """Makes a transport, on the loop that it is used on."""

    def __call__(self, *, connections_max: int, body_bytes_max: int) -> Transport:
        """An answer whose body is longer than `body_bytes_max` is none."""
        ...
