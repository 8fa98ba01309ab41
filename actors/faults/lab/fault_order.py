"""One fault of a running system, as a value: what is done where, to how much of it, for how long.

What is wrong with an order is said before anything is touched.
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from actors.errors import FaultRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OrderedKind = Literal[
    "latency",
    "abort",
    "error",
    "hang",
    "drop",
    "duplicate",
    "reorder",
    "partition",
    "kill",
    "suspend",
]
# What of a service it is done to: `arrivals` are requests and messages, `requests` what clients and
# effects ask, the `queries` among them, `messages` what other services send; `handlers` is each run
# of one, `commits` each batch, `effects` each attempt.
Of = Literal[
    "arrivals", "requests", "queries", "messages", "handlers", "commits", "effects", "service"
]
Distribution = Literal["fixed", "uniform", "normal", "lognormal", "pareto"]

Ms = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
# Printable ASCII alone: a line break would end the head of an answer.
HeaderName = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")]
HeaderValue = Annotated[str, msgspec.Meta(pattern=r"\A[\x20-\x7e]{0,1000}\Z")]


class KindRules(msgspec.Struct, frozen=True, kw_only=True):
    """What an order of one kind says: `of` which part of a service (the first, if it says nothing).

    It `needs` some fields and `may` have others; what all may have is not listed.
    """

    of: tuple[Of, ...] = ()
    of_routes: bool = False
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


_WAIT: Final = ("jitter_ms", "distribution")
KINDS: Final[Mapping[OrderedKind, KindRules]] = MappingProxyType(
    {
        "latency": KindRules(
            of=("arrivals", "requests", "queries", "messages", "handlers", "commits", "effects"),
            of_routes=True,
            needs=("latency_ms",),
            may=(*_WAIT, "when"),
        ),
        "abort": KindRules(of_routes=True, needs=("status",), may=("headers", "body")),
        "error": KindRules(of=("handlers", "effects"), may=("when",)),
        "hang": KindRules(of=("handlers", "effects"), may=("when",)),
        "drop": KindRules(of=("messages", "requests", "queries")),
        "duplicate": KindRules(of=("messages",)),
        "reorder": KindRules(of=("messages",), needs=("latency_ms",), may=_WAIT),
        "partition": KindRules(of=("messages",), needs=("sender",), may=("both_ways",)),
        "kill": KindRules(of=("service", "commits"), may=("when", "period_s")),
        "suspend": KindRules(of=("service",)),
    }
)
_STATUSES: Final = frozenset(each.value for each in HTTPStatus)
BODILESS: Final = (204, 205, 304)
# Fields that say how an answer is framed, or by which request.
_OURS: Final = frozenset(
    {"connection", "content-length", "date", "transfer-encoding", "upgrade", "x-request-id"}
)
# What is of some kinds alone.
_OF_SOME: Final = (
    *("latency_ms", *_WAIT, "when", "status", "headers", "body", "both_ways", "period_s"),
)
SELECTING: Final = ("percent", "first", "every", "after", "seed")
_FROM_OTHERS: Final = ("messages",)
# What happens around a point in time has a before and an after.
_AROUND: Final = ("handlers", "commits", "effects")


class FaultOrder(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What is done (`kind`), and to what: a `service`, or a `route` such as "GET /api/v1/rooms".

    Of all that comes by there: of one `replica`, from one `sender`, of one `message_type`, with a
    `header` ("Name", or "Name: value"); of that the first `after` are let be, then each `every`-th
    is meant, and of these `percent`; it is over after the `first` so many. The same `seed` draws
    the same.

    A wait has `latency_ms` on average, and `jitter_ms` as its standard deviation; of a uniform one
    that is half its width. `for_s` is how long it lasts; without, until it is mended; and under a
    lease no longer than somebody renews that each `lease_s`. `by` is who wants it, for the log.
    Raises FaultRefused.
    """

    kind: OrderedKind
    service: Name | None = None
    of: Of | None = None
    replica: Name | None = None
    sender: Name | None = None
    message_type: Name | None = None
    route: Name | None = None
    header: Name | None = None
    latency_ms: Ms | None = None
    jitter_ms: Ms | None = None
    distribution: Distribution | None = None
    when: Literal["before", "after"] | None = None
    both_ways: bool | None = None
    period_s: Seconds | None = None
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    headers: dict[HeaderName, HeaderValue] | None = None
    body: Annotated[str, msgspec.Meta(max_length=65536)] | None = None
    percent: Percent = 100.0
    first: Number | None = None
    every: Number = 1
    after: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    for_s: Seconds | None = None
    lease_s: Seconds | None = None
    by: Annotated[str, msgspec.Meta(max_length=200)] | None = None

    def __post_init__(self) -> None:
        for field, fault in self._faults():
            raise FaultRefused(f"{field}: {fault}", field=field)

    @property
    def part(self) -> Of:
        """What of the service it is done to."""
        if self.of is not None:
            return self.of
        meant = KINDS[self.kind].of
        if self.sender is not None and "messages" in meant:
            return "messages"
        return meant[0]

    def __str__(self) -> str:
        return " ".join([self.kind, *self._amounts(), *self._where(), *self._which()])

    # --- Inside ------------------------------------------------------------------------------

    def _faults(self) -> Iterator[tuple[str, str]]:
        """Yield the fields that do not fit, and why."""
        rules = KINDS[self.kind]
        yield from self._faults_of_place(rules)
        for field in rules.needs:
            if getattr(self, field) is None:
                yield field, f"{self.kind} needs it"
        for field in _OF_SOME:
            if getattr(self, field) is not None and field not in (*rules.needs, *rules.may):
                yield field, f"{self.kind} has none"
        yield from self._faults_of_answer()
        if self.distribution == "fixed" and self.jitter_ms:
            yield "jitter_ms", "what is fixed has none"
        if self.distribution not in {None, "fixed"} and not self.jitter_ms:
            yield "jitter_ms", f"a {self.distribution} latency needs it"
        if self.distribution in {"lognormal", "pareto"} and not self.latency_ms:
            yield "latency_ms", f"a {self.distribution} latency is more than 0"

    def _faults_of_answer(self) -> Iterator[tuple[str, str]]:
        if self.status is not None and self.status not in _STATUSES:
            yield "status", f"HTTP knows no {self.status}"
        if self.status in BODILESS and self.body:
            yield "body", f"a {self.status} has none"
        for name in self.headers or ():
            if name.lower() in _OURS:
                yield "headers", f"{name} is the edge's own to say"

    def _faults_of_place(self, rules: KindRules) -> Iterator[tuple[str, str]]:
        if self.route is not None:
            if not rules.of_routes:
                yield "route", f"{self.kind} is done to a service: name one"
            for field in ("service", "of", "replica", "sender", "message_type", "when"):
                if getattr(self, field) is not None:
                    yield field, "a route has none: name the one or the other"
            return
        if self.service is None:
            places = "a service" if rules.of else ""
            places += (" or " if places else "") + "a route" if rules.of_routes else ""
            yield "service" if rules.of else "route", f"{self.kind} is done to {places}: name one"
            return
        if not rules.of:
            yield "service", f"{self.kind} is done to a route: name one"
            return
        if self.header is not None:
            yield "header", "it goes with a route"
        yield from self._faults_of_part(rules)

    def _faults_of_part(self, rules: KindRules) -> Iterator[tuple[str, str]]:
        if self.of is not None and self.of not in rules.of:
            yield "of", f"{self.kind} is of {', '.join(rules.of)}"
        part = self.part
        if self.sender is not None and part not in _FROM_OTHERS:
            yield "sender", "it goes with of: messages"
        if self.when is not None and part not in _AROUND:
            yield "when", f"it goes with of: {', '.join(each for each in _AROUND)}"
        if self.when == "after" and (self.kind, part) == ("latency", "commits"):
            yield "when", "a commit's latency is before it"
        if part == "service":
            for field in ("message_type", *SELECTING):
                if getattr(self, field) != getattr(_PLAIN, field, None):
                    yield field, f"{self.kind} strikes whoever is there, and draws nothing"
        elif self.period_s is not None:
            yield "period_s", "it goes with of: service"

    def _amounts(self) -> Iterator[str]:
        if self.latency_ms is not None:
            yield f"{self.latency_ms:g} ms"
        if self.jitter_ms:
            yield f"± {self.jitter_ms:g} ms ({self.distribution or 'uniform'})"
        if self.status is not None:
            yield str(self.status)
        if self.period_s is not None:
            yield f"every {self.period_s:g} s"

    def _where(self) -> Iterator[str]:
        if self.route is not None:
            yield f"at {self.route}"
            if self.header is not None:
                yield f"with {self.header}"
            return
        if self.when is not None:
            yield self.when
        if self.part != "service":
            yield f"of {self.part}"
        if self.message_type is not None:
            yield self.message_type
        if self.sender is not None:
            yield f"from {self.sender}"
        yield f"{'and' if self.both_ways else 'at'} {self.replica or self.service}"

    def _which(self) -> Iterator[str]:
        if self.percent != _PLAIN.percent:
            yield f"{self.percent:g} %"
        if self.after:
            yield f"after {self.after}"
        if self.every != _PLAIN.every:
            yield f"each {self.every}."
        if self.first is not None:
            yield f"the first {self.first}"


class _Plain(msgspec.Struct, frozen=True):
    """What an order says that says nothing of which."""

    percent: float = 100.0
    first: None = None
    every: int = 1
    after: int = 0
    seed: None = None
    message_type: None = None


_PLAIN: Final = _Plain()
