"""A search of Hypothesis's that fails within the time limit of one test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import Phase

from actors.kernel.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# Within the time limit of one test, which would end it without a word of what failed.
SHRINK_S_MAX = 40.0
# All but `explain`, which traces every line, and is slower than that limit.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]


class Shrinking:
    """Lets Hypothesis look for a shorter script that fails for so long, and then find no more."""

    def __init__(self, play: Callable[..., Awaitable[None]]) -> None:
        """`play` gets what `Shrinking.play` is given."""
        self._play = play
        self._clock = SystemClock()
        self._end_s: float | None = None
        self._failed: set[str] = set()

    async def play(self, *script: Any) -> None:
        """Play the script, or pretend that it is fine: but not one that has failed before."""
        over = self._end_s is not None and self._clock.monotonic() > self._end_s
        name = repr(script)
        if over and name not in self._failed:
            return
        try:
            await self._play(*script)
        except Exception:
            self._failed.add(name)
            self._end_s = self._end_s or self._clock.monotonic() + SHRINK_S_MAX
            raise
