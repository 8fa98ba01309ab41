"""Spans leave in batches, on a thread of their own; what finds no room is counted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec

from actors.config import load_config
from actors.tracing.span_export import SpanExport
from actors.tracing.trace_span import TraceSpan

if TYPE_CHECKING:
    from collections.abc import Sequence


class Collector:
    """Takes what it is sent once it is let; `refuses` says why it does not."""

    def __init__(self, *, refuses: str | Exception | None = None) -> None:
        self.taken: list[list[str]] = []
        self.let = threading.Event()
        self.has_begun = threading.Event()
        self._refuses = refuses

    def send(self, spans: Sequence[TraceSpan]) -> str | None:
        self.taken.append([each.name for each in spans])
        self.has_begun.set()
        self.let.wait()
        if isinstance(self._refuses, Exception):
            raise self._refuses
        return self._refuses

    def close(self) -> None:
        self.let.set()


def export_to(collector: Collector, **limits: Any) -> SpanExport:
    config = load_config().trace.otlp
    values = {"url": "http://a", "period_s": 60.0, "batch_spans_max": 2, **limits}
    return SpanExport(msgspec.structs.replace(config, **values), collector)


def span(name: str) -> TraceSpan:
    return TraceSpan(trace_id="1", span_id="2", kind="command", name=name, service="a", start_us=0)


def spans(names: str) -> list[TraceSpan]:
    return [span(name) for name in names]


async def test_what_waits_leaves_in_batches_and_at_the_end() -> None:
    """A full batch goes at once, and one that is not when the process ends."""
    collector = Collector()
    collector.let.set()
    export = export_to(collector)
    export.put(spans("a"))
    export.start()
    export.put(spans("bcde"))
    await export.close()
    assert [name for names in collector.taken for name in names] == list("abcde")
    assert max(map(len, collector.taken)) <= 2
    assert (export.counts.sent, export.counts.waiting) == (5, 0)


async def test_what_finds_no_room_is_dropped() -> None:
    """What is being sent takes its room still; whoever comes later waits for nothing."""
    collector = Collector()
    export = export_to(collector, queue_spans_max=3, drain_s_max=0.01)
    export.put(spans("ab"))
    export.start()
    collector.has_begun.wait()
    export.put(spans("cde"))
    assert (export.counts.waiting, export.counts.dropped) == (3, 2)
    await export.close()
    assert collector.taken == [["a", "b"]], "the rest did not leave in time"


async def test_what_is_not_taken_is_counted() -> None:
    """Whatever the reason, and the next batch is sent all the same."""
    for why in ("503", ValueError("a bug")):
        collector = Collector(refuses=why)
        collector.let.set()
        export = export_to(collector)
        export.start()
        export.put(spans("abcd"))
        await export.close()
        assert collector.taken == [["a", "b"], ["c", "d"]]
        assert (export.counts.sent, export.counts.failed) == (0, 4)


async def test_who_was_never_started_ends() -> None:
    """An app may be stopped before it has begun."""
    await export_to(Collector()).close()
