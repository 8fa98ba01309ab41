"""When requests are to be sent: open loop, by the clock alone, whatever was answered so far.

Pure functions of their arguments. Seconds are since the phase's beginning, and never go backwards.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from actors.load.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from actors.kernel.rng import Rng


class Arrival(NamedTuple):
    """One request's time, in seconds since the beginning; `request` names which, if that is set."""

    at_s: float
    request: str | None = None


def poisson_arrivals(rate: float, duration_s: float, rng: Rng) -> Iterator[Arrival]:
    """Yield independent arrivals: exponential gaps of mean 1 / `rate`, as of many users at once."""
    at_s = rng.expovariate(rate)
    while at_s < duration_s:
        yield Arrival(at_s)
        at_s += rng.expovariate(rate)


def constant_arrivals(rate: float, duration_s: float) -> Iterator[Arrival]:
    """Yield one arrival every 1 / `rate` seconds, the first at once."""
    # Multiplied, for a sum of gaps drifts.
    for number in range(math.ceil(rate * duration_s)):
        yield Arrival(number / rate)


def trace_arrivals(lines: Iterable[str]) -> Iterator[Arrival]:
    """Yield what a trace says: a line each, `SECONDS [REQUEST]`; blank ones and `#` say nothing.

    Raises LoadError with the line's number, where it is no time or one before the line above.
    """
    before_s = 0.0
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            at_s = float(words[0])
        except ValueError:
            at_s = math.nan
        if not (math.isfinite(at_s) and before_s <= at_s) or len(words) > len(("s", "request")):
            raise LoadError(
                f"line {number} of the trace is {line.strip()!r}: write SECONDS [REQUEST], seconds "
                f"since the beginning, and not before the line above ({before_s:g})"
            )
        before_s = at_s
        yield Arrival(at_s, words[1] if words[1:] else None)
