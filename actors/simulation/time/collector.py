"""Python's garbage collector runs finalizers, and they call back: only where a run says so."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the collector run by itself only after the block; at its beginning it has been through.

    Within another such block it is at rest already: what a run has made is best looked at once,
    when the run is over and nothing of it is needed any more.
    """
    if not gc.isenabled():
        yield
        return
    gc.collect(1)  # what an earlier run left must not end in this one
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
