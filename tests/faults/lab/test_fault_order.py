"""What may be ordered of a running system: what is wrong with an order is named, by field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.errors import FaultRefused
from actors.faults.fault import Fault
from actors.faults.lab.fault_order import KINDS, FaultOrder
from actors.faults.lab.rehearsed import as_order, ordered

LATENCY: dict[str, Any] = {"kind": "latency", "service": "b", "latency_ms": 200}
ABORT: dict[str, Any] = {"kind": "abort", "route": "GET /x", "status": 503}


def order(said: dict[str, Any]) -> FaultOrder:
    return msgspec.json.decode(msgspec.json.encode(said), type=FaultOrder)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({**LATENCY, "latency_ms": None}, "latency_ms"),
        ({**LATENCY, "status": 503}, "status"),
        ({**LATENCY, "of": "service"}, "of"),
        ({**LATENCY, "of": "requests", "sender": "a"}, "sender"),
        ({**LATENCY, "when": "before"}, "when"),
        ({**LATENCY, "of": "commits", "when": "after"}, "when"),
        ({**LATENCY, "distribution": "normal"}, "jitter_ms"),
        ({**LATENCY, "distribution": "fixed", "jitter_ms": 1}, "jitter_ms"),
        ({**LATENCY, "latency_ms": 0, "distribution": "pareto", "jitter_ms": 1}, "latency_ms"),
        ({**LATENCY, "header": "x"}, "header"),
        ({**LATENCY, "route": "GET /x"}, "service"),
        ({"kind": "latency", "latency_ms": 1}, "service"),
        ({"kind": "abort", "status": 503}, "route"),
        ({"kind": "abort", "service": "b", "status": 503}, "service"),
        ({**ABORT, "status": None}, "status"),
        ({**ABORT, "status": 299}, "status"),
        ({**ABORT, "status": 204, "body": "x"}, "body"),
        ({**ABORT, "headers": {"Content-Length": "1"}}, "headers"),
        ({**ABORT, "message_type": "Note"}, "message_type"),
        ({"kind": "drop", "route": "GET /x"}, "route"),
        ({"kind": "partition", "service": "b"}, "sender"),
        ({"kind": "kill", "service": "b", "percent": 20}, "percent"),
        ({"kind": "kill", "service": "b", "of": "commits", "period_s": 1}, "period_s"),
        ({"kind": "suspend", "service": "b", "first": 1}, "first"),
    ],
)
def test_what_does_not_fit_is_named(said: dict[str, Any], field: str) -> None:
    with pytest.raises(FaultRefused) as refused:
        order({name: value for name, value in said.items() if value is not None})
    assert refused.value.field == field


@pytest.mark.parametrize(
    "change",
    [
        {"percent": 101},
        {"percent": -1},
        {"first": 0},
        {"every": 0},
        {"after": -1},
        {"latency_ms": -1},
        {"for_s": 0},
        {"kind": "burn"},
        {"colour": "red"},
    ],
)
def test_a_value_out_of_range_is_no_order(change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        order({**LATENCY, **change})


def test_an_order_says_what_it_is() -> None:
    """In the log and in the list: in the words in which it was ordered."""
    assert str(order(LATENCY)) == "latency 200 ms of arrivals at b"
    said = {**LATENCY, "sender": "a", "percent": 20, "first": 3, "jitter_ms": 5}
    assert (
        str(order(said))
        == "latency 200 ms ± 5 ms (uniform) of messages from a at b 20 % the first 3"
    )
    assert str(order(ABORT)) == "abort 503 at GET /x"
    assert str(FaultOrder(kind="kill", service="b", period_s=2)) == "kill every 2 s at b"
    assert {each for each in KINDS if KINDS[each].of_routes} == {"latency", "abort"}


def test_what_a_simulation_has_shown_is_ordered_by_the_same_value() -> None:
    """And what has no seam in a running system is refused, with what has one."""
    learnt = Fault("kill_at", "room.HoldRoom.after")
    assert ordered(msgspec.json.encode(learnt)) == FaultOrder(
        kind="kill", service="room", of="commits", message_type="HoldRoom", when="after", first=1
    )
    assert as_order(Fault("slow_store", "room", 100)) == FaultOrder(
        kind="latency", service="room", of="commits", latency_ms=100
    )
    assert as_order(Fault("fail_before", "room.HoldRoom")).first == 1
    assert as_order(Fault("slow_handler", "room.HoldRoom", 100)).of == "handlers"
    late = as_order(Fault("late_effect", "payment.Charge", 1000))
    assert (late.of, late.when, late.first) == ("effects", "after", 1)
    assert as_order(Fault("slow_world", "payment.Charge", 1000)).first is None
    assert as_order(Fault("down_world", "payment.Charge")).kind == "error"
    assert as_order(Fault("silent_world", "payment.Charge")).kind == "hang"
    assert as_order(Fault("suspend", "room")).kind == "suspend"
    with pytest.raises(FaultRefused, match="slow_store"):
        as_order(Fault("cut_power", "process"))
    for target in ("room", "room.HoldRoom.amid"):
        with pytest.raises(FaultRefused) as refused:
            as_order(Fault("kill_at", target))
        assert refused.value.field == "target"
