"""The one source of chance. `command_line.py` seeds it; everything else is handed it."""

from __future__ import annotations

import random


class Rng(random.Random):
    """A seeded generator: equal seeds, equal choices. Never for secrets."""

    def fork(self, label: str) -> Rng:
        """Derive an independent generator, so that one user's draws do not shift another's.

        A thread of its own needs a generator of its own: fork in the parent, hand it over.
        """
        return Rng(f"{label}:{self.getrandbits(128):032x}")

    def aside(self, label: str) -> Rng:
        """Derive one without a draw: what is chosen by it shifts nobody's choices."""
        twin = Rng(0)
        twin.setstate(self.getstate())
        return twin.fork(label)

    def new_id(self, now_us: int) -> str:
        """Return a UUIDv7 (RFC 9562 section 5.7) of 36 characters; `now_us` is epoch microseconds.

        Ids made later sort later, to the millisecond.
        """
        value = (now_us // 1000 & 0xFFFF_FFFF_FFFF) << 80 | self.getrandbits(80)
        value = value & ~(0xF000 << 64) & ~(0xC000 << 48) | 0x7000 << 64 | 0x8000 << 48
        digits = f"{value:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
