"""`breakpoint()` inside a simulation: pdb asks who sits there, and time stands still meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from actors.simulation.sealed.watch import in_the_real_world

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def debuggable() -> Iterator[None]:
    """Let `breakpoint()` open pdb outside the seal, unless somebody has chosen another debugger."""
    if sys.breakpointhook is not sys.__breakpointhook__ or "PYTHONBREAKPOINT" in os.environ:
        yield
        return
    sys.breakpointhook = _stop
    try:
        yield
    finally:
        sys.breakpointhook = sys.__breakpointhook__


def _stop() -> None:
    with in_the_real_world():
        debugger = _debugger()
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0.0)  # who looks around takes as long as it takes
    debugger.set_trace(sys._getframe(1))  # noqa: SLF001 - whoever called breakpoint()


def _debugger() -> Any:
    import pdb  # noqa: PLC0415, T100 - takes a while, and hardly anybody stops

    class Debugger(pdb.Pdb):
        """Unseals the simulation while it waits for what to do next."""

        def interaction(self, *arguments: Any) -> None:
            with in_the_real_world():
                super().interaction(*arguments)

    return Debugger()
