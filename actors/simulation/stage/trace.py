"""All that happened in a simulated run, in order and in virtual time, and a digest of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from actors.program import DISTRIBUTION, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Bytes of the digest: short enough to read out, long enough that two runs do not share one.
DIGEST_BYTES: Final = 16


class Line(msgspec.Struct, frozen=True):
    """One thing that happened: its number from 1, virtual microseconds from the start, and what.

    `kind` is one word (message, commit, crash, restart, fault, client ...); `who` is the service,
    store or client it happened to; `data` is what was said or kept there, as JSON. `seen` is what
    somebody saw beside it who took a close look: sentences, and no part of the digest.
    """

    number: int
    at_us: int
    kind: str
    who: str
    text: str
    data: str = ""
    seen: tuple[str, ...] = ()

    def __str__(self) -> str:
        at_s = self.at_us / 1_000_000
        return f"{self.number:6} {at_s:14.6f} s  {self.kind:9} {self.who:15} {self.text}"


class LineListener(Protocol):
    """Who hears of each line of a trace, and takes no part in what happens."""

    def look(self, kind: str, who: str) -> tuple[str, ...]:
        """Return what is to be seen beside a line that is kept, in sentences."""

    def reach(self, number: int, at_us: int) -> None:
        """Hear that this is the last line so far."""


class Trace:
    """Numbers and digests each line as it comes; equal seeds must give equal digests."""

    def __init__(
        self,
        elapsed_s: Callable[[], float],
        *,
        keep: bool = True,
        listener: LineListener | None = None,
    ) -> None:
        """`elapsed_s` is virtual time; without `keep` only the digest remains."""
        self._listener = listener
        self._elapsed_s = elapsed_s
        self._keep = keep
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._count = 0
        self.lines: list[Line] = []
        # Called where a fault strikes.
        self.on_fault: Callable[[], None] = lambda: None

    def add(self, kind: str, who: str, text: str = "", data: Any = None) -> None:
        """Note that it happens now; `data` is what is said, such as a message and its reply."""
        if kind == "fault":
            self.on_fault()
        self._count += 1
        at_us = round(self._elapsed_s() * 1_000_000)
        # Whatever an author wrote: half a surrogate pair, too.
        line = f"{self._count}|{at_us}|{kind}|{who}|{text}|"
        self._hash.update(line.encode(errors="surrogatepass"))
        said = b"" if data is None else encoded(data)
        self._hash.update(said)
        self._hash.update(b"\n")
        if self._keep:
            seen = () if self._listener is None else self._listener.look(kind, who)
            self.lines.append(Line(self._count, at_us, kind, who, text, said.decode(), seen))
        if self._listener is not None:
            self._listener.reach(self._count, at_us)

    def __len__(self) -> int:
        """How much has happened."""
        return self._count

    @property
    def digest(self) -> str:
        """Return the digest of all lines so far, in hexadecimal."""
        return self._hash.hexdigest()


def placeless(text: str, folder: Path) -> str:
    """Return it as it is on every machine: without the folder, and how the program is called."""
    return text.replace(str(folder), "DATA").replace(PROGRAM, DISTRIBUTION)


def encoded(data: Any) -> bytes:
    """Return it as JSON: a set in the order of its members, for it has none of its own."""
    try:
        return _ENCODER.encode(data)
    except (TypeError, ValueError, OverflowError, RecursionError, UnicodeError):
        return f'"{type(data).__name__}"'.encode()  # what a repr would say may hold an address


def _named(value: Any) -> str:
    return type(value).__name__


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_named, order="deterministic")
