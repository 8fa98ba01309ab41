"""The one subscriber that turns lifecycle events into log lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import structlog

from actors.kernel import lifecycle
from actors.log import ids_of

if TYPE_CHECKING:
    from actors.kernel.lifecycle import LifecycleEvent

log = structlog.get_logger()

_WARNINGS = (lifecycle.Crashed, lifecycle.DeadLettered, lifecycle.HookFailed)


def log_lifecycle(event: LifecycleEvent) -> None:
    """Log the event under its own name, such as `dead lettered`, with its fields as data.

    What is not there is left out. What somebody wished for is no warning.
    """
    fields = {
        key: value
        for key, value in msgspec.structs.asdict(event).items()
        if value is not None and value is not False
    }
    fields["actor"] = fields.pop("name")
    if fields.pop("again", False):  # where it is was told at the first attempt
        fields.pop("traceback", None)
    if (trace := fields.pop("trace", None)) is not None:
        fields |= ids_of(trace)
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(event).__name__).lower()
    if fields.pop("parks", False) or (
        isinstance(event, lifecycle.Stopped) and not event.dead_lettered
    ):
        log.debug(words, **fields)  # one line is enough, and another says it all
    elif isinstance(event, lifecycle.Parked | lifecycle.Degraded):
        log.error(words, **fields)
    elif isinstance(event, _WARNINGS) and not fields.pop("wished", False):
        log.warning(words, **fields)
    else:
        log.info(words, **fields)
