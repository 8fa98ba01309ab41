"""`runtime.py` without what looks after load: to be compared with, and for nothing else.

No bound of what is in progress, no turnstile, no breaker, no counts of requests and lanes, no gate
before the background: a request is decoded, asked and answered.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from actors.launch import command_line
from actors.measures.lane_measures import LaneMeasures
from actors.resilience.background_gate import BackgroundGate
from http_edge.admissions import Admissions
from http_edge.ask_breakers import AskBreaker
from http_edge.metrics.request_counts import RequestCounts
from http_edge.turnstile import Turnstile
from tests.benchmarks.server_process import ROOT

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from actors.kernel.messages import Message


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


def _passes(*_: Any) -> bool:
    return True


def _unbroken(self: AskBreaker, message: Message, **how: Any) -> Awaitable[Any]:
    return self._ask(self.service, message, **how)


def unguard() -> None:
    """Take it all away, in this process."""
    for owner, name in (
        (Admissions, "of"),
        (RequestCounts, "note"),
        (LaneMeasures, "taken"),
        (BackgroundGate, "entered"),
        (BackgroundGate, "left"),
    ):
        assert callable(getattr(owner, name))
        setattr(owner, name, _nothing)
    assert callable(Turnstile.passes)
    Turnstile.passes = _passes  # type: ignore[method-assign, assignment]
    AskBreaker.ask = _unbroken  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    unguard()
    sys.exit(command_line()(sys.argv[1:], program=ROOT / "runtime.py"))
