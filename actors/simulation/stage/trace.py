"""All that happened in a simulated run, in order and in virtual time, and a digest of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

# Bytes of the digest: short enough to read out, long enough that two runs do not share one.
DIGEST_BYTES: Final = 16


class Line(msgspec.Struct, frozen=True):
    """One thing that happened: its number from 1, virtual microseconds from the start, and what.

    `kind` is one word (message, commit, crash, restart, fault, client ...); `who` is the service,
    store or client it happened to.
    """

    number: int
    at_us: int
    kind: str
    who: str
    text: str

    def __str__(self) -> str:
        at_s = self.at_us / 1_000_000
        return f"{self.number:6} {at_s:14.6f} s  {self.kind:9} {self.who:15} {self.text}"


class Trace:
    """Numbers and digests each line as it comes; equal seeds must give equal digests."""

    def __init__(self, elapsed_s: Callable[[], float], *, keep: bool = True) -> None:
        """`elapsed_s` is virtual time; without `keep` only the digest remains."""
        self._elapsed_s = elapsed_s
        self._keep = keep
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._count = 0
        self.lines: list[Line] = []

    def add(self, kind: str, who: str, text: str = "") -> None:
        """Note that it happens now."""
        self._count += 1
        at_us = round(self._elapsed_s() * 1_000_000)
        self._hash.update(f"{self._count}|{at_us}|{kind}|{who}|{text}\n".encode())
        if self._keep:
            self.lines.append(Line(self._count, at_us, kind, who, text))

    def __len__(self) -> int:
        """How much has happened."""
        return self._count

    @property
    def digest(self) -> str:
        """Return the digest of all lines so far, in hexadecimal."""
        return self._hash.hexdigest()
