"""One bug is one kind, whatever client, id, key or body it was found with."""

from __future__ import annotations

import pytest

from actors.simulation.command.findings import trouble_kind


@pytest.mark.parametrize(
    "troubles",
    [
        (
            "client-1: GET /api/v1/rooms?limit=3&name=ann: rent-6 costs 110.00",
            "client-0: GET /api/v1/rooms?limit=1: shared-1 costs 90",
        ),
        (
            "reply was {'a': [{'b': \"x's\"}], 'c': 'd'}",
            "reply was {'e': None}",
        ),
        ("'tweet (client-2 1)' exists twice", "'it is Ann\\'s' exists twice"),
        ('nobody has "a"', 'nobody has "b, and c"'),
        ("score of 01890a5d-ac96-774b-bcce-b302099a8057 is lost", "score of k7 is lost"),
        ("its body is cut: {'a': 'b", "its body is cut: {'c'"),
        ("first line 1\nand a second", "first line 2"),
    ],
)
def test_particulars_make_no_kind(troubles: tuple[str, str]) -> None:
    """Ids, numbers, addresses' queries, and what stands in quotes or braces, are left out."""
    one, other = troubles
    assert trouble_kind(one) == trouble_kind(other)


def test_kinds_are_told_apart() -> None:
    """By all other words, an apostrophe's too."""
    sentences = [
        "crashed by itself: room: KeyError: 'a'",
        "crashed by itself: booking: KeyError: 'a'",
        "room's hold isn't kept for ann's stay",
        "room's hold isn't lost for ann's stay",
        "it does not come to rest: 1 messages from booking to room (open)",
        "it does not come to rest: 1 messages from room to booking (open)",
    ]
    assert len({trouble_kind(each) for each in sentences}) == len(sentences)
