"""What a process knows of its own hold on a store's file, from one opening to the next."""

from __future__ import annotations


class Tenure:
    """The epoch that this process has taken last; None before its first opening.

    It is set under SQLite's lock on the file, with the epoch itself: whoever finds another epoch
    there knows that another process has had the file meanwhile.
    """

    __slots__ = ("epoch",)

    def __init__(self) -> None:
        """Nothing is taken yet."""
        self.epoch: int | None = None

    def was_interrupted(self, found: int) -> bool:
        """Whether the file's epoch is not the one that this process has left there."""
        return self.epoch is not None and found != self.epoch
