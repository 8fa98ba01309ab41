"""Who is refused for what is in progress: only where so much is, and nothing of it was begun.

What is in progress is known from both sides. A service sees a request from when it is given it
until its caller has a reply: so many were in progress at least. A client sees it from when it is
sent until its answer is there, or nobody can be working on it any more: no more were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from actors.simulation.oracles.once_oracle import inner_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from actors.config import AdmissionConfig
    from actors.kernel.envelope import Envelope

# What such a refusal is called.
OVERLOADED: Final = "overloaded"
# And where so much is under way in the service.
SERVICE_OVERLOADED: Final = "service-overloaded"
# What keeps a system reachable is never refused so.
VITAL: Final = ("/healthz", "/readyz", "/metrics", "/admin")
# No run has more clients: where more may be in progress, nobody is refused.
CLIENTS_MAX: Final = 64
# Of an address, so many segments are its own; behind them are ids.
SEGMENTS: Final = 4
# How long what somebody has sent who has left may keep a place, where it may have been late.
LOST_S: Final = 60.0
# How soon who is turned away is told so: 50 ms from his head's arrival, and the way there and back.
REFUSED_S: Final = 0.1

# A message of a service.
Kind = tuple[str, str]
# What is known of an address without its table.
Shape = tuple[str, int, str]


class Sample(msgspec.Struct, frozen=True):
    """A request that was made at addresses of one shape."""

    method: str
    target: str


class _Sent(msgspec.Struct):
    shape: Shape
    # What an operator asks is not bounded.
    bounded: bool
    begun_s: float
    until_s: float


class AdmissionOracle:
    """Counts what is in progress, of each kind; a kind is a message of a service."""

    def __init__(self, config: AdmissionConfig) -> None:
        """Nothing was asked."""
        self._config = config
        self._fewest = self._fewest_of(config)
        self._streams: set[Shape] = set()
        # By the requests' ids: what clients have sent, and what services have begun of it.
        self._sent: dict[str, _Sent] = {}
        # How many were ever sent: each may have left a saga behind, which outlives its process.
        self._sent_ever = 0
        self._begun: dict[str, asyncio.Future[object]] = {}
        self._pending: dict[Kind, dict[str, asyncio.Future[object]]] = {}
        self._refused: set[str] = set()
        self._kinds: dict[Shape, set[Kind]] = {}
        # Until when what a client sends may lie before a connection that rests.
        self._rests_until_s: dict[str, float] = {}
        # One request of each shape that was answered.
        self.samples: dict[Shape, Sample] = {}
        # And one that has read something, of each shape.
        self.reads: dict[Shape, Sample] = {}

    @property
    def watches(self) -> bool:
        """Whether so little may be in progress that clients can meet the bound."""
        return self.most <= CLIENTS_MAX

    @property
    def most(self) -> int:
        """How many of a kind may ever be in progress."""
        return self._config.in_progress_max

    def begin(
        self, config: AdmissionConfig, streams: AbstractSet[tuple[str, str]] = frozenset()
    ) -> None:
        """Another process, configured so: what the last one worked on is gone with it.

        At `streams`, paths and methods, a list is given page by page: such a request stays for as
        long as its reader takes, and is of no kind.
        """
        self._streams = {_shape(method, path) for path, method in streams}
        self._config = config
        self._fewest = min(self._fewest, self._fewest_of(config))
        self._pending.clear()

    def sends(
        self, request_id: str, method: str, target: str, now_s: float, *, as_operator: bool
    ) -> None:
        """Hear that a client is about to ask the gateway."""
        if len(self._sent) > 2 * CLIENTS_MAX:
            self._sent = {
                name: each for name, each in self._sent.items() if each.until_s + LOST_S > now_s
            }
        shape = _shape(method, target)
        bounded = not (as_operator or target.startswith(VITAL) or shape in self._streams)
        self._sent_ever += bounded
        self._sent[request_id] = _Sent(shape, bounded, now_s, float("inf"))

    def ended(self, request_id: str, until_s: float) -> None:
        """Hear that its client waits no longer, and until when it may still be in progress."""
        sent = self._sent.get(request_id)
        if sent is not None:
            sent.until_s = until_s

    def given(self, store: str, batch: Sequence[Envelope]) -> Iterator[str]:
        """Yield what a service is to work on that should not have been let in."""
        if not self.watches:
            return
        for each in batch:
            name = (each.trace or "").partition(" ")[0]  # behind it stands its place in a trace
            future = inner_of(each.reply_to)
            sent = self._sent.get(name)
            if sent is None or not sent.bounded or future is None or name in self._begun:
                continue
            kind = store, type(each.message).__name__
            self._begun[name] = future
            self._kinds.setdefault(sent.shape, set()).add(kind)
            if name in self._refused:
                yield f"{store} was given {kind[1]} of {name}, which was refused"
            pending = self._pending.setdefault(kind, {})
            for other in [other for other, waits in pending.items() if waits.done()]:
                del pending[other]
            if not future.done():
                pending[name] = future
            if len(pending) > self.most:
                yield f"{len(pending)} {kind[1]} of {store} are in progress, of {self.most}"

    def answered(
        self,
        who: str,
        request_id: str,
        method: str,
        target: str,
        kind: str,
        now_s: float,
        own_s: float = 0.0,
        *,
        may_be_twice: bool = False,
    ) -> Iterator[str]:
        """Yield what is wrong with an answer of the gateway's; `kind` is that of its problem.

        It took the gateway `own_s` seconds, or less. `may_be_twice`: its connection may have broken
        and its client's library have sent it again, so that it met itself.
        """
        if kind not in {OVERLOADED, SERVICE_OVERLOADED}:
            if self.watches and request_id in self._begun:
                self.samples.setdefault(_shape(method, target), Sample(method, target))
            return
        self._rests_until_s[who] = now_s + self._config.rest_s_max
        if not may_be_twice:
            self._refused.add(request_id)
        what = f"{method} {target}"
        if own_s > REFUSED_S:
            yield f"{what} was refused after {own_s:.3f} s"
        if target.startswith(VITAL):
            yield f"{what} was refused, and keeps the system reachable"
        if request_id in self._begun and not may_be_twice:
            yield f"{what} was refused, and its service had it"
        if kind == SERVICE_OVERLOADED:
            most, service_max = self._sent_ever - 1 + may_be_twice, self._config.service_max
            if most < service_max:
                yield f"{what} was refused where {most} were ever asked, of {service_max}"
            return
        present = self._present(request_id, now_s) + may_be_twice
        if present < self._fewest:
            yield f"{what} was refused where {present} were in progress, of {self._fewest}"

    def read(self, target: str) -> None:
        """Hear that somebody has read what is there."""
        if target.startswith("/") and not target.startswith(VITAL):
            self.reads.setdefault(_shape("GET", target), Sample("GET", target))

    def rested_s(self, who: str, begun_s: float, now_s: float) -> float:
        """Return how long what he sent may not have been read, since he was refused before."""
        return max(0.0, min(self._rests_until_s.get(who, 0.0), now_s) - begun_s)

    # --- Inside ------------------------------------------------------------------------------

    def _present(self, request_id: str, now_s: float) -> int:
        """Return how many others of its kind may have been in progress while it was asked."""
        refused = self._sent[request_id]
        kinds = self._kinds.get(refused.shape)
        return sum(
            name != request_id
            and each.until_s >= refused.begun_s
            and each.begun_s <= now_s
            and self._may_be(each, kinds)
            for name, each in self._sent.items()
        )

    def _may_be(self, other: _Sent, kinds: set[Kind] | None) -> bool:
        """Whether it may be of one of these kinds; what is not known may be of any."""
        known = self._kinds.get(other.shape)
        return known is None or kinds is None or not known.isdisjoint(kinds)

    @staticmethod
    def _fewest_of(config: AdmissionConfig) -> int:
        return min(config.in_progress_min, config.in_progress_max)


def _shape(method: str, target: str) -> Shape:
    """Return what all addresses of a pattern share; others may share it as well."""
    parts = target.partition("?")[0].split("/")
    read = "GET" if method == "HEAD" else method
    return read, len(parts), "/".join(parts[:SEGMENTS])
