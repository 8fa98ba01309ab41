"""A scenario says when its runs begin, by the wall clock: the seed chooses, the files are older."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from actors import Command, Scenario, Service, System, Transaction, command
from actors.config import load_config
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.simulation.time.virtual_clock import START_US

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client

DAY_US: Final = 86_400_000_000
DAYS: Final = (0, 100, 200)


class Note(Command):
    pass


class Notes(Service):
    schema = "CREATE TABLE noted (day INTEGER NOT NULL) STRICT;"

    @command
    def note(self, tx: Transaction, cmd: Note) -> None:
        del cmd
        tx.execute("INSERT INTO noted VALUES (?)", (tx.now_us - START_US) // DAY_US)


class NoteScenario(Scenario):
    call_type = int
    begins_us = tuple(START_US + day * DAY_US for day in DAYS)

    async def furnish(self, system: ServiceSystem) -> None:
        await system.ask("notes", Note(), timeout_s=60.0)

    async def perform(self, client: Client, number: int, call: int, history: History) -> None:
        del call, history
        await client.tell("notes", Note(), key=f"k{number}")

    def choose_call(self, choose: Any) -> int:
        return int(choose(2))

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        del config, clock, history
        with closing(sqlite3.connect(folder / "notes.db")) as notes:
            days = [day for (day,) in notes.execute("SELECT day FROM noted ORDER BY rowid")]
        return [f"from day {(self.begun_us - START_US) // DAY_US}: {days}"]


NOTES = System(name="notes", services={"notes": Notes}, scenario=lambda: NoteScenario)


def test_a_run_begins_when_its_seed_says(tmp_path: Path) -> None:
    """Whatever takes turns by seed has all of them; what is found there is of the first day."""
    rehearsal = Rehearsal(NOTES, load_config(systems=[NOTES]), tmp_path)
    requests = (ClientRequest(gap_us=0, client=0, call=0),)
    found = {
        rehearsal.play(Script(seed=seed, workload=requests, schedule=Schedule())).troubles
        for seed in range(0, 20 * len(DAYS), len(DAYS))
    }
    assert found == {(f"from day {day}: [0, {day}]",) for day in DAYS}
