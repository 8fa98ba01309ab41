"""A run ends when nothing is to come: a timer of minutes is played, one without an end is not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from actors import Command, Scenario, Service, System, Transaction, command
from actors.config import load_config
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client
    from actors.simulation.stage.staging import Played

HOLD_S = 900.0


class Hold(Command):
    ends: bool


class Release(Command):
    ends: bool


class Holds(Service):
    schema = "CREATE TABLE released (at_us INTEGER NOT NULL) STRICT;"

    @command
    def hold(self, tx: Transaction, cmd: Hold) -> None:
        tx.after(HOLD_S, Release(ends=cmd.ends))

    @command
    def release(self, tx: Transaction, cmd: Release) -> None:
        """And hold it again, unless it ends."""
        tx.execute("INSERT INTO released VALUES (?)", tx.now_us)
        if not cmd.ends:
            tx.after(HOLD_S, cmd)


class HoldScenario(Scenario):
    call_type = bool

    async def perform(self, client: Client, number: int, call: bool, history: History) -> None:
        await client.tell("holds", Hold(ends=call), key=f"k{number}")

    def choose_call(self, choose: Any) -> bool:
        return bool(choose(2))

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        with closing(sqlite3.connect(folder / "holds.db")) as holds:
            (count,) = holds.execute("SELECT count(*) FROM released").fetchone()
        return [f"released {count}"]


HOLDS = System(name="holds", services={"holds": Holds}, scenario=lambda: HoldScenario)


def played(folder: Path, *, ends: bool) -> Played:
    rehearsal = Rehearsal(HOLDS, load_config(systems=[HOLDS]), folder)
    requests = (ClientRequest(gap_us=0, client=0, call=ends),)
    return rehearsal.play(Script(seed=1, workload=requests, schedule=Schedule()))


def test_a_timer_of_a_quarter_of_an_hour_is_waited_for(tmp_path: Path) -> None:
    """And nothing after it."""
    found = played(tmp_path, ends=True)
    assert found.troubles == ("released 1",)
    assert HOLD_S < found.virtual_s < HOLD_S + 2 * Scenario.rest_s


def test_timers_without_an_end_are_waited_for_so_long(tmp_path: Path) -> None:
    """`timers_s_max`; what is to come then is no trouble."""
    found = played(tmp_path, ends=False)
    assert found.troubles == (f"released {Scenario.timers_s_max / HOLD_S:.0f}",)
    assert Scenario.timers_s_max < found.virtual_s < Scenario.timers_s_max + 2 * Scenario.rest_s
