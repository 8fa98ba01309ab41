"""How often each actor was restarted, and why."""

from __future__ import annotations

from typing import Final

from actors.kernel import lifecycle

# It was killed by an operator or a fault; nobody wished it (it did not end in time, or its
# supervisor fell); a message crashed it, or it crashed by itself, a failed start included; or it
# ended in order, for an operator asked for that or a sibling took it along.
CAUSES: Final = ("kill", "overrun", "message", "crash", "order")


class RestartCounts:
    """Hears of every actor's ends and starts; one that parks was not restarted."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._causes: dict[str, str] = {}
        self._counts: dict[str, dict[str, int]] = {}

    def of(self, name: str) -> dict[str, int]:
        """Return the actor's restarts by cause: each of CAUSES is there."""
        return self._counts.setdefault(name, dict.fromkeys(CAUSES, 0))

    def hear(self, event: lifecycle.LifecycleEvent) -> None:
        """Take note of it."""
        if isinstance(event, lifecycle.Crashed):
            self._causes[event.name] = _cause_of(event)
        elif isinstance(event, lifecycle.Restarted):
            self.of(event.name)[self._causes.pop(event.name, "order")] += 1


def _cause_of(crash: lifecycle.Crashed) -> str:
    if crash.killed:
        return "kill" if crash.wished else "overrun"
    return "crash" if crash.message_type is None else "message"
