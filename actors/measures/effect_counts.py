"""What became of one kind of effect: of each attempt, and of each effect in the end."""

from __future__ import annotations

from typing import Final

# A withdrawn one was not made, or cut short by the end of its service: it says nothing.
ATTEMPTS: Final = ("succeeded", "failed", "timed_out", "withdrawn")
# Given up, the service was told; a dead letter is what nobody was there to be told of. What has
# expired was not done in its time: the service was told, if it wants to know.
ENDS: Final = ("done", "put_off", "given_up", "dead_lettered", "expired")


class EffectCounts:
    """One kind's, over all incarnations of its service. One of a list counts once, as one attempt.

    `retries` are the attempts that follow one that has failed; `retries_refused` are those that
    were not made, as the budget was spent.
    """

    __slots__ = ("attempts", "ends", "retries", "retries_refused")

    def __init__(self) -> None:
        """Nothing yet."""
        self.attempts = dict.fromkeys(ATTEMPTS, 0)
        self.ends = dict.fromkeys(ENDS, 0)
        self.retries = self.retries_refused = 0
