"""A run as a person follows it: requests, faults, crashes, commits and what was wrong, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.simulation.command.timeline_entry import SpanKind, TimelineEntry, mark
from actors.simulation.command.trace_reader import TraceReader
from actors.simulation.stage.edge_host import EDGE_HOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from actors.simulation.check.history import Operation
    from actors.simulation.command.timeline_entry import TimelineMark
    from actors.simulation.stage.staging import Played


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Something that lasts in a lane, from one entry to another: numbers from 0, both included."""

    lane: str
    kind: SpanKind
    first: int
    last: int
    text: str


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of a run in order; `lanes` are those in which anything happens, clients first."""

    lanes: tuple[str, ...]
    entries: tuple[TimelineEntry, ...]
    spans: tuple[Span, ...]

    def __str__(self) -> str:
        return "\n".join(str(entry) for entry in self.entries)


def build_timeline(played: Played, services: Sequence[str]) -> Timeline:
    """Pick from a run whose trace was kept what matters. `services` orders the lanes."""
    reader = TraceReader(played.script.schedule, services)
    marks = [*reader.read(played.lines), *_operations(played.operations)]
    # Of one instant, what was asked and answered comes after what it came of: the sort is stable.
    marks.sort(key=lambda each: (each.entry.kind == "wrong", each.entry.at_us))
    marks = list(_folded(_joined(marks)))
    return Timeline(
        lanes=_lanes(marks, services),
        entries=tuple(each.entry for each in marks),
        spans=_spans(marks),
    )


def _operations(operations: Iterable[Operation]) -> list[TimelineMark]:
    """Return invocations and returns, in the order of the history's own numbers."""
    found: list[tuple[int, TimelineMark]] = []
    for each in operations:
        name = f"#{each.number}"
        text = f"{name} {call_text(each)}"
        asks = mark(each.invoked_us, each.process, "request", text, begins=(name, "request"))
        found.append((each.invoked, asks))
        if each.returned is not None and each.returned_us is not None:
            text = f"{name} {each.end}"
            end = mark(each.returned_us, each.process, "answer", text, ends=(name,))
            found.append((each.returned, end))
    return [each for _, each in sorted(found, key=lambda one: one[0])]


def call_text(operation: Operation) -> str:
    """Return what was asked; a call of no object reads as the sentence that it is."""
    if operation.key:
        return operation.call
    argument = "" if operation.argument is None else f" {operation.argument}"
    return f"{operation.name}{argument}"


def _joined(marks: Iterable[TimelineMark]) -> list[TimelineMark]:
    """Tell an operation's end in one line with the answer that it came of."""
    found: list[TimelineMark] = []
    for each in marks:
        if found and each.ends and each.entry.kind == "answer":
            old, new = found[-1].entry, each.entry
            if (old.kind, old.lane, old.at_us) == ("answer", new.lane, new.at_us):
                text, details = f"{new.text}  ({old.text})", (*old.details, *new.details)
                entry = msgspec.structs.replace(new, text=text, details=details)
                found[-1] = msgspec.structs.replace(each, entry=entry)
                continue
        found.append(each)
    return found


def _folded(marks: Iterable[TimelineMark]) -> Iterator[TimelineMark]:
    """Tell once what happens again and again with nothing in between."""
    last: TimelineMark | None = None
    for each in marks:
        if last is not None:
            old, new = last.entry, each.entry
            if (old.lane, old.kind, old.text) == (new.lane, new.kind, new.text):
                details = tuple(dict.fromkeys(old.details + new.details))
                entry = msgspec.structs.replace(
                    old, times=old.times + 1, until_us=new.at_us, details=details
                )
                ends = tuple(dict.fromkeys(last.ends + each.ends))
                last = msgspec.structs.replace(last, entry=entry, ends=ends)
                continue
            yield last
        last = each
    if last is not None:
        yield last


def _spans(marks: Sequence[TimelineMark]) -> tuple[Span, ...]:
    spans: list[Span] = []
    begun: dict[str, tuple[int, SpanKind]] = {}

    def close(name: str, last: int) -> None:
        if name in begun:
            first, kind = begun.pop(name)
            entry = marks[first].entry
            spans.append(Span(lane=entry.lane, kind=kind, first=first, last=last, text=entry.text))

    for index, each in enumerate(marks):
        for name in each.ends:
            close(name, index)
        if each.begins is not None:
            name, kind = each.begins
            close(name, index)
            begun[name] = (index, kind)
    for name in list(begun):
        close(name, len(marks) - 1)
    return tuple(sorted(spans, key=lambda span: (span.first, span.last)))


def _lanes(marks: Iterable[TimelineMark], services: Sequence[str]) -> tuple[str, ...]:
    used = {each.entry.lane for each in marks}
    known = (EDGE_HOST, *services)
    clients = sorted(used.difference(known))
    return (*clients, *(lane for lane in known if lane in used))
