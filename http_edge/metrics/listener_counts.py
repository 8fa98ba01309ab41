"""What one listener has counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from http_edge.metrics.request_counts import RequestCounts
from http_edge.metrics.shed_counts import ShedCounts


@dataclass(slots=True)
class ListenerCounts:
    """Made by its gateway. `expired` are requests whose deadline passed before their turn came."""

    requests: RequestCounts = field(default_factory=RequestCounts)
    sheds: ShedCounts = field(default_factory=ShedCounts)
    expired: int = 0
