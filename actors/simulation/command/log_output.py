"""Nothing is logged by a system under simulation, unless somebody asks for it."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from actors.log import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.config import LogConfig
    from actors.kernel.clock import Clock


@contextmanager
def without_logs() -> Iterator[None]:
    """Drop every log line; afterwards, logging is what it was."""
    before, disabled = structlog.get_config(), logging.root.manager.disable
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.disable(disabled)


def log_virtual_time(config: LogConfig, clock: Clock) -> None:
    """Log to standard error, with the time of the simulation that is running; else of `clock`."""

    def now_us() -> int:
        try:
            loop: Any = asyncio.get_running_loop()
        except RuntimeError:
            return clock.now_us()
        virtual: Clock = loop.clock
        return virtual.now_us()

    configure_logging(config, sys.stderr, is_terminal=sys.stderr.isatty(), now_us=now_us)
