"""A hotel that takes offence at what is no bug: for tests of what is made of a finding."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from actors.systems.hotel.scenario.scenario import HotelScenario
from actors.systems.hotel.system import HOTEL

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History

# The room service opens its file for the furnishing, and again for the run; each time it also
# closes it, which is an epoch more.
EPOCHS_MAX = 4


class SuspiciousHotel(HotelScenario):
    """Holds it against a run that the room service died in it though somebody had booked."""

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Complain of one booking and one more life than there would be by itself."""
        epochs = _number(folder / "room.db", "SELECT value FROM epoch")
        bookings = _number(folder / "booking.db", "SELECT count(*) FROM booking")
        found = super().violations(folder, config, clock, history)
        if epochs > EPOCHS_MAX and bookings:
            found.append(f"the room service lived once more, and {bookings} bookings were made")
        return found


SUSPICIOUS = replace(HOTEL, scenario=lambda: SuspiciousHotel)


def _number(path: Path, sql: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute(sql).fetchone()
    return int(number)
