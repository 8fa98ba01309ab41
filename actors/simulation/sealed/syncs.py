"""Who syncs a file is heard: what a disk has after a power cut is the simulation's to know."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from actors.simulation.sealed.watch import watching

if TYPE_CHECKING:
    from collections.abc import Callable


class Syncing:
    """Stands in for `os.fsync`."""

    __slots__ = ("original",)

    def __init__(self) -> None:
        self.original: Callable[[int], None] = os.fsync

    def __call__(self, fd: int) -> None:
        self.original(fd)
        watch = watching()
        if watch is not None and watch.synced is not None:
            watch.synced(fd)
