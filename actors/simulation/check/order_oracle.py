"""Guarantees 2, 5 and 12: in their order, within their time, and of nobody who is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.kernel.envelope import Envelope
    from actors.simulation.check.handled import Handled

# From the look at a deadline to the work a turn of the loop goes by.
TURN_S: Final = 0.01


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


def expired(store: str, batch: Sequence[Envelope], now_s: float) -> Iterator[str]:
    """Yield what is about to be run although nobody can get its answer in time any more."""
    for each in batch:
        if each.deadline is not None and each.deadline + TURN_S <= now_s:
            name = type(each.message).__name__
            yield f"{store} was given {name} {now_s - each.deadline:.3f} s after its deadline"
