"""A failure as one HTML file: what was wrong, the run in lanes, all of its trace; no script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from actors.simulation.command.timeline_entry import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from actors.simulation.command.comparison import Comparison
    from actors.simulation.command.timeline import Timeline
    from actors.simulation.command.timeline_entry import TimelineEntry
    from actors.simulation.stage.staging import Played

# From this on, time that goes by without anything is worth a line of its own, in microseconds.
GAP_US: Final = 1_000_000

KINDS: Final = {
    "request": "a client asks",
    "answer": "it is answered",
    "commit": "a commit",
    "refusal": "a refusal",
    "fault": "a fault, on purpose",
    "crash": "a crash",
    "up": "up again",
    "wrong": "wrong",
}
# How a row that a commit has changed is drawn, by how it is told.
SIGNS: Final = {"+ ": "new", "- ": "gone", "~ ": "changed"}


def render(
    timeline: Timeline,
    *,
    system: str,
    seed: int,
    played: Played,
    again: str,
    summary: Iterable[str],
    comparison: Comparison | None = None,
) -> str:
    """Return the page; `summary` are sentences, `again` is the command that plays it again.

    `seed` is what it was found with, `comparison` is with the nearest run that passes.
    """
    # Here, for most campaigns find nothing, and have no page.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    title = f"Seed {seed} breaks the {system}"
    if not played.troubles:
        title = f"Seed {seed} of the {system}: all held"
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return templates.get_template("page.html").render(
        title=title,
        timeline=timeline,
        rows=_rows(timeline),
        kinds=KINDS,
        signs=SIGNS,
        seconds=seconds,
        played=played,
        script_json=msgspec.json.format(msgspec.json.encode(played.script), indent=2).decode(),
        again=again,
        summary=summary,
        comparison=comparison,
    )


def _rows(timeline: Timeline) -> Iterator[tuple[int, int, TimelineEntry]]:
    """Yield each entry with its number and how long nothing happened before it, if that long."""
    before_us = 0
    for index, entry in enumerate(timeline.entries):
        gap_us = entry.at_us - before_us
        yield index, gap_us if gap_us >= GAP_US else 0, entry
        before_us = max(entry.until_us, before_us)
