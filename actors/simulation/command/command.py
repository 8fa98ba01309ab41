"""`runtime.py simulate`: look for a seed that breaks a system, and tell what it takes."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from actors.config import load_config, named_keys
from actors.errors import ConfigError, DressRehearsalError, EntryPointError
from actors.simulation.command.campaign import Campaign
from actors.simulation.command.corpus import Corpus
from actors.simulation.command.findings import Failure
from actors.simulation.command.log_output import log_virtual_time, without_logs
from actors.simulation.command.options import Options
from actors.simulation.command.recording import Recording
from actors.simulation.command.report import Report
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.command.second_process import SecondProcess, TracedRun
from actors.simulation.command.settled_heap import settled_heap
from actors.simulation.command.stopped_run import StoppedRun
from actors.simulation.command.stopping import stop_on_signal
from actors.simulation.command.telling import Telling
from actors.simulation.stage.rehearsal import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from actors.kernel.clock import Clock
    from actors.simulation.command.second_process import Disagreement
    from actors.simulation.stage.staging import Played
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
    simulation: _Simulation | None = None
    played = {each.name: each for each in systems if each.scenario is not None}
    options = Options.parse(arguments, systems=played, fresh_seed=fresh_seed, entry=entry)
    try:
        if not played:
            names = " and ".join(each.name for each in systems)
            message = f"{names} cannot be simulated: give it a scenario, System(scenario=...)"
            raise EntryPointError(message if names else "no system that is booted has a scenario")
        simulation = _Simulation(options, program, clock, systems)
        return simulation.run()
    except DressRehearsalError as error:
        print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - the command's own words
        code = MISUSED
    except KeyboardInterrupt:  # told a second time to stop
        code = STOPPED
    except BrokenPipeError:
        # Who read has gone. The interpreter would complain about it at the end, once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = STOPPED
    return FOUND if simulation is not None and simulation.has_found else code


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
        chosen = {name: self._systems[name] for name in options.systems}
        self._corpus = Corpus.read(options.corpus, chosen)
        self._second: SecondProcess | None = None
        self._differs: Disagreement | None = None
        self._report: Report
        self._traces = sys.stdout

    @property
    def has_found(self) -> bool:
        """Whether something was found so far."""
        found = self._campaign is not None and len(self._campaign.findings)
        return bool(found) or self._differs is not None

    def run(self) -> int:
        """Play, and say what was found."""
        options = self._options
        with ExitStack() as stack:
            stream = stack.enter_context(_nowhere()) if options.traces else sys.stdout
            if options.traces:  # and what an author prints is none
                stack.enter_context(redirect_stdout(sys.stderr))
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
                one = options.is_one_run
                code = self._play_one(campaign) if one else self._search(campaign)
            except KeyboardInterrupt:  # told a second time to stop
                code = FOUND if self.has_found else STOPPED
            vacuous = campaign.tally.vacuous() if not options.is_one_run and code == HELD else []
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

        self._play_all(campaign, seen)
        findings, stopped = campaign.findings, campaign.stopping
        if stopped and self._differs is None:
            self._say_what_is_left(campaign)
        if self._differs is not None:
            self._report.line(f"NOT DETERMINISTIC: {self._differs}")
        elif plan.keep_going:
            self._report.findings(findings, campaign.tally.schedules)
        telling = self._telling(campaign)
        for number, (failure, _) in enumerate(findings if self._differs is None else ()):
            self._tell(telling, failure, number)
        if self.has_found:
            return FOUND
        return STOPPED if stopped else HELD

    def _play_all(self, campaign: Campaign, seen: Callable[[str, Played], None]) -> None:
        """Play the corpus, and the seeds behind it."""
        plan = self._options.plan
        if len(self._corpus):
            self._report.line(f"first, scripts of {self._options.corpus}: {len(self._corpus)}")
        try:
            held = self._corpus.play(
                campaign, seen, keep=self._options.keeps_traces, keep_going=plan.keep_going
            )
            if held or plan.keep_going:
                campaign.play(plan, seen)
        except DressRehearsalError as error:
            if not self.has_found:
                raise
            print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - as where it ends with it

    def _say_what_is_left(self, campaign: Campaign) -> None:
        self._report.line("stopped before the end")
        left = self._options.plan.left(campaign.tally, len(campaign.rehearsals))
        first = self._options.first() if campaign.tally.kept < len(self._corpus) else []
        again = self._telling(campaign).command(*first, *self._options.playing(left))
        self._report.line(f"go on with: {again}")

    def _tell(self, telling: Telling, failure: Failure, number: int) -> None:
        seed, file = failure.played.script.seed, self._corpus.file_of(failure)
        again = telling.finding(failure) if file is None else telling.replaying(file)
        self._report.line(f"FAILED: {file or f'seed {seed} of {failure.system}'}")
        telling.small(failure, telling.place(failure, number), seed=seed, again=again)

    def _play_one(self, campaign: Campaign) -> int:
        """Play one script and tell it, whether it fails or not."""
        options, telling = self._options, self._telling(campaign)
        recording = self._one(campaign)
        system, seed = recording.system, recording.seed
        stop = StoppedRun.of(options.at_s, options.step, self._report)
        played = campaign.rehearse(system, recording.script, keep=True, onlooker=stop)
        self._report.lap()
        if stop is not None:
            stop.tell_if_missed()
        self._see(campaign, system, played)
        if self._differs is not None:
            self._report.line(f"NOT DETERMINISTIC: {self._differs}")
            return FOUND
        failure = Failure(system=system, played=played)
        telling.timeline(failure)
        causes = [] if options.shrink else telling.cause(failure)
        again = telling.finding(failure)
        if options.replay is not None:
            again = telling.replaying(options.replay)
        if options.export is not None:
            try:
                telling.export(failure, options.export, seed)
            except OSError as error:
                raise ConfigError(f"{options.export}: {error.strerror}") from error
            self._report.line(f"the script:    {options.export}")
        if options.shrink and options.replay is not None and played.troubles:
            self._report.line("FAILED:")
            smaller = options.replay.with_name(f"{options.replay.stem}-smaller.html")
            telling.small(failure, options.page or smaller, seed=seed, again=again)
        elif options.page is not None:
            try:
                telling.page(failure, options.page, seed, again, causes)
            except OSError as error:
                self._report.line(f"no page: {error}")
        return FOUND if played.troubles else HELD

    def _one(self, campaign: Campaign) -> Recording:
        """Return what is to be played: what a file says, or a seed."""
        recording, path = self._recording, self._options.replay
        if recording is None or path is None:
            ((system, rehearsal),) = campaign.rehearsals.items()
            seed = self._options.plan.first
            self._report.line(f"seed {seed}; {system}; faults: {self._options.faults}")
            return Recording(system=system, seed=seed, script=rehearsal.script(seed))
        recording.check_targets(path, campaign.rehearsals[recording.system].targets)
        self._report.line(f"{path}: found with seed {recording.seed}; {recording.system}")
        return recording

    def _telling(self, campaign: Campaign) -> Telling:
        folder = Path(self._options.data_dir or self._config.runtime.data_dir) / FOLDER
        return Telling(self._options, self._report, campaign, folder)

    def _see(self, campaign: Campaign, system: str, played: Played) -> None:
        if self._options.traces:
            self._traces.write(f"{TracedRun.of(system, played).to_json()}\n")
            self._traces.flush()
        if self._options.verbose:
            self._report.trace(played)
        if self._second is not None:
            self._differs = self._second.compare(system, played)
            if self._differs is not None:
                campaign.stop()


@contextmanager
def _nowhere() -> Iterator[TextIO]:
    with Path(os.devnull).open("w", encoding="utf-8") as stream:
        yield stream
