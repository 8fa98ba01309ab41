"""What became of the questions of one cached query, and what its cache holds."""

from __future__ import annotations


class CacheCounts:
    """One query's, over all incarnations of its service; `entries` and `entry_bytes` are of now.

    A question is a hit, a miss, which is read, or it waited for another's reading. Of what was
    kept, `forgotten` went as it may be true no more, `evicted` for want of room. `overtaken` is
    what was read, told and not kept: a commit had changed it meanwhile.
    """

    __slots__ = (
        "entries", "entry_bytes", "evicted", "forgotten", "hits", "misses", "overtaken", "waits",
    )  # fmt: skip

    def __init__(self) -> None:
        """Nothing yet."""
        self.hits = self.misses = self.waits = 0
        self.forgotten = self.evicted = self.overtaken = 0
        self.entries = self.entry_bytes = 0
