"""What a scenario's author says of a run while it goes: always so, and sometimes so.

`always` is a trouble at once where it does not hold. `sometimes` is of a campaign: what was said
and never so, in no run of many, is a case that the scenario does not reach. (Both as Antithesis
has them, and SQLite's testcase() before it.)
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Assertions:
    """Those of one run: what sometimes was so, by its text, and what should always have been."""

    def __init__(self, expected: Iterable[str] = ()) -> None:
        """`expected` are said by the scenario beforehand: they count as not so where unreached."""
        self.sometimes: dict[str, bool] = dict.fromkeys(expected, False)
        self.broken: list[str] = []
        # How often something was said to be always so.
        self.said = 0


# A run has one thread, and is played alone: whoever is asked in it means this one.
_runs: list[Assertions] = []


@contextmanager
def asserting(assertions: Assertions) -> Iterator[None]:
    """Collect what is said meanwhile."""
    _runs.append(assertions)
    try:
        yield
    finally:
        _runs.pop()


def sometimes(text: str, condition: object = True) -> None:  # noqa: FBT002 - it reads so
    """Note that this case exists, and whether it is so now: once in a campaign it must be."""
    if _runs:
        known = _runs[-1].sometimes
        known[text] = known.get(text, False) or bool(condition)


def always(text: str, condition: object) -> None:
    """Where this is not so, the run has failed: `text` says what should have been."""
    if _runs:
        _runs[-1].said += 1
        if not condition:
            _runs[-1].broken.append(f"not always: {text}")
