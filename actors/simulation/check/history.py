"""What clients asked of a system and what came of it, in the order in which it happened.

The form is that of M. Herlihy and J. Wing, "Linearizability: A Correctness Condition for Concurrent
Objects", TOPLAS 1990, with Jepsen's third outcome: an operation may end without anyone knowing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import msgspec

if TYPE_CHECKING:
    from actors.kernel.clock import Clock

Outcome = Literal["ok", "fail", "unknown"]

# Values that are already what JSON makes of them.
_PLAIN: Final = (type(None), bool, int, str)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One request of one client, and its end.

    | outcome | the operation |
    | --- | --- |
    | `ok` | took effect between invocation and return, and answered `result` |
    | `fail` | never took effect and never will |
    | `unknown` | may take effect at any time after its invocation, or never |

    An expected no that depends on the state ("the room is taken") is an answer: `ok`, with the no
    as its result, for a model to judge. `invoked` and `returned` number all events of a history in
    one order, which is finer than time: many things happen at one virtual instant. `argument` and
    `result` are kept as JSON values, sequences as tuples. `key` names the object that is operated
    on; `note` says why an operation failed or is unknown.
    """

    number: int
    process: str
    name: str
    argument: Any = None
    key: str = ""
    outcome: Outcome = "unknown"
    result: Any = None
    invoked: int
    returned: int | None = None
    invoked_us: int = 0
    returned_us: int | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.returned is None and self.outcome != "unknown":
            raise ValueError(f"an operation that is {self.outcome} has returned")
        if self.returned is not None and self.returned <= self.invoked:
            raise ValueError("an operation returns after its invocation")
        msgspec.structs.force_setattr(self, "argument", plain(self.argument))
        msgspec.structs.force_setattr(self, "result", plain(self.result))

    def __str__(self) -> str:
        until = "" if self.returned_us is None else f" {_seconds(self.returned_us)}"
        return (
            f"#{self.number} {self.process}: {self.call} {self.end}"
            f"  [{_seconds(self.invoked_us)} ..{until}]"
        )

    @property
    def call(self) -> str:
        """What was asked, as text: `x.write(3)`."""
        argument = "" if self.argument is None else repr(self.argument)
        return f"{self.key}{'.' if self.key else ''}{self.name}({argument})"

    @property
    def end(self) -> str:
        """What came of it, as text: `-> 3`, `failed (refused)` or `unknown (time-out)`."""
        if self.outcome == "ok":
            return f"-> {self.result!r}"
        return (
            f"{'failed' if self.outcome == 'fail' else 'unknown'}{self.note and f' ({self.note})'}"
        )


class History:
    """Records operations as they happen; numbers every event."""

    def __init__(self, clock: Clock) -> None:
        """Times are the clock's monotonic ones, in microseconds: a wall clock may be stepped."""
        self._clock = clock
        self._events = 0
        self._operations: list[Operation] = []

    def __len__(self) -> int:
        return len(self._operations)

    def __str__(self) -> str:
        return "\n".join(str(operation) for operation in self._operations)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All operations in order of invocation; one that has not ended yet is unknown."""
        return tuple(self._operations)

    def invoke(self, process: str, name: str, argument: Any = None, *, key: str = "") -> Attempt:
        """Note that `process` asks for something now; end the attempt once, by what came of it.

        with history.invoke("client-1", "write", 3, key="x") as attempt:
            attempt.ok(await client.write("x", 3))
        """
        number = len(self._operations)
        invoked, invoked_us = self._event()
        operation = Operation(
            number=number,
            process=process,
            name=name,
            argument=argument,
            key=key,
            invoked=invoked,
            invoked_us=invoked_us,
        )
        self._operations.append(operation)
        return Attempt(self, number)

    def end(self, number: int, outcome: Outcome, *, result: Any = None, note: str = "") -> None:
        """Note that operation `number` ends now; `RuntimeError` where it has ended before."""
        operation = self._operations[number]
        if operation.returned is not None:
            raise RuntimeError(f"an operation ends once: {operation}")
        returned, returned_us = self._event()
        self._operations[number] = msgspec.structs.replace(
            operation,
            outcome=outcome,
            result=result,
            returned=returned,
            returned_us=returned_us,
            note=note,
        )

    def _event(self) -> tuple[int, int]:
        self._events += 1
        return self._events, round(self._clock.monotonic() * 1_000_000)


class Attempt:
    """An operation that has been invoked; leaving its `with` block without an end is `unknown`."""

    def __init__(self, history: History, number: int) -> None:
        """`number` is the operation's in `history`."""
        self.number = number
        self._history = history
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if not self._ended:
            self.unknown(kind.__name__ if kind else "no answer")

    def ok(self, result: Any = None) -> None:
        """It took effect and answered `result`."""
        self._end("ok", result=result)

    def fail(self, note: str = "") -> None:
        """It certainly took no effect and never will."""
        self._end("fail", note=note)

    def unknown(self, note: str = "") -> None:
        """Nobody can say: a time-out, a lost connection."""
        self._end("unknown", note=note)

    def _end(self, outcome: Outcome, *, result: Any = None, note: str = "") -> None:
        self._history.end(self.number, outcome, result=result, note=note)
        self._ended = True


def plain(value: Any) -> Any:
    """Return `value` as JSON would give it back, with tuples for lists: equal values stay equal.

    Sets are sorted, structs become dictionaries; `TypeError` for what JSON cannot hold.
    """
    if isinstance(value, _PLAIN):
        return value
    return _tuples(msgspec.to_builtins(value, str_keys=True, order="deterministic"))


def _tuples(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)  # JSON has no such number, and NaN equals nothing
    return value


def _seconds(time_us: int) -> str:
    return f"{time_us / 1_000_000:.6f} s"
