"""Every fault of the network is a rule: it sees what is about to arrive and says what happens.

The network knows no fault, and a rule knows no clock: a schedule installs and removes rules at its
own times. (The idea, and the one seam, are turmoil's: https://github.com/tokio-rs/turmoil.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


class ConnectAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """Half of a handshake is about to arrive: the request, or with `answer` its answer."""

    source: str  # hosts
    target: str
    port: int  # of the listener, in both halves
    answer: bool = False


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes, or a sign without any, are about to arrive."""

    connection: int  # numbered from 1 in the order they were established
    source: str
    target: str
    port: int  # of the listener
    kind: Literal["open", "data", "eof", "reset"]
    first_byte: int  # counted from 0 in this direction of the connection
    size: int


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """It arrives so much later, and with it what comes behind it."""

    seconds: float


class Drop(msgspec.Struct, frozen=True):
    """It is lost. TCP sends it again, until it arrives or the sender gives up."""


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt is refused; the connection is reset at both ends after so many of the bytes."""

    after_bytes: int = 0


Verdict: TypeAlias = Delay | Drop | Reset | None
# None lets it pass, as far as this rule is concerned: the first that says more decides.
Rule: TypeAlias = "Callable[[ConnectAttempt | Chunk], Verdict]"


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing goes from one side to the other, nor back unless `one_way`."""

    source: frozenset[str]  # hosts
    target: frozenset[str]
    one_way: bool = False

    def __call__(self, arrival: ConnectAttempt | Chunk) -> Verdict:
        """Lose what crosses."""
        forth = arrival.source in self.source and arrival.target in self.target
        back = arrival.source in self.target and arrival.target in self.source
        return Drop() if forth or (back and not self.one_way) else None


class Slow(msgspec.Struct, frozen=True, kw_only=True):
    """What goes from one host to another takes so much longer."""

    source: str
    target: str
    seconds: float

    def __call__(self, arrival: ConnectAttempt | Chunk) -> Verdict:
        """Delay what goes that way."""
        goes = (arrival.source, arrival.target) == (self.source, self.target)
        return Delay(seconds=self.seconds) if goes else None


class Truncate:
    """The next bytes from one host to another arrive by half, and their connection is reset.

    Once: what comes by another connection arrives.
    """

    def __init__(self, *, source: str, target: str) -> None:
        self._hosts = (source, target)
        self._is_spent = False

    def __call__(self, arrival: ConnectAttempt | Chunk) -> Verdict:
        """Reset amid the first chunk of data that goes that way."""
        if self._is_spent or not isinstance(arrival, Chunk) or arrival.kind != "data":
            return None
        if (arrival.source, arrival.target) != self._hosts:
            return None
        self._is_spent = True
        return Reset(after_bytes=arrival.size // 2)
