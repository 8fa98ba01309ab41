"""What a campaign says on the terminal: how far it is, what it found, what it covered."""

from __future__ import annotations

import shutil
from textwrap import fill
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.kernel.clock import Clock
    from actors.simulation.command.campaign import Campaign, Plan
    from actors.simulation.command.findings import Findings
    from actors.simulation.stage.staging import Played

BAR_CELLS: Final = 24
# How often a terminal's line is drawn anew, in seconds, and how many lines there are elsewhere.
DRAW_S: Final = 0.1
LINES: Final = 10
# Elsewhere, seconds between two words about how far the shrinking is.
TELL_S: Final = 10.0
ENOUGH: Final = "Ctrl-C ends that with the smallest so far"
WIDTH: Final = 100
CLEAR_LINE: Final = "\r\x1b[K"


class Report:
    """Writes to `stream`: on a terminal a bar that moves, elsewhere a line now and then."""

    def __init__(self, stream: TextIO, clock: Clock, *, is_terminal: bool) -> None:
        """`clock` is the real one: it measures the campaign, not what is simulated."""
        self._stream = stream
        self._clock = clock
        self.is_terminal = is_terminal
        self._began_s = self._last_s = clock.monotonic()
        self._drawn_s = 0.0
        self._written = 0
        self._is_bar = False

    def line(self, text: str = "") -> None:
        """Write a line, above the bar if there is one."""
        self._clear()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def begin(self, plan: Plan, campaign: Campaign, faults: str) -> None:
        """Say what is going to be played: above all, the seed."""
        systems = ", ".join(campaign.rehearsals)
        if plan.virtual_s is not None:
            seeds = f"from seed {plan.first}, for {plan.virtual_s / 3600:g} virtual hours"
        elif plan.real_s is not None:
            seeds = f"from seed {plan.first}, for {plan.real_s:g} s"
        elif plan.seeds == 1:
            seeds = f"seed {plan.first}"
        else:
            assert plan.seeds is not None, "the plan is of seeds or of a time"
            seeds = f"seeds {plan.first} to {plan.first + plan.seeds - 1}"
        self.line(f"{seeds}; {systems}; faults: {faults}")
        self._began_s = self._clock.monotonic()

    def lap(self) -> None:
        """Hear that a run has ended: what is done after the last call is not counted as playing."""
        self._last_s = self._clock.monotonic()

    def progress(self, plan: Plan, campaign: Campaign) -> None:
        """Say how far it is, at the end of a run."""
        self.lap()
        tally = campaign.tally
        share = plan.share(tally, len(campaign.rehearsals))
        if self.is_terminal:
            if self._last_s - self._drawn_s >= DRAW_S:
                self._drawn_s = self._last_s
                full = int(share * BAR_CELLS)
                self._draw(f"{'█' * full}{'░' * (BAR_CELLS - full)} {self._progress(campaign)}")
        elif int(share * LINES) > self._written and plan.seeds != 1:
            self._written = int(share * LINES)
            self.line(self._progress(campaign))

    def shrinking(self, runs: int, runs_max: int) -> None:
        """Say that a failure is being made smaller, and how far that is."""
        if runs == 1:
            self.line(f"making it smaller, in {runs_max:,} runs at most; {ENOUGH}")
            self._drawn_s = self._clock.monotonic()
        elif self._clock.monotonic() - self._drawn_s >= (DRAW_S if self.is_terminal else TELL_S):
            self._drawn_s = self._clock.monotonic()
            text = f"making it smaller: {runs:,} of {runs_max:,} runs"
            (self._draw if self.is_terminal else self.line)(text)

    def findings(self, findings: Findings, schedules: int) -> None:
        """Say how many schedules failed, and in what different ways: a line each."""
        if not len(findings):
            return
        kinds = _counted(len(findings), "kind")
        self.line(f"{kinds} of failure in {findings.failures:,} of {schedules:,} schedules:")
        for failure, count in findings:
            first = failure.played.troubles[0].partition("\n")[0]
            seed = failure.played.script.seed
            self.line(f"  {count:,} times, first with seed {seed} of {failure.system}: {first}")

    def trace(self, played: Played) -> None:
        """Write every line of a run whose trace was kept."""
        for line in played.lines:
            self.line(str(line))

    def end(
        self, campaign: Campaign, *, names_missed: bool, played_twice: bool, held: bool
    ) -> None:
        """Say what was played and covered; the digest comes last.

        `names_missed`: enough was played to miss nothing, so name what was missed all the same.
        `played_twice`: in two processes, and all traces were equal. `held`: nothing was found.
        """
        tally = campaign.tally
        took_s = self._took_s()
        schedules = _counted(tally.schedules, "schedule")
        self.line(
            f"{schedules} in {took_s:.1f} s, {self._rate(campaign):,.0f} a minute; "
            f"{tally.virtual_s / 3600:,.1f} virtual hours, {tally.virtual_s / took_s:,.0f} times "
            "as fast as real ones"
        )
        faults = ", ".join(f"{name} {count}" for name, count in sorted(tally.faults.items()))
        self.line(fill(f"{_counted(tally.faults.total(), 'fault')}: {faults or 'none'}", WIDTH))
        if tally.ordered:
            self.line(
                f"another order than asyncio's: in {_counted(tally.ordered, 'schedule')}, where "
                f"{tally.early:,} times what came from outside came first"
            )
        self._coverage("handlers called", tally.handlers, tally.idle_handlers, named=names_missed)
        self._coverage("crash points hit", tally.points, tally.missed_points, named=names_missed)
        if tally.sometimes:
            cases = len(tally.sometimes)
            self.line(f"sometimes: {cases - len(tally.never)} of {cases}")
            for text in tally.never if names_missed else ():
                never = f"never {text}"
                self.line(fill(never, WIDTH, initial_indent="  ", subsequent_indent="    "))
        if played_twice:
            self.line("in a second process, in other surroundings: the same, line by line")
        if held:
            self.line("all held")
        self.line(f"digest {tally.digest}")

    # --- Inside ------------------------------------------------------------------------------

    def _progress(self, campaign: Campaign) -> str:
        tally = campaign.tally
        handlers, points = len(tally.handlers), len(tally.points)
        return (
            f"{_counted(tally.schedules, 'schedule')}, {self._rate(campaign):,.0f} a minute; "
            f"{_counted(tally.faults.total(), 'fault')}; "
            f"handlers {handlers - len(tally.idle_handlers)}/{handlers}, "
            f"crash points {points - len(tally.missed_points)}/{points}"
        )

    def _coverage(
        self, what: str, every: Sequence[str], missed: Sequence[str], *, named: bool
    ) -> None:
        """Say how much of it was covered and, with `named`, what was missed, by service."""
        self.line(f"{what}: {len(every) - len(missed)} of {len(every)}")
        by_service: dict[str, list[str]] = {}
        for name in missed if named else ():
            service, _, rest = name.partition(".")
            by_service.setdefault(service, []).append(rest)
        for service, names in by_service.items():
            text = f"not in {service}: {', '.join(names)}"
            self.line(fill(text, WIDTH, initial_indent="  ", subsequent_indent="    "))

    def _rate(self, campaign: Campaign) -> float:
        return campaign.tally.schedules / self._took_s() * 60

    def _took_s(self) -> float:
        return max(self._last_s - self._began_s, 1e-6)

    def _draw(self, text: str) -> None:
        # A line that wraps could not be drawn over.
        text = text[: shutil.get_terminal_size().columns - 1]
        self._stream.write(f"{CLEAR_LINE}{text}")
        self._stream.flush()
        self._is_bar = True

    def _clear(self) -> None:
        if self._is_bar:
            self._stream.write(CLEAR_LINE)
            self._is_bar = False


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
