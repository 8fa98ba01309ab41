"""Has spans sent to a collector by a thread of its own: whoever makes them waits for nobody."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Protocol

import structlog

from actors.measures.export_counts import ExportCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.config import OtlpConfig
    from actors.tracing.trace_span import TraceSpan

log = structlog.get_logger()


class SpanReceiver(Protocol):
    """Who takes spans over. Used on one thread, but for `close`."""

    def send(self, spans: Sequence[TraceSpan]) -> str | None:
        """Return when they have arrived, or why they have not after all attempts."""
        ...

    def close(self) -> None:
        """Let go of the connection; a `send` that waits for its next attempt ends at once."""
        ...


class SpanExport:
    """Spans that are kept here, and leave besides. What finds no room is dropped, and counted.

    Nothing is kept of what was dropped, or was not taken: a trace is whole in the services' files.
    """

    def __init__(self, config: OtlpConfig, receiver: SpanReceiver) -> None:
        """Nothing leaves before `start`; `put` may be called before that."""
        self.counts = ExportCounts()
        self._config = config
        self._receiver = receiver
        # Held for the time of a few assignments: writers' threads and the loop put, one takes.
        self._lock = threading.Lock()
        self._waiting: list[TraceSpan] = []
        self._begun, self._full = threading.Event(), threading.Event()
        self._closing = self._given_up = False
        self._failing = self._dropping = False
        # A collector that keeps a request must not keep the process from its end.
        self._thread = threading.Thread(target=self._work, name="otlp", daemon=True)

    def start(self) -> None:
        """Send from now on."""
        self._thread.start()

    def put(self, spans: Sequence[TraceSpan]) -> None:
        """Take spans that have ended; from any thread, and without waiting."""
        counts, config = self.counts, self._config
        with self._lock:
            room = max(0, config.queue_spans_max - counts.waiting)
            taken = spans[:room]
            counts.dropped += len(spans) - len(taken)
            counts.waiting += len(taken)
            if taken and not self._waiting:
                self._begun.set()
            self._waiting += taken
            if len(self._waiting) >= config.batch_spans_max:
                self._full.set()

    async def close(self) -> None:
        """Send what waits, for `trace.otlp.drain_s_max` at most."""
        if self._thread.ident is None:
            return
        with self._lock:
            self._closing = True
            self._begun.set()
            self._full.set()
        await asyncio.to_thread(self._thread.join, self._config.drain_s_max)
        if self._thread.is_alive():
            self._given_up = True
            log.warning(
                "spans did not leave",
                spans=self.counts.waiting,
                limit="trace.otlp.drain_s_max",
                url=self._config.url,
            )
        self._receiver.close()

    # --- On the thread -----------------------------------------------------------------------

    def _work(self) -> None:
        while taken := self._take():
            size = self._config.batch_spans_max
            for start in range(0, len(taken), size):
                self._send(taken[start : start + size])
                if self._given_up:
                    return

    def _take(self) -> list[TraceSpan]:
        """Wait for spans, and a while for others; nothing is left where there are none."""
        self._begun.wait()
        self._full.wait(self._config.period_s)
        with self._lock:
            taken, self._waiting = self._waiting, []
            if not self._closing:
                self._begun.clear()
                self._full.clear()
        return taken

    def _send(self, spans: Sequence[TraceSpan]) -> None:
        counts, dropped = self.counts, self.counts.dropped
        try:
            why = self._receiver.send(spans)
        except Exception as error:
            log.exception("spans could not be sent")
            why = f"{type(error).__name__}: {error}"
        if why is None:
            counts.sent += len(spans)
        else:
            counts.failed += len(spans)
        with self._lock:
            counts.waiting -= len(spans)
        self._tell(why, is_dropping=counts.dropped > dropped)

    def _tell(self, why: str | None, *, is_dropping: bool) -> None:
        """Say once a spell that spans do not arrive, and when they do again."""
        is_failing, counts = why is not None, self.counts
        if is_failing and not self._failing:
            log.warning(
                "spans do not arrive",
                url=self._config.url,
                reason=why,
                advice="look whether the collector of trace.otlp.url runs; traces are kept here",
            )
        if is_dropping and not self._dropping:
            log.warning(
                "spans are dropped",
                limit="trace.otlp.queue_spans_max",
                advice="the collector takes fewer than are made: lower trace.sample_share",
            )
        if self._failing and not is_failing:
            log.info("spans arrive again", failed=counts.failed, dropped=counts.dropped)
        self._failing, self._dropping = is_failing, is_dropping
