"""When whoever was refused is heard again: so many of them a second, however many there are.

A refusal costs time as well, and who comes again at once is refused again: of thousands that do
not wait, that is a share of the machine which those who were let in lack.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.config import AdmissionConfig


class ReturnTimes:
    """Gives each its turn, `1 / returns_per_s` after the one before, and `rest_s` at the soonest.

    Nobody waits for longer than `rest_s_max`: from there on turns are given between earlier ones.
    """

    def __init__(self, config: AdmissionConfig) -> None:
        """Nobody was refused."""
        self._config = config
        self._next_s = -math.inf

    def rest_s(self, now_s: float) -> float:
        """Return how long one who is refused now is to stay away."""
        config = self._config
        rest_s = max(config.rest_s, self._next_s - now_s)
        if rest_s > config.rest_s_max:
            rest_s = config.rest_s
        self._next_s = now_s + rest_s + 1.0 / config.returns_per_s
        return rest_s
