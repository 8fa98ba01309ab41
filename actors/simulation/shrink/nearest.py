"""How much two scripts differ: to find what differs least from one that fails, and does not."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.simulation.script.script import Script

    # The seed counts most, for it changes every delay; then what is asked and done; then when.
    Distance = tuple[bool, int, int, int]


def distance(one: Script, other: Script) -> Distance:
    """Return how far apart they are.

    Whether the seeds, knobs or orders differ, how many requests and steps do, how many if gaps
    count, and by how many microseconds the two are longer or shorter.
    """
    mine, its = _items(one), _items(other)
    return (
        (one.seed, one.knobs, one.order) != (other.seed, other.knobs, other.order),
        _edits([_at_once(each) for each in mine], [_at_once(each) for each in its]),
        _edits(mine, its),
        abs(sum(each.gap_us for each in mine) - sum(each.gap_us for each in its)),
    )


def _items(script: Script) -> list[Any]:
    return [*script.workload, *script.schedule.steps]


def _at_once(item: Any) -> Any:
    return msgspec.structs.replace(item, gap_us=0)


def _edits(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Return how many must be left out, put in or replaced to make one of the other."""
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return sum(
        max(until - begin, other_until - other_begin)
        for tag, begin, until, other_begin, other_until in matcher.get_opcodes()
        if tag != "equal"
    )
