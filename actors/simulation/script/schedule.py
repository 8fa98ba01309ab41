"""What goes wrong, and when, as a value: it can be drawn, run, shrunk, printed and pasted back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec

from actors.faults.fault import Fault
from actors.faults.fault_kinds import FaultName  # noqa: TC001 - decoded by its type

if TYPE_CHECKING:
    from collections.abc import Iterable


class Step(msgspec.Struct, frozen=True):
    """`gap_us` microseconds after the step before, `fault` happens to `target`.

    Gaps and not times: they shrink one by one, to one minimum. `amount_ms` is how much, for a
    fault that has an amount, in milliseconds; only a clock steps by a negative one.
    """

    gap_us: int
    fault: FaultName
    target: str
    amount_ms: int = 0

    def __post_init__(self) -> None:
        if self.gap_us < 0:
            raise ValueError(f"no step comes before the one before it: gap_us={self.gap_us}")
        Fault(self.fault, self.target, self.amount_ms)  # refuses what is none

    def __str__(self) -> str:
        return str(self.what)

    @property
    def what(self) -> Fault:
        """What is done, whenever it is."""
        return Fault(self.fault, self.target, self.amount_ms)

    def literal(self) -> str:
        """Return it as Python, for a test."""
        amount = f", {self.amount_ms:_}" if self.amount_ms else ""
        return f'Step({self.gap_us:_}, "{self.fault}", {_quoted(self.target)}{amount})'


class Schedule(msgspec.Struct, frozen=True):
    """Steps, one after the other; the first gap counts from the start of the workload."""

    steps: tuple[Step, ...] = ()

    @classmethod
    def at(cls, moments: Iterable[tuple[int, Step]]) -> Self:
        """Make one of steps at times (microseconds from the start) instead of their gaps.

        Of steps at one time the earlier in `moments` comes first.
        """
        steps = []
        last_us = 0
        for at_us, step in sorted(moments, key=lambda moment: moment[0]):
            steps.append(msgspec.structs.replace(step, gap_us=at_us - last_us))
            last_us = at_us
        return cls(tuple(steps))

    def __len__(self) -> int:
        return len(self.steps)

    def __str__(self) -> str:
        """Return a timeline: one step a line, at its time from the start, in seconds."""
        if not self.steps:
            return "nothing goes wrong"
        return "\n".join(f"{at_us / 1_000_000:14.6f} s  {step}" for at_us, step in self.moments())

    def moments(self) -> tuple[tuple[int, Step], ...]:
        """Return each step with its time, in microseconds from the start."""
        found = []
        at_us = 0
        for step in self.steps:
            at_us += step.gap_us
            found.append((at_us, step))
        return tuple(found)

    def unended(self) -> tuple[Step, ...]:
        """Return the steps that end what still lasts after the last one, in order, without gaps.

        A run appends them where it wants to see the system recover.
        """
        lasting: dict[tuple[FaultName, str], Step] = {}
        for step in self.steps:
            lasting.pop((step.fault, step.target), None)
            end = step.what.end
            if end is not None:
                lasting[end.name, end.target] = Step(0, end.name, end.target)
        return tuple(lasting.values())

    def begins_with(self, fault: FaultName) -> bool:
        """Whether that comes at the very start, before anything else has happened."""
        return any(at_us == 0 and step.fault == fault for at_us, step in self.moments())

    def literal(self) -> str:
        """Return it as Python that evaluates to it, given `Schedule` and `Step`."""
        if not self.steps:
            return "Schedule()"
        lines = "".join(f"        {step.literal()},\n" for step in self.steps)
        return f"Schedule(\n    (\n{lines}    )\n)"


def _quoted(text: str) -> str:
    # As ruff would quote it, where it may.
    return f'"{text}"' if text.isprintable() and not set(text) & {'"', "\\"} else repr(text)
