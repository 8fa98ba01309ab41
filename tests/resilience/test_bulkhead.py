"""A service has no more under way than it may have."""

from __future__ import annotations

import structlog

from actors.resilience.bulkhead import Bulkhead


def test_what_goes_on_unheard_keeps_out_what_would_begin_more() -> None:
    """Whoever only reads is kept out by those in progress alone; the log tells of a spell once."""
    sagas = [0]
    bulkhead = Bulkhead("booking", 3, lambda: sagas[0])
    with structlog.testing.capture_logs() as logs:
        assert bulkhead.has_room(0.0, writes=True)
        bulkhead.in_progress = 2
        assert bulkhead.has_room(0.0, writes=True)
        sagas[0] = 1
        assert not bulkhead.has_room(0.0, writes=True)
        assert not bulkhead.has_room(9.0, writes=True)
        assert bulkhead.has_room(9.0, writes=False)
        bulkhead.in_progress = 3
        assert not bulkhead.has_room(9.0, writes=False)
        sagas[0] = bulkhead.in_progress = 0
        assert bulkhead.has_room(9.0, writes=True)
    assert [(each["service"], each["in_progress"]) for each in logs] == [("booking", 3)]
    assert bulkhead.refusals.count == 3
