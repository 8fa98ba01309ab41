"""`runtime.py simulate`: look for a seed that breaks a system, and tell what it takes."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from actors.config import load_config, named_keys
from actors.errors import DressRehearsalError, EntryPointError
from actors.program import PROGRAM
from actors.simulation.command.campaign import Campaign
from actors.simulation.command.findings import Failure
from actors.simulation.command.log_output import log_virtual_time, without_logs
from actors.simulation.command.options import Options
from actors.simulation.command.page import render
from actors.simulation.command.recording import Recording
from actors.simulation.command.report import Report
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.command.second_process import SecondProcess, TracedRun
from actors.simulation.command.settled_heap import settled_heap
from actors.simulation.command.stopping import stop_on_signal
from actors.simulation.command.timeline import build_timeline
from actors.simulation.stage.rehearsal import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.kernel.clock import Clock
    from actors.simulation.command.second_process import Disagreement
    from actors.simulation.stage.rehearsal import Played
    from actors.system import System

# Below the data directory: what was found, to look at and to play again.
FOLDER: Final = "simulations"
HELD: Final = 0
FOUND: Final = 1
STOPPED: Final = 3
MISUSED: Final = 2


def simulate(
    arguments: Sequence[str],
    *,
    program: Path,
    fresh_seed: int,
    clock: Clock,
    systems: Sequence[System],
    entry: str | None = None,
) -> int:
    """Run the command; returns 0 all held, 1 something was found, 2 misused, 3 stopped.

    `program` is what a second process runs, and `entry` how it finds the `systems`; of these are
    played those that have a scenario. `fresh_seed` is where to begin if nobody says.
    """
    played = {each.name: each for each in systems if each.scenario is not None}
    options = Options.parse(arguments, systems=played, fresh_seed=fresh_seed, entry=entry)
    try:
        if not played:
            names = " and ".join(each.name for each in systems)
            message = f"{names} cannot be simulated: give it a scenario, System(scenario=...)"
            raise EntryPointError(message if names else "no system that is booted has a scenario")
        return _Simulation(options, program, clock, systems).run()
    except DressRehearsalError as error:
        print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - the command's own words
        return MISUSED
    except KeyboardInterrupt:  # told a second time to stop
        return STOPPED
    except BrokenPipeError:
        # Who read has gone. The interpreter would complain about it at the end, once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED


class _Simulation:
    """One run of the command."""

    def __init__(
        self,
        options: Options,
        program: Path,
        clock: Clock,
        systems: Sequence[System],
    ) -> None:
        self._options = options
        self._program = program
        self._clock = clock
        self._systems = {each.name: each for each in systems}
        self._config = load_config(options.config, options.set, systems)
        self._explicit = named_keys(options.config, options.set)
        self._campaign: Campaign | None = None
        self._stopping = False
        self._recording: Recording | None = None
        if options.replay is not None:
            self._recording = Recording.read(options.replay, self._systems)
        self._second: SecondProcess | None = None
        self._differs: Disagreement | None = None
        self._report: Report

    def run(self) -> int:
        """Play, and say what was found."""
        options = self._options
        with ExitStack() as stack:
            stream = stack.enter_context(_nowhere()) if options.traces else sys.stdout
            self._report = Report(stream, self._clock, is_terminal=stream.isatty())
            # Before there is a folder, so that it is removed.
            stack.enter_context(stop_on_signal(self._stop))
            place = stack.enter_context(scratch_folder())
            stack.enter_context(without_logs())
            if options.logs:
                log_virtual_time(self._config.log, self._clock)
            campaign = Campaign(
                self._rehearsals(place),
                keep=options.keeps_traces,
                jobs=options.jobs,
                clock=self._clock,
            )
            campaign.stopping = self._stopping
            self._campaign = campaign
            if options.traces:
                self._warm_up(campaign)
            stack.enter_context(settled_heap())
            if options.check_determinism:
                second = SecondProcess(self._program, options.for_second_process())
                self._second = stack.enter_context(second)
            try:
                code = self._search(campaign) if self._recording is None else self._replay(campaign)
            except KeyboardInterrupt:  # told a second time to stop
                code = FOUND if len(campaign.findings) else STOPPED
            vacuous = campaign.tally.vacuous() if self._recording is None and code == HELD else []
            for sentence in vacuous:
                self._report.line(f"NOT REHEARSED: {sentence}")
            code = FOUND if vacuous else code
            held = code == HELD
            twice = options.check_determinism and held
            named = held and (options.cover or campaign.tally.schedules > len(options.systems))
            self._report.end(campaign, names_missed=named, played_twice=twice, held=held)
            if held and options.cover and campaign.tally.missed_points:
                code = FOUND
        return code

    def _stop(self) -> None:
        self._stopping = True
        if self._campaign is not None:
            self._campaign.stop()

    def _rehearsals(self, place: Path) -> dict[str, Rehearsal]:
        recording, rehearsals = self._recording, {}
        for name in self._options.systems if recording is None else (recording.system,):
            folder = place / name
            folder.mkdir()
            rehearsals[name] = Rehearsal(
                self._systems[name],
                self._config,
                folder,
                profile=self._options.faults,
                explicit=self._explicit,
            )
        return rehearsals

    # --- Playing -----------------------------------------------------------------------------

    def _warm_up(self, campaign: Campaign) -> None:
        """Play a run that nobody hears of: what outlives it, such as a counter, is another then."""
        for rehearsal in campaign.rehearsals.values():
            rehearsal.play(rehearsal.script(self._options.plan.first))

    def _search(self, campaign: Campaign) -> int:
        plan = self._options.plan
        self._report.begin(plan, campaign, self._options.faults)

        def seen(system: str, played: Played) -> None:
            self._see(campaign, system, played)
            self._report.progress(plan, campaign)

        campaign.play(plan, seen)
        findings, stopped = campaign.findings, campaign.stopping
        if stopped and self._differs is None:
            self._report.line("stopped before the end")
            left = plan.left(campaign.tally, len(campaign.rehearsals))
            self._report.line(f"go on with: {self._words(*self._options.playing(left))}")
        if self._differs is not None:
            self._report.line(f"NOT DETERMINISTIC: {self._differs}")
        elif plan.keep_going:
            self._report.findings(findings, campaign.tally.schedules)
        for number, (failure, _) in enumerate(findings if self._differs is None else ()):
            self._tell_found(campaign, failure, number)
        if len(findings) or self._differs is not None:
            return FOUND
        return STOPPED if stopped else HELD

    def _replay(self, campaign: Campaign) -> int:
        recording = self._recording
        assert recording is not None, "there is something to replay"
        system, script = recording.system, recording.script
        self._report.line(f"{self._options.replay}: found with seed {recording.seed}; {system}")
        played = campaign.rehearse(system, script, keep=True)
        self._report.lap()
        self._see(campaign, system, played)
        if self._differs is not None:
            self._report.line(f"NOT DETERMINISTIC: {self._differs}")
            return FOUND
        failure = Failure(system=system, played=played)
        self._tell(campaign, failure)
        if self._options.page is not None:
            page = self._options.page
            try:
                self._write_page(campaign, failure, page, recording.seed, self._again(), [])
            except OSError as error:
                self._report.line(f"no page: {error}")
        return FOUND if played.troubles else HELD

    def _see(self, campaign: Campaign, system: str, played: Played) -> None:
        if self._options.traces:
            sys.stdout.write(f"{TracedRun.of(system, played).to_json()}\n")
            sys.stdout.flush()
        if self._options.verbose:
            self._report.trace(played)
        if self._second is not None:
            self._differs = self._second.compare(system, played)
            if self._differs is not None:
                campaign.stop()

    # --- Telling -----------------------------------------------------------------------------

    def _tell_found(self, campaign: Campaign, failure: Failure, number: int) -> None:
        """Tell of the failure of a kind, `number` from 0, and make it small."""
        script = failure.played.script
        self._report.line(f"FAILED: seed {script.seed} of {failure.system}")
        for trouble in failure.played.troubles:
            self._report.line(f"  {trouble}")
        if failure.lost:
            again = self._seed_again(failure)
            self._report.line(f"it would end this process, too, and is not made smaller: {again}")
            return
        if self._options.traces:
            return
        runs_max = self._options.shrink_runs
        minimised = campaign.minimise(
            failure, lambda runs: self._report.shrinking(runs, runs_max), runs_max=runs_max
        )
        if not minimised.repeatable:
            self._report.line("played again, it does not fail: try --check-determinism")
            return
        summary = minimised.summary(failure)
        if not minimised.minimal:
            summary = f"{summary} To look longer: --shrink-runs N"
        self._report.line(f"\n{summary}")
        self._tell(campaign, minimised.failure)
        try:
            page = self._page(failure, number)
            self._save(campaign, minimised.failure, page, script.seed, summary)
        except OSError as error:  # what took minutes to find is told to its end all the same
            self._report.line(f"not kept: {error}")
            self._report.line(f"find it again: {self._seed_again(failure)}\n")

    def _tell(self, campaign: Campaign, failure: Failure) -> None:
        for knob in failure.played.script.knobs:
            self._report.line(f"where {knob}")
        services = campaign.rehearsals[failure.system].targets.services
        self._report.line(f"\n{build_timeline(failure.played, services)}\n")

    def _seed_again(self, failure: Failure) -> str:
        words = ("--system", failure.system, "--faults", self._options.faults)
        return self._words(*words, "--seed", str(failure.played.script.seed))

    def _page(self, failure: Failure, number: int) -> Path:
        """Return where the page goes; where one was named, a number tells further ones apart."""
        page = self._options.page
        if page is None:
            folder = Path(self._options.data_dir or self._config.runtime.data_dir) / FOLDER
            return folder / f"{failure.system}-{failure.played.script.seed}.html"
        return page.with_stem(f"{page.stem}-{number + 1}") if number else page

    def _save(
        self, campaign: Campaign, failure: Failure, page: Path, seed: int, summary: str
    ) -> None:
        file = page.with_suffix(".json")
        page.parent.mkdir(parents=True, exist_ok=True)
        recording = Recording(
            system=failure.system,
            seed=seed,
            script=failure.played.script,
            troubles=failure.played.troubles,
        )
        file.write_text(recording.to_json(), encoding="utf-8")
        self._write_page(campaign, failure, page, seed, self._again(file), [summary])
        self._report.line(f"play it again: {self._again(file)}\n")

    def _write_page(
        self,
        campaign: Campaign,
        failure: Failure,
        page: Path,
        seed: int,
        again: str,
        summary: list[str],
    ) -> None:
        played = failure.played
        services = campaign.rehearsals[failure.system].targets.services
        text = render(
            build_timeline(played, services),
            system=failure.system,
            seed=seed,
            played=played,
            again=again,
            summary=summary,
        )
        page.write_text(text, encoding="utf-8")
        self._report.line(f"the page:      {page}")

    def _again(self, file: Path | None = None) -> str:
        return self._words("--replay", str(file or self._options.replay))

    def _words(self, *words: str) -> str:
        options = self._options
        return f"{PROGRAM} {shlex.join([*options.command(), *options.settings(), *words])}"


@contextmanager
def _nowhere() -> Iterator[TextIO]:
    with Path(os.devnull).open("w", encoding="utf-8") as stream:
        yield stream
