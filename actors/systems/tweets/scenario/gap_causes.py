"""Whether each gap that the reader has on its books has come of something that makes one."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

from actors.simulation.time.virtual_clock import START_US, VirtualClock
from actors.systems.tweets.scenario.garblings import NO_JSON_LINES, NOT_AGAIN, ODD_LINES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from actors.kernel.clock import Clock
    from actors.systems.tweets.config import XConfig
    from actors.systems.tweets.scenario.told import Told


Span = tuple[int, int]
SECOND_US: Final = 1_000_000
# What connecting may take, and a note on how far has been read be late, in seconds.
NOTE_S_MAX: Final = 30.0
# Of a line that is no JSON the reader asks X again, but where one had come so before that.
DAMAGED_US: Final = 300 * SECOND_US
# So many noes in a row the reader takes for X's own.
NOES: Final = 2
# What is said of the gap that a line has left which could not be read.
OF_LINE: Final = "a line of the stream was no tweet to us, and is kept as a dead letter"


def gaps_amiss(
    gaps: Iterable[tuple[int, int, str]],
    x: XConfig,
    clock: Clock,
    told: Told,
    garbled: Sequence[tuple[str, int]],
) -> Iterator[str]:
    """Return a sentence for each gap (since, until, reason) of a run shorter than X's backfill.

    But for those that begin before it: there the wall clock was set back, and nobody can know. And
    for what its steps explain. And where somebody has deleted the reader's rule. And for one gap of
    each line that could not be read, and for what came after who stands before X has let nothing be
    sent again. All times are microseconds, by the wall clock.
    """
    lasted_s = asyncio.get_running_loop().time()
    if told.deleted_rules or lasted_s >= x.backfill_minutes_max * 60 - x.stall_s - NOTE_S_MAX:
        return
    late_us = round((x.stall_s + NOTE_S_MAX) * SECOND_US)
    is_set, steps = True, list[Span]()
    # Where it was set, nobody can say what was first: what has a cause has it at any time.
    if isinstance(clock, VirtualClock):
        is_set, steps = bool(clock.set_forward_us or clock.set_back_us), clock.forward_us
    rest = without_cause(gaps, garbled, late_us=late_us, is_set=is_set)
    for since_us, until_us in unexplained(rest, steps, lasted_us=round(lasted_s * SECOND_US)):
        if since_us >= START_US - late_us:
            yield f"a gap from {since_us} to {until_us}, and X was there"


def without_cause(
    gaps: Iterable[tuple[int, int, str]],
    garbled: Sequence[tuple[str, int]],
    *,
    late_us: int,
    is_set: bool = False,
) -> list[Span]:
    """Return the gaps that nothing explains of what came garbled, and when.

    Whoever notes how far has been read may be late by `late_us`, and the line be long under way.
    """
    noes = [at_us for what, at_us in garbled if what == NOT_AGAIN][NOES - 1 :]
    lines = sorted(_lines_kept(garbled, late_us=inf if is_set else late_us))
    of_lines, rest = list[Span](), list[Span]()
    for since_us, until_us, reason in gaps:
        if noes and (is_set or until_us >= noes[0]):
            continue
        (of_lines if reason == OF_LINE else rest).append((since_us, until_us))
    # The last line explains whatever gap began before it; an earlier one, no more than that.
    for gap in sorted(_whole(of_lines), reverse=True):
        if lines and (is_set or gap[0] <= lines[-1] + late_us):
            lines.pop()
        else:
            rest.append(gap)
    return rest


def unexplained(gaps: Iterable[Span], steps: Sequence[Span], *, lasted_us: int) -> list[Span]:
    """Return the gaps (since, until) that no step of the wall clock accounts for.

    Each of `steps` is what the clock said before, and by how much it was set forward then: maybe
    between a plan and its connection, so that what was asked for was too short by that, and the gap
    is no longer. What began behind a step, by more than the run has `lasted_us`, began after it.
    All are microseconds.
    """
    found = []
    for since_us, until_us in _whole(gaps):
        forward_us = sum(by_us for at_us, by_us in steps if since_us <= at_us + lasted_us)
        if not 0 < until_us - since_us <= forward_us:
            found.append((since_us, until_us))
    return found


def _whole(gaps: Iterable[Span]) -> list[Span]:
    """Return those that meet as one: what X does not reach of a gap is another than its rest."""
    whole: list[Span] = []
    for since_us, until_us in sorted(gaps):
        if whole and since_us <= whole[-1][1]:
            begun_us, ended_us = whole.pop()
            whole.append((begun_us, max(ended_us, until_us)))
        else:
            whole.append((since_us, until_us))
    return whole


def _lines_kept(garbled: Sequence[tuple[str, int]], *, late_us: float) -> Iterator[int]:
    """Yield when a line came that the reader may keep: the first that is no JSON it asks for."""
    damaged_us: list[int] = []
    for what, at_us in garbled:
        if what in NO_JSON_LINES:
            if any(at_us - each <= DAMAGED_US + late_us for each in damaged_us):
                yield at_us
            damaged_us.append(at_us)
        elif what in ODD_LINES:
            yield at_us
