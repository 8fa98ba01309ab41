"""A system that takes offence at what is no bug: for tests of what is made of a finding."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tests.simulation.tally import TallyScenario, tally

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History

# The tally opens its file for the furnishing, and again for the run; each time it also closes it,
# which is an epoch more.
EPOCHS_MAX = 4


class SuspiciousTally(TallyScenario):
    """Holds it against a run that the tally died in it though somebody had tweeted."""

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Complain of one tweet and one more life than there would be by itself."""
        epochs = _number(folder / "tally.db", "SELECT value FROM epoch")
        tweets = _number(folder / "tweets.db", "SELECT count(*) FROM tweet")
        found = super().violations(folder, config, clock, history)
        if epochs > EPOCHS_MAX and tweets:
            found.append(f"the tally lived once more, and {tweets} tweets were stored")
        return found


SUSPICIOUS = tally(scenario=SuspiciousTally)


def _number(path: Path, sql: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute(sql).fetchone()
    return int(number)
