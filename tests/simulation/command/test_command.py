"""`runtime.py simulate` from the outside: what it prints, saves, ends with and leaves behind."""

from __future__ import annotations

import contextlib
import html
import io
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.kernel.clock import SystemClock
from actors.program import PROGRAM
from actors.simulation.command.command import simulate
from actors.simulation.command.recording import Recording
from actors.simulation.command.scratch_folder import IN_MEMORY, PREFIX
from actors.simulation.command.second_process import TracedRun
from actors.system import System
from actors.systems import SYSTEMS
from tests.simulation.suspicious import SUSPICIOUS
from tests.simulation.tally import CountTweet, TallyCall, TallyScenario, TallyService, tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client

ROOT = Path(__file__).parents[3]
RUNTIME = ROOT / "runtime.py"
DIGEST = re.compile(r"^digest ([0-9a-f]{32})$", re.MULTILINE)
COMMAND_S_MAX = 200.0
HOTEL = ("--system", "hotel")


def command(*words: str, hash_seed: str = "0", code: int = 0) -> str:
    """Run the command in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, str(RUNTIME), "simulate", *words],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout if not code else done.stdout + done.stderr


def inside(
    *words: str,
    fresh_seed: int = 1,
    systems: Sequence[System] = (SUSPICIOUS,),
) -> int:
    """Run the command in this process, unless told otherwise on a tally that takes offence.

    In it alone: a fork of all that tests import costs more than it plays. See test_workers.
    """
    alone = () if "--jobs" in words else ("--jobs", "1")
    return simulate(
        (*alone, *words),
        program=RUNTIME,
        fresh_seed=fresh_seed,
        clock=SystemClock(),
        systems=systems,
    )


def digest(printed: str) -> str:
    """Return the last line's digest."""
    assert DIGEST.fullmatch(printed.splitlines()[-1]), printed
    return str(DIGEST.findall(printed)[-1])


# --- Where all holds -------------------------------------------------------------------------


@pytest.mark.real_time
def test_what_is_played_twice_is_compared_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    """--check-determinism plays all of it in a second process, under another hash seed, too.

    Alone and in this process it has the same digest. `make simulate-determinism` compares 1,000,
    and of both systems.
    """
    words = ("--seed", "14", "--seeds", "1", "--faults", "chaos", *HOTEL)
    twice = command(*words, "--check-determinism")
    assert twice.startswith("seed 14; hotel; faults: chaos\n")
    assert "in a second process, in other surroundings: the same, line by line" in twice
    assert inside(*words, systems=SYSTEMS) == 0
    assert digest(twice) == digest(capsys.readouterr().out)


class CountingScenario(TallyScenario):
    async def perform(self, client: Client, number: int, call: TallyCall, history: History) -> None:
        """Have a tweet counted that nobody has stored."""
        with history.invoke(client.name, "count", number) as attempt:
            await client.tell("tally", CountTweet(), key=f"k{number}")
            attempt.ok()

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Compare nothing: nothing is answered."""
        return [str(each) for each in history.operations if each.result is not None]


# The service whose every handler each request reaches.
COUNTING = [
    System(name="tally", services={"tally": TallyService}, scenario=lambda: CountingScenario)
]


def test_traces_are_a_line_of_json_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    """--traces prints what a second process is compared by, and nothing else."""
    systems = [replace(each, name=name) for each in COUNTING for name in ("one", "other")]
    assert inside("--seed", "4", "--traces", systems=systems) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [msgspec.json.decode(line, type=TracedRun) for line in lines]
    assert [(each.system, each.seed) for each in told] == [("one", 4), ("other", 4)]
    assert all(each.lines for each in told)


PRINTS = """
from tests.simulation.tally import TallyScenario, tally

class Chatty(TallyScenario):
    def choose_call(self, choose):
        print("I choose")
        return super().choose_call(choose)

    async def perform(self, *given):
        print("I perform", end="")
        await super().perform(*given)

print("I am imported")
SYSTEM = tally(scenario=Chatty)
"""


def test_what_an_author_prints_is_no_trace(tmp_path: Path) -> None:
    """Neither where it is imported, nor in a run: two processes are compared all the same."""
    (tmp_path / "prints.py").write_text(PRINTS)
    words = (f"{tmp_path / 'prints.py'}:SYSTEM", "--seed", "1", "--seeds", "2", "--jobs", "1")
    told = command(*words, "--check-determinism")
    assert "I perform" in told
    assert DIGEST.search(told)


def test_coverage_can_be_required(capsys: pytest.CaptureFixture[str]) -> None:
    """With --cover, a crash point that no kill has struck is named, and is exit code 1."""
    assert inside("--cover", "--seeds", "9", systems=COUNTING) == 0
    assert "crash points hit: 8 of 8\nall held\ndigest" in capsys.readouterr().out
    words = ("--seed", "1", "--faults", "calm")
    assert inside(*words, "--cover", systems=COUNTING) == 1
    assert "crash points hit: 0 of 8\n  not in tally: CountTweet.before," in capsys.readouterr().out
    assert inside(*words, systems=COUNTING) == 0


def test_hours_are_played_to_their_end(capsys: pytest.CaptureFixture[str]) -> None:
    """--hours H begins with a fresh seed, printed, and repeats from there."""
    words = ("--hours", "0.05")
    assert inside(*words, fresh_seed=77, systems=COUNTING) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("from seed 77, for 0.05 virtual hours; tally;")
    assert inside(*words, "--seed", "77", systems=COUNTING) == 0
    assert digest(printed) == digest(capsys.readouterr().out)


@pytest.mark.real_time
def test_ctrl_c_ends_in_order() -> None:
    """SIGINT ends it after the run in hand: what was covered, the digest, no file left."""
    process = subprocess.Popen(
        [sys.executable, str(RUNTIME), "simulate", "--hours", "10000", *HOTEL],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("from seed ")
        folder = f"{PREFIX}{process.pid}-*"
        assert not IN_MEMORY.is_dir() or list(IN_MEMORY.glob(folder))
        process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
    assert process.returncode == 3
    assert printed.startswith("stopped before the end\n")
    assert digest(printed)
    assert list(IN_MEMORY.glob(folder)) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--seed", "x"), "a seed is a number from 0 on, not 'x'"),
        (("--seeds", "0"), "a number from 1 on, not '0'"),
        (("--hours", "nan"), "hours, more than 0, not 'nan'"),
        (("--seeds", "1", "--hours", "1"), "either --seeds or --hours or --time"),
        (("--seeds", "1", "--time", "1s"), "either --seeds or --hours or --time"),
        (("--time", "10"), "a time such as 90s, 10m or 2h, not '10'"),
        (("--time", "0m"), "a time such as 90s, 10m or 2h, not '0m'"),
        (("--jobs", "0"), "a number from 1 on, not '0'"),
        (("--replay", "x", "--seed", "1"), "a file has a seed of its own"),
        (("--replay", "no-such-file.json"), "no-such-file.json: No such file or directory"),
        (("--page", "page.json"), "name it otherwise"),
        (("--at", "12"), "a moment of virtual time such as 12.3s, not '12'"),
        (("--at", "1s"), "are for one run: --seed N, or --replay FILE"),
        (("--seed", "1", "--at", "1s", "--step", "1"), "either --at or --step"),
        (("--seed", "1", "--shrink"), "--shrink is for --replay"),
        (("--set", "tweets.no_such_key=1"), "no_such_key"),
        (("--faults", "hail"), "invalid choice: 'hail'"),
    ],
)
def test_misuse_is_told(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    """What cannot be meant is exit code 2, with the reason."""
    try:
        code: int | str | None = inside(*words)
    except SystemExit as ended:  # by who reads the command line
        code = ended.code
    assert code == 2
    assert says in capsys.readouterr().err


class BareScenario(TallyScenario):
    async def furnish(self, system: ServiceSystem) -> None:
        """Ask for more than there is time for."""
        await system.ask("tally", CountTweet(), timeout_s=1e-9)


def test_what_cannot_be_furnished_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, whatever it is that failed; such as a configuration that leaves no time."""
    assert inside("--seed", "1", systems=[tally(scenario=BareScenario)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dress-rehearsal: tally cannot be furnished as it is configured: Dead")


@pytest.mark.real_time
def test_misuse_ends_the_process_with_2() -> None:
    """And a finding, which is 1, cannot be taken for it."""
    assert "no-such-file.json" in command("--replay", "no-such-file.json", code=2)


def test_a_fresh_seed_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a number, a hundred seeds from a fresh one; here the first of them is found."""
    inside("--page", os.devnull, "--traces", fresh_seed=77, systems=[QUIET])
    assert msgspec.json.decode(capsys.readouterr().out.splitlines()[0], type=TracedRun).seed == 77


# --- Where something is found ----------------------------------------------------------------


class QuietScenario(TallyScenario):
    """Any tweet is one too many: found in the first run, and made small in no time."""

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Complain of whatever was asked for."""
        return ["somebody tweeted"] if history.operations else []


QUIET = tally(scenario=QuietScenario)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The page of something that was found, and what was printed meanwhile."""
    page = tmp_path_factory.mktemp("found") / "below" / "found.html"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        # As many runs as the request and the fault are found in; test_campaign goes to the end.
        assert inside("--seeds", "50", "--page", str(page), "--shrink-runs", "40") == 1
    return page, printed.getvalue()


def test_what_is_found_is_made_small_and_told(found: tuple[Path, str]) -> None:
    """The failing seed, what is wrong, a minimal timeline, where the page is, how to repeat it."""
    page, printed = found
    assert re.search(r"^FAILED: seed \d+ of tally$", printed, re.MULTILINE)
    assert re.search(r"^It takes 1 of \d+ requests and 1 of \d+ faults,", printed, re.MULTILINE)
    assert re.search(
        r"^\* +\d+\.\d{6} s  tally           (restart|kill) tally$", printed, re.MULTILINE
    )
    assert re.search(r"^! .* the tally lived once more, and \d+ tweets", printed, re.MULTILINE)
    nearest = printed.partition("The nearest that passes, of those that were tried:\n")[2]
    lines = nearest.partition("\n\n")[0].splitlines()
    assert re.fullmatch(r"  (fails |passes)  .*", lines[0])
    events = lines[lines.index("From the first difference on:") + 1 :]
    assert re.fullmatch(r"  (fails |passes)  .*", events[0])
    assert any(re.match(r"  fails   edge +the tally lived once more", each) for each in events)
    shown = html.unescape(page.read_text(encoding="utf-8"))
    assert all(each.strip() in shown for each in events)
    assert f"the page:      {page}" in printed
    assert f"play it again: {PROGRAM} simulate --replay {page.with_suffix('.json')}" in printed
    assert digest(printed)
    assert "the tally lived once more" in page.read_text(encoding="utf-8")


def test_what_was_found_can_be_played_again(
    found: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that was printed fails in the same way, by the same timeline, each time."""
    page, printed = found
    timeline = printed.partition("\n\n")[2].partition("\n\n")[2].partition("\n\n")[0]
    file = page.with_suffix(".json")
    digests = set()
    for _ in range(2):
        assert inside("--replay", str(file)) == 1
        again = capsys.readouterr().out
        assert timeline.strip() in again
        digests.add(digest(again))
    assert len(digests) == 1
    recording = Recording.read(file, {"tally": SUSPICIOUS})
    assert recording.troubles[0].startswith("the tally lived once more")
    assert len(recording.script.schedule) == len(recording.script.workload) == 1


@pytest.mark.real_time
def test_a_replay_that_holds_is_told_too(found: tuple[Path, str], tmp_path: Path) -> None:
    """The real tally takes no offence: exit code 0, a timeline, and a page where one is wanted."""
    page, again = found[0], tmp_path / "again.html"
    words = ("--replay", str(page.with_suffix(".json")), "--page", str(again))
    printed = command("tests.simulation.tally:TALLY", *words, "--check-determinism")
    assert re.search(r"^> .* #\d+ tweet tweet", printed, re.MULTILINE)
    assert "all held" in again.read_text(encoding="utf-8")


def test_the_page_stands_in_the_data_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --page it is in `simulations` there, named after the system and the seed."""
    setting = f"runtime.data_dir={tmp_path / 'data'}"
    assert inside("--shrink-runs", "2", "--set", setting, systems=[QUIET]) == 1
    printed = capsys.readouterr().out
    (page,) = (tmp_path / "data" / "simulations").glob("tally-*.html")
    assert f"simulate --set {setting} --replay {page.with_suffix('.json')}" in printed


@pytest.mark.parametrize("page", ["{}", "{}/file/page.html"])
def test_a_page_that_cannot_be_written_spoils_no_finding(
    page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The timeline is told, the reason, and how to find it again; then comes the end as always."""
    (tmp_path / "file").touch()
    words = ("--shrink-runs", "2", "--page")
    assert inside(*words, page.format(tmp_path), systems=[QUIET]) == 1
    printed = capsys.readouterr().out
    assert re.search(r"^> .* #\d+ tweet tweet", printed, re.MULTILINE)
    assert re.search(r"^not kept: .*Errno", printed, re.MULTILINE)
    again = re.search(r"^find it again: .* simulate (.*)$", printed, re.MULTILINE)
    assert again is not None
    assert inside(*again[1].split(), *words, os.devnull, systems=[QUIET]) == 1
    assert digest(printed)


@pytest.mark.parametrize(
    ("system", "workload", "schedule", "says"),
    [
        ("moon", "[]", "{}", "'moon'"),
        ("tally", "[3]", "{}", "script.workload[0]"),
        ("tally", "[]", '{"steps": [{"gap_us": 1, "fault": "hail", "target": "tally"}]}', "hail"),
        ("tally", "[", "{}", "malformed"),
    ],
)
def test_a_file_that_is_no_recording_is_told(
    system: str,
    workload: str,
    schedule: str,
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was edited wrongly is exit code 2, with the place of the mistake."""
    file = tmp_path / "edited.json"
    script = f'{{"seed": 1, "workload": {workload}, "schedule": {schedule}}}'
    file.write_text(f'{{"system": "{system}", "seed": 1, "script": {script}}}', encoding="utf-8")
    assert inside("--replay", str(file)) == 2
    assert says in capsys.readouterr().err


# --- Longer campaigns ------------------------------------------------------------------------


class TwoFaced(QuietScenario):
    """Finds two things wrong, one at a time, each under numbers of its own."""

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Complain of who was first."""
        operations = history.operations
        if not operations or operations[0].process == "client-0":
            return []
        at = f"{operations[0].invoked_us} us"
        what = "late" if operations[0].process == "client-1" else "early"
        return [f"somebody was {what}, at {at}"]


def test_failures_are_told_apart_and_each_made_small_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--keep-going plays to the end; a kind is told with its count, its first seed and a page."""
    systems = [tally(scenario=TwoFaced)]
    page = tmp_path / "found.html"
    words = ("--seeds", "12", "--keep-going", "--shrink-runs", "12", "--page", str(page))
    assert inside(*words, systems=systems) == 1
    printed = capsys.readouterr().out
    kinds = re.findall(
        r"^  (\d+) times, first with seed (\d+) of tally: somebody was (\w+), at \d+ us$",
        printed,
        re.MULTILINE,
    )
    total = sum(int(times) for times, _, _ in kinds)
    assert f"2 kinds of failure in {total} of 12 schedules:\n" in printed
    assert {what for *_, what in kinds} == {"late", "early"}
    seeds = [seed for _, seed, _ in kinds]
    assert re.findall(r"^FAILED: seed (\d+) of tally$", printed, re.MULTILINE) == seeds
    assert printed.count("It takes 1 of ") == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "found-2.html", "found-2.json", "found.html", "found.json",
    ]  # fmt: skip
    assert "12 schedules in " in printed
    assert inside("--seeds", "12", "--traces", systems=systems) == 1
    assert len(capsys.readouterr().out.splitlines()) == int(seeds[0])


def test_so_much_real_time_is_played(capsys: pytest.CaptureFixture[str]) -> None:
    """--time T ends with the run in which that is over, and has held if those have."""
    assert inside("--time", "1s", "--seed", "5", systems=COUNTING) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("from seed 5, for 1 s; tally;")
    (took_s,) = re.findall(r"^\d+ schedules? in (\d+\.\d) s", printed, re.MULTILINE)
    assert float(took_s) >= 1.0  # and how much longer its last run takes is the machine's


class Impatient(CountingScenario):
    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Press Ctrl-C."""
        signal.raise_signal(signal.SIGINT)
        return []


def test_a_campaign_that_was_stopped_can_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    """It is exit code 3, with what was covered and the words that play the rest."""
    systems = [replace(COUNTING[0], scenario=lambda: Impatient)]
    words = ("--seed", "6", "--seeds", "9", "--faults", "calm", "--jobs", "1")
    assert inside(*words, systems=systems) == 3
    printed = capsys.readouterr().out
    assert "1 schedule in " in printed
    rest = "--seed 7 --faults calm --seeds 8 --system tally"
    assert f"go on with: {PROGRAM} simulate {rest}\n" in printed


@pytest.mark.real_time
def test_nobody_who_reads_is_no_verdict() -> None:
    """A pipe that breaks has stopped the campaign before its end."""
    process = subprocess.Popen(
        [sys.executable, str(RUNTIME), "simulate", "--hours", "10000", "--verbose", *HOTEL],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(COMMAND_S_MAX) == 3
