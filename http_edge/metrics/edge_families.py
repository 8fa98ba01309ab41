"""What the edge has counted, as Prometheus knows it: names, labels and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.measures.histogram import SECONDS, Histogram
from http_edge.metrics.families import counter, gauge, histogram, observe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from http_edge.metrics.edge_counts import EdgeCounts


def edge_families(counts: EdgeCounts) -> Iterator[Metric]:
    """Yield the edge's."""
    yield from _requests(counts)
    shed = counter(
        "http_requests_shed",
        "Requests turned away though nothing was wrong with them.",
        ["listener", "reason"],
    )
    expired = counter(
        "http_requests_expired", "Requests whose deadline passed before their turn.", ["listener"]
    )
    for listener, each in counts.listeners.items():
        expired.add_metric([listener], each.expired)
        for reason, number in each.sheds.items():
            shed.add_metric([listener, reason], number)
    yield shed
    yield expired
    connections = gauge("http_connections", "Open connections.", ["listener"])
    in_progress = gauge(
        "http_requests_in_progress", "Requests that have no answer yet.", ["listener"]
    )
    for listener, connected in counts.connected.items():
        connections.add_metric([listener], len(connected.connections))
        in_progress.add_metric([listener], connected.in_progress())
    yield connections
    yield in_progress
    yield from _admitted(counts)
    if counts.loop_lag is not None:
        lag = histogram(
            "event_loop_lag_seconds",
            "How late a timer of the event loop was, looked at from the first scrape on.",
        )
        observe(lag, [], counts.loop_lag.seconds)
        yield lag


def _admitted(counts: EdgeCounts) -> Iterator[Metric]:
    admitted = gauge("admitted_in_progress", "Requests let in, without an answer yet.", ["kind"])
    admitted_max = gauge("admitted_in_progress_max", "As many may be, at present.", ["kind"])
    service = gauge(
        "service_in_progress",
        "Requests that a service was let have, and its sagas that no client waits for.",
        ["service"],
    )
    if counts.admissions is not None:
        for each in counts.admissions.controls():
            admitted.add_metric([each.name], each.in_progress)
            admitted_max.add_metric([each.name], each.in_progress_max)
        for found in counts.admissions.bulkheads():
            service.add_metric([found.name], found.in_progress + found.left_behind())
    yield from (admitted, admitted_max, service)


def _requests(counts: EdgeCounts) -> Iterator[Metric]:
    labels = ["listener", "route", "method"]
    requests = counter("http_requests", "Requests answered.", [*labels, "status"])
    duration = histogram(
        "http_request_duration_seconds",
        "From the arrival of a request's head to its answer, of those whose address was found.",
        [*labels, "status_class"],
    )
    durations: dict[tuple[str, str, str, str], Histogram] = {}
    for listener, each in counts.listeners.items():
        # Handlers of one path and method may be several: other spellings of one address.
        numbers: dict[tuple[str, str, str, str], int] = {}
        for route, method, status, counted, is_latency in each.requests.items():
            key = listener, route, method, status
            numbers[key] = numbers.get(key, 0) + sum(counted.counts)
            if is_latency:
                of_class = listener, route, method, f"{status[0]}xx"
                durations.setdefault(of_class, Histogram(SECONDS)).add(counted)
        for key, number in numbers.items():
            requests.add_metric(key, number)
    for of_class, counted in durations.items():
        observe(duration, of_class, counted)
    yield requests
    yield duration
