"""Spares the garbage collector what was there before the first run."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from actors.heap import settle

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def settled_heap() -> Iterator[None]:
    """Let the collector look at nothing that is there now, until the block ends.

    A run ends in a full collection, which mostly looks at modules: a twentieth of all time. In a
    process that spared its imports they are settled now, and for good.
    """
    if settle():
        yield
        return
    frozen = gc.get_freeze_count()
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        if not frozen:  # else somebody's who froze theirs for good, such as a test's session
            gc.unfreeze()
