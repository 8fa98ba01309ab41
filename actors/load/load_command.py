"""`load`: put a load on a system that runs, say what it took, and what became of its writes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.console import Console

from actors.config import load_config
from actors.load.errors import LoadError
from actors.load.load_plan import LoadPlan, read_plan
from actors.load.load_progress import LoadProgress
from actors.load.load_report import (
    audit_lines,
    failure_lines,
    late_warnings,
    outcome_as_json,
    phase_table,
)
from actors.load.load_run import LoadRun
from actors.system import places_of
from http_edge.sockets.descriptors import raise_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.load.load_options import LoadOptions
    from actors.load.load_run import LoadOutcome
    from actors.system import System
    from http_edge.listener import Listener

WELL, FOUND, STOPPED = 0, 1, 3
# Files of a process beside its connections.
FILES_OTHER_MAX: Final = 64
# What a listener that is bound to all of a machine's addresses is reached by.
ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here


def load(
    options: LoadOptions,
    *,
    clock: Clock,
    rng: Rng,
    seed: int,
    start: Callable[[Coroutine[Any, Any, LoadOutcome]], LoadOutcome],
    systems: Sequence[System],
) -> int:
    """Run the command on the loop that `start` starts; returns 0 well, 1 found, 3 stopped.

    Raises LoadError, and ConfigError. The `rng` was made of the `seed`.
    """
    console = Console(file=sys.stdout)
    config = load_config(options.config, options.set, systems)
    urls = {each.name: _url_of(each) for each in places_of(systems, config)}
    plan = (
        read_plan(options.plan) if options.plan is not None else _own_plan(systems, options.system)
    )
    for name in options.urls.keys() - urls.keys() - plan.listeners:
        known = ", ".join(sorted(plan.listeners | urls.keys()))
        raise LoadError(f"--url: there is no listener {name!r}: there are {known}")
    urls |= options.urls
    _check_trace(options, plan)
    raise_limit(len(plan.listeners) * options.limits.connections_max + FILES_OTHER_MAX)
    progress = LoadProgress(console, clock)
    outcome = start(_run(plan, urls, options, clock=clock, rng=rng, progress=progress))
    return _tell(console, outcome, options, seed)


def _url_of(listener: Listener) -> str:
    host = ANY_ADDRESS.get(listener.host, listener.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.port}"


async def _run(
    plan: LoadPlan,
    urls: dict[str, str],
    options: LoadOptions,
    *,
    clock: Clock,
    rng: Rng,
    progress: LoadProgress,
) -> LoadOutcome:
    run = LoadRun(plan, urls, clock=clock, rng=rng, limits=options.limits, watcher=progress)
    try:
        with _stopped_by_signal(run, progress):
            return await run.run(options.phases, audit=options.audits)
    finally:
        progress.close()


@contextmanager
def _stopped_by_signal(run: LoadRun, progress: LoadProgress) -> Iterator[None]:
    """End the run in order at the first SIGINT or SIGTERM; a second one ends the process."""
    loop = asyncio.get_running_loop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if run.outcome.stopped:
            progress.show_cursor()
            os._exit(STOPPED)
        loop.call_soon_threadsafe(run.stop)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [(number, signal.signal(number, on_signal)) for number in signals]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _own_plan(systems: Sequence[System], name: str | None) -> LoadPlan:
    """Return the plan of the system of that name, or of the only one with one. Raises LoadError."""
    systems = [each for each in systems if name in {None, each.name}]
    having = [each for each in systems if each.load is not None]
    if len(having) > 1:
        names = " or ".join(each.name for each in having)
        raise LoadError(f"several systems have a plan of a load: name {names}, or --plan FILE")
    if not having or having[0].load is None:
        names = " and ".join(each.name for each in systems) or "no system"
        raise LoadError(
            f"{names} has no plan of a load: name one with --plan FILE, or give the system one, "
            "System(load=...); docs/LOAD.md has both"
        )
    plan = having[0].load()
    if not isinstance(plan, LoadPlan):
        message = f"{having[0].name}: load returns a {type(plan).__name__}: a LoadPlan is wanted"
        raise LoadError(message)
    return plan


def _check_trace(options: LoadOptions, plan: LoadPlan) -> None:
    """Raise LoadError where a trace names a request that the plan has not."""
    for phase in options.phases:
        for arrival in getattr(phase, "trace", ()):
            if arrival.request is not None and arrival.request not in plan.by_name:
                known = ", ".join(sorted(plan.by_name))
                message = f"the trace names a request {arrival.request!r}: the plan has {known}"
                raise LoadError(message)


def _tell(console: Console, outcome: LoadOutcome, options: LoadOptions, seed: int) -> int:
    """Say what came of it, and return the exit code."""
    total, audit = outcome.total, outcome.audit
    missed = [] if outcome.stopped else options.targets.missed(total, outcome.corrected)
    lines = []
    if console.is_terminal:
        console.print(phase_table(outcome.phases))
        lines += failure_lines(outcome.phases)
    lines += late_warnings(total)
    lines += [f"MISSED: {each}" for each in missed]
    lines += [] if audit is None else audit_lines(audit)
    if outcome.stopped:
        lines.append("stopped: these are the figures so far, and no write was read back")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    if options.json is not None:
        _write_json(options.json, outcome_as_json(outcome, seed=seed, missed=missed))
    if missed or (audit is not None and audit.findings):
        return FOUND
    return STOPPED if outcome.stopped else WELL


def _write_json(path: Path, value: Any) -> None:
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}; name another file"
        raise LoadError(message) from error
