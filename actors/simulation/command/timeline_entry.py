"""One thing that happens in a run, as a person reads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["request", "answer", "fault", "crash", "up", "commit", "refusal", "wrong"]
SpanKind = Literal["request", "down", "lasts"]

# How a kind is marked in text: what was asked, done on purpose, came of it, or must not be.
MARKS: Final[dict[Kind, str]] = {
    "request": ">",
    "answer": "<",
    "fault": "*",
    "crash": "x",
    "up": "+",
    "commit": " ",
    "refusal": "-",
    "wrong": "!",
}
UUID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-([0-9a-f]{12})\b")
ID_DIGITS: Final = 6
# How it is told that something happens to the folder which a run that held has left.
AT_REST: Final = "with all at rest: "
# Before a detail, in text: it stands below what it is of.
INDENT: Final = " " * 37


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens, `times` times over in a row, the last time at `until_us`.

    Microseconds of virtual time from the start. `lane` is the client, the service or the edge.
    `details` are what was said and what came of it, a sentence each.
    """

    at_us: int
    lane: str
    kind: Kind
    text: str
    times: int = 1
    until_us: int
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        often = f" ({self.times} times, until {seconds(self.until_us)})" if self.times > 1 else ""
        line = f"{MARKS[self.kind]} {seconds(self.at_us):>14}  {self.lane:<15} {self.text}{often}"
        return "\n".join((line, *(f"{INDENT}{each}" for each in self.details)))


class TimelineMark(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that begins or ends what lasts, each by a name of its own."""

    entry: TimelineEntry
    begins: tuple[str, SpanKind] | None = None
    ends: tuple[str, ...] = ()


def mark(
    at_us: int,
    lane: str,
    kind: Kind,
    text: str,
    *,
    begins: tuple[str, SpanKind] | None = None,
    ends: tuple[str, ...] = (),
    details: Iterable[str] = (),
) -> TimelineMark:
    """Return the mark of an entry, its text without what nobody reads."""
    entry = TimelineEntry(
        at_us=at_us,
        lane=lane,
        kind=kind,
        text=short(text),
        until_us=at_us,
        details=tuple(short(each) for each in details),
    )
    return TimelineMark(entry=entry, begins=begins, ends=ends)


def seconds(at_us: int) -> str:
    """Return a time as text."""
    return f"{at_us / 1_000_000:.6f} s"


def short(text: str) -> str:
    """Leave of every UUID its last digits, which tell it from the others."""
    return UUID.sub(lambda found: f"…{found[1][-ID_DIGITS:]}", text)
