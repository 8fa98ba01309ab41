"""What a campaign has found is told, and is its exit code, whatever else goes wrong with it."""

from __future__ import annotations

import io
import os
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from actors.kernel.rng import Rng
from actors.simulation.script.workload import draw_workload
from actors.simulation.stage.playwright import REQUESTS_MAX
from tests.simulation.command.test_command import QuietScenario, inside
from tests.simulation.tally import CountTweet, TallyCall, tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client

AUTHORS: Final = 8
# Whose tweets go wrong, in one way or another.
ODD: Final = 7
JOBS: Final = pytest.mark.parametrize("jobs", ["1", "2"])

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


class Misspelling(QuietScenario):
    """Takes offence at any tweet, after a while, and has one author's counted where nobody is."""

    def choose_call(self, choose: Chooser) -> TallyCall:
        return TallyCall(author=choose(AUTHORS))

    async def perform(self, client: Client, number: int, call: TallyCall, history: History) -> None:
        if call.author == ODD:
            await client.tell("taly", CountTweet(), key=f"k{number}")
        await super().perform(client, number, call, history)

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Take longer than the other run of two."""
        sum(range(3_000_000))
        return super().violations(folder, config, clock, history)


class Choking(Misspelling):
    """Cannot choose that author."""

    def choose_call(self, choose: Chooser) -> TallyCall:
        return {author: TallyCall(author=author) for author in range(ODD)}[choose(AUTHORS)]


def authors(seed: int) -> set[int]:
    """Return who is to tweet."""
    rng = Rng(seed).fork("workload")
    drawn = draw_workload(rng, Misspelling().choose_call, requests_max=REQUESTS_MAX)
    return {request.call.author for request in drawn}


# It fails, and the seed after it cannot be played.
FIRST: Final = next(
    seed
    for seed in count(1)
    if authors(seed) and ODD not in authors(seed) and ODD in authors(seed + 1)
)


def played(scenario: type[Misspelling], *words: str, first: int = FIRST) -> int:
    """Return the command's exit code for two seeds."""
    always = ("--faults", "calm", "--page", os.devnull, "--shrink-runs", "2", "--seeds", "2")
    return inside(*always, "--seed", str(first), *words, systems=[tally(scenario=scenario)])


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        (Misspelling, ("--jobs", "2")),
        (Misspelling, ("--jobs", "1", "--keep-going")),
        (Choking, ("--jobs", "2", "--keep-going")),
    ],
)
def test_a_later_seed_s_misuse_hides_no_failure(
    scenario: type[Misspelling], words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What failed before it is told, and made small; however many processes play."""
    assert played(scenario, *words) == 1
    out, err = capsys.readouterr()
    assert f"FAILED: seed {FIRST} of tally\n  somebody tweeted\n" in out
    assert "It takes " in out
    assert err.startswith("dress-rehearsal: ") == ("--keep-going" in words)


@JOBS
def test_a_call_that_cannot_be_chosen_is_misuse(
    jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told with its seed and its author's line."""
    assert played(Choking, "--jobs", jobs, first=FIRST + 1) == 2
    line = Choking.choose_call.__code__.co_firstlineno + 1
    where = f"seed {FIRST + 1}: choose_call, at test_verdicts.py:{line}: KeyError: {ODD}"
    assert capsys.readouterr().err == f"dress-rehearsal: {where}\n"


class Gone(io.TextIOWrapper):
    """Its reader has gone once it has read of a failure."""

    def write(self, text: str, /) -> int:
        """Raise what a pipe raises."""
        if "FAILED: " in Path(self.name).read_text(encoding="utf-8"):
            raise BrokenPipeError
        return super().write(text)


def test_a_reader_that_goes_away_hides_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is that of a finding, though nobody reads the rest of it."""
    with Gone((tmp_path / "out").open("wb")) as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert played(Misspelling) == 1
