"""Tells a failure: made small, as a timeline, as a page, and as a script that plays it again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from actors.program import PROGRAM
from actors.simulation.command.comparison import Comparison
from actors.simulation.command.page import render
from actors.simulation.command.recording import Recording
from actors.simulation.command.timeline import build_timeline

if TYPE_CHECKING:
    from pathlib import Path

    from actors.simulation.command.campaign import Campaign
    from actors.simulation.command.findings import Failure
    from actors.simulation.command.options import Options
    from actors.simulation.command.report import Report
    from actors.simulation.command.timeline import Timeline
    from actors.simulation.stage.staging import Played


class Telling:
    """Tells of what one campaign finds."""

    def __init__(self, options: Options, report: Report, campaign: Campaign, folder: Path) -> None:
        """In the `folder` are the pages, unless `options` say otherwise."""
        self._options = options
        self._report = report
        self._campaign = campaign
        self._folder = folder

    def small(self, failure: Failure, page: Path, *, seed: int, again: str) -> None:
        """Make a failure small and tell it, with a page, and the script beside that.

        `seed` is what it was found with, `again` the command that finds it.
        """
        for trouble in failure.played.troubles:
            self._report.line(f"  {trouble}")
        if failure.lost:
            self._report.line(f"it would end this process, too, and is not made smaller: {again}")
            return
        if self._options.traces:
            return
        runs_max = self._options.shrink_runs
        minimised = self._campaign.minimise(
            failure, lambda runs: self._report.shrinking(runs, runs_max), runs_max=runs_max
        )
        if not minimised.repeatable:
            self._report.line("played again, it does not fail: try --check-determinism")
            return
        summary = minimised.summary(failure)
        if not minimised.minimal:
            summary = f"{summary} To look longer: --shrink-runs N"
        self._report.line(f"\n{summary}")
        small = minimised.failure
        self.timeline(small)
        summaries = [summary, *self.cause(small)]
        comparison = None if minimised.passing is None else self._compared(small, minimised.passing)
        if comparison is not None:
            self._report.line(f"{comparison}\n")
        file = page.with_suffix(".json")
        try:
            page.parent.mkdir(parents=True, exist_ok=True)
            self.export(small, file, seed)
            self.page(small, page, seed, self.replaying(file), summaries, comparison)
            self._report.line(f"play it again: {self.replaying(file)}\n")
        except OSError as error:  # what took minutes to find is told to its end all the same
            self._report.line(f"not kept: {error}")
            self._report.line(f"find it again: {again}\n")

    def cause(self, failure: Failure) -> list[str]:
        """Say from where on it was inevitable, if that was asked for and something is wrong."""
        played = failure.played
        if not self._options.cause or not played.troubles:
            return []
        found = self._campaign.inevitable(failure)
        number, _, line = " ".join(str(played.lines[found.line - 1]).split()).partition(" ")
        told = (
            f"From line {number} on ({line}) it was inevitable: with no further fault it failed, "
            f"whatever chance brought, as {found.runs} more runs found out."
        )
        if found.line > 1:
            told = f"{told} From the line before on, it did not always."
        self._report.line(f"{told}\n")
        return [told]

    def timeline(self, failure: Failure) -> None:
        """Print what happened."""
        for knob in failure.played.script.knobs:
            self._report.line(f"where {knob}")
        if failure.played.script.order:
            self._report.line(f"where at one instant the order is {failure.played.script.order}")
        self._report.line(f"\n{self._timeline(failure.system, failure.played)}\n")

    def page(
        self,
        failure: Failure,
        page: Path,
        seed: int,
        again: str,
        summary: list[str],
        comparison: Comparison | None = None,
    ) -> None:
        """Write the page. Raises OSError."""
        text = render(
            self._timeline(failure.system, failure.played),
            system=failure.system,
            seed=seed,
            played=failure.played,
            again=again,
            summary=summary,
            comparison=comparison,
        )
        page.write_text(text, encoding="utf-8")
        self._report.line(f"the page:      {page}")

    def export(self, failure: Failure, file: Path, seed: int) -> None:
        """Write the script. Raises OSError."""
        recording = Recording(
            system=failure.system,
            seed=seed,
            script=failure.played.script,
            troubles=failure.played.troubles,
        )
        file.write_text(recording.to_json(), encoding="utf-8")

    def place(self, failure: Failure, number: int) -> Path:
        """Return where the page goes; where one was named, a number tells further ones apart."""
        page = self._options.page
        if page is None:
            return self._folder / f"{failure.system}-{failure.played.script.seed}.html"
        return page.with_stem(f"{page.stem}-{number + 1}") if number else page

    def _compared(self, failure: Failure, passing: Played) -> Comparison:
        return Comparison.of(
            failure.played.script,
            passing.script,
            self._timeline(failure.system, failure.played),
            self._timeline(failure.system, passing),
        )

    def _timeline(self, system: str, played: Played) -> Timeline:
        return build_timeline(played, self._campaign.rehearsals[system].targets.services)

    # --- Commands ----------------------------------------------------------------------------

    def replaying(self, file: Path) -> str:
        """Return the command that plays a script."""
        return self.command("--replay", str(file))

    def finding(self, failure: Failure) -> str:
        """Return the command that plays its seed."""
        words = ("--system", failure.system, "--faults", self._options.faults)
        return self.command(*words, "--seed", str(failure.played.script.seed))

    def command(self, *words: str) -> str:
        """Return a command under the same configuration."""
        options = self._options
        return f"{PROGRAM} {shlex.join([*options.command(), *options.settings(), *words])}"
