"""One picture of what was counted: what `/metrics` is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.measures.cache_counts import CacheCounts
    from actors.measures.effect_counts import EffectCounts
    from actors.measures.export_counts import ExportCounts
    from actors.measures.histogram import Histogram
    from actors.measures.lane_measures import LaneMeasures
    from actors.measures.remote_counts import RemoteCounts


class MeasuredLane(msgspec.Struct, frozen=True, kw_only=True):
    """One lane of a mailbox: `queued` messages of at most `capacity`, `in_hand` those taken.

    A service's first lane has its commands, the second its queries; who has one has all there.
    """

    index: int
    queued: int
    in_hand: int
    capacity: int
    measures: LaneMeasures | None


class MeasuredActor(msgspec.Struct, frozen=True, kw_only=True):
    """One actor; the numbers are as in ActorStats, `restarts` by their cause."""

    name: str
    state: str
    lanes: Sequence[MeasuredLane]
    handled: int
    refused: int
    dead_lettered: int
    rejected: int
    expired: Mapping[str, int]
    restarts: Mapping[str, int]
    handed_over: int = 0


class MeasuredBreaker(msgspec.Struct, frozen=True, kw_only=True):
    """One breaker: what it guards, how often it has opened, and whether an operator forces it."""

    dependency: str
    state: str
    openings: int
    forced: bool


class MeasuredChannel(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in an outbox for a receiver; the oldest for `age_s` seconds, if that is known."""

    receiver: str
    messages: int
    age_s: float | None


class MeasuredService(msgspec.Struct, frozen=True, kw_only=True):
    """One service with a store.

    `answered` is whether it was up and its store said in time what only that knows: `letters`, and
    how old what waits is.
    """

    name: str
    answered: bool
    commit_s: Histogram
    caches: Mapping[str, CacheCounts]
    effects: Mapping[str, EffectCounts]
    effects_running: int
    breakers: Sequence[MeasuredBreaker]
    channels: Sequence[MeasuredChannel]
    letters: int | None


class MeasuredRemote(msgspec.Struct, frozen=True, kw_only=True):
    """One remote service."""

    name: str
    counts: RemoteCounts
    breaker: MeasuredBreaker


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A whole system; `background_share` is 1.0 where nothing gives way to requests.

    `spans` is None where none leave for a collector.
    """

    actors: Sequence[MeasuredActor]
    services: Sequence[MeasuredService]
    remotes: Sequence[MeasuredRemote] = ()
    asks: int
    background_share: float
    spans: ExportCounts | None = None
