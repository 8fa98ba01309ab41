"""Which requests are let in, and what becomes of a connection whose request is not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from actors.resilience.admission_control import AdmissionControl
from actors.resilience.bulkhead import Bulkhead
from actors.resilience.return_times import ReturnTimes
from http_edge.problems import Kind, Overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.config import EdgeConfig

    # Has a connection rest for so many seconds; returns for how long it does.
    Rest = Callable[[float], float]

# What a request comes to that has no answer by its deadline.
_TOO_LATE: Final = frozenset({"202", "504"})


class WayIn:
    """What requests at one address have to pass: the bound of their service, and of their kind."""

    __slots__ = ("bulkhead", "control", "writes")

    def __init__(self, bulkhead: Bulkhead, control: AdmissionControl, *, writes: bool) -> None:
        """`writes` is whether such a request may begin something that outlives its answer."""
        self.bulkhead = bulkhead
        self.control = control
        self.writes = writes


class Admissions:
    """The bounds of one edge: one for each kind of request, at whatever addresses it is made.

    And one for each service that is asked.
    """

    def __init__(self, config: EdgeConfig, left_behind: Callable[[str], int]) -> None:
        """Nothing is in progress; `left_behind` says how many sagas of a service nobody awaits."""
        self._config = config
        self._left_behind = left_behind
        self._returns = ReturnTimes(config.admission)
        self._controls: dict[str, AdmissionControl] = {}
        self._bulkheads: dict[str, Bulkhead] = {}

    def of(self, kind: str, service: str, *, writes: bool) -> WayIn:
        """Return what bounds how many requests of that kind of that service are in progress."""
        control = self._controls.get(kind)
        config = self._config
        if control is None:
            control = AdmissionControl(kind, config.admission, deadline_s=config.deadline_s)
            self._controls[kind] = control
        bulkhead = self._bulkheads.get(service)
        if bulkhead is None:
            left_behind = partial(self._left_behind, service)
            bulkhead = Bulkhead(service, config.admission.service_max, left_behind)
            self._bulkheads[service] = bulkhead
        return WayIn(bulkhead, control, writes=writes)

    def controls(self) -> list[AdmissionControl]:
        """Return all bounds of kinds, in the order of the tables of addresses."""
        return list(self._controls.values())

    def bulkheads(self) -> list[Bulkhead]:
        """Return all bounds of services, in the same order."""
        return list(self._bulkheads.values())

    def reconfigured(self) -> None:
        """Hear that the configuration has other values."""
        for control in self._controls.values():
            control.reconfigured(deadline_s=self._config.deadline_s)
        for bulkhead in self._bulkheads.values():
            bulkhead.in_progress_max = self._config.admission.service_max

    def enter(self, way: WayIn | None, rest: Rest | None, now_s: float) -> WayIn | None:
        """Let one in and return what it has to leave, or raise a 503 and have its connection rest.

        Who comes again at once would take the time of those who were let in; one whose connection
        ends with this answer has no `rest`. A `way` that is None bounds nothing.
        """
        if way is None:
            return None
        if not way.bulkhead.has_room(now_s, writes=way.writes):
            detail = (
                f"{way.bulkhead.name} has as much under way as it may have, with what goes on after"
                " a 202; come again, later each time"
            )
            raise self._refusal(Kind.SERVICE_OVERLOADED, detail, rest, now_s)
        if not way.control.enters(now_s):
            raise self.overload(rest, now_s)
        way.bulkhead.in_progress += 1
        return way

    def overload(self, rest: Rest | None, now_s: float) -> Overload:
        """Return the 503 for one of a kind that is full, and have its connection rest."""
        detail = "more is asked than can be answered in time; come again, later each time"
        return self._refusal(Kind.OVERLOADED, detail, rest, now_s)

    def _refusal(self, kind: Kind, detail: str, rest: Rest | None, now_s: float) -> Overload:
        rest_s = self._returns.rest_s(now_s)
        rested_s = rest_s if rest is None else rest(rest_s)
        return Overload(kind, detail, retry_after_s=rested_s)


def leave(way: WayIn | None, entered_s: float, now_s: float, status: str) -> None:
    """One that was let in was answered with that status; with "", nobody waits for it any more.

    `entered_s` is what `enter` was told: a sample is of those who entered in its time, and the one
    that begins it arrived before that.
    """
    if way is not None:
        served, too_late = status.startswith("2"), status in _TOO_LATE
        way.bulkhead.in_progress -= 1
        way.control.leaves(entered_s, now_s, served=served, too_late=too_late)
