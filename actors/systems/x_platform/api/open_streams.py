"""The streams that are open now: there is one app, and it may have so many."""

from __future__ import annotations

from typing import Final, Protocol

from actors.systems.x_platform.api.x_problems import connection_refused

# Why a stream ends that did not want to; X's names.
DRAINING: Final = "OperationalDisconnect"
FORCED: Final = "ForceDisconnect"
TOO_MANY: Final = "This stream is currently at the maximum allowed connection limit."


class OpenStream(Protocol):
    """A stream, which can be ended."""

    def end(self, reason: str) -> None:
        """Say why and close."""
        ...


class OpenStreams:
    """Keeps the places. A place is taken before anything is awaited, and is free at the end."""

    def __init__(self, connections_max: int) -> None:
        self._connections_max = connections_max
        self._places: set[OpenStream] = set()
        # Besides those that have a place: those that still say why they ended.
        self._running: set[OpenStream] = set()

    def __len__(self) -> int:
        return len(self._places)

    def enter(self, stream: OpenStream) -> None:
        """Take a place; raise X's 429 where there is none."""
        if len(self._places) >= self._connections_max:
            raise connection_refused(429, TOO_MANY, "TooManyConnections")
        self._places.add(stream)
        self._running.add(stream)

    def free(self, stream: OpenStream) -> None:
        """Give the place back, as soon as the stream sends no more; again changes nothing."""
        self._places.discard(stream)

    def leave(self, stream: OpenStream) -> None:
        """The stream is over."""
        self._places.discard(stream)
        self._running.discard(stream)

    def disconnect(self, reason: str) -> int:
        """End all streams, each with a last object that says why; return how many there were."""
        streams = list(self._running)
        for stream in streams:
            stream.end(reason)
        return len(streams)
