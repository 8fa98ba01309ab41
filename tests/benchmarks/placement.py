"""Which core runs what: every candidate gets the same, and the load generator is not in its way."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """The cores of a server with all of its threads, and those of the load. Empty: any.

    Figures of the free placement carry no mark, those of any other its key.
    """

    key: str
    words: str
    server: frozenset[int] = frozenset()
    load: frozenset[int] = frozenset()

    def mark(self, key: str) -> str:
        """Return a row's key in this placement."""
        return key if self.key == FREE.key else f"{key}_{self.key}"

    def label(self, name: str) -> str:
        """Return a row's name in this placement."""
        return name if self.key == FREE.key else f"{name}, {self.key}"


FREE = Placement(key="free", words="any core")


def one_core_each() -> Placement:
    """A core for the server, another for the load; on a machine with one core, the same one."""
    cores = sorted(os.sched_getaffinity(0))
    return Placement(
        key="pinned",
        words=f"pinned: what is measured on core {cores[0]}, the load on core {cores[-1]}",
        server=frozenset({cores[0]}),
        load=frozenset({cores[-1]}),
    )


@contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    """Children started inside inherit these cores; this process is back on its own afterwards."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pid: int, cores: frozenset[int]) -> None:
    """Move a running process, every thread of it."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # a database's threads come and go
            os.sched_setaffinity(int(thread.name), cores or os.sched_getaffinity(0))
