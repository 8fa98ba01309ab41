"""How much of one service may be under way, so that what it leaves undone does not pile up.

The bound of a kind of request is about how long its answers take; that of its service is about what
it has taken on: requests of all kinds, and the sagas of those whose clients were told to look later
(202) and wait no longer. M. Nygard, "Release It!", has the name from ships.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.resilience.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Callable


class Bulkhead:
    """The bound for one service. Who is let in adds one to `in_progress`, and takes it away."""

    def __init__(self, name: str, in_progress_max: int, left_behind: Callable[[], int]) -> None:
        """Nothing is in progress; `left_behind` says how many sagas go on that nobody waits for."""
        self.name = name
        self.in_progress = 0
        self.in_progress_max = in_progress_max
        self.left_behind = left_behind
        self.refusals = Refusals("more is begun than ends; see edge.admission.service_max")

    def has_room(self, now_s: float, *, writes: bool) -> bool:
        """Whether one more may be let in; who is not is counted.

        Who only reads begins no saga, and may be looking for the end of one: he is not refused for
        those that are under way.
        """
        busy = self.in_progress
        if writes:
            busy += self.left_behind()
        if busy < self.in_progress_max:
            return True
        self.refusals.note(now_s, service=self.name, in_progress=busy)
        return False
