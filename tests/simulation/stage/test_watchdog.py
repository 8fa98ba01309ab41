"""A handler that never comes back ends its run, and is told with the line it hangs on."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path

import pytest

from actors.config import load_config
from actors.service.service import command
from actors.simulation.command.campaign import Campaign, Plan
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.stopping import stop_on_signal
from actors.simulation.stage.rehearsal import Rehearsal
from actors.simulation.stage.watchdog import watchdog
from actors.store.transaction import Transaction
from actors.systems.tweets.messages import StoreTweet, TweetStored
from tests.simulation.tally import TALLY, TalliedTweets, tally

CPU_S_MAX = 0.3
STILL_S_MAX = 0.2


class Spinning(TalliedTweets):
    @command
    def store(self, tx: Transaction, cmd: StoreTweet) -> TweetStored:
        """Hang on the first tweet."""
        while True:
            pass


class Reading(TalliedTweets):
    @command
    def store(self, tx: Transaction, cmd: StoreTweet) -> TweetStored:
        """Wait for what nobody writes, and think nothing of being told to stop."""
        read, write = os.pipe()
        try:
            os.read(read, 1)
        except Exception:  # noqa: BLE001 - what a careless author writes
            os.read(read, 1)
        finally:
            os.close(read)
            os.close(write)
        raise AssertionError


class Locking(TalliedTweets):
    @command
    def store(self, tx: Transaction, cmd: StoreTweet) -> TweetStored:
        """Wait for a lock of a file that somebody else has, for ever."""
        with Path(__file__).open("rb") as one, Path(__file__).open("rb") as other:
            fcntl.flock(one, fcntl.LOCK_EX)
            fcntl.flock(other, fcntl.LOCK_EX)
        raise AssertionError


class Interrupted(TalliedTweets):
    @command
    def store(self, tx: Transaction, cmd: StoreTweet) -> TweetStored:
        """Hang until somebody has pressed Ctrl-C twice."""
        while True:
            signal.raise_signal(signal.SIGINT)


def campaign_with(tweets: type[TalliedTweets], folder: Path) -> Campaign:
    config = load_config(systems=[TALLY])
    rehearsal = Rehearsal(
        tally(tweets), config, folder, profile="calm", cpu_s_max=CPU_S_MAX, still_s_max=STILL_S_MAX
    )
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
    assert minimised.summary(failure).startswith("It was not made smaller: ")
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


@pytest.mark.real_time
@pytest.mark.parametrize("tweets", [Reading, Locking])
def test_a_handler_that_blocks_is_a_finding(tmp_path: Path, tweets: type[TalliedTweets]) -> None:
    """It is told with its line, though it takes no processor time at all."""
    before = signal.getsignal(signal.SIGALRM)
    with without_logs():
        campaign = campaign_with(tweets, tmp_path)
        failure = campaign.play(Plan(first=1, seeds=9), lambda *_: None)
    assert failure is not None
    (trouble,) = failure.played.troubles
    assert trouble.startswith("nothing was done for 0.4 s, at ")
    assert "test_watchdog.py:" in trouble
    assert failure.played.endless
    assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.real_time
def test_a_limit_around_a_run_is_as_it_was() -> None:
    """A test's own timer goes on afterwards."""
    told = []
    before = signal.signal(signal.SIGALRM, lambda *_: told.append(1))
    outer = signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with watchdog(1.0):
            pass
        signal.sigtimedwait([], 0.5)
        assert told == [1]
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *outer)


@pytest.mark.real_time
def test_the_second_ctrl_c_ends_an_endless_handler(tmp_path: Path) -> None:
    """Whoever catches it inside the simulation, it comes out."""
    with without_logs():
        campaign = campaign_with(Interrupted, tmp_path)
        with stop_on_signal(campaign.stop), pytest.raises(KeyboardInterrupt):
            campaign.play(Plan(first=1, seeds=9), lambda *_: None)
    assert campaign.stopping
