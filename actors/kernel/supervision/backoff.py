"""Delays that grow, with jitter, so that what failed together does not return together.

The jitter is M. Brooker's, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.kernel.rng import Rng


def full_jitter_s(rng: Rng, failures: int, *, min_s: float, max_s: float) -> float:
    """Draw the delay before retry number `failures`, in seconds; the first retry is immediate.

    Uniform over [0, min(max_s, min_s * 2**(failures - 2))].
    """
    return rng.uniform(0.0, _bound_s(failures, min_s, max_s)) if failures > 1 else 0.0


def doubled_s(times: int, *, min_s: float, max_s: float) -> float:
    """Return the delay after so many times in a row, in seconds: twice as long each time.

    For who alone asks somebody in the same process: there is no crowd to keep apart.
    """
    return _bound_s(times + 1, min_s, max_s)


def _bound_s(failures: int, min_s: float, max_s: float) -> float:
    exponent = min(failures - 2, 63)  # beyond that the cap has long decided, and floats overflow
    return min(max_s, min_s * 2.0**exponent)
