"""The folder that an earlier version was killed in: runs that go on from it lose nothing of it."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems import SYSTEMS
from actors.systems.hotel.scenario.scenario import HotelScenario
from actors.systems.hotel.system import HOTEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History

ARCHIVE: Final = Path(__file__).parents[2] / "upgrade" / "4eb6c02.tar.gz"
HOTELS: Final = ("booking", "card_processor", "customer", "notification", "payment", "room")
SEEDS: Final = 3


class OldHouse(HotelScenario):
    """Guests come to a hotel in which bookings are under way: of those is said how they end."""

    def prepare(self, folder: Path) -> None:
        with tarfile.open(ARCHIVE) as archive:
            for member in archive.getmembers():
                name, _, suffix = member.name.partition(".")
                content = archive.extractfile(member)
                assert content is not None
                if (name in HOTELS and suffix.startswith("db")) or name == "contents":
                    (folder / member.name).write_bytes(content.read())

    async def furnish(self, system: ServiceSystem) -> None:
        """Nothing: what is on its way stays there for every run."""

    def age(self, folder: Path) -> None:
        """It is old enough."""

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        del config, clock, history
        contents = json.loads((folder / "contents.json").read_text())
        *held, charged = contents["under way"]
        wanted = {_id(each): "confirmed" for each in (*held, contents["done"])}
        wanted |= {_id(charged): "rejected", _id(contents["cancelled"]): "cancelled"}
        with closing(sqlite3.connect(folder / "booking.db")) as connection:
            states = dict(connection.execute("SELECT id, state FROM booking").fetchall())
        return [
            f"{name} is {states.get(name)}, and not {end}"
            for name, end in wanted.items()
            if states.get(name) != end
        ]


def _id(booking: dict[str, Any]) -> str:
    return str(booking["location"]).rpartition("/")[2]


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        house = replace(HOTEL, scenario=lambda: OldHouse)
        yield Rehearsal(house, load_config(systems=SYSTEMS), place)


def test_bookings_that_were_under_way_end_as_they_should(rehearsal: Rehearsal) -> None:
    """Whatever is killed meanwhile: the engine's oracles and the books agree, too."""
    for seed in range(SEEDS):
        assert rehearsal.play(rehearsal.script(seed)).troubles == (), seed
