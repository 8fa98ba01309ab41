"""How long a fault makes somebody wait: five distributions by their mean and deviation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.faults.lab.fault_order import FaultOrder
    from actors.kernel.rng import Rng


def wait_s(order: FaultOrder, rng: Rng) -> float:
    """Draw a wait in seconds; one draw of the generator or two, whatever comes of it.

    The parameters of the skewed ones follow from mean m and standard deviation s: of the lognormal,
    variance ln(1 + s²/m²) of the logarithm; of Pareto's, shape 1 + √(1 + m²/s²). Negative ones of
    the normal and the uniform are none: 0.
    """
    mean, spread = order.latency_ms or 0.0, order.jitter_ms or 0.0
    distribution = order.distribution or ("uniform" if spread else "fixed")
    match distribution:
        case "uniform":
            ms = rng.uniform(mean - spread, mean + spread)
        case "normal":
            ms = rng.normalvariate(mean, spread)
        case "lognormal":
            variance = math.log1p((spread / mean) ** 2)
            ms = rng.lognormvariate(math.log(mean) - variance / 2, math.sqrt(variance))
        case "pareto":
            shape = 1 + math.sqrt(1 + (mean / spread) ** 2)
            ms = mean * (shape - 1) / shape * rng.paretovariate(shape)
        case _:
            ms = mean
    return max(0.0, ms / 1000)
