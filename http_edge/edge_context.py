"""What all that answers at one edge shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from http_edge.admissions import Admissions
from http_edge.ask_breakers import AskBreakers
from http_edge.metrics.edge_counts import EdgeCounts
from http_edge.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from actors.config import EdgeConfig
    from http_edge.answer import HttpDate
    from http_edge.served_system import ServedSystem

    # Reads the configuration anew, with this laid over it. Raises ConfigError.
    Reload = Callable[[Mapping[str, Any]], object]


@dataclass(slots=True)
class EdgeContext:
    """`draining` is set once, when the edge drains."""

    system: ServedSystem
    config: EdgeConfig
    date: HttpDate
    admin_token: str
    counts: EdgeCounts = field(default_factory=EdgeCounts)
    log_requests: bool = False
    reload: Reload | None = None
    admissions: Admissions = field(init=False)
    asks: AskBreakers = field(init=False)
    turnstile: Turnstile = field(default_factory=Turnstile)
    draining: bool = False
    # What clients may ask for, "GET /path" each, at whichever listener.
    routes: set[str] = field(default_factory=set)
    _on_drain: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.admissions = self.counts.admissions = Admissions(self.config, self.system.left_behind)
        self.asks = self.counts.asks = AskBreakers(self.system, self.config)

    def on_drain(self, callback: Callable[[], None]) -> None:
        """Call this when the edge drains, to end what has no end; said again, it is the same."""
        if callback not in self._on_drain:
            self._on_drain.append(callback)

    def end_the_endless(self) -> None:
        """Tell everybody who wanted to hear it that the edge drains."""
        for callback in self._on_drain:
            callback()
