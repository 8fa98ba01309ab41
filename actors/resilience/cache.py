"""What was read is kept for a while: within bounds, and never beyond a change that anyone has seen.

Whoever changes what answers are made of says so before others can see it (`changing`), and again
when they can (`changed`). What is kept goes at the first; what is being read between the two, or at
the first, may be of before: it is told to who asked, and not kept. Such a reading is a lease that a
change takes away, as in R. Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013. So who finds
an entry finds what a reading at that moment would say.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from actors.measures.cache_counts import CacheCounts

MISSING: Final = object()


class Lease:
    """A reading under way, of the entry `key`; what it finds is kept unless `is_spoilt` by then."""

    __slots__ = ("begun_s", "group", "is_spoilt", "key")

    def __init__(self, key: bytes, group: Hashable, begun_s: float, *, is_spoilt: bool) -> None:
        """Made by `Cache.begin`."""
        self.key = key
        self.group = group
        self.begun_s = begun_s
        self.is_spoilt = is_spoilt


class _Kept:
    __slots__ = ("group", "size", "until_s", "value")

    def __init__(self, value: Any, until_s: float, size: int, group: Hashable) -> None:
        self.value = value
        self.until_s = until_s
        self.size = size
        self.group = group


class Cache:
    """At most `entries_max` answers, of `bytes_max` together; who was asked for longest ago goes.

    An entry is of a group, and forgotten with it; one of the group None with any. `changing` and
    `changed` may be called from another thread than the rest: one at a time, each `changing` with
    its `changed`.
    """

    def __init__(self, *, entries_max: int, bytes_max: int, counts: CacheCounts) -> None:
        """Start empty; `counts` are those of the caches before, too."""
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._counts = counts
        counts.entries = counts.entry_bytes = 0
        self._lock = Lock()
        self._entries: OrderedDict[bytes, _Kept] = OrderedDict()
        self._by_group: dict[Hashable, set[bytes]] = {}
        self._leases: set[Lease] = set()
        # What is being changed now: these groups, all (None), or nothing.
        self._changing: Collection[Hashable] | None = ()

    def get(self, key: bytes, now_s: float) -> Any:
        """Return what is kept, or MISSING."""
        with self._lock:
            kept = self._entries.get(key)
            if kept is None:
                return MISSING
            if kept.until_s <= now_s:
                self._remove(key)
                return MISSING
            self._entries.move_to_end(key)
            self._counts.hits += 1
            return kept.value

    def begin(self, key: bytes, group: Hashable, now_s: float) -> Lease:
        """Note that this is to be read now; end it by `keep` or `give_up`."""
        with self._lock:
            is_spoilt = _includes(self._changing, group)
            lease = Lease(key, group, now_s, is_spoilt=is_spoilt)
            self._leases.add(lease)
            self._counts.misses += 1
            return lease

    def keep(self, lease: Lease, value: Any, *, size: int, for_s: float) -> None:
        """Keep what was read, for so long from its `begin` on, unless it may be true no more."""
        with self._lock:
            self._leases.discard(lease)
            if lease.is_spoilt:
                self._counts.overtaken += 1
                return
            if lease.key in self._entries:
                self._remove(lease.key)
            if size > self._bytes_max:
                return
            self._entries[lease.key] = _Kept(value, lease.begun_s + for_s, size, lease.group)
            self._by_group.setdefault(lease.group, set()).add(lease.key)
            counts = self._counts
            counts.entries += 1
            counts.entry_bytes += size
            while counts.entries > self._entries_max or counts.entry_bytes > self._bytes_max:
                self._remove(next(iter(self._entries)))
                counts.evicted += 1

    def give_up(self, lease: Lease) -> None:
        """Nothing was read that could be kept."""
        with self._lock:
            self._leases.discard(lease)

    def changing(self, groups: Collection[Hashable] | None) -> None:
        """Forget these groups, or all: others can see a change of them after this returns."""
        with self._lock:
            self._changing = groups
            for lease in self._leases:
                if _includes(groups, lease.group):
                    lease.is_spoilt = True
            if groups is None:
                gone = list(self._entries)
            else:
                touched = {*groups, None} & self._by_group.keys()
                gone = [key for group in touched for key in self._by_group[group]]
            for key in gone:
                self._remove(key)
            self._counts.forgotten += len(gone)

    def changed(self) -> None:
        """Whoever reads from now on sees the change, or there was none."""
        with self._lock:
            self._changing = ()

    # --- Inside ------------------------------------------------------------------------------

    def _remove(self, key: bytes) -> None:
        kept = self._entries.pop(key)
        group = self._by_group[kept.group]
        group.discard(key)
        if not group:
            del self._by_group[kept.group]
        self._counts.entries -= 1
        self._counts.entry_bytes -= kept.size


def _includes(groups: Collection[Hashable] | None, group: Hashable) -> bool:
    """Whether a change of these groups, which may be none, may change what is of this one."""
    return groups is None or (bool(groups) and (group is None or group in groups))
