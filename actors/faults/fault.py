"""One fault, as a value: what is done to what, how much of it or for how long."""

from __future__ import annotations

import msgspec

from actors.faults.fault_kinds import FAULTS, FaultName


class Fault(msgspec.Struct, frozen=True):
    """`name` is done to `target`; when is somebody else's affair.

    `amount_ms` is how much, or for how long, in milliseconds, for a fault that has an amount; only
    a clock steps by a negative one. What lasts does so until the fault that ends it.
    """

    name: FaultName
    target: str
    amount_ms: int = 0

    def __post_init__(self) -> None:
        kind = FAULTS.get(self.name)
        if kind is None:
            raise ValueError(f"there is no fault {self.name!r}, but: {', '.join(FAULTS)}")
        if bool(kind.amounts_ms) != bool(self.amount_ms):
            needs = "needs" if kind.amounts_ms else "has no"
            raise ValueError(f"{self.name} {needs} an amount_ms: {self.amount_ms}")
        if self.amount_ms < 0 and kind.scope != "clock":
            raise ValueError(f"{self.name} cannot take less time: amount_ms={self.amount_ms}")

    def __str__(self) -> str:
        kind = FAULTS[self.name]
        seconds = f"{self.amount_ms / 1000:{'+' if kind.scope == 'clock' else ''}g} s"
        return kind.text.format(target=self.target, seconds=seconds)

    @property
    def amount_s(self) -> float:
        """The amount in seconds."""
        return self.amount_ms / 1000

    @property
    def end(self) -> Fault | None:
        """What ends it, where it lasts."""
        name = FAULTS[self.name].ended_by
        return None if name is None else Fault(name, self.target)
