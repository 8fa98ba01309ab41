"""A campaign that looks at nothing has not held; and says what it has looked at."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

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
    """Return the command's exit code for twelve seeds of a tank of each name."""
    systems = [
        System(name=name, services={"tank": Tank}, scenario=lambda: scenario, audit=audits)
        for name in names
    ]
    return simulate(
        ["--seeds", "12", "--jobs", "1", *words],
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
    monkeypatch.setattr(tally, "ENOUGH_SCHEDULES", 12)
    assert played(Hopeful, "--jobs", jobs) == 1
    out = capsys.readouterr().out
    assert "NOT REHEARSED: never in 12 schedules: tanks: it overflows\n" in out
    assert "all held" not in out


def test_enough_schedules_are_enough_of_each_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of other systems never reach what one of them should."""
    monkeypatch.setattr(tally, "ENOUGH_SCHEDULES", 13)
    assert played(Hopeful, names=("one", "other")) == 0


@pytest.mark.parametrize("scenario", [Idle, Mute, Blind])
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


class Seldom(TankScenario):
    seldom = (Empty,)


class Unreached(TankScenario):
    unreached = (Empty,)


class Wired(TankScenario):
    wires = MappingProxyType({"127.0.0.9": "outlet"})


NAMES = "there is no service {!r}, there are tank; did you mean 'tank'?"


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        (Mistaken, f"client.tell: {NAMES.format('tnak')}"),
        (Operator, f"client.operate: {NAMES.format('tanks')}"),
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
