"""What a flag of the PR team's queue does when it is asked one thing at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from actors.simulation.check.model import Deterministic

if TYPE_CHECKING:
    from actors.simulation.check.history import Operation

# A flag's status, whose it is, and what is noted.
FlagState = tuple[str, str | None, str | None]

RANKS: Final = {"open": 0, "assigned": 1, "resolved": 2}
CONFLICT: Final = 409
INVALID: Final = 422


class FlagModel(Deterministic[FlagState]):
    """A flag, which begins open, is nobody's, and has no note.

    | operation | answers |
    | --- | --- |
    | `read()` | its state |
    | `change({...})` | its state, as it is then; or the status of a no, which changes nothing |

    It moves from open to assigned to resolved, never back, but to open where whose it was is taken
    away. What has a name is assigned, what is assigned has one, and what is resolved keeps its own.
    """

    def init(self) -> FlagState:
        return ("open", None, None)

    def apply(self, state: FlagState, operation: Operation) -> tuple[FlagState, Any]:
        if operation.name == "read":
            return state, state
        answer = self._changed(state, operation.argument)
        return (state, answer) if isinstance(answer, int) else (answer, answer)

    def _changed(self, state: FlagState, change: dict[str, Any]) -> FlagState | int:
        status, assignee, note = state
        whose = change.get("assignee", assignee)
        if status == "resolved":
            if whose != assignee:
                return CONFLICT
            least = status
        elif "assignee" in change:
            least = "open" if whose is None else "assigned"
        else:
            least = status
        wanted = change.get("status", least)
        if RANKS[wanted] < RANKS[least]:
            # Of a flag that is open it is the request that contradicts itself.
            return INVALID if status == "open" else CONFLICT
        if change.get("status") == "assigned" and whose is None:
            return INVALID
        return wanted, whose, change.get("note", note)
