"""Tells whoever waits that a service has committed something."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from actors.errors import ActorStopped

if TYPE_CHECKING:
    from collections.abc import Generator


class Commits:
    """Counts one service's commits, over all its incarnations; costs one addition a commit.

    A commit of which an incarnation died before it could tell is told by the next one's start, so
    that a waiter may wake for nothing and never sleeps through anything.
    """

    def __init__(self, name: str) -> None:
        """None yet. `name` is the service's."""
        self._name = name
        self._count = 0
        self._closed = False
        self._next: asyncio.Future[None] | None = None

    def note(self) -> None:
        """Something was committed, or may have been."""
        self._count += 1
        self._wake()

    def close(self) -> None:
        """No commit will follow."""
        self._closed = True
        self._wake()

    def next(self) -> NextCommit:
        """Return what ends at the first commit from now on, also where nobody awaits it yet."""
        return NextCommit(self, self._count)

    async def after(self, count: int) -> None:
        """Wait for a commit after the `count`-th. Raises ActorStopped where none will follow."""
        while self._count == count and not self._closed:
            if self._next is None:
                self._next = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._next)  # it is everybody's
        if self._count == count:
            message = f"{self._name} has stopped and commits nothing more"
            raise ActorStopped(message)

    def _wake(self) -> None:
        if self._next is not None:
            self._next.set_result(None)
            self._next = None


class NextCommit:
    """Awaitable any number of times, and costs nothing where it is not awaited at all."""

    __slots__ = ("_commits", "_count")

    def __init__(self, commits: Commits, count: int) -> None:
        """Made by `Commits.next`."""
        self._commits = commits
        self._count = count

    def __await__(self) -> Generator[object, None, None]:
        """Wait. Raises ActorStopped where the system ends first."""
        return self._commits.after(self._count).__await__()
