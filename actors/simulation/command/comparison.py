"""A run that fails beside the nearest one that passes: what differs, as lines of text."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final, Self

import msgspec

from actors.simulation.command.timeline_entry import AT_REST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.simulation.command.timeline import Timeline
    from actors.simulation.script.script import Script

# Where two runs have parted they have little in common: so many lines from there on are told.
LINES_MAX: Final = 40
BOTH, FAILS, PASSES = "both  ", "fails ", "passes"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that begin with whose they are.

    `scripts` are those in which two scripts differ; `events` what happens from the first difference
    on, whatever the time.
    """

    scripts: tuple[str, ...]
    events: tuple[str, ...]

    @classmethod
    def of(cls, failing: Script, passing: Script, fails: Timeline, passes: Timeline) -> Self:
        """Compare two runs."""
        scripts = _beside(_script(failing), _script(passing))
        events = list(_beside(*_as_far(_events(fails), _events(passes))))
        first = next((i for i, each in enumerate(events) if not each.startswith(BOTH)), len(events))
        told = events[first : first + LINES_MAX]
        left = len(events) - first - len(told)
        return cls(
            scripts=tuple(each for each in scripts if not each.startswith(BOTH)),
            events=(*told, *([f"and {left} lines more"] if left else [])),
        )

    def __str__(self) -> str:
        what = "\n".join(f"  {each}" for each in self.scripts)
        events = "\n".join(f"  {each}" for each in self.events)
        return (
            f"The nearest that passes, of those that were tried:\n{what}\n"
            f"From the first difference on:\n{events}"
        )


def _script(script: Script) -> list[str]:
    asked = [
        f"client-{each.client}, {each.gap_us} µs after the one before: {each.call}"
        for each in script.workload
    ]
    done = [f"{each.gap_us} µs after the one before: {each}" for each in script.schedule.steps]
    order = [f"where the order is {script.order}"] if script.order else []
    limits = [f"where {each}" for each in script.knobs]
    return [f"seed {script.seed}", *limits, *order, *asked, *done]


def _events(timeline: Timeline) -> list[str]:
    return [f"{each.lane:<15} {each.text}" for each in timeline.entries]


def _as_far(fails: list[str], passes: list[str]) -> tuple[list[str], list[str]]:
    """Leave out what happens to a folder that only a run that holds leaves whole."""
    if any(AT_REST in each for each in fails):
        return fails, passes
    held = next((at for at, each in enumerate(passes) if AT_REST in each), len(passes))
    return fails, passes[:held]


def _beside(fails: Sequence[str], passes: Sequence[str]) -> Iterator[str]:
    matcher = SequenceMatcher(None, fails, passes, autojunk=False)
    for tag, begin, until, other_begin, other_until in matcher.get_opcodes():
        if tag == "equal":
            yield from (f"{BOTH}  {each}" for each in fails[begin:until])
        else:
            yield from (f"{FAILS}  {each}" for each in fails[begin:until])
            yield from (f"{PASSES}  {each}" for each in passes[other_begin:other_until])
