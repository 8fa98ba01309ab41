"""What the fixture `rehearsal` is: Hypothesis draws scripts, and what fails is made small.

Hypothesis draws and does not shrink: our own shrinker knows which fault is simpler than which,
tries a smaller script under other seeds too, and ends where `simulate` ends with the same bug.
"""

from __future__ import annotations

import shlex
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

import hypothesis
from hypothesis.errors import NoSuchExample

from actors.config import load_config, named_keys
from actors.errors import DressRehearsalError, EntryPointError, declared
from actors.kernel.clock import SystemClock
from actors.kernel.rng import Rng
from actors.program import ANYWHERE
from actors.simulation.command.campaign import Campaign
from actors.simulation.command.findings import Failure
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.recording import Recording
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.command.stopping import stop_on_signal
from actors.simulation.command.timeline import build_timeline
from actors.simulation.script.profile import PROFILES
from actors.simulation.script.strategies import drawn
from actors.simulation.stage.rehearsal import Rehearsal
from actors.testing.whereabouts import entry_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from actors.simulation.command.campaign import Minimised
    from actors.simulation.script.script import Script
    from actors.simulation.stage.staging import Played
    from actors.system import System

EXAMPLES: Final = 20
# Seconds between two words about how far the shrinking is.
TELL_S: Final = 3.0


class Rehearse:
    """Plays systems; a test that uses it fails where something does not hold."""

    def __init__(
        self, recording: Callable[[], Path | None], progress: Callable[[str], None]
    ) -> None:
        """`recording` is where a failing script is kept, if anywhere; `progress` hears of it."""
        self._recording = recording
        self._progress = progress

    def __call__(
        self,
        system: System,
        *settings: str,
        faults: str = "kills",
        examples: int = EXAMPLES,
        seed: int = 0,
        config: Path | None = None,
    ) -> None:
        """Play the scenario in that many ways, each with other requests, delays and faults.

        Equal arguments play the same, with the same code and the same Hypothesis; another `seed`
        draws others. `faults` is a profile, as of
        `simulate`. `config` is laid over the shipped configuration, then each of the settings:
        "SECTION.KEY=VALUE". Raises AssertionError with what was wrong, the smallest script found
        that shows it, and how to play that again; EntryPointError or ConfigError where nothing can
        be played.
        """
        __tracebackhide__ = True
        try:
            wrong = self._play(system, settings, faults, examples, seed, config)
        except DressRehearsalError as error:  # it says all, and our lines nothing
            raise error.with_traceback(None) from None
        if wrong is not None:
            raise AssertionError(wrong)

    # --- Inside ------------------------------------------------------------------------------

    def _play(
        self,
        system: System,
        settings: Sequence[str],
        faults: str,
        examples: int,
        seed: int,
        config: Path | None,
    ) -> str | None:
        """Return what a failing test says, or nothing."""
        if system.scenario is None:
            raise EntryPointError(
                f"{system.name} cannot be rehearsed: give it a scenario, System(scenario=...)"
            )
        if faults not in PROFILES:
            raise EntryPointError(f"there are no faults {faults!r}, but: {', '.join(PROFILES)}")
        with declared(system.name, "scenario"):
            systems = system.scenario()().systems(system)
        loaded = load_config(config, settings, systems)
        with ExitStack() as stack:
            stack.enter_context(without_logs())
            place = stack.enter_context(scratch_folder())
            explicit = named_keys(config, settings)
            stage = Rehearsal(system, loaded, place, profile=faults, explicit=explicit)
            campaign = Campaign({system.name: stage})
            if threading.current_thread() is threading.main_thread():
                stack.enter_context(stop_on_signal(campaign.stop))
            played = _search(stage, campaign, examples, seed)
            if played is None:  # unless nothing could have been wrong
                return "\n".join(campaign.tally.vacuous()) or None
            failure = Failure(system=system.name, played=played)
            minimised = campaign.minimise(failure, self._tell(system.name))
            if campaign.stopping:
                raise KeyboardInterrupt
            text = _told(stage, failure, minimised)
        again = self._kept(system, minimised, seed, settings, config)
        return f"{text}\n\n{again}"

    def _tell(self, system: str) -> Callable[[int], None]:
        clock = SystemClock()
        told_s = clock.monotonic()

        def tried(runs: int) -> None:
            nonlocal told_s
            if clock.monotonic() - told_s >= TELL_S:
                told_s = clock.monotonic()
                self._progress(f"{system} fails; making it smaller: {runs} runs")

        return tried

    def _kept(
        self,
        system: System,
        minimised: Minimised,
        seed: int,
        settings: Sequence[str],
        config: Path | None,
    ) -> str:
        """Keep the script; return how to play it again, from any folder."""
        entry, file = entry_of(system), self._recording()
        if entry is None or file is None or not minimised.repeatable:
            return f"play it again: run this test again, it plays the same (seed={seed})"
        played = minimised.failure.played
        recording = Recording(
            system=system.name, seed=seed, script=played.script, troubles=played.troubles
        )
        file.write_text(recording.to_json(), encoding="utf-8")
        words = ["simulate", entry, *(word for each in settings for word in ("--set", each))]
        words += [] if config is None else ["--config", str(config.absolute())]
        return f"play it again: {ANYWHERE} {shlex.join([*words, '--replay', str(file)])}"


def _search(stage: Rehearsal, campaign: Campaign, examples: int, seed: int) -> Played | None:
    """Return the first run in which something is wrong."""
    (name,) = campaign.rehearsals
    found: list[Played] = []

    def fails(script: Script) -> bool:
        if found:  # Hypothesis looks whether it fails again, as the shrinking does
            return script == found[0].script
        if campaign.stopping:
            raise KeyboardInterrupt
        played = campaign.rehearse(name, script, keep=False)
        if played.troubles:
            found.append(played)
        return bool(found)

    # No file of past examples: what is played depends on the arguments alone.
    drawing = hypothesis.settings(
        max_examples=examples, deadline=None, database=None, phases=[hypothesis.Phase.generate]
    )
    with suppress(NoSuchExample):
        hypothesis.find(
            drawn(stage.playwright.choose_script), fails, settings=drawing, random=Rng(seed)
        )
    return found[0] if found else None


def _told(stage: Rehearsal, failure: Failure, minimised: Minimised) -> str:
    if not minimised.repeatable:
        wrong = "\n".join(failure.played.troubles)
        return f"{failure.system}: {wrong}\n\nplayed again, it does not fail: it is not determined"
    played = minimised.failure.played
    wrong = "\n".join(played.troubles)
    timeline = build_timeline(played, stage.targets.services)
    return f"{failure.system}: {wrong}\n\n{minimised.summary(failure)}\n\n{timeline}"
