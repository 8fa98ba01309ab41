"""A flood of refusals is counted one by one, and told once."""

from __future__ import annotations

import math
from typing import Any, Final

import structlog

log = structlog.get_logger()

# Without a refusal for so long, the next begins a new spell, which the log tells.
SPELL_S: Final = 10.0


class Refusals:
    """Those of one limit: how many there were, and a line in the log when they begin."""

    def __init__(self, advice: str) -> None:
        """None was refused; `advice` is for who reads the log."""
        self.count = 0
        self._advice = advice
        self._last_s = -math.inf

    def note(self, now_s: float, **said: Any) -> None:
        """Count one more; `said` is what the log has of the first of a spell."""
        self.count += 1
        if now_s - self._last_s >= SPELL_S:
            log.warning("requests refused", **said, advice=self._advice)
        self._last_s = now_s
