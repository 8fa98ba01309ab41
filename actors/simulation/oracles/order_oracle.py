"""Guarantee 5: what a mailbox has accepted is run in its order.

What is kept until it is applied may go before what is asked, where not all can be done at once;
each of the two has its order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.simulation.oracles.handled import Handled


class OrderOracle:
    """What a mailbox has accepted first is applied first, whoever crashed meanwhile."""

    def __init__(self) -> None:
        """Nothing was accepted yet."""
        self._last: dict[tuple[str, bool], int] = {}
        # What was refused in its turn: it has kept nothing, and runs again with its batch where an
        # incarnation ends before the answer has left.
        self._refused: set[tuple[str, int]] = set()

    def begin(self) -> None:
        """Another process: its mailboxes number from 1 again."""
        self._last.clear()
        self._refused.clear()

    def hear(self, store: str, batch: Sequence[Handled]) -> Iterator[str]:
        """Note what was applied; yield what came out of turn."""
        for each in batch:
            number = each.envelope.seq
            if each.run is None or not each.stands or not number:
                continue
            if (store, number) in self._refused:
                continue
            if not each.keeps:
                self._refused.add((store, number))
            way = store, each.envelope.origin is not None
            last = self._last.get(way, 0)
            if number < last:
                name = type(each.envelope.message).__name__
                yield f"{store} has run {name}, number {number} of its mailbox, after {last}"
            self._last[way] = max(last, number)
