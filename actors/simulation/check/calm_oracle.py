"""Where nothing is done to it, a system is calm: nothing crashes, nobody finds no room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.errors import Busy
from actors.kernel import lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.simulation.check.handled import Handled

# What happens to an actor that is well.
GOOD: Final = (lifecycle.Started,)
# What the edge says where it has no answer in time, or no room.
OVERLOAD: Final = frozenset({500, 503, 504})


class CalmOracle:
    """Collects what should not happen in calm; whether it was calm is known in the end."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.found: list[str] = []

    def hear(self, event: lifecycle.LifecycleEvent) -> None:
        """Note what happened to an actor."""
        if not isinstance(event, GOOD):
            detail = getattr(event, "error", "") or getattr(event, "reason", "")
            self.found.append(f"{event.name} has {type(event).__name__.lower()}: {detail}")

    def batch(self, store: str, batch: Sequence[Handled]) -> None:
        """Note who found no room."""
        self.found += [
            f"{store} refused {type(each.envelope.message).__name__}: {each.outcome}"
            for each in batch
            if isinstance(each.outcome, Busy)
        ]

    def asked(self, what: str, status: int) -> None:
        """Note how a client was answered; 0 is not at all."""
        if status in OVERLOAD or status == 0:
            self.found.append(f"{what} was answered {status or 'not at all'}")

    def rejected(self, counts: Sequence[tuple[str, int]]) -> Iterator[str]:
        """Yield the mailboxes that took less than they were given."""
        for name, count in counts:
            if count:
                yield f"the mailbox of {name} has rejected {count} messages"
