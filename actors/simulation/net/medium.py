"""What lies between hosts, as it is seen by those who send over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from actors.simulation.net.fault_rules import Chunk, ConnectAttempt, Rule, Verdict
    from actors.simulation.net.link import Link


class Medium(Protocol):
    """A network without its hosts: time, links, faults, and a book of what happens."""

    loop: asyncio.AbstractEventLoop
    rules: list[Rule]

    def time(self) -> float:
        """Return the loop's time, in seconds."""
        ...

    def link(self, source: str, target: str) -> Link:
        """Return what lies between two hosts in this direction."""
        ...

    def judge(self, arrival: ConnectAttempt | Chunk) -> Verdict:
        """Return what the rules say of it."""
        ...

    def record(self, event: str, **fields: str | int) -> None:
        """Write down what happened."""
        ...

    def forget(self, number: int) -> None:
        """Keep no connection whose both ends are over."""
        ...

    def at_turns_end(self, number: int, side: int, action: Callable[[], None]) -> None:
        """End one side of a connection, in the order of numbers among all that end this turn."""
        ...
