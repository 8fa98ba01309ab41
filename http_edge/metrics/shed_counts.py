"""How many requests were turned away though nothing is wrong with them, and why."""

from __future__ import annotations

from typing import Final

from actors import errors
from http_edge.problems import Kind, ProblemError

# The edge's own, by the problem that is said.
KINDS: Final = {
    Kind.TOO_MANY_CONNECTIONS.type: "no_place",
    Kind.DEADLINE_EXCEEDED.type: "deadline",
    Kind.OVERLOADED.type: "overloaded",
    Kind.SERVICE_OVERLOADED.type: "service_overloaded",
}
# What an ask ends in, the most specific first. Whoever brings another limit gives it a row; until
# then it is "other".
ERRORS: Final[tuple[tuple[type[errors.DressRehearsalError], str], ...]] = (
    (errors.MailboxFull, "mailbox_full"),
    (errors.OutboxFull, "outbox_full"),
    (errors.Starting, "starting"),
    (errors.ServiceUnavailable, "parked"),
    (errors.NotAnswering, "not_answering"),
    (errors.RemoteFailed, "remote_failed"),
    (errors.Busy, "other"),
    (errors.DeadlineExceeded, "deadline"),
    (errors.ActorStopped, "stopped"),
    (errors.StoreRefused, "store_full"),
)
REASONS: Final = tuple(dict.fromkeys([*KINDS.values(), *(reason for _, reason in ERRORS)]))


class ShedCounts(dict[str, int]):
    """One listener's, by reason: each of REASONS is there."""

    def __init__(self) -> None:
        """Nobody was turned away yet."""
        super().__init__(dict.fromkeys(REASONS, 0))

    def note(self, error: BaseException) -> None:
        """Count it, if that is what it says."""
        if isinstance(error, ProblemError):
            reason = KINDS.get(error.problem.type)
        else:
            reason = next((each for kind, each in ERRORS if isinstance(error, kind)), None)
        if reason is not None:
            self[reason] += 1
