"""A system that writes letters, whose subject is whatever a handler has found outside.

As a program, it writes one letter a way of looking outside, each in a run of its own, and tells
what came of each: `python -m tests.simulation.sealed.letters`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from actors.config import load_config
from actors.kernel.messages import Command
from actors.service.service import Service, command, effect, outcome
from actors.simulation.command.log_output import without_logs
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.simulation.stage.scenario import Scenario
from actors.store.transaction import Transaction
from actors.system import System
from tests.simulation.sealed.carried_escapes import CARRIED

if TYPE_CHECKING:
    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client


class WriteLetter(Command):
    way: int


class SendLetter(Command):
    subject: str


class LettersService(Service):
    schema: ClassVar[Path] = Path(__file__).parent / "letters_schema"

    @command
    def write(self, tx: Transaction, cmd: WriteLetter) -> None:
        """Look outside, keep what was seen, and send it."""
        subject = str(CARRIED[cmd.way].look(tx))
        tx.execute("INSERT INTO letter VALUES (?)", subject)
        tx.run(SendLetter(subject=subject))

    @effect
    async def send(self, cmd: SendLetter) -> int:
        return len(cmd.subject)

    @outcome(send)
    def sent(self, tx: Transaction, cmd: SendLetter, length: int) -> None:
        pass


class LettersScenario(Scenario):
    """One client has one letter written."""

    call_type = int
    rest_s = 1.0

    def choose_call(self, choose: Chooser) -> int:
        return choose(len(CARRIED))

    async def perform(self, client: Client, number: int, call: int, history: History) -> None:
        await client.tell("letters", WriteLetter(way=call), key=f"k{number}")

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        return []


LETTERS = System(
    name="letters", services={"letters": LettersService}, scenario=lambda: LettersScenario
)


class HashedScenario(LettersScenario):
    """The letter says the hash of a text."""

    def choose_call(self, choose: Chooser) -> int:
        return [each.name for each in CARRIED].index("hash of a text")


class ChosenScenario(LettersScenario):
    """What a client asks for depends on the hash of a text; no letter says anything of it."""

    def choose_call(self, choose: Chooser) -> int:
        return HARMLESS[hash(f"text {choose(1000)}") % 2]


HARMLESS = [way for way, each in enumerate(CARRIED) if each.name in {"__file__", "sys.version"}]
HASHED, CHOSEN = (
    System(name=name, services={"letters": LettersService}, scenario=scenario)
    for name, scenario in (("hashed", lambda: HashedScenario), ("chosen", lambda: ChosenScenario))
)


class Told(msgspec.Struct, frozen=True):
    """What came of one way: the run's digest, and what was wrong with it."""

    digest: str
    troubles: tuple[str, ...]


def script_of(way: int) -> Script:
    """One letter, and no fault."""
    request: ClientRequest[Any] = ClientRequest(client=0, gap_us=0, call=way)
    return Script(seed=1, workload=(request,), schedule=Schedule(()))


def main() -> None:
    """Play every way once, in their order, and write what came of it as JSON."""
    told: dict[str, Told] = {}
    with tempfile.TemporaryDirectory() as folder, without_logs():
        config = load_config(systems=[LETTERS])
        rehearsal = Rehearsal(LETTERS, config, Path(folder), profile="calm", still_s_max=0.3)
        before = [way for way, carried in enumerate(CARRIED) if carried.name.endswith("the module")]
        for way in before if "--warm" in sys.argv else []:
            rehearsal.play(script_of(way))
        for way, carried in enumerate(CARRIED):
            played = rehearsal.play(script_of(way))
            told[carried.name] = Told(played.digest, played.troubles)
    sys.stdout.write(msgspec.json.encode(told).decode())


if __name__ == "__main__":
    main()
