"""Everything a simulation must not touch, with what stands in for it."""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import datetime as dt
import multiprocessing.process
import os
import queue
import random
import select
import selectors
import signal
import socket
import ssl
import tempfile
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from actors.simulation.sealed.guard import Guard, OfNow, decide
from actors.simulation.sealed.watch import escape, watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from actors.simulation.sealed.watch import VirtualWorld

# For who has to know the real time in a simulation: in a tuple, no seal finds them.
REAL_CPU_S_AND_TIME_S = (time.process_time, time.monotonic)

# --- Functions, replaced by name -------------------------------------------------------------


def functions() -> Iterator[Guard]:
    """Make a guard for every forbidden function that this Python has."""
    yield from _clocks()
    yield from _entropy()
    refused: tuple[tuple[ModuleType, str, str], ...] = (
        (time, "sleep", "time.sleep()"),
        (os, "times", "os.times()"),
        (signal, "alarm", "signal.alarm()"),
        (signal, "setitimer", "signal.setitimer()"),
        (signal, "getitimer", "signal.getitimer()"),
        (signal, "pause", "signal.pause()"),
        (signal, "sigwait", "signal.sigwait()"),
        (signal, "sigwaitinfo", "signal.sigwaitinfo()"),
        (signal, "sigtimedwait", "signal.sigtimedwait()"),
        (select, "select", "select.select()"),
        (socket, "socketpair", "a socket"),  # whose audit event comes too late to close it
        (asyncio, "run", "asyncio.run()"),
        (asyncio, "new_event_loop", "asyncio.new_event_loop()"),
        (_thread, "start_new_thread", "a thread"),
        (_thread, "start_joinable_thread", "a thread"),  # from Python 3.13 on
    )
    for module, name, what in refused:
        if hasattr(module, name):
            yield Guard(getattr(module, name), what)


def _clocks() -> Iterator[Guard]:
    for name, serve in _CLOCKS.items():
        if hasattr(time, name):
            yield Guard(getattr(time, name), f"time.{name}()", kind="time", serve=serve)
    for name in ("clock_gettime", "clock_gettime_ns"):
        if hasattr(time, name):
            yield Guard(getattr(time, name), f"time.{name}()")
    for name in ("localtime", "gmtime", "ctime", "asctime"):
        yield OfNow(getattr(time, name), f"time.{name}()", 0)
    yield OfNow(time.strftime, "time.strftime()", 1)
    for name in ("now", "utcnow"):
        # For a module that holds the bound method; who looks it up meets the guard in the type.
        yield Guard(getattr(dt.datetime, name), f"datetime.{name}()")


def _entropy() -> Iterator[Guard]:
    for module, name in ((os, "urandom"), (os, "getrandom"), (ssl, "RAND_bytes")):
        if hasattr(module, name):
            what = f"{module.__name__}.{name}()"
            yield Guard(getattr(module, name), what, kind="entropy", serve=_random_bytes)
    shared = random.random.__self__  # type: ignore[attr-defined]  # the module's own generator
    for name, method in vars(random).items():
        if getattr(method, "__self__", None) is shared:
            yield Guard(method, f"random.{name}()", kind="entropy", serve=_drawn(name))
    yield Guard(uuid.getnode, "uuid.getnode()")
    yield Guard(uuid.uuid1, "uuid.uuid1()")  # asks the machine's own generator, in C
    # Drawn from a generator that may have been seeded before; a name tells nothing but itself.
    names = tempfile._get_candidate_names  # type: ignore[attr-defined]  # noqa: SLF001
    yield Guard(names, "a temporary name", kind="entropy", serve=lambda _world: names())


def _random_bytes(world: VirtualWorld, size: int, _flags: int = 0) -> bytes:
    return world.entropy.randbytes(size)


def _drawn(name: str) -> Callable[..., Any]:
    return lambda world, *arguments, **options: getattr(world.entropy, name)(*arguments, **options)


_CLOCKS: dict[str, Callable[[VirtualWorld], float]] = {
    "time": lambda world: world.clock.now_us() / 1_000_000,
    "time_ns": lambda world: world.clock.now_us() * 1000,
    "monotonic": lambda world: world.time(),
    "monotonic_ns": lambda world: round(world.time() * 1e9),
    "perf_counter": lambda world: world.time(),
    "perf_counter_ns": lambda world: round(world.time() * 1e9),
    "process_time": lambda world: world.time(),
    "process_time_ns": lambda world: round(world.time() * 1e9),
    "thread_time": lambda world: world.time(),
    "thread_time_ns": lambda world: round(world.time() * 1e9),
}


# --- Methods, replaced in their type ---------------------------------------------------------


def methods() -> Iterator[tuple[type, str, Any]]:
    """Yield (type, method, what stands in for it) for every forbidden method."""
    for name in ("now", "utcnow"):
        yield dt.datetime, name, _moment(name)
    lock = type(_thread.allocate_lock())
    acquire = lock.__dict__["acquire"]
    for name in ("acquire", "acquire_lock", "__enter__"):
        yield lock, name, _unless_it_would_block(acquire)
    yield queue.SimpleQueue, "get", _unless_empty(queue.SimpleQueue.__dict__["get"])
    yield random.Random, "seed", _if_told(random.Random.seed)
    refused: tuple[tuple[type, str, str], ...] = (
        (threading.Thread, "start", "a thread"),
        (concurrent.futures.ThreadPoolExecutor, "submit", "a thread pool"),
        (concurrent.futures.ProcessPoolExecutor, "submit", "a process pool"),
        (multiprocessing.process.BaseProcess, "start", "a process"),
    )
    for cls, name, what in refused:
        yield cls, name, _refusing(cls.__dict__[name], what)
    waits: list[tuple[Any, str]] = [
        (selectors.SelectSelector, "select"),
        (type(select.poll()), "poll"),
    ]
    waits += [(select.epoll, "poll")] if hasattr(select, "epoll") else []
    for cls, name in waits:
        yield cls, name, _unless_it_would_wait(cls.__dict__[name])


def _refusing(original: Callable[..., Any], what: str) -> Callable[..., Any]:
    def refuse(*arguments: Any, **options: Any) -> Any:
        if watching() is not None:
            raise escape(what)
        return original(*arguments, **options)

    return refuse


def _moment(name: str) -> Any:
    original = dt.datetime.__dict__[name]

    def moment(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> Any:
        answer, world = decide("time", f"datetime.{name}()")
        if answer == "real":
            return original.__get__(None, cls)(*([] if tz is None else [tz]))
        zone = dt.UTC if name == "utcnow" else tz
        found = cls.fromtimestamp(world.clock.now_us() / 1_000_000, zone)
        return found.replace(tzinfo=None) if name == "utcnow" else found

    return classmethod(moment)


def _unless_it_would_block(original: Callable[..., bool]) -> Callable[..., bool]:
    def acquire(self: Any, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - the original's signature
        if watching() is None:
            return original(self, blocking, timeout)
        if original(self, False):  # noqa: FBT003
            return True
        if not blocking:
            return False
        # Nobody else runs: it would wait for ever, or for real time.
        raise escape("a wait for a lock")

    return acquire


def _unless_empty(original: Callable[..., Any]) -> Callable[..., Any]:
    def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002 - the original's signature
        if block and watching() is not None and self.empty():
            raise escape("a wait for a queue")
        return original(self, block, timeout)

    return get


def _unless_it_would_wait(original: Callable[..., Any]) -> Callable[..., Any]:
    def poll(self: Any, timeout: float | None = None, *arguments: Any, **options: Any) -> Any:
        if (timeout is None or timeout > 0) and watching() is not None:
            raise escape("a wait for file descriptors")
        return original(self, timeout, *arguments, **options)

    return poll


def _if_told(original: Callable[..., None]) -> Callable[..., None]:
    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and watching() is not None:
            answer, world = decide("entropy", "a Random without a seed")
            a = world.entropy.getrandbits(128) if answer == "virtual" else None
        original(self, a, version)

    return seed
