"""Limits so small that a run of few requests reaches them, and what is done then: each seed draws.

A. Groce et al., "Swarm Testing", ISSTA 2012: what every run had would hide as much as
it shows.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.simulation.script.chooser import Chooser

T = TypeVar("T")

# Key of the configuration -> what it may be.
LIMITS: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "store.outbox_messages_max": (5, 1),
        "mailbox.capacity": (5, 2, 1),
        "service.batch_messages_max": (2, 1),
        "channel.window_messages": (2, 1),
        "channel.memory_kib": (1,),
        "timer.window_timers": (2, 1),
        "effect.running_max": (2, 1),
        "effect.waiting_max": (2, 1),
        "effect.retries_kept_max": (2, 1),
        "store.prune_rows_max": (1,),
        "supervisor.intensity": (1,),
        "edge.page_items_default": (2, 1),
        "breaker.probes_max": (1,),
        "edge.connections_max": (4, 3),
        "edge.admission.in_progress_max": (2, 1),
        "background.requests_min": (1,),
        "background.slice_messages": (1,),
    }
)
# And words of a few.
VALUES: Final[Mapping[str, tuple[int | str, ...]]] = MappingProxyType(
    {**LIMITS, "mailbox.overflow": ("wait", "drop_oldest", "drop_newest")}
)
# Which acts beside which alone: what overflows has to be small.
BESIDE: Final[Mapping[str, str]] = MappingProxyType({"mailbox.overflow": "mailbox.capacity"})
# Of so many seeds one has knobs; of those, each knob is in so many.
SEEDS_WITHOUT: Final = 2
KNOBS_WITHOUT: Final = 4


class Knob(msgspec.Struct, frozen=True):
    """`key` of the configuration is `value` in one run."""

    key: str
    value: int | str

    def __post_init__(self) -> None:
        if self.key not in VALUES:
            raise ValueError(f"there is no knob {self.key!r}, but: {', '.join(VALUES)}")
        if self.key not in LIMITS and self.value not in VALUES[self.key]:
            raise ValueError(f"{self.key} is one of {VALUES[self.key]}: {self.value!r}")
        if self.key in LIMITS and (isinstance(self.value, str) or self.value < 1):
            raise ValueError(f"{self.key} is a number, at least 1: {self.value!r}")

    def __str__(self) -> str:
        return f"{self.key} = {self.value}"


def choose_knobs(choose: Chooser) -> tuple[Knob, ...]:
    """Choose a subset of all knobs, often none; 0 throughout is none."""
    if choose(SEEDS_WITHOUT) == 0:
        return ()
    knobs: dict[str, Knob] = {}
    for key, values in VALUES.items():
        if key in BESIDE and BESIDE[key] not in knobs:
            continue
        if choose(KNOBS_WITHOUT) == KNOBS_WITHOUT - 1:
            knobs[key] = Knob(key, values[choose(len(values))])
    return tuple(knobs.values())


def turned(config: T, knobs: Sequence[Knob]) -> T:
    """Return the configuration with them."""
    for knob in knobs:
        config = with_value(config, knob.key.split("."), knob.value)
    return config


def is_set(explicit: Mapping[str, Any], key: str) -> bool:
    """Whether somebody has set that key himself."""
    below: Any = explicit
    for name in key.split("."):
        if not isinstance(below, dict) or name not in below:
            return False
        below = below[name]
    return True


def with_value(section: Any, path: list[str], value: float | str) -> Any:
    """Return the section, or the configuration, with another value at the end of the path."""
    name, *rest = path
    inner = with_value(getattr(section, name), rest, value) if rest else value
    return msgspec.structs.replace(section, **{name: inner})
