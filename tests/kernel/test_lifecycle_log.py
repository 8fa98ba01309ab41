from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from actors.kernel import lifecycle
from actors.kernel.lifecycle_log import log_lifecycle

LINES = [
    (
        lifecycle.Started(name="room", incarnation=1),
        {"event": "started", "log_level": "info", "incarnation": 1},
    ),
    (
        lifecycle.Crashed(
            name="room",
            incarnation=1,
            error="Boom: x",
            killed=False,
            message_type="Book",
            trace="request-1",
        ),
        {
            "event": "crashed",
            "log_level": "warning",
            "incarnation": 1,
            "error": "Boom: x",
            "message_type": "Book",
            "request_id": "request-1",
        },
    ),
    (
        lifecycle.Crashed(
            name="room", incarnation=1, error="Killed: by an operator", killed=True, wished=True
        ),
        {
            "event": "crashed",
            "log_level": "info",
            "incarnation": 1,
            "error": "Killed: by an operator",
            "killed": True,
        },
    ),
    (
        lifecycle.Crashed(name="room", incarnation=1, error="Overrun: it hangs", killed=True),
        {
            "event": "crashed",
            "log_level": "warning",
            "incarnation": 1,
            "error": "Overrun: it hangs",
            "killed": True,
        },
    ),
    (
        lifecycle.Restarted(name="room", incarnation=2, restarts=1),
        {"event": "restarted", "log_level": "info", "incarnation": 2, "restarts": 1},
    ),
    (
        lifecycle.Parked(name="room", error="Boom: x", retry_s=30.0),
        {"event": "parked", "log_level": "error", "error": "Boom: x", "retry_s": 30.0},
    ),
    (
        lifecycle.Degraded(name="room", error="the disk is full"),
        {"event": "degraded", "log_level": "error", "error": "the disk is full"},
    ),
    (lifecycle.Recovered(name="room"), {"event": "recovered", "log_level": "info"}),
    (lifecycle.Suspended(name="room"), {"event": "suspended", "log_level": "info"}),
    (lifecycle.Resumed(name="room"), {"event": "resumed", "log_level": "info"}),
    (
        lifecycle.Stopped(name="room", dead_lettered=2),
        {"event": "stopped", "log_level": "info", "dead_lettered": 2},
    ),
    (
        lifecycle.Stopped(name="room", dead_lettered=0),
        {"event": "stopped", "log_level": "debug", "dead_lettered": 0},
    ),
    (
        lifecycle.DeadLettered(name="room", message_type="Book", reason="r", attempts=3),
        {
            "event": "dead lettered",
            "log_level": "warning",
            "message_type": "Book",
            "reason": "r",
            "attempts": 3,
        },
    ),
    (
        lifecycle.HookFailed(name="room", hook="on_stop", error="Boom: x"),
        {
            "event": "hook failed",
            "log_level": "warning",
            "hook": "on_stop",
            "error": "Boom: x",
        },
    ),
]


@pytest.mark.parametrize(("event", "line"), LINES, ids=lambda value: type(value).__name__)
def test_each_event_is_one_structured_line(
    event: lifecycle.LifecycleEvent, line: dict[str, object]
) -> None:
    """An event's fields, but those that say nothing, are the line's; none is lost or renamed."""
    with capture_logs() as logged:
        log_lifecycle(event)
    assert logged == [{"actor": "room", **line}]


def test_a_message_that_fails_again_is_one_traceback() -> None:
    """That of its first attempt; each says where its author has to look."""
    with capture_logs() as logged:
        for again in (False, True):
            log_lifecycle(
                lifecycle.Crashed(
                    name="room",
                    incarnation=1,
                    at="room.py, line 7",
                    error="Boom: x",
                    killed=False,
                    traceback="Traceback ...",
                    again=again,
                )
            )
    assert [line.get("traceback") for line in logged] == ["Traceback ...", None]
    assert [line["at"] for line in logged] == ["room.py, line 7"] * 2


def test_a_start_that_parks_is_one_line() -> None:
    """That it is parked says all, and comes next."""
    with capture_logs() as logged:
        crashed = lifecycle.Crashed(name="room", incarnation=1, error="x", killed=False, parks=True)
        log_lifecycle(crashed)
        log_lifecycle(lifecycle.Parked(name="room", error="x", retry_s=30.0))
    assert [(line["event"], line["log_level"]) for line in logged] == [
        ("crashed", "debug"),
        ("parked", "error"),
    ]


def test_no_event_is_forgotten() -> None:
    """Every kind of event stands in the table above."""
    assert {type(event) for event, _ in LINES} == set(lifecycle.LifecycleEvent.__subclasses__())
