"""Several processes play a campaign as one does: whatever ends first, it is told in order."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from actors.config import load_config
from actors.kernel.clock import SystemClock
from actors.simulation.command import campaign as campaign_file
from actors.simulation.command.campaign import Campaign, Plan
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.workers import LostRun, Workers
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.tally import TallyCall, TallyScenario, tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client
    from actors.simulation.stage.staging import Played

JOBS: Final = 3
SEEDS: Final = 8
# Calls of which the second client's make a run special.
SPECIAL: Final = 1

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def forking(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fork whatever threads the test runner has: they hold nothing that a run needs."""
    monkeypatch.setattr(campaign_file, "can_fork", lambda: True)
    with without_logs():
        yield


def rehearsals_of(folder: Path, scenario: type[TallyScenario]) -> dict[str, Rehearsal]:
    """Make one of the tally with such a scenario."""
    folder.mkdir()
    system = tally(scenario=scenario)
    return {"tally": Rehearsal(system, load_config(systems=[system]), folder)}


class Told:
    """What a campaign of so many jobs told, in order."""

    def __init__(self, folder: Path, scenario: type[TallyScenario], plan: Plan, jobs: int) -> None:
        """Play it."""
        self.seen: list[tuple[int, tuple[str, ...], str]] = []
        self.campaign = Campaign(rehearsals_of(folder, scenario), jobs=jobs)
        self.failure = self.campaign.play(plan, self._see)

    def _see(self, _system: str, played: Played) -> None:
        self.seen.append((played.script.seed, played.troubles, played.digest))


class Odd(TallyScenario):
    """Takes offence at every run that begins with the other author, and at some for their gaps."""

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Complain in two ways."""
        found = super().violations(folder, config, clock, history)
        operations = history.operations
        if len(operations) > 8:
            found.append(f"{len(operations)} tweets are many")
        elif operations and operations[0].process == "client-2":
            found.append(f"the third was first, at {operations[0].invoked_us} us")
        return found


@pytest.mark.parametrize("keep_going", [True, False])
def test_jobs_make_no_difference(tmp_path: Path, *, keep_going: bool) -> None:
    """The same runs in the same order, the same findings and the same digest as one process."""
    plan = Plan(first=1, seeds=SEEDS, keep_going=keep_going)
    one = Told(tmp_path / "one", Odd, plan, 1)
    many = Told(tmp_path / "many", Odd, plan, JOBS)
    assert many.seen == one.seen
    assert len(one.seen) == (SEEDS if keep_going else one.seen[-1][0])
    assert many.campaign.tally.digest == one.campaign.tally.digest
    assert many.failure is not None
    assert one.failure is not None
    # The script too, which no worker has sent.
    assert many.failure.played == one.failure.played
    assert [*many.campaign.findings] == [*one.campaign.findings]
    assert len(one.campaign.findings) == (2 if keep_going else 1)


def test_hours_end_where_one_process_would_end(tmp_path: Path) -> None:
    """What was played ahead is not counted."""
    plan = Plan(first=1, seeds=None, virtual_s=300.0)
    one = Told(tmp_path / "one", TallyScenario, plan, 1)
    many = Told(tmp_path / "many", TallyScenario, plan, JOBS)
    assert many.seen == one.seen
    assert many.campaign.tally.virtual_s == one.campaign.tally.virtual_s


class Fatal(TallyScenario):
    """Ends its process, or blocks it, at its second request."""

    async def perform(self, client: Client, number: int, call: TallyCall, history: History) -> None:
        """Tweet, but for the second request in a run whose second client is the first to ask."""
        if number == SPECIAL and client.name == "client-1":
            self.do()
        await super().perform(client, number, call, history)

    def do(self) -> None:
        """Die as of one who counts memory."""
        os.kill(os.getpid(), signal.SIGKILL)


class Blocking(Fatal):
    """Reads what never comes."""

    def do(self) -> None:
        """Take no processor time."""
        reader, _writer = os.pipe()
        os.read(reader, 1)


def special(folder: Path) -> list[int]:
    """Return the seeds below 13 in which a `Fatal` is fatal."""
    rehearsal = rehearsals_of(folder, TallyScenario)["tally"]
    scripts = [rehearsal.script(seed) for seed in range(1, 13)]
    return [
        each.seed
        for each in scripts
        if len(each.workload) > SPECIAL and each.workload[SPECIAL].client == 1
    ]


def test_a_worker_that_dies_is_named_with_its_seed(tmp_path: Path) -> None:
    """Another takes its place; what killed it is a finding that is not played here."""
    told = Told(tmp_path / "a", Fatal, Plan(first=1, seeds=12, keep_going=True), JOBS)
    seeds = special(tmp_path / "b")
    assert 1 < len(seeds) < 12
    assert [seed for seed, troubles, _ in told.seen if troubles] == seeds
    ((failure, count),) = told.campaign.findings
    assert (count, failure.lost, failure.played.script.seed) == (len(seeds), True, seeds[0])
    assert failure.played.troubles == ("the run ended its process, with SIGKILL",)


def test_a_worker_that_hangs_is_ended(tmp_path: Path) -> None:
    """What takes no processor time is noticed by the clock on the wall."""
    workers = Workers(
        rehearsals_of(tmp_path / "a", Blocking), JOBS, SystemClock(), keep=False, run_s_max=3.0
    )
    first = special(tmp_path / "b")[0]
    turns = iter([("tally", first), ("tally", 1 if first != 1 else 2)])
    (_, seed, found), _other = workers.play(turns, lambda: False)
    assert seed == first
    assert found == LostRun("had not ended after 3 s and was ended")


def test_no_database_is_open_across_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's locks are its process's: a connection must not be in two."""
    open_files: list[str] = []
    start = Workers._start

    def looked(workers: Workers) -> Any:
        descriptors = [each for each in Path("/proc/self/fd").iterdir() if each.exists()]
        names = [str(each.readlink()) for each in descriptors]
        open_files.extend(each for each in names if str(tmp_path) in each)
        return start(workers)

    monkeypatch.setattr(Workers, "_start", looked)
    told = Told(tmp_path / "a", TallyScenario, Plan(first=1, seeds=6), JOBS)
    assert len(told.seen) == 6
    assert open_files == []


def test_a_campaign_that_is_stopped_leaves_no_process(tmp_path: Path) -> None:
    """Whatever was being played ahead ends with it."""
    rehearsals = rehearsals_of(tmp_path / "a", TallyScenario)
    campaign = Campaign(rehearsals, jobs=JOBS)
    campaign.play(Plan(first=1, seeds=1000), lambda *_: campaign.stop())
    assert campaign.tally.schedules == 1
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
