"""What all listeners of an edge have counted, and who is connected to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sized

    from http_edge.admissions import Admissions
    from http_edge.ask_breakers import AskBreaker
    from http_edge.metrics.listener_counts import ListenerCounts
    from http_edge.metrics.loop_lag import LoopLag


class Connected(Protocol):
    """What makes a listener's connections."""

    @property
    def connections(self) -> Sized: ...

    def in_progress(self) -> int:
        """How many requests have no answer yet."""
        ...


@dataclass(slots=True)
class EdgeCounts:
    """By the listeners' names; `loop_lag` is None where time is not the machine's."""

    loop_lag: LoopLag | None = None
    listeners: dict[str, ListenerCounts] = field(default_factory=dict)
    connected: dict[str, Connected] = field(default_factory=dict)
    admissions: Admissions | None = None
    asks: Iterable[AskBreaker] = ()
