"""What the system's actors and services have counted, as Prometheus knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from actors.kernel.stats import ActorState
from actors.resilience.breaker import State as BreakerState
from http_edge.metrics.families import counter, gauge, histogram, observe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.core import GaugeMetricFamily, Metric

    from actors.measures.export_counts import ExportCounts
    from actors.measures.measured import (
        Measured,
        MeasuredActor,
        MeasuredLane,
        MeasuredRemote,
        MeasuredService,
    )
    from http_edge.ask_breakers import AskBreaker

# A service with a store has a lane for each; where there is one, all have it.
LANES: Final = ("command", "query")


def system_families(measured: Measured, asks: Iterable[AskBreaker] = ()) -> Iterator[Metric]:
    """Yield the system's, and the breakers of what its edge `asks`."""
    asked = gauge("asks_in_progress", "Asks of clients that have no answer yet.")
    asked.add_metric([], measured.asks)
    yield asked
    share = gauge(
        "background_share_ratio",
        "The part of the work that what no client waits for may have; 1: it gives way to nobody.",
    )
    share.add_metric([], measured.background_share)
    yield share
    yield from _actors(measured.actors)
    yield from _lanes(measured.actors)
    yield from _stores(measured.services)
    yield from _caches(measured.services)
    yield from _effects(measured.services)
    if measured.remotes:
        yield from _remotes(measured.remotes)
    if measured.spans is not None:
        yield from _spans(measured.spans)
    yield from _breakers(measured, asks)


def _actors(actors: Iterable[MeasuredActor]) -> Iterator[Metric]:
    state = gauge("actor_state", "1 for the state that it is in.", ["actor", "state"])
    restarts = counter("actor_restarts", "Restarts, by what ended it.", ["actor", "cause"])
    messages = counter("messages", "Messages that were accepted and ended.", ["actor", "outcome"])
    rejected = counter("messages_rejected", "Messages that were not accepted.", ["actor"])
    expired = counter(
        "messages_expired", "What was not done in its time, by where it waited.", ["actor", "place"]
    )
    for each in actors:
        _one_of(state, [each.name], get_args(ActorState), each.state)
        for cause, number in each.restarts.items():
            restarts.add_metric([each.name, cause], number)
        messages.add_metric([each.name, "handled"], each.handled)
        messages.add_metric([each.name, "refused"], each.refused)
        messages.add_metric([each.name, "dead_lettered"], each.dead_lettered)
        messages.add_metric([each.name, "handed_over"], each.handed_over)
        rejected.add_metric([each.name], each.rejected)
        for place, number in each.expired.items():
            expired.add_metric([each.name, place], number)
    yield from (state, restarts, messages, rejected, expired)


def _lanes(actors: Iterable[MeasuredActor]) -> Iterator[Metric]:
    labels = ["actor", "lane"]
    queued = gauge("mailbox_messages", "Messages that wait for their turn.", labels)
    queued_max = gauge("mailbox_messages_max", "As many may wait; more are refused.", labels)
    in_progress = gauge("messages_in_progress", "Messages in hand.", labels)
    wait = histogram("message_wait_seconds", "From acceptance until it was taken.", labels)
    batches = histogram("batch_messages", "Messages that were taken together.", labels)
    for actor in actors:
        for lane in actor.lanes:
            values = [actor.name, _name_of(lane, actor.lanes)]
            queued.add_metric(values, lane.queued)
            queued_max.add_metric(values, lane.capacity)
            in_progress.add_metric(values, lane.in_hand)
            if lane.measures is not None:
                observe(wait, values, lane.measures.wait_s)
                observe(batches, values, lane.measures.batches)
    yield from (queued, queued_max, in_progress, wait, batches)


def _stores(services: Iterable[MeasuredService]) -> Iterator[Metric]:
    answered = gauge(
        "store_answered",
        "1 where it said in time how many dead letters it has, and how old what waits is.",
        ["service"],
    )
    commit = histogram("commit_duration_seconds", "SQLite's COMMIT, disk included.", ["service"])
    letters = gauge("dead_letters", "Dead letters that are kept.", ["service"])
    outbox = gauge("outbox_messages", "Messages not applied yet.", ["service", "receiver"])
    age = gauge("outbox_age_seconds", "Age of the oldest of them.", ["service", "receiver"])
    for each in services:
        answered.add_metric([each.name], each.answered)
        observe(commit, [each.name], each.commit_s)
        if each.letters is not None:
            letters.add_metric([each.name], each.letters)
        for channel in each.channels:
            outbox.add_metric([each.name, channel.receiver], channel.messages)
            if channel.age_s is not None:
                age.add_metric([each.name, channel.receiver], channel.age_s)
    yield from (answered, commit, letters, outbox, age)


def _caches(services: Iterable[MeasuredService]) -> Iterator[Metric]:
    labels = ["service", "query"]
    asked = counter("cache_questions", "Questions of cached queries.", [*labels, "outcome"])
    gone = counter("cache_forgotten", "Answers that were not kept on.", [*labels, "reason"])
    entries = gauge("cache_entries", "Answers that are kept.", labels)
    entry_bytes = gauge("cache_bytes", "Of them and their questions, packed.", labels)
    for service in services:
        for query, counts in service.caches.items():
            values = [service.name, query]
            asked.add_metric([*values, "hit"], counts.hits)
            asked.add_metric([*values, "miss"], counts.misses)
            asked.add_metric([*values, "waited"], counts.waits)
            gone.add_metric([*values, "changed"], counts.forgotten)
            gone.add_metric([*values, "evicted"], counts.evicted)
            gone.add_metric([*values, "overtaken"], counts.overtaken)
            entries.add_metric(values, counts.entries)
            entry_bytes.add_metric(values, counts.entry_bytes)
    yield from (asked, gone, entries, entry_bytes)


def _effects(services: Iterable[MeasuredService]) -> Iterator[Metric]:
    labels = ["service", "effect"]
    running = gauge("effects_in_progress", "Effects that have not ended.", ["service"])
    ends = counter("effects", "Effects that ended.", [*labels, "outcome"])
    attempts = counter("effect_attempts", "Attempts of effects.", [*labels, "outcome"])
    retries = counter("effect_retries", "Attempts that follow a failed one.", labels)
    refused = counter(
        "effect_retries_refused", "Such that were not made, as their budget was spent.", labels
    )
    for service in services:
        running.add_metric([service.name], service.effects_running)
        for effect, counts in service.effects.items():
            values = [service.name, effect]
            for outcome, number in counts.ends.items():
                ends.add_metric([*values, outcome], number)
            for outcome, number in counts.attempts.items():
                attempts.add_metric([*values, outcome], number)
            retries.add_metric(values, counts.retries)
            refused.add_metric(values, counts.retries_refused)
    yield from (running, ends, attempts, retries, refused)


def _remotes(remotes: Iterable[MeasuredRemote]) -> Iterator[Metric]:
    requests = counter(
        "remote_requests", "Requests to remote services that ended.", ["service", "outcome"]
    )
    duration = histogram("remote_request_duration_seconds", "Of those that were made.", ["service"])
    retries = counter("remote_retries", "Requests that follow a failed one.", ["service"])
    refused = counter(
        "remote_retries_refused", "Such that were not made: their budget was spent.", ["service"]
    )
    for each in remotes:
        for outcome, number in each.counts.outcomes.items():
            requests.add_metric([each.name, outcome], number)
        observe(duration, [each.name], each.counts.request_s)
        retries.add_metric([each.name], each.counts.retries)
        refused.add_metric([each.name], each.counts.retries_refused)
    yield from (requests, duration, retries, refused)


def _spans(counts: ExportCounts) -> Iterator[Metric]:
    ended = counter("trace_spans", "Spans that were to leave for a collector.", ["outcome"])
    for outcome in ("sent", "failed", "dropped"):
        ended.add_metric([outcome], getattr(counts, outcome))
    waiting = gauge("trace_spans_waiting", "Spans that are to be sent.")
    waiting.add_metric([], counts.waiting)
    yield from (ended, waiting)


def _breakers(measured: Measured, asks: Iterable[AskBreaker]) -> Iterator[Metric]:
    labels = ["service", "dependency"]
    state = gauge("breaker_state", "1 for the state that it is in.", [*labels, "state"])
    openings = counter("breaker_openings", "How often it opened.", labels)
    forced = gauge("breaker_forced", "1 while an operator forces its state.", labels)
    for name, each in [
        *((service.name, each) for service in measured.services for each in service.breakers),
        *((remote.name, remote.breaker) for remote in measured.remotes),
        *((ask.service, ask.measured()) for ask in asks),
    ]:
        values = [name, each.dependency]
        _one_of(state, values, get_args(BreakerState), each.state)
        openings.add_metric(values, each.openings)
        forced.add_metric(values, float(each.forced))
    yield from (state, openings, forced)


def _one_of(
    family: GaugeMetricFamily, labels: Sequence[str], states: Iterable[str], state: str
) -> None:
    for each in states:
        family.add_metric([*labels, each], float(each == state))


def _name_of(lane: MeasuredLane, lanes: Sequence[MeasuredLane]) -> str:
    return LANES[lane.index] if len(lanes) == len(LANES) else "all"
