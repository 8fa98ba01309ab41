"""A handler that never comes back ends its run, and is told with the line it hangs on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from actors.config import load_config
from actors.service.service import command
from actors.simulation.command.campaign import Campaign, Plan
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.stopping import stop_on_signal
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.transaction import Transaction
from actors.systems.tweets.messages import StoreTweet, TweetStored
from tests.simulation.tally import TALLY, TalliedTweets, tally

if TYPE_CHECKING:
    from pathlib import Path

CPU_S_MAX = 0.3


class Spinning(TalliedTweets):
    @command
    def store(self, tx: Transaction, cmd: StoreTweet) -> TweetStored:
        """Hang on the first tweet."""
        while True:
            pass


class Interrupted(TalliedTweets):
    @command
    def store(self, tx: Transaction, cmd: StoreTweet) -> TweetStored:
        """Hang until somebody has pressed Ctrl-C twice."""
        while True:
            signal.raise_signal(signal.SIGINT)


def campaign_with(tweets: type[TalliedTweets], folder: Path) -> Campaign:
    config = load_config(systems=[TALLY])
    rehearsal = Rehearsal(tally(tweets), config, folder, profile="calm", cpu_s_max=CPU_S_MAX)
    return Campaign({"tally": rehearsal})


@pytest.mark.real_time
def test_an_endless_handler_is_a_finding(tmp_path: Path) -> None:
    """It is told with its line, and made no smaller: every attempt would take as long."""
    with without_logs():
        campaign = campaign_with(Spinning, tmp_path)
        failure = campaign.play(Plan(first=1, seeds=9), lambda *_: None)
        assert failure is not None
        (trouble,) = failure.played.troubles
        assert trouble.startswith("0.3 s of processor time were not enough, at ")
        assert "test_watchdog.py:" in trouble
        minimised = campaign.minimise(failure, lambda _: None)
    assert (minimised.runs, minimised.repeatable) == (0, True)
    assert minimised.failure.played.lines
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


@pytest.mark.real_time
def test_the_second_ctrl_c_ends_an_endless_handler(tmp_path: Path) -> None:
    """Whoever catches it inside the simulation, it comes out."""
    with without_logs():
        campaign = campaign_with(Interrupted, tmp_path)
        with stop_on_signal(campaign.stop), pytest.raises(KeyboardInterrupt):
            campaign.play(Plan(first=1, seeds=9), lambda *_: None)
    assert campaign.stopping
