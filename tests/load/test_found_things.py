"""What a match means among what was read back: as if each thing were looked at."""

from __future__ import annotations

from typing import Any

import pytest

from actors.load.found_things import FoundThings

THINGS: list[Any] = [
    {"id": 1, "by": {"name": "ada"}, "state": "open", "tags": ["a"]},
    {"id": 2, "by": {"name": "ada"}, "state": "shut"},
    {"id": 3, "by": {"name": "grace"}, "state": "open"},
    {"id": 3, "by": ["grace"], "state": None},
    "no object",
]


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"id": 3}, [2, 3]),
        ({"id": 3.0}, [2, 3]),
        ({"id": "3"}, []),
        ({"by.name": "ada"}, [0, 1]),
        ({"by.name": "ada", "state": ["open", "gone"]}, [0]),
        ({"state": []}, []),
        ({"by": {"name": "ada"}}, [0, 1]),
        ({"by": "grace"}, []),
        ({"state": None}, [3, 4]),
        ({"state": ["shut", None], "by.name": None}, [3, 4]),
    ],
)
def test_what_is_meant_has_each_field(match: dict[str, Any], found: list[int]) -> None:
    """As wanted, or as one of several."""
    things = FoundThings(THINGS)
    assert things.matching(match) == [THINGS[each] for each in found]
    assert things.matching(match) == [THINGS[each] for each in found]


def test_of_many_none_is_looked_at_that_is_not_meant() -> None:
    """Else what an audit takes grows with the square of what was written."""
    looks = 0

    class Thing(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            nonlocal looks
            looks += 1
            return super().get(name, default)

    things = FoundThings([Thing(id=each) for each in range(1000)])
    for each in range(1000):
        assert things.matching({"id": each}) == [{"id": each}]
    assert looks == 1000
