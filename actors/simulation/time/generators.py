"""The asynchronous generators of a loop: closed by it when they are dropped, or at its end."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator


class Generators:
    """Knows those that were begun, without keeping any alive."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """`begun` and `dropped` are for `sys.set_asyncgen_hooks` while `loop` runs."""
        self._loop = loop
        self._count = 0
        self._begun: dict[int, weakref.ref[AsyncGenerator[Any, Any]]] = {}

    def begun(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Hear that one is iterated for the first time."""
        self._count += 1
        number = self._count
        self._begun[number] = weakref.ref(generator, lambda _: self._begun.pop(number, None))

    def dropped(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Close one that nobody holds any more: its `finally` may have to await."""
        if not self._loop.is_closed():
            self._loop.call_soon(self._close, generator)

    async def close(self) -> None:
        """Close every one that was left half-way, the oldest first."""
        for reference in list(self._begun.values()):
            generator = reference()
            if generator is not None:
                await generator.aclose()

    def _close(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._loop.create_task(generator.aclose(), name="close generator")
