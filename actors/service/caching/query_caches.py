"""Answers queries from what was read before, or reads it: once, for all who ask at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import DeadlineExceeded
from actors.kernel.behavior import BatchResult
from actors.kernel.messages import Refusal
from actors.resilience.cache import MISSING, Cache
from actors.service.caching.forgetting import Forgetting

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from actors.config import CacheConfig
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.measures.cache_counts import CacheCounts
    from actors.resilience.cache import Lease
    from actors.service.caching.cache_options import CacheOptions
    from actors.service.handler_spec import HandlerSpec
    from actors.store.messaging.output_buffer import OutputBuffer
    from actors.store.participant import Participant
    from actors.store.store import BoundHandler, Store

_encode = msgspec.msgpack.Encoder().encode


class _Reading:
    """A batch on its way: what is known of it, who is asked, and for whom."""

    def __init__(self, batch: Sequence[Envelope]) -> None:
        self.batch = batch
        self.outcomes: list[Any] = [MISSING] * len(batch)
        self.hits: list[tuple[Envelope, Any]] = []
        # Places in the batch: of those whose question is read, and of who waits for which of them.
        self.asked: list[int] = []
        self.waiting: list[tuple[int, int]] = []
        self.leases: dict[int, tuple[CacheOptions, Cache, Lease]] = {}


class QueryCaches:
    """One incarnation's: the next one begins with nothing.

    The whole question is the key, so that no two different ones share an answer. Those that come
    together and are the same are read once. A no (a refusal, or None) is kept for a part of the
    time.
    """

    def __init__(
        self,
        specs: Iterable[HandlerSpec],
        counts: Mapping[str, CacheCounts],
        config: CacheConfig,
        clock: Clock,
    ) -> None:
        """`counts` are by name, of each query of `specs` that is cached."""
        self._clock = clock
        self._refused_share = config.refused_share
        self._caches: dict[Any, tuple[CacheOptions, Cache, CacheCounts]] = {}
        for spec in specs:
            if spec.cache is not None:
                its = counts[spec.message.__name__]
                limits = {"entries_max": config.entries_max, "bytes_max": config.kib_max * 1024}
                self._caches[spec.message] = (spec.cache, Cache(**limits, counts=its), its)

    def forgetting(self, connection: sqlite3.Connection, buffer: OutputBuffer) -> Participant:
        """Return who hears of each commit; see StoreSpec."""
        caches = [(options, cache) for options, cache, _ in self._caches.values()]
        return Forgetting(caches, connection, buffer)

    async def read(
        self, batch: Sequence[Envelope], store: Store, handlers: Mapping[Any, BoundHandler]
    ) -> BatchResult:
        """Answer what is known, and have the store read the rest; the result is the whole batch's.

        What is read is told also where it is not kept: it was true when it was asked.
        """
        reading = self._sort(batch)
        try:
            if reading.hits and not store.vouches(reading.hits, handlers):
                return await store.read(batch, handlers)  # which says what is wrong
            if not reading.asked:
                return BatchResult(outcomes=reading.outcomes)
            result = await self._read(reading, store, handlers)
        finally:
            for _, cache, lease in reading.leases.values():
                cache.give_up(lease)
        return result

    # --- Inside ------------------------------------------------------------------------------

    def _sort(self, batch: Sequence[Envelope]) -> _Reading:
        """Find what is known, and who is to be asked for the others."""
        now_s = self._clock.monotonic()
        reading = _Reading(batch)
        leaders: dict[tuple[Any, bytes], int] = {}
        for index, envelope in enumerate(batch):
            kind = envelope.message.__class__
            found = self._caches.get(kind)
            # What has crashed its handler runs alone: nobody else waits for it.
            key = None if found is None or envelope.attempt else _packed(envelope.message)
            if found is None or key is None:
                reading.asked.append(index)
                continue
            options, cache, counts = found
            leader = leaders.get((kind, key))
            if leader is not None:
                counts.waits += 1
                reading.waiting.append((index, leader))
                continue
            value = cache.get(key, now_s)
            if value is not MISSING:
                reading.outcomes[index] = value
                reading.hits.append((envelope, value))
                continue
            leaders[kind, key] = index
            reading.asked.append(index)
            lease = cache.begin(key, options.group_of(envelope.message), now_s)
            reading.leases[index] = (options, cache, lease)
        return reading

    async def _read(
        self, reading: _Reading, store: Store, handlers: Mapping[Any, BoundHandler]
    ) -> BatchResult:
        batch, outcomes, asked = reading.batch, reading.outcomes, reading.asked
        result = await store.read([batch[index] for index in asked], handlers)
        for index, outcome in zip(asked, result.outcomes, strict=False):
            outcomes[index] = outcome
            if index in reading.leases and not isinstance(outcome, BaseException):
                self._keep(*reading.leases.pop(index), outcome)
        for index, leader in reading.waiting:
            if not isinstance(outcomes[leader], DeadlineExceeded):  # that was the leader's own
                outcomes[index] = outcomes[leader]
        left = [index for index, outcome in enumerate(outcomes) if outcome is MISSING]
        if left and result.crash is None:
            asked = left
            result = await store.read([batch[index] for index in asked], handlers)
            for index, outcome in zip(asked, result.outcomes, strict=False):
                outcomes[index] = outcome
            left = asked[len(result.outcomes) :]
        return BatchResult(
            outcomes=outcomes[: left[0]] if left else outcomes,
            crash=result.crash,
            culprit=None if result.culprit is None else asked[result.culprit],
        )

    def _keep(self, options: CacheOptions, cache: Cache, lease: Lease, value: Any) -> None:
        packed = _packed(value)
        if packed is None:
            cache.give_up(lease)
            return
        is_no = value is None or value.__class__ is Refusal
        for_s = options.cache_s * (self._refused_share if is_no else 1.0)
        cache.keep(lease, value, size=len(lease.key) + len(packed), for_s=for_s)


def _packed(value: Any) -> bytes | None:
    """Return it in bytes; None of the few that have no such form, which are not kept."""
    try:
        return _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
