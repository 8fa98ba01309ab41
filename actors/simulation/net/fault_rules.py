"""Every fault of the network is a rule: it sees what is about to arrive and says what happens.

The network knows no fault, and a rule knows no clock: a schedule installs and removes rules at its
own times. (The idea, and the one seam, are turmoil's: https://github.com/tokio-rs/turmoil.)
"""

from __future__ import annotations

import re
from functools import partial
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
    data: bytes

    @property
    def size(self) -> int:
        """How many bytes."""
        return len(self.data)


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """It arrives so much later, and with it what comes behind it."""

    seconds: float


class Drop(msgspec.Struct, frozen=True):
    """It is lost. TCP sends it again, until it arrives or the sender gives up."""


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt is refused; the connection is reset at both ends after so many of the bytes."""

    after_bytes: int = 0


class Altered(msgspec.Struct, frozen=True, kw_only=True):
    """Other bytes arrive, as many."""

    data: bytes


Verdict: TypeAlias = Delay | Drop | Reset | Altered | None
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


class Garbling(msgspec.Struct, frozen=True):
    """How what one host says to another may be garbled.

    `link` is one direction, `a>b`. Each pair is a regular expression and what stands in the place
    of all that it matches, with blanks behind it, for as many bytes arrive; where one of them
    matches nothing, nothing is garbled. It happens `times` times.
    """

    link: str
    pairs: tuple[tuple[bytes, bytes], ...]
    times: int = 1

    def of(self, data: bytes) -> bytes | None:
        """Return the bytes garbled, or None. Raises ValueError for more bytes than there were."""
        for pattern, words in self.pairs:
            garbled, count = re.subn(pattern, partial(_filled, words), data, flags=re.DOTALL)
            if not count:
                return None
            data = garbled
        return data


class Garble:
    """Garbles what goes one way, as often as it says: what can be garbled so."""

    def __init__(self, garbling: Garbling) -> None:
        self._garbling = garbling
        self._hosts = tuple(garbling.link.split(">"))
        self._left = garbling.times

    def __call__(self, arrival: ConnectAttempt | Chunk) -> Verdict:
        """Alter what is meant."""
        if not self._left or not isinstance(arrival, Chunk):
            return None
        if (arrival.source, arrival.target) != self._hosts:
            return None
        garbled = self._garbling.of(arrival.data)
        if garbled is None:
            return None
        self._left -= 1
        return Altered(data=garbled)


def _filled(words: bytes, found: re.Match[bytes]) -> bytes:
    said = found.expand(words)
    if len(said) > len(found[0]):
        message = f"{said!r} is longer than {found[0]!r}"
        raise ValueError(message)
    return said.ljust(len(found[0]))
