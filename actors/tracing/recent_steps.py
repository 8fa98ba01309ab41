"""What was done for requests that are not traced, for as long as one of them may still err."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from actors.tracing.trace_context import is_traced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.config import TraceConfig
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope

# Of one request: a saga has some twenty.
STEPS_MAX: Final = 64


class RecentStep(NamedTuple):
    """A message that was handled: types instead of the things themselves, which would stay."""

    service: str
    kind: str
    message: type
    outcome: type
    begun_s: float
    ended_s: float
    accepted_s: float
    attempts: int


class RecentSteps:
    """In memory alone, and by the request's id: what led to what, nobody has written down."""

    def __init__(self, config: TraceConfig, clock: Clock) -> None:
        """Nothing was done yet."""
        self._recent_s = config.recent_s
        self._requests_max = config.recent_requests_max
        self._clock = clock
        # Each a RecentStep's fields: as one it would take half as long again to note.
        self._steps: dict[str, list[tuple[Any, ...]]] = {}
        self._begun: deque[tuple[float, str]] = deque()

    def note(
        self,
        service: str,
        kind: str,
        batch: Sequence[Envelope],
        outcomes: Sequence[Any],
        begun_s: float,
    ) -> None:
        """Note what of a batch that began at `begun_s`, and has ended, was for a request."""
        now_s = self._clock.monotonic()
        for envelope, outcome in zip(batch, outcomes, strict=False):
            request = envelope.trace
            if request is None or is_traced(request):
                continue
            steps = self._steps.get(request)
            if steps is None:
                self._make_room(now_s)
                steps = self._steps[request] = []
                self._begun.append((now_s, request))
            if len(steps) < STEPS_MAX:
                steps.append(
                    (
                        service,
                        kind,
                        envelope.message.__class__,
                        outcome.__class__,
                        begun_s,
                        now_s,
                        envelope.accepted_s,
                        envelope.attempt + 1,
                    )
                )

    def of(self, request: str) -> list[tuple[Any, ...]] | None:
        """Return what was done for the request, each the fields of a RecentStep.

        The list grows for as long as it is recent.
        """
        return self._steps.get(request)

    def _make_room(self, now_s: float) -> None:
        begun = self._begun
        while begun and (len(begun) >= self._requests_max or begun[0][0] + self._recent_s <= now_s):
            del self._steps[begun.popleft()[1]]
