"""Why an actor was restarted, each time."""

from __future__ import annotations

from actors.kernel import lifecycle
from actors.kernel.supervision.restart_counts import CAUSES, RestartCounts


def _crashed(**fields: object) -> lifecycle.Crashed:
    told = {"name": "room", "incarnation": 1, "error": "x", "killed": False, **fields}
    return lifecycle.Crashed(**told)  # type: ignore[arg-type]


def test_a_restart_has_the_cause_of_the_end_before_it() -> None:
    """Of two ends the last counts; one that was not restarted counts for nothing."""
    counts = RestartCounts()
    again = lifecycle.Restarted(name="room", incarnation=2, restarts=1)
    for events in (
        [_crashed(killed=True, wished=True), again],
        [_crashed(killed=True), again],
        [_crashed(message_type="HoldRoom"), again],
        [_crashed(), _crashed(), again],
        [again],
        [_crashed(name="booking", parks=True)],
    ):
        for event in events:
            counts.hear(event)
    assert counts.of("room") == dict.fromkeys(CAUSES, 1)
    assert counts.of("booking") == dict.fromkeys(CAUSES, 0)
