"""How much older a service's keys may be than they are, for all that a wall clock can say."""

from __future__ import annotations

from typing import Final

# Of the time that keys are kept for, what a service may count at most while its file is closed.
CLOSED_SHARE: Final = 0.5


class KeyAges:
    """A clock set forward makes keys older where a file is opened after that, and never while open.

    While it is open nothing but time makes them so (guarantee 21).
    """

    def __init__(self) -> None:
        """All keys are as old as they are."""
        # By store: how far the wall clock had been set forward in all when it was opened last, and
        # what its openings have added, both in microseconds.
        self._set_us: dict[str, int] = {}
        self._added_us: dict[str, int] = {}

    def opened(self, store: str, set_forward_us: int, kept_s: float) -> None:
        """Hear that a service has its file; it keeps keys for `kept_s`."""
        forward_us = set_forward_us - self._set_us.get(store, 0)
        self._set_us[store] = set_forward_us
        added_us = min(forward_us, round(kept_s * CLOSED_SHARE * 1e6))
        self._added_us[store] = self.added_us(store) + added_us

    def added_us(self, store: str) -> int:
        """Return by how much its keys may be older in all."""
        return self._added_us.get(store, 0)

    def may_be_gone(self, age_s: float, kept_s: float) -> bool:
        """Whether any service may have forgotten a key of that age, or may at its next opening."""
        added_s = max(self._added_us.values(), default=0) / 1e6
        return age_s + added_s >= kept_s * (1.0 - CLOSED_SHARE)
