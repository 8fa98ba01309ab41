"""Who waits for what, when nothing is left to happen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def describe_waiting(tasks: Iterable[asyncio.Task[Any]]) -> list[str]:
    """Return a line a task: its name, its host, the frames it is in, and what it awaits."""
    return [describe_task(task) for task in tasks]


def describe_task(task: asyncio.Task[Any]) -> str:
    """Return `name on host waits for X at file:line in function, for file:line in ...`."""
    frames = list(_frames(task.get_coro()))
    host = getattr(task, "host", "")
    name = f"{task.get_name()} on {host}" if host else task.get_name()
    where = ", for ".join(reversed(frames)) or "where it has not begun"
    return f"{name} waits for {_describe_awaited(task)} at {where}"


def _frames(awaited: Any) -> Iterable[str]:
    """Yield `file:line in function` for the coroutines of a task, the outermost first."""
    while awaited is not None:
        frame = None
        for kind in ("cr", "gi", "ag"):
            if hasattr(awaited, f"{kind}_frame"):
                frame = getattr(awaited, f"{kind}_frame")
                below = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await", None)
                break
        else:
            return
        if frame is not None:
            code = frame.f_code
            yield f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}"
        awaited = below


def _describe_awaited(task: asyncio.Task[Any]) -> str:
    # The only way from a task to what it awaits: a coroutine shows an iterator without its future.
    future = getattr(task, "_fut_waiter", None)
    if isinstance(future, asyncio.Task):
        return f"task {future.get_name()}"
    if future is None:
        return "its next turn"
    children: list[Any] = getattr(future, "_children", [])  # asyncio.gather's
    names = [child.get_name() for child in children if isinstance(child, asyncio.Task)]
    return f"tasks {', '.join(names)}" if names else f"a {_kind(future)}"


def _kind(future: asyncio.Future[Any]) -> str:
    return type(future).__name__.removeprefix("Numbered").lower()
