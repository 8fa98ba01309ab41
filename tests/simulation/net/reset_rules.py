"""Rules that refuse and reset where a test says, which no schedule draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.simulation.net.fault_rules import Chunk, ConnectAttempt, Reset

if TYPE_CHECKING:
    from actors.simulation.net.fault_rules import Verdict


class Refuse(msgspec.Struct, frozen=True, kw_only=True):
    """No new connection to the host is accepted; those there are stay."""

    target: str

    def __call__(self, arrival: ConnectAttempt | Chunk) -> Verdict:
        """Refuse attempts."""
        refused = isinstance(arrival, ConnectAttempt) and not arrival.answer
        return Reset() if refused and arrival.target == self.target else None


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """Connections from `source` to `target` break after so many bytes in that direction."""

    source: str
    target: str
    after_bytes: int

    def __call__(self, arrival: ConnectAttempt | Chunk) -> Verdict:
        """Reset at the chunk that holds the byte."""
        if not isinstance(arrival, Chunk) or arrival.kind == "reset":
            return None
        if (arrival.source, arrival.target) != (self.source, self.target):
            return None
        left = self.after_bytes - arrival.first_byte
        # A sign that comes after the last byte let through breaks as the next byte would.
        reached = left < arrival.size if arrival.size else left <= 0 and arrival.kind == "eof"
        return Reset(after_bytes=max(0, left)) if reached else None
