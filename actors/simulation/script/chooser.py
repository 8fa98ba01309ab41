"""One way to draw, whoever decides: a seed on the command line, Hypothesis in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from actors.kernel.rng import Rng


class Chooser(Protocol):
    """Chooses a number; 0 stands for the simplest there is: where it can be, for nothing.

    What is drawn by this alone is drawn alike from a seed and by Hypothesis, and shrinks well.
    """

    def __call__(self, count: int, /) -> int:
        """Choose among `count` alternatives: return a number from 0 to `count` - 1."""
        ...

    def magnitude(self, limit: int, /) -> int:
        """Return a number from 0 to `limit` - 1, small as likely as large."""
        ...


class SeededChooser:
    """Lets a generator choose: each alternative alike, each power of two alike."""

    def __init__(self, rng: Rng) -> None:
        """Draw from `rng`."""
        self._rng = rng

    def __call__(self, count: int, /) -> int:
        return self._rng.randrange(count)

    def magnitude(self, limit: int, /) -> int:
        bits = self._rng.randrange(limit.bit_length() + 1)
        return self._rng.randrange(min(limit, 1 << bits))
