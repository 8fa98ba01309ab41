"""What `/metrics` says of a process is what its clients were told, and what its files hold.

What it has counted is known from outside within bounds: what a client has an answer to was counted,
and nothing was that nobody has sent. Effects, restarts and what services have run are known to the
oracle from where they happen.
"""

from __future__ import annotations

import re
from collections import Counter
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from actors.errors import MessageExpired

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from actors.simulation.oracles.handled import Handled
    from actors.simulation.oracles.http_contract import HttpAnswer

# Before each name that is not Python's or the process's.
OURS: Final = "dress_rehearsal_"
# What only grows: of a histogram the buckets do as well, but they are most of the text.
GROWING: Final = ("_total", "_count", "_sum")
SAMPLE: Final = re.compile(rf"{OURS}(\w+)(?:\{{(.*)\}})? (\S+)")
LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

GATEWAY: Final = "gateway"
METRICS: Final = "/metrics"
# What was refused before its address was looked for, or has none, is counted as of nowhere.
NOWHERE: Final = "none"
EARLY: Final = frozenset({400, 404, 405, 408, 413, 417, 421, 422, 431, 503, 504})
# What bytes of somebody's own ask for as well: of all others every request is known.
ROUGHLY: Final = ("/healthz", "/readyz", "/admin", "/metrics")
# Of a "no" the kind of its problem, and as what it may be counted. Whoever asks a service that is
# not up hears the same as one who asks for nobody, which counts as no shed.
REASONS: Final[dict[str, frozenset[str]]] = {
    "too-many-connections": frozenset({"no_place"}),
    "deadline-exceeded": frozenset({"deadline"}),
    "overloaded": frozenset({"overloaded"}),
    "service-overloaded": frozenset({"service_overloaded"}),
    "mailbox-full": frozenset({"mailbox_full", "outbox_full", "other"}),
    "starting": frozenset({"starting"}),
    "not-answering": frozenset({"not_answering"}),
    "remote-failed": frozenset({"remote_failed"}),
    "actor-stopped": frozenset({"stopped"}),
    "store-refused": frozenset({"store_full"}),
}

# What clients ask of a service has breakers too; who was answered there, it is not told.
ASKED: Final = frozenset({"commands", "queries"})

# An address as its table has it, and a method; and a status.
Route = tuple[str, str]
Answers = tuple[str, str, int]
# A service, and an effect of its.
Effect = tuple[str, str]


class Series(NamedTuple):
    """One number, its name without what is before all of ours."""

    name: str
    labels: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return self.name + "".join(f" {value}" for _, value in self.labels)


class Scrape:
    """All samples but the buckets of histograms."""

    def __init__(self, text: str) -> None:
        """Read a scrape. Raises ValueError for a line that is none of one."""
        self.samples: dict[Series, float] = {}
        for line in text.splitlines():
            if line.startswith("#") or "_bucket{" in line:
                continue
            found = SAMPLE.fullmatch(line)
            if found is None:
                raise ValueError(f"no sample: {line}")
            name, labels, value = found.groups()
            self.samples[Series(name, tuple(LABEL.findall(labels or "")))] = float(value)

    def of(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """Yield the labels and the value of each sample of that name."""
        for sample, value in self.samples.items():
            if sample.name == name:
                yield dict(sample.labels), value

    def fallen(self, earlier: Mapping[Series, float], left: AbstractSet[str]) -> Iterator[str]:
        """Yield what is less than it was, or gone, of what only grows.

        Of actors that have `left` it may be gone.
        """
        for sample, before in earlier.items():
            if not sample.name.endswith(GROWING):
                continue
            now = self.samples.get(sample)
            if now is None and dict(sample.labels).get("actor") in left:
                continue
            if now is None:
                yield f"{sample} was {before:g}, and is gone"
            elif now < before:
                yield f"{sample} was {before:g}, and is {now:g}"


class _Request(NamedTuple):
    method: str
    path: str


class Known(NamedTuple):
    """What was known to have been counted when somebody asked: of a process that began then."""

    since_s: float
    heard: Counter[tuple[_Request, int]]
    elsewhere: Counter[tuple[str, int]]
    shed: Counter[str]
    restarts: Counter[str]


class MetricsOracle:
    """One process after the other: each has counted what came to it, and nothing before it."""

    def __init__(self) -> None:
        """No process runs."""
        self._since_s = inf
        self._routes: AbstractSet[Route] = frozenset()
        # By the requests' ids: those whose client has no answer (yet), whoever may have counted it.
        self._unheard: dict[str, _Request] = {}
        self._last: Scrape | None = None
        self._last_s = inf
        self._at_rest: Scrape | None = None
        # Actors that are gone while their process goes on, and what they had counted.
        self._gone: set[str] = set()
        self._gone_at: dict[Series, float] = {}
        self._clear()

    def begin(self, routes: AbstractSet[Route], now_s: float) -> None:
        """Hear that another process begins, and which addresses its systems have declared."""
        self._since_s = now_s
        self._routes = routes
        self._last = self._at_rest = None
        self._gone.clear()
        self._gone_at.clear()
        self._clear()

    def left_for_good(self, actor: str) -> None:
        """Hear that it is gone, while its process goes on; another may be called so."""
        self._gone.add(actor)

    def sends(self, request_id: str, method: str, target: str) -> None:
        """Hear that a client is about to ask the gateway."""
        self._unheard[request_id] = _Request(method, target.partition("?")[0])

    def answered(self, seen: HttpAnswer, begun_s: float) -> None:
        """Hear what a client was answered who has asked at that time, at the gateway or not."""
        if begun_s < self._since_s:  # whichever process it was
            return
        if seen.port is None:
            request = self._unheard.pop(seen.request_id, None)
            # Of bytes of somebody's own no address is known; a scrape has not counted itself.
            if request is None or request.path == METRICS:
                return
            self._heard[request, seen.status] += 1
        else:
            self._elsewhere[seen.method, seen.status] += 1
            return
        said = seen.body if isinstance(seen.body, dict) and seen.status in {503, 504} else {}
        kind = str(said.get("type")).rpartition("/")[2]
        if kind in REASONS:
            self._shed[kind] += 1

    def restarted(self, actor: str) -> None:
        """Hear that an actor was started again."""
        self._restarts[actor] += 1

    def succeeded(self, store: str, what: str, now_s: float) -> None:
        """Hear that an attempt of an effect has succeeded."""
        self._succeeded[store, what] += 1
        self._answered_s[store, what] = now_s

    def tried(self, store: str, what: str, now_s: float) -> None:
        """Hear that an effect is about to ask the outside world."""
        self._tried[store, what] += 1
        self._answered_s.setdefault((store, what), now_s)

    def failed(
        self, store: str, what: str, now_s: float, *, silent: bool, silence_s: float
    ) -> None:
        """Hear that an attempt has failed; it was `silent` where nothing was said to it.

        Only who has said no, or nothing to anybody for half of `silence_s`, may be left alone.
        """
        if not silent or now_s - self._answered_s.get((store, what), -inf) > silence_s / 2:
            self._may_open.add((store, what))

    def hear(self, store: str, batch: Sequence[Handled]) -> None:
        """Hear what was committed, of that what another service has sent too late."""
        self._expired[store] += sum(isinstance(each.outcome, MessageExpired) for each in batch)

    def known(self) -> Known:
        """Return what a scrape that is asked for now has to show."""
        return Known(
            self._since_s,
            self._heard.copy(),
            self._elsewhere.copy(),
            self._shed.copy(),
            self._restarts.copy(),
        )

    def scraped(
        self,
        text: str,
        known: Known,
        begun_s: float,
        now_s: float,
        *,
        links_whole: bool,
        at_rest: bool = False,
    ) -> Iterator[str]:
        """Hear what was said to who asked then, when so much was known; yield what is not so.

        Where no link ever was broken, nobody has sent anything twice. `at_rest`, all that was begun
        has ended.
        """
        if known.since_s != self._since_s:  # whichever process has answered
            return
        scrape = Scrape(text)
        if self._last is not None and self._last_s <= begun_s:
            # Whoever is called as one that has left counts on where that one ended.
            earlier = {**self._gone_at, **self._last.samples}
            yield from scrape.fallen(earlier, self._gone)
            lost = earlier.keys() - scrape.samples.keys()
            self._gone_at = {each: earlier[each] for each in lost}
        self._last, self._last_s = scrape, now_s
        yield from self._requests(scrape, known, links_whole=links_whole)
        yield from self._sheds(scrape, known, links_whole=links_whole)
        for labels, number in scrape.of("breaker_openings_total"):
            key = labels["service"], labels["dependency"]
            if number and key[1] not in ASKED and key not in self._may_open:
                yield f"{key[0]}: {key[1]} was left alone, though some of it was always answered"
        restarts = _sums(scrape, "actor_restarts_total", "actor")
        for actor, number in known.restarts.items():
            if actor in self._gone and actor not in restarts:
                continue  # it counts on where it ended, when another is called so
            if restarts.get(actor, 0) < number:
                yield f"{actor} was restarted {number} times, and not {restarts.get(actor, 0):g}"
        if at_rest:
            self._at_rest = scrape
            yield from self._ended(scrape)

    def left(self, letters: Mapping[str, Sequence[object]]) -> Iterator[str]:
        """Yield what the scrape at rest has said that is not in the files; `letters` are theirs."""
        scrape = self._at_rest
        if scrape is None:
            return
        shown = _sums(scrape, "dead_letters", "service")
        for store, rows in letters.items():
            if store in shown and shown[store] != len(rows):
                yield f"{store} is said to keep {shown[store]:g} dead letters, and has {len(rows)}"
        for labels, number in scrape.of("outbox_messages"):
            if number:
                yield f"{number:g} messages of {labels['service']} are said to wait at rest"

    # --- Inside ------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._heard: Counter[tuple[_Request, int]] = Counter()
        self._elsewhere: Counter[tuple[str, int]] = Counter()
        self._shed: Counter[str] = Counter()
        self._restarts: Counter[str] = Counter()
        self._tried: Counter[Effect] = Counter()
        self._succeeded: Counter[Effect] = Counter()
        self._expired: Counter[str] = Counter()
        # When each effect was answered last, or asked first; and whose breaker may have opened.
        self._answered_s: dict[Effect, float] = {}
        self._may_open: set[Effect] = set()

    def _requests(self, scrape: Scrape, known: Known, *, links_whole: bool) -> Iterator[str]:
        counted: Counter[Answers] = Counter()
        elsewhere: Counter[tuple[str, int]] = Counter()
        for labels, number in scrape.of("http_requests_total"):
            method, status = labels["method"], int(labels["status"])
            if labels["listener"] == GATEWAY:
                counted[labels["route"], method, status] += int(number)
            else:
                elsewhere[method, status] += int(number)
        routes = _Routes(self._routes | {(route, method) for route, method, _ in counted})
        yield from _too_few(counted, routes.by_route(known.heard))
        for (method, status), number in known.elsewhere.items():
            shown = elsewhere[method, status]
            if shown < number:
                yield f"{method} was answered {status} {number} times elsewhere, not {shown}"
        if links_whole:
            yield from self._too_many(routes, counted)

    def _too_many(self, routes: _Routes, counted: Mapping[Answers, int]) -> Iterator[str]:
        """Nothing is counted that nobody has sent."""
        most: Counter[Route] = Counter()
        for (route, method, _), number in routes.by_route(self._heard).items():
            most[route, method] += number
        for request in self._unheard.values():
            most[routes.of(request), request.method] += 1
        sums: Counter[Route] = Counter()
        for (route, method, _), number in counted.items():
            sums[route, method] += number
        for (route, method), number in sums.items():
            if route in {NOWHERE, "/"} or route.startswith(ROUGHLY):
                continue
            if number > most[route, method]:
                sent = most[route, method]
                yield f"{method} {route} was answered {number} times, and sent {sent} times"

    def _sheds(self, scrape: Scrape, known: Known, *, links_whole: bool) -> Iterator[str]:
        shed = {
            labels["reason"]: number
            for labels, number in scrape.of("http_requests_shed_total")
            if labels["listener"] == GATEWAY
        }
        for kind, number in known.shed.items():
            shown = sum(shed.get(reason, 0.0) for reason in REASONS[kind])
            if shown < number:
                yield f"{number} were turned away for {kind}, and not {shown:g}"
        unheard = len(self._unheard)
        heard = self._shed["overloaded"]
        if links_whole and shed.get("overloaded", 0.0) > heard + unheard:
            yield f"{heard} were turned away as overloaded, and not {shed['overloaded']:g}"
        late = shed.get("deadline", 0.0)
        for labels, expired in scrape.of("http_requests_expired_total"):
            if labels["listener"] == GATEWAY and expired > late:
                yield f"{expired:g} requests have expired, and {late:g} were late"

    def _ended(self, scrape: Scrape) -> Iterator[str]:
        """Of what has ended each is counted once."""
        succeeded: Counter[Effect] = Counter()
        tried: Counter[Effect] = Counter()
        for labels, number in scrape.of("effect_attempts_total"):
            key = labels["service"], labels["effect"]
            tried[key] += int(number)
            if labels["outcome"] == "succeeded":
                succeeded[key] += int(number)
        for key in sorted({*succeeded, *self._succeeded}):
            if succeeded[key] != self._succeeded[key]:
                what = f"{self._succeeded[key]} times, and not {succeeded[key]}"
                yield f"{key[0]}: {key[1]} has succeeded {what}"
        for key, number in self._tried.items():
            if tried[key] < number:
                yield f"{key[0]}: {key[1]} was tried {number} times, and not {tried[key]}"
        expired = {
            labels["actor"]: number
            for labels, number in scrape.of("messages_expired_total")
            if labels["place"] == "channel"
        }
        for store in sorted({*expired, *self._expired}):
            shown, heard = int(expired.get(store, 0)), self._expired[store]
            # Who was killed behind the commit has counted nothing of it.
            if shown > heard or (shown < heard and not self._restarts[store]):
                what = f"{self._expired[store]} messages, and not {expired.get(store, 0):g}"
                yield f"{store} has let {what} expire"


def _too_few(counted: Mapping[Answers, int], heard: Mapping[Answers, int]) -> Iterator[str]:
    """Yield the answers that were not counted, where they belong or, of some, as of nowhere."""
    spare: Counter[int] = Counter()
    for (route, _, status), number in counted.items():
        if route == NOWHERE:
            spare[status] += number
    for (route, method, status), number in heard.items():
        shown = 0 if route == NOWHERE else counted.get((route, method, status), 0)
        lacking = max(0, number - shown)
        if route == NOWHERE or status in EARLY:
            spare[status] -= lacking
        elif lacking:
            yield f"{method} {route} was answered {status} {number} times, and not {shown}"
    for status, number in spare.items():
        if number < 0:
            yield f"{-number} answers of {status} were not counted at all"


class _Routes:
    """Addresses as a table has them: `{}` stands for one segment, what is literal goes first."""

    def __init__(self, known: AbstractSet[Route]) -> None:
        self._known = [(route.split("/"), route, method) for route, method in known]
        self._found: dict[_Request, str] = {}

    def of(self, request: _Request) -> str:
        """Return the most literal one that has the request."""
        found = self._found.get(request)
        if found is None:
            parts = request.path.split("/")
            matches = [
                (sum(each.startswith("{") for each in pattern), route)
                for pattern, route, method in self._known
                if method == request.method and _fits(pattern, parts)
            ]
            found = self._found[request] = min(matches)[1] if matches else NOWHERE
        return found

    def by_route(self, heard: Mapping[tuple[_Request, int], int]) -> Counter[Answers]:
        """Return how many answers came by route, method and status."""
        found: Counter[Answers] = Counter()
        for (request, status), number in heard.items():
            found[self.of(request), request.method, status] += number
        return found


def _fits(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    if pattern[-1].endswith("*}"):  # all that follows
        pattern, parts = pattern[:-1], parts[: len(pattern) - 1]
    return len(pattern) == len(parts) and all(
        one.startswith("{") or one == other for one, other in zip(pattern, parts, strict=True)
    )


def _sums(scrape: Scrape, name: str, label: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for labels, number in scrape.of(name):
        found[labels[label]] = found.get(labels[label], 0.0) + number
    return found
