"""Replies of which nobody may have heard: redelivered within the process, a request gets its own.

A request without a client's key is delivered again only by the process that has had it in hand, so
that its reply needs no row: it is in memory still. What memory cannot know of an incarnation that
died at its commit, the file says: each batch with such a reply moves a number, in its transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.kernel.envelope import Envelope


# A reply, and its envelope's deadline: after that, in clock.monotonic() seconds, it is not run. No
# class: one is made for every request.
UntoldReply = tuple[Any, float | None]


class UntoldReplies:
    """One service's, for all of its incarnations in this process; by the number in the mailbox.

    It is changed under SQLite's lock on the file alone, by whoever is in a transaction: a dead
    incarnation that commits still cannot meet the one that takes its place.
    """

    __slots__ = ("_batch", "_committed", "_last")

    def __init__(self) -> None:
        """Nothing was answered yet."""
        # The number that the file has, or gets with the commit of `_last`.
        self._batch = 0
        self._last: dict[int, UntoldReply] = {}
        self._committed: dict[int, UntoldReply] = {}

    def settle(self, batch: int) -> None:
        """Take note of the file's number: it says whether what was answered last was committed."""
        if batch == self._batch:
            self._committed.update(self._last)
        self._last = {}
        self._batch = batch

    def forget(self) -> None:
        """Whatever the file has become, the replies are not of it."""
        self._last = {}
        self._committed.clear()

    def told(self, envelopes: Sequence[Envelope], batch: Sequence[Envelope], now_s: float) -> None:
        """Forget these, which were answered; and what will not come again, unless it is at hand."""
        committed = self._committed
        for each in envelopes:
            committed.pop(each.seq, None)
        if committed:
            at_hand = {each.seq for each in batch}
            self._committed = {
                seq: each
                for seq, each in committed.items()
                if seq in at_hand or each[1] is None or each[1] > now_s
            }

    def hold(self, replies: dict[int, UntoldReply]) -> int:
        """Keep what the transaction commits; returns the number that it has to write."""
        self._batch += 1
        self._last = replies
        return self._batch

    def find(self, seq: int, batch: int) -> UntoldReply | None:
        """Return what the request was answered, if it was. `batch` is the file's number."""
        found = self._committed.get(seq)
        if found is None and batch == self._batch:
            found = self._last.get(seq)
        return found
