"""A cache holds what it may, for as long as it may, and nothing that somebody has changed."""

from __future__ import annotations

from typing import Any

from actors.measures.cache_counts import CacheCounts
from actors.resilience.cache import MISSING, Cache


def cache(*, entries_max: int = 3, bytes_max: int = 100) -> tuple[Cache, CacheCounts]:
    counts = CacheCounts()
    return Cache(entries_max=entries_max, bytes_max=bytes_max, counts=counts), counts


def put(cache: Cache, key: str, value: Any = 1, *, group: Any = None, size: int = 10) -> None:
    cache.keep(cache.begin(key.encode(), group, 0.0), value, size=size, for_s=5.0)


def kept(cache: Cache, now_s: float = 0.0) -> str:
    return "".join(key for key in "abcdef" if cache.get(key.encode(), now_s) is not MISSING)


def test_who_was_asked_for_longest_ago_makes_room() -> None:
    """For one more entry, and for more bytes; what is too large for all is not kept at all."""
    few, counts = cache()
    for key in "abc":
        put(few, key)
    assert few.get(b"a", 0.0) == 1
    put(few, "d")
    assert (kept(few), counts.entries, counts.entry_bytes, counts.evicted) == ("acd", 3, 30, 1)
    put(few, "e", size=85)
    assert (kept(few), counts.entries, counts.entry_bytes) == ("de", 2, 95)
    put(few, "f", size=101)
    assert (kept(few), counts.entry_bytes) == ("de", 95)
    put(few, "d", size=15)  # in its own place
    assert (kept(few), counts.entries, counts.entry_bytes) == ("de", 2, 100)


def test_an_answer_is_as_old_as_its_reading() -> None:
    """And not as what was done with it then."""
    one, counts = cache()
    lease = one.begin(b"a", None, 1.0)
    one.keep(lease, "x", size=1, for_s=2.0)
    assert one.get(b"a", 2.9) == "x"
    assert one.get(b"a", 3.0) is MISSING
    assert (counts.hits, counts.misses, counts.entries, counts.entry_bytes) == (1, 1, 0, 0)


def test_a_change_takes_its_groups_along() -> None:
    """And what is of no group, with any; or all."""
    one, counts = cache(entries_max=9)
    for key, group in (("a", 1), ("b", 1), ("c", 2), ("d", None)):
        put(one, key, group=group)
    one.changing({1, 7})
    assert (kept(one), counts.forgotten) == ("c", 3)
    one.changed()
    one.changing(None)
    assert (kept(one), counts.entries, counts.entry_bytes, counts.forgotten) == ("", 0, 0, 4)


def test_what_is_read_while_it_changes_is_not_kept() -> None:
    """Whether the reading began before the change or amid it; behind it, it is."""
    one, counts = cache(entries_max=9)
    before = [one.begin(key, group, 0.0) for key, group in ((b"a", 1), (b"b", None), (b"c", 2))]
    one.changing({1})
    amid = [one.begin(key, group, 0.0) for key, group in ((b"d", 1), (b"e", 2))]
    one.changed()
    for lease in (*before, *amid, one.begin(b"f", 1, 0.0)):
        one.keep(lease, "old or new", size=1, for_s=9.0)
    assert (kept(one), counts.overtaken) == ("cef", 3)
