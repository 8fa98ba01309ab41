"""Delays that grow, with full jitter, so that what failed together does not return together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.kernel.rng import Rng


def full_jitter_s(rng: Rng, failures: int, *, min_s: float, max_s: float) -> float:
    """Draw the delay before retry number `failures`, in seconds; the first retry is immediate.

    Uniform over [0, min(max_s, min_s * 2**(failures - 2))]: "full jitter" of M. Brooker,
    "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """
    if failures <= 1:
        return 0.0
    exponent = min(failures - 2, 63)  # beyond that the cap has long decided, and floats overflow
    return rng.uniform(0.0, min(max_s, min_s * 2.0**exponent))
