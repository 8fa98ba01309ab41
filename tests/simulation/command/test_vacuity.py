"""A campaign that looks at nothing has not held; and says what it has looked at."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
import pytest

from actors.errors import ConfigError
from actors.kernel.clock import SystemClock
from actors.kernel.messages import Command, Query
from actors.service.service import Service, command, query
from actors.simulation.check.assertions import always, sometimes
from actors.simulation.command import tally
from actors.simulation.command.command import simulate
from actors.simulation.stage.scenario import Scenario
from actors.store.transaction import ReadTransaction, Transaction
from actors.system import System
from actors.testing.rehearse import Rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client
    from actors.system import Audit


# Those of one system: twice as many are of two.
SEEDS: Final = 4


class Fill(Command):
    pass


class Empty(Command):
    pass


class Level(Query):
    pass


class Colour(Query):
    pass


class Tank(Service):
    """Half of it is of interest."""

    schema: ClassVar[str] = "CREATE TABLE tank (litres INTEGER NOT NULL) STRICT;"

    @command
    def fill(self, tx: Transaction, cmd: Fill) -> int:
        return 1

    @query
    def level(self, tx: ReadTransaction, ask: Level) -> int:
        return 1

    @query
    def colour(self, tx: ReadTransaction, ask: Colour) -> str:
        return "green"


class TankScenario(Scenario):
    """Fills it, and looks."""

    def choose_call(self, choose: Chooser) -> int:
        return choose(2)

    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        with history.invoke(client.name, "fill") as attempt:
            await client.tell("tank", Fill(), key=f"k{number}")
            await client.tell("tank", Level())
            attempt.ok()

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        return [str(each) for each in history.operations if each.result is not None]


def played(
    scenario: type[Scenario],
    *words: str,
    names: Sequence[str] = ("tanks",),
    audits: Callable[[], Audit] | None = None,
) -> int:
    """Return the command's exit code for a few seeds of a tank of each name."""
    systems = [
        System(name=name, services={"tank": Tank}, scenario=lambda: scenario, audit=audits)
        for name in names
    ]
    return simulate(
        ["--seeds", str(SEEDS), "--jobs", "1", *words],
        program=__file__,  # type: ignore[arg-type] # there is no second process
        fresh_seed=1,
        clock=SystemClock(),
        systems=systems,
    )


def test_queries_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """What is asked counts as called, and what is not is named."""
    assert played(TankScenario) == 0
    assert "handlers called: 2 of 3\n  not in tank: Colour\n" in capsys.readouterr().out


class Idle(TankScenario):
    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Do nothing, which goes well."""


class Mute(TankScenario):
    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Do it, and tell nobody."""
        await client.tell("tank", Fill(), key=f"k{number}")


class Blind(TankScenario):
    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Find nothing, for it looks at nothing."""
        del folder, config, clock, history
        return []


class Certain(Blind):
    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Say at once what must be."""
        always("there are calls", call < 2)
        await super().perform(client, number, call, history)


class Strict(Blind):
    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Raise at once what must not be."""
        assert call < 2
        await super().perform(client, number, call, history)


def audit(folder: Path, config: Config, now_us: int) -> list[str]:
    """Look at a file."""
    return [] if folder.exists() else ["there is no file"]


def blind_audit(folder: Path, config: Config, now_us: int) -> list[str]:
    """Look at none."""
    return []


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("scenario", "audits", "code"),
    [
        (Blind, None, 1),
        (Blind, lambda: blind_audit, 1),
        (Blind, lambda: audit, 0),
        (Certain, None, 0),
        (Strict, None, 0),
    ],
)
def test_who_asserts_nothing_has_not_held(
    scenario: type[Scenario],
    audits: Callable[[], Audit] | None,
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not in the end, by the scenario or an audit, and not on the way."""
    assert played(scenario, audits=audits) == code
    says = "NOT REHEARSED: nothing is asserted of tanks: "
    assert (says in capsys.readouterr().out) == bool(code)


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        (Idle, "NOT REHEARSED: nothing was asked in "),
        (Mute, "NOT REHEARSED: nothing was noted of "),
    ],
)
def test_who_looks_at_nothing_has_not_held(
    scenario: type[Scenario], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is exit code 1, with what is missing."""
    assert played(scenario) == 1
    out = capsys.readouterr().out
    assert says in out
    assert "all held" not in out


class Hopeful(TankScenario):
    """Fills it, and hopes for more."""

    expected = ("it overflows",)

    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        sometimes("it is filled", True)
        await super().perform(client, number, call, history)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_sometimes_should_be_so_is_in_a_campaign(
    jobs: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What never was is named; where enough was played for it, the campaign has not held."""
    assert played(Hopeful, "--jobs", jobs) == 0
    out = capsys.readouterr().out
    assert "sometimes: 1 of 2\n  never tanks: it overflows\n" in out
    assert "all held" in out
    monkeypatch.setattr(tally, "ENOUGH_SCHEDULES", SEEDS)
    assert played(Hopeful, "--jobs", jobs) == 1
    out = capsys.readouterr().out
    assert f"NOT REHEARSED: never in {SEEDS} schedules: tanks: it overflows\n" in out
    assert "all held" not in out


def test_enough_schedules_are_enough_of_each_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of other systems never reach what one of them should."""
    monkeypatch.setattr(tally, "ENOUGH_SCHEDULES", SEEDS + 1)
    assert played(Hopeful, names=("one", "other")) == 0


@pytest.mark.parametrize(
    "scenario", [Idle, *(pytest.param(each, marks=pytest.mark.long) for each in (Mute, Blind))]
)
def test_the_fixture_looks_at_something_too(scenario: type[Scenario]) -> None:
    """A test that could not fail is one that fails."""
    system = System(name="tanks", services={"tank": Tank}, scenario=lambda: scenario)
    with pytest.raises(AssertionError, match=r"^nothing (was|is) "):
        Rehearse(lambda: None, lambda _: None)(system)


class Mistaken(TankScenario):
    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Tell what is not there."""
        await client.tell("tnak", Fill(), key=f"k{number}")


class Operator(TankScenario):
    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Suspend what is not there."""
        await client.operate("suspend", "tanks")


class Misspelt(TankScenario):
    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Order what cannot be ordered."""
        await client.operate("suspnd", "tank")


class Seldom(TankScenario):
    seldom = (Empty,)


class Unreached(TankScenario):
    unreached = (Empty,)


class Wired(TankScenario):
    wires = MappingProxyType({"127.0.0.9": "outlet"})


ORDERS = (
    "client.operate: there is no order 'suspnd', there are kill, restart, resume, suspend; did you"
    " mean 'suspend'?"
)
NAMES = "there is no service {!r}, there are tank; did you mean 'tank'?"


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        (Mistaken, f"client.tell: {NAMES.format('tnak')}"),
        (Operator, f"client.operate: {NAMES.format('tanks')}"),
        (
            Misspelt,
            ORDERS,
        ),
        (Seldom, "the scenario's seldom or unreached: no service handles Empty"),
        (Unreached, "the scenario's seldom or unreached: no service handles Empty"),
        (Wired, "the scenario's wires: nothing listens at 127.0.0.9, called 'outlet'"),
    ],
)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_is_not_there_is_misuse(
    scenario: type[Scenario], says: str, jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends at once, with exit code 2 and the names that there are."""
    assert played(scenario, "--jobs", jobs) == 2
    assert capsys.readouterr().err == f"dress-rehearsal: {says}\n"


class Impatient(TankScenario):
    def perform(self, *_: Any) -> Any:
        """Do nothing that could be waited for."""


class Silent(TankScenario):
    def violations(self, *_: Any) -> Any:
        """Forget to return."""


class Wordy(TankScenario):
    def violations(self, *_: Any) -> Any:
        """Return one sentence, and no list."""
        return "all is wrong"


class Unset(TankScenario):
    def configure(self, config: Config) -> Any:
        """Forget to return."""


class Opaque(TankScenario):
    def choose_call(self, choose: Chooser) -> Any:
        """Choose what no file can hold."""
        return Tank


class Wish(msgspec.Struct, frozen=True):
    litres: int = 1


class Untyped(TankScenario):
    def choose_call(self, choose: Chooser) -> Any:
        """Choose what is read back as a dictionary."""
        return Wish()


class Furnisher(TankScenario):
    async def furnish(self, system: Any) -> None:
        """Fail, at a line of its own."""
        raise LookupError("empty")


def silent_audit(folder: Path, config: Config, now_us: int) -> Any:
    """Forget to return."""


def short_audit(folder: Path, config: Config) -> Any:
    """Take less than it is given."""


LINE: Final = Furnisher.furnish.__code__.co_firstlineno + 2
OPAQUE: Final = "which no script can hold: Encoding objects of type type is unsupported"
LIST: Final = "returns a list of sentences, one for each thing that is wrong; this is"


@pytest.mark.parametrize(
    ("scenario", "audits", "says"),
    [
        (Impatient, None, "Impatient.perform is no `async def`: it returned None"),
        (Silent, None, f"Silent.violations {LIST} None"),
        (Wordy, None, f"Wordy.violations {LIST} 'all is wrong'"),
        (TankScenario, silent_audit, f"silent_audit {LIST} None"),
        (
            TankScenario,
            short_audit,
            "tanks: its audit takes folder, config and time: short_audit(folder, config)",
        ),
        (Unset, None, "a scenario's configure returns a configuration; this is None"),
        (
            Opaque,
            None,
            f"seed 1: choose_call chose {Tank}, {OPAQUE}",
        ),
        (
            Untyped,
            None,
            (
                "seed 1: choose_call chose Wish(litres=1), which a script gives back as"
                " {'litres': 1}: name its type, call_type = Wish"
            ),
        ),
        (
            Furnisher,
            None,
            (
                "tanks cannot be furnished as it is configured:"
                f" LookupError: empty, at test_vacuity.py:{LINE}"
            ),
        ),
    ],
)
def test_what_is_no_scenario_is_misuse(
    scenario: type[Scenario],
    audits: Any,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is no failure of the system's, and is told in one sentence."""
    assert played(scenario, audits=None if audits is None else lambda: audits) == 2
    assert capsys.readouterr().err == f"dress-rehearsal: {says}\n"


def test_a_service_that_cannot_be_made_is_misuse() -> None:
    """As where it is booted."""

    class Rusty(Tank):
        def __init__(self) -> None:
            raise ValueError("no water")

    tank = System(name="tanks", services={"tank": Rusty}, scenario=lambda: TankScenario)
    with pytest.raises(ConfigError, match="tanks: its service 'tank' raised ValueError: no water"):
        Rehearse(lambda: None, lambda _: None)(tank)
