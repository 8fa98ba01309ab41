"""A stretch of a load with figures of its own: open loop at a rate, or closed loop by clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from actors.load.arrivals import Arrival, constant_arrivals, poisson_arrivals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from actors.kernel.rng import Rng

Pace = Literal["poisson", "constant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoop:
    """Requests at `rate` a second for `duration_s`, whatever becomes of them."""

    rate: float
    duration_s: float
    pace: Pace = "poisson"

    def __str__(self) -> str:
        return f"{self.rate:g}/s {self.pace}"

    def arrivals(self, rng: Rng) -> Iterable[Arrival]:
        """Return when each is to be sent."""
        if self.pace == "constant":
            return constant_arrivals(self.rate, self.duration_s)
        return poisson_arrivals(self.rate, self.duration_s, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLoop:
    """Requests at the times of a trace, and those that it names, whatever becomes of them."""

    trace: tuple[Arrival, ...]

    def __str__(self) -> str:
        return f"a trace of {len(self.trace)}"

    @property
    def duration_s(self) -> float:
        """Seconds until the last of them."""
        return self.trace[-1].at_s if self.trace else 0.0

    def arrivals(self, rng: Rng) -> Iterable[Arrival]:
        """Return when each is to be sent: nothing is drawn."""
        del rng
        return self.trace


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoop:
    """Clients that each wait for an answer, think, and ask again, for `duration_s`.

    Thinking takes exponential times of mean `think_s`, ten times that at most (TPC-C 5.2.5.4).
    """

    clients: int
    duration_s: float
    think_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.clients} clients, {self.think_s:g} s think time"


LoadPhase = OpenLoop | TraceLoop | ClosedLoop


def stepped(rates: Sequence[float], each_s: float, pace: Pace = "poisson") -> list[OpenLoop]:
    """Return a phase for each rate, so that each step has its own figures."""
    return [OpenLoop(rate=rate, duration_s=each_s, pace=pace) for rate in rates]
