"""Which requests are let in, and what becomes of a connection whose request is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.resilience.admission_control import AdmissionControl
from http_edge.problems import Kind, Overload

if TYPE_CHECKING:
    from actors.config import EdgeConfig
    from http_edge.http_request import HttpRequest

# What a request comes to that has no answer by its deadline.
_TOO_LATE: Final = frozenset({"202", "504"})
# In so many parts do refused connections come again, the last after twice the time they were told.
_SPREAD: Final = 32


class Admissions:
    """The bounds of one edge: one for each kind of request, at whatever addresses it is made."""

    def __init__(self, config: EdgeConfig) -> None:
        """Nothing is in progress."""
        self._config = config
        self._controls: dict[str, AdmissionControl] = {}

    def of(self, kind: str) -> AdmissionControl:
        """Return what bounds how many requests of that kind are in progress."""
        control = self._controls.get(kind)
        if control is None:
            config = self._config
            control = AdmissionControl(kind, config.admission, deadline_s=config.deadline_s)
            self._controls[kind] = control
        return control

    def all(self) -> list[AdmissionControl]:
        """Return all bounds, by kind, in the order of the tables of addresses."""
        return list(self._controls.values())

    def enter(
        self, control: AdmissionControl | None, request: HttpRequest, now_s: float
    ) -> AdmissionControl | None:
        """Let it in and return what it has to leave, or raise a 503 and have its connection rest.

        Who comes again at once would take the time of those who were let in. None bounds nothing.
        """
        if control is None or control.enters(now_s):
            return control
        rest_s = self._config.admission.rest_s
        # Not all at once, either: thousands that were refused together would be read together.
        longer_s = rest_s * (control.refused % _SPREAD) / _SPREAD
        rested_s = request.protocol.rest(rest_s + longer_s)  # type: ignore[attr-defined]  # it is an HttpConnection
        detail = "more is asked than can be answered in time; come again, later each time"
        raise Overload(Kind.OVERLOADED, detail, retry_after_s=rested_s)


def leave(control: AdmissionControl | None, entered_s: float, now_s: float, status: str) -> None:
    """One that was let in was answered with that status; with "", nobody waits for it any more.

    `entered_s` is what `enter` was told: a sample is of those who entered in its time, and the one
    that begins it arrived before that.
    """
    if control is not None:
        served, too_late = status.startswith("2"), status in _TOO_LATE
        control.leaves(entered_s, now_s, served=served, too_late=too_late)
