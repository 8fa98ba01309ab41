"""A measurement in a process of its own: nothing measured before it has left a trace."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import structlog
import uvloop

from tests.benchmarks.placement import on_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def run_probe(
    module: str,
    loop: str,
    cores: frozenset[int],
    *,
    cwd: Path | None = None,
    **arguments: int | str,
) -> Any:
    """Run `module` as a program on that kind of loop; returns what it measured.

    With `cwd` it is that of the tree there.
    """
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", loop, json.dumps(arguments)]
    with on_cores(cores):
        process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate()
    if process.returncode:
        message = f"{' '.join(command)} ended with {process.returncode}"
        raise RuntimeError(message)
    return json.loads(output)


def probed(measure: Callable[..., Coroutine[Any, Any, Any]]) -> None:
    """Be such a program: run `measure` with the command line's arguments, print what it returns.

    Nothing else is printed there: what is logged from an error on goes to the standard error.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    loop, arguments = sys.argv[1:]
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        print(json.dumps(runner.run(measure(**json.loads(arguments)))))
