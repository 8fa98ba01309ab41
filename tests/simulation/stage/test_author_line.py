"""A verdict names the line that its reader has written, not the framework's that it called."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from actors.config import load_config
from actors.service.service import command
from actors.simulation.command.log_output import without_logs
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.transaction import Transaction
from actors.systems.tweets.messages import StoreTweet, TweetStored
from tests.simulation.tally import TalliedTweets, TallyScenario, tally

if TYPE_CHECKING:
    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History


class SloppyTweets(TalliedTweets):
    @command
    def store(self, tx: Transaction, cmd: StoreTweet) -> TweetStored:
        """Write where there is no table."""
        tx.execute("INSERT INTO nowhere VALUES (1)")
        raise AssertionError


class SloppyScenario(TallyScenario):
    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Read what is no JSON."""
        return [str(json.loads("{"))]


def test_a_crash_and_a_failing_check_are_told_with_it(tmp_path: Path) -> None:
    """Both went wrong in somebody else's code, which they called."""
    lines, first = inspect.getsourcelines(SloppyTweets)
    number = first + next(at for at, line in enumerate(lines) if "nowhere VALUES" in line)
    with without_logs():
        (tmp_path / "crash").mkdir()
        (tmp_path / "check").mkdir()
        config = load_config(systems=[tally()])
        crash = Rehearsal(tally(SloppyTweets), config, tmp_path / "crash", profile="calm")
        check = Rehearsal(
            tally(scenario=SloppyScenario), config, tmp_path / "check", profile="calm"
        )
        crashed = crash.play(crash.script(1)).troubles
        failed = check.play(check.script(1)).troubles
    assert any(
        each.endswith(f"no such table: nowhere, at {Path(__file__).name}:{number}")
        for each in crashed
    )
    assert re.match(rf"{Path(__file__).name}:\d+: JSONDecodeError", failed[-1])
