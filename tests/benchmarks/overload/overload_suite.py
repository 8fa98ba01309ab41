"""The rows of overload, part by part: each can be measured alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.benchmarks.overload.capacity import measure_capacity
from tests.benchmarks.overload.crowd import measure_crowd
from tests.benchmarks.overload.pause import measure_pause
from tests.benchmarks.overload.silence import measure_silence
from tests.benchmarks.overload.whole_chain import measure_whole_chain
from tests.benchmarks.result import Result, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.benchmarks.effort import Effort

OVERLOAD: Final = "overload"
# As they are named after a dot: `--only overload.crowd`.
OVERLOAD_PARTS: Final[Mapping[str, Callable[[Effort, Path], Result]]] = {
    "capacity": measure_capacity,
    "crowd": measure_crowd,
    "silence": measure_silence,
    "chain": measure_whole_chain,
    "pause": measure_pause,
}


def run_overload_suite(effort: Effort, folder: Path, only: str | None) -> Result:
    """Measure all parts, or the one that `only` names."""
    part = (only or "").partition(".")[2]
    place = folder / OVERLOAD
    place.mkdir()
    found = [
        measure(effort, place) for name, measure in OVERLOAD_PARTS.items() if part in {"", name}
    ]
    return joined(found)
