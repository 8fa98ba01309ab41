"""Where code runs: on which of the simulated machines."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Tasks and callbacks inherit it, as every context variable.
CURRENT_HOST: ContextVar[str] = ContextVar("host", default="main")


@contextlib.contextmanager
def on_host(name: str) -> Iterator[None]:
    """Let the block, and the tasks it starts, run on the host called `name`.

    It is where their servers listen, where their connections come from, and what "localhost" means.
    """
    token = CURRENT_HOST.set(name)
    try:
        yield
    finally:
        CURRENT_HOST.reset(token)
