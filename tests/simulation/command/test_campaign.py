"""A campaign plays what its plan says, counts it, stops when asked, and shrinks what it finds."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.simulation.command.campaign import Campaign, Plan
from actors.simulation.command.findings import Failure
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.report import CLEAR_LINE, Report
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.command.second_process import TracedRun, compare
from actors.simulation.command.tally import Tally
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.suspicious import SUSPICIOUS
from tests.simulation.tally import TALLY, TallyScenario, tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client
    from actors.simulation.stage.staging import Played
    from actors.system import System


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """What is killed on purpose need not be logged."""
    with without_logs():
        yield


@pytest.fixture(scope="module")
def offence() -> Iterator[tuple[Failure, Mapping[str, Rehearsal]]]:
    """What a campaign has found, and what it was played with: another may make it small."""
    with scratch_folder() as place, without_logs():
        campaign = campaign_of(place, tweets=SUSPICIOUS)
        failure = campaign.play(Plan(first=1, seeds=50), lambda *_: None)
        assert failure is not None
        assert campaign.tally.schedules == failure.played.script.seed
        yield failure, campaign.rehearsals


def campaign_of(folder: Path, **systems: System) -> Campaign:
    """Make a campaign of these systems, each under a name of its own."""
    rehearsals = {}
    for name, system in systems.items():
        (folder / name).mkdir()
        rehearsals[name] = Rehearsal(system, load_config(systems=[system]), folder / name)
    return Campaign(rehearsals)


def test_every_seed_is_played_with_every_system(tmp_path: Path) -> None:
    """Seeds follow each other, systems within them; all are counted and in the digest."""
    seen: list[tuple[str, int]] = []

    def see(system: str, played: Played) -> None:
        seen.append((system, played.script.seed))

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = campaign_of(tmp_path / "a", left=TALLY, right=TALLY)
    assert one.play(Plan(first=5, seeds=2), see) is None
    assert seen == [("left", 5), ("right", 5), ("left", 6), ("right", 6)]
    other = campaign_of(tmp_path / "b", left=TALLY, right=TALLY)
    assert other.play(Plan(first=5, seeds=2), see) is None
    assert one.tally.digest == other.tally.digest
    assert one.tally.schedules == 4
    assert other.play(Plan(first=7, seeds=3), see) is None
    assert one.tally.digest != other.tally.digest


def test_virtual_hours_end_with_the_run_that_fills_them(tmp_path: Path) -> None:
    """A plan of so much virtual time is done when that much was played, and no sooner."""
    campaign = campaign_of(tmp_path, tweets=TALLY)
    lengths: list[float] = []
    plan = Plan(first=1, seeds=None, virtual_s=300.0)
    assert campaign.play(plan, lambda _system, played: lengths.append(played.virtual_s)) is None
    assert sum(lengths) >= 300.0 > sum(lengths[:-1])
    assert plan.share(campaign.tally, 1) == 1.0


def test_a_campaign_that_is_stopped_plays_no_further(tmp_path: Path) -> None:
    """What a signal handler asks for is done after the run in hand."""
    campaign = campaign_of(tmp_path, tweets=TALLY)
    assert campaign.play(Plan(first=1, seeds=50), lambda *_: campaign.stop()) is None
    assert campaign.tally.schedules == 1


def test_what_is_found_shrinks_to_what_it_takes(
    offence: tuple[Failure, Mapping[str, Rehearsal]],
) -> None:
    """One request and one fault remain, and the trouble is of the same kind."""
    failure, rehearsals = offence
    campaign = Campaign(rehearsals)
    runs: list[int] = []
    minimised = campaign.minimise(failure, runs.append)
    assert minimised.repeatable
    script = minimised.failure.played.script
    assert len(script.schedule) == len(script.workload) == 1
    assert minimised.failure.played.troubles[0].startswith("the tally lived once more")
    assert minimised.failure.played.lines
    assert runs[-1] == minimised.runs
    # Shrinking is no part of what was asked for.
    assert campaign.tally.schedules == 0


def test_shrinking_can_be_stopped(offence: tuple[Failure, Mapping[str, Rehearsal]]) -> None:
    """What is left then fails still; it is only larger than it might be."""
    failure, rehearsals = offence
    campaign = Campaign(rehearsals)
    minimised = campaign.minimise(failure, lambda run: campaign.stop() if run == 4 else None)
    assert (minimised.runs, minimised.repeatable) == (4, True)
    assert minimised.failure.played.troubles
    campaign.stop()
    untouched = campaign.minimise(failure, lambda _: None)
    assert (untouched.runs, untouched.repeatable) == (0, True)
    assert untouched.failure.played.script == failure.played.script


def test_what_does_not_fail_again_is_not_shrunk(tmp_path: Path) -> None:
    """A trouble that its script does not repeat is handed back as it is."""
    campaign = campaign_of(tmp_path, tweets=TALLY)
    rehearsal = campaign.rehearsals["tweets"]
    played = msgspec.structs.replace(rehearsal.play(rehearsal.script(1)), troubles=("a ghost",))
    failure = Failure(system="tweets", played=played)
    minimised = campaign.minimise(failure, lambda _: None)
    assert not minimised.repeatable
    assert minimised.failure.played.script == played.script


@pytest.mark.parametrize("why", ["the budget", "somebody"])
def test_a_search_that_was_cut_short_says_so(
    offence: tuple[Failure, Mapping[str, Rehearsal]], why: str
) -> None:
    """What is left fails, and may not be the smallest."""
    failure, rehearsals = offence
    campaign = Campaign(rehearsals)

    def stop(runs: int) -> None:
        if runs == 6 and why == "somebody":
            campaign.stop()

    runs_max = 6 if why == "the budget" else 300
    minimised = campaign.minimise(failure, stop, runs_max=runs_max)
    assert (minimised.runs, minimised.minimal) == (6, False)
    assert minimised.failure.played.troubles
    assert minimised.summary(failure).endswith("It may not be the smallest: not all was tried.")


def test_coverage_names_what_was_missed(tmp_path: Path) -> None:
    """A handler counts as called when its crash points were passed, a point when a kill struck."""
    campaign = campaign_of(tmp_path, tweets=TALLY)
    tally = Tally(("room.Hold.before", "room.Hold.after", "room.Free.before", "room.Free.after"))
    rehearsal = campaign.rehearsals["tweets"]
    played = rehearsal.play(rehearsal.script(1))
    played = msgspec.structs.replace(
        played, passed={"room.Hold.before": 3}, hit={"room.Hold.before": 1}
    )
    tally.add("hotel", played)
    assert tally.handlers == ("room.Hold", "room.Free")
    assert tally.idle_handlers == ["room.Free"]
    assert tally.missed_points == ["room.Hold.after", "room.Free.before", "room.Free.after"]


def test_the_first_line_that_differs_is_named(tmp_path: Path) -> None:
    """Two traces of one run are equal, or differ from a line on, or one ends too soon."""
    campaign = campaign_of(tmp_path, tweets=TALLY)
    rehearsal = campaign.rehearsals["tweets"]
    played = rehearsal.play(rehearsal.script(1), keep=True)
    told = TracedRun.of("tweets", played)
    assert compare("tweets", played, told) is None
    lines = list(told.lines)
    lines[6] = msgspec.structs.replace(lines[6], text="something else")
    changed = msgspec.structs.replace(told, digest="0", lines=tuple(lines))
    found = compare("tweets", played, changed)
    assert found is not None
    assert (found.number, found.here, found.there) == (7, str(played.lines[6]), str(lines[6]))
    cut = msgspec.structs.replace(told, digest="0", lines=told.lines[:9])
    found = compare("tweets", played, cut)
    assert found is not None
    assert (found.number, found.there) == (10, None)
    assert "there: (ends)" in str(found)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_a_bar_or_lines(tmp_path: Path, *, is_terminal: bool) -> None:
    """A terminal shows a bar that is drawn over; elsewhere ten lines come, and no control codes."""
    campaign = campaign_of(tmp_path, tweets=TALLY)
    stream, clock, plan = io.StringIO(), ManualClock(), Plan(first=1, seeds=20)
    report = Report(stream, clock, is_terminal=is_terminal)
    report.begin(plan, campaign, "kills")

    rehearsal = campaign.rehearsals["tweets"]
    played = rehearsal.play(rehearsal.script(1))
    for _ in range(20):
        clock.advance(1.0)
        campaign.tally.add("tweets", played)
        campaign.tally.real_s = clock.monotonic()
        report.progress(plan, campaign)
    for runs in range(1, 32):
        report.shrinking(runs, 300)
        clock.advance(1.0)
    told = stream.getvalue()
    begins = "making it smaller, in 300 runs at most; Ctrl-C ends that with the smallest so far\n"
    assert begins in told
    assert told.count("making it smaller: ") == (30 if is_terminal else 3)
    assert told.endswith("making it smaller: 31 of 300 runs" + "\n" * (not is_terminal))
    report.end(campaign, names_missed=True, played_twice=False, held=True)
    written = stream.getvalue()
    assert written.count("schedules, 60 a minute; ") == (20 if is_terminal else 10) - is_terminal
    assert ("█" in written, "\x1b" in written) == (is_terminal, is_terminal)
    assert "20 schedules in 20.0 s, 60 a minute; " in written
    assert written.endswith(f"\ndigest {campaign.tally.digest}\n")


def test_a_bar_is_no_wider_than_its_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What wraps could not be drawn over: each step would leave a line behind."""
    monkeypatch.setenv("COLUMNS", "60")
    campaign = campaign_of(tmp_path, tweets=TALLY)
    stream, clock = io.StringIO(), ManualClock()
    clock.advance(1.0)
    Report(stream, clock, is_terminal=True).progress(Plan(first=1, seeds=20), campaign)
    (bar,) = stream.getvalue().split(CLEAR_LINE)[1:]
    assert len(bar) == 59
    assert "░ 0 schedules, " in bar


class Choking(TallyScenario):
    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Stumble over the second request."""
        await super().perform(client, number, call, history)
        if number == 1:
            raise LookupError("what is that supposed to mean?")


def test_a_client_that_chokes_is_a_finding(tmp_path: Path) -> None:
    """An error in a client or a check ends no campaign: it is told with its line, and shrunk."""
    campaign = campaign_of(tmp_path, tweets=tally(scenario=Choking))
    failure = campaign.play(Plan(first=1, seeds=9), lambda *_: None)
    assert failure is not None
    (trouble,) = failure.played.troubles
    assert trouble.startswith("test_campaign.py:")
    assert trouble.endswith("LookupError: what is that supposed to mean?")
    # It would go on to look for a simpler seed and calls for hundreds of runs.
    short = campaign.minimise(failure, lambda run: campaign.stop() if run == 20 else None)
    assert len(short.failure.played.script.schedule) == 0
