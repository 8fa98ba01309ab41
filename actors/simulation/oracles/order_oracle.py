"""Guarantee 5: what a mailbox has accepted is run in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.simulation.oracles.handled import Handled


class OrderOracle:
    """What a mailbox has accepted first is applied first, whoever crashed meanwhile."""

    def __init__(self) -> None:
        """Nothing was accepted yet."""
        self._last: dict[str, int] = {}
        # What was refused in its turn: it has kept nothing, and runs again with its batch where an
        # incarnation ends before the answer has left.
        self._refused: set[tuple[str, int]] = set()

    def begin(self) -> None:
        """Another process: its mailboxes number from 1 again."""
        self._last.clear()
        self._refused.clear()

    def hear(self, store: str, batch: Sequence[Handled]) -> Iterator[str]:
        """Note what was applied; yield what came out of turn."""
        last = self._last.get(store, 0)
        for each in batch:
            number = each.envelope.seq
            if each.run is None or not each.stands or not number:
                continue
            if (store, number) in self._refused:
                continue
            if not each.keeps:
                self._refused.add((store, number))
            if number < last:
                name = type(each.envelope.message).__name__
                yield f"{store} has run {name}, number {number} of its mailbox, after {last}"
            last = max(last, number)
        self._last[store] = last
