"""What clients asked and what came of it, kept in order and as plain values."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel.clock import ManualClock
from actors.kernel.messages import Command
from actors.simulation.check.history import History, Operation, plain


class Hold(Command):
    room: str
    nights: tuple[int, ...]


def test_operations_are_in_order_of_invocation(clock: ManualClock) -> None:
    """Whatever the order of their ends; each with its client, its times and its outcome."""
    history = History(clock)
    write = history.invoke("client-1", "write", 3, key="x")
    clock.advance(0.25)
    read = history.invoke("client-2", "read", key="x")
    read.fail("refused")
    clock.advance(0.5)
    write.ok()
    assert len(history) == 2
    assert str(history).splitlines() == [
        "#0 client-1: x.write(3) -> None  [0.000000 s .. 0.750000 s]",
        "#1 client-2: x.read() failed (refused)  [0.250000 s .. 0.250000 s]",
    ]


def test_events_of_one_instant_are_ordered(clock: ManualClock) -> None:
    """Virtual time stands still while much happens; real-time order must not be lost."""
    history = History(clock)
    history.invoke("a", "write", 1).ok()
    history.invoke("b", "read").ok(1)
    first, second = history.operations
    assert first.invoked_us == second.returned_us
    assert first.returned is not None
    assert first.returned < second.invoked


def test_what_has_not_ended_is_unknown(clock: ManualClock) -> None:
    history = History(clock)
    history.invoke("a", "write", 1)
    (operation,) = history.operations
    assert (operation.outcome, operation.returned) == ("unknown", None)
    assert str(operation) == "#0 a: write(1) unknown  [0.000000 s ..]"


def test_an_exception_leaves_the_outcome_unknown(clock: ManualClock) -> None:
    """A client that is cut off cannot say what it has done."""
    history = History(clock)
    with pytest.raises(TimeoutError), history.invoke("a", "write", 1):
        raise TimeoutError
    with history.invoke("a", "write", 2) as attempt:
        attempt.ok("done")
    with history.invoke("a", "write", 3):
        pass
    assert [each.end for each in history.operations] == [
        "unknown (TimeoutError)",
        "-> 'done'",
        "unknown (no answer)",
    ]


def test_an_operation_ends_once(clock: ManualClock) -> None:
    history = History(clock)
    attempt = history.invoke("a", "write", 1)
    attempt.unknown("time-out")
    with pytest.raises(RuntimeError, match="ends once"):
        attempt.ok()


def test_impossible_operations_are_refused() -> None:
    """An acknowledged one has returned, and after it was invoked."""
    with pytest.raises(ValueError, match="has returned"):
        Operation(number=0, process="a", name="read", outcome="ok", invoked=1)
    with pytest.raises(ValueError, match="after its invocation"):
        Operation(number=0, process="a", name="read", outcome="ok", invoked=2, returned=2)


def test_values_are_plain(clock: ManualClock) -> None:
    """Messages and answers become what JSON makes of them, so that equal ones stay equal."""
    history = History(clock)
    history.invoke("a", "hold", Hold(room="7", nights=(1, 2))).ok([{"held": set("badcfe")}])
    (operation,) = history.operations
    assert operation.argument == {"room": "7", "nights": (1, 2)}
    assert operation.result == ({"held": tuple("abcdef")},)
    with pytest.raises(TypeError):
        plain(object())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(ends=st.lists(st.tuples(VALUES, VALUES, st.sampled_from(["ok", "fail", "unknown", "open"]))))
def test_json_gives_back_the_same_operations(ends: list[tuple[object, object, str]]) -> None:
    """Whatever was asked and answered."""
    history = History(ManualClock())
    for argument, result, outcome in ends:
        attempt = history.invoke("a", "do", argument)
        if outcome == "ok":
            attempt.ok(result)
        elif outcome == "fail":
            attempt.fail("no")
        elif outcome == "unknown":
            attempt.unknown()
    text = msgspec.json.encode(history.operations)
    assert msgspec.json.decode(text, type=tuple[Operation, ...]) == history.operations
