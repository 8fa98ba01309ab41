"""A system in a folder of its own, outside the tree: nothing of ours is changed for it."""

from __future__ import annotations

import importlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest
from structlog.testing import capture_logs

from actors import command_line, system_commands
from actors.app import App, look_through
from actors.config import Section, load_config
from actors.errors import ConfigError
from actors.kernel.clock import SystemClock
from actors.kernel.messages import Event, Query
from actors.kernel.rng import Rng
from actors.service.group import Group
from actors.service.service import Service, StatelessService, on, query
from actors.service.stateless.replicas import Replicas
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.transaction import Transaction
from actors.system import Dependency, ListenerSpec, System, listeners_of, places_of, unbooted
from actors.systems import SYSTEMS
from http_edge.address import Address
from http_edge.endpoints.service_endpoint import service
from http_edge.endpoints.text_endpoint import text
from tests.booting import app_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.service.assembly import AnyService, ServiceClasses
    from actors.testing.live import Live

ROOT = Path(__file__).parent.parent
PORTS = ("edge.gateway.port=0", "edge.stall.port=0")
SCHEMA = """
CREATE TABLE sale (seq INTEGER PRIMARY KEY, cups INTEGER NOT NULL, price INTEGER NOT NULL) STRICT;
"""
SYSTEM = '''
"""A stall that sells tea: what it takes, a printer outside prints."""

from pathlib import Path

import msgspec

from actors.config import Count, Section
from actors.kernel.messages import Command, Query
from actors.service.group import Group
from actors.service.service import Service, command, effect, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.store.transaction import Transaction
from actors.system import Dependency, ListenerSpec, System
from http_edge.address import Address
from http_edge.endpoints.service_endpoint import service


class StallConfig(Section):
    # In cents, a cup: what the market takes.
    price: Count = 150


class SellTea(Command):
    cups: int


class PrintReceipt(Command):
    price: int


class CountSales(Query):
    pass


class Sold(msgspec.Struct, frozen=True, kw_only=True):
    price: int


class Till(Service):
    schema = Path(__file__).parent / "schema"

    def __init__(self, config, printer):
        self._price = config.price
        self._printer = printer

    @command
    def sell(self, tx: Transaction, cmd: SellTea) -> Sold:
        price = cmd.cups * self._price
        tx.execute("INSERT INTO sale (cups, price) VALUES (?, ?)", cmd.cups, price)
        tx.run(PrintReceipt(price=price))
        return Sold(price=price)

    @effect
    async def print(self, cmd: PrintReceipt) -> None:
        self._printer.append(cmd.price)

    @query
    def count(self, tx: ReadTransaction, question: CountSales) -> int:
        return tx.all("SELECT count(*) AS sales FROM sale")[0]["sales"]


def services(wiring):
    config = wiring.config.section(StallConfig)
    return {"till": lambda: Till(config, wiring.outside["printer"])}


def scenario():
    from stall.scenario import StallScenario

    return StallScenario


def audit():
    from stall.invariants import audit

    return audit


STALL = System(
    name="stall",
    services=services,
    addresses=lambda wiring: {
        "stall": (Address("POST", "/tea", service("till", SellTea, 201)),),
        "gateway": (Address("GET", "/api/v1/sales", service("till", CountSales)),),
    },
    listeners=(ListenerSpec("stall", 7000),),
    config={"stall": StallConfig},
    supervision=(Group(name="counter", services=("till",), strategy="rest_for_one"),),
    outside={"printer": Dependency(live=lambda _: [], simulated=lambda _: [])},
    scenario=scenario,
    audit=audit,
)
'''
SCENARIO = """
from actors.simulation.stage.scenario import Scenario


class StallScenario(Scenario):
    call_type = int

    def choose_call(self, choose):
        return choose(3)

    async def perform(self, client, number, cups, history):
        with history.invoke(client.name, f"buy {cups} cups") as attempt:
            if cups:
                reply = await client.ask(
                    "POST", "/tea", {"cups": cups}, key=f"k{number}", port=7000
                )
            else:
                reply = await client.ask("GET", "/api/v1/sales")
            if reply.status:
                attempt.ok(reply.status)

    def violations(self, folder, config, clock, history):
        return []
"""
INVARIANTS = """
import sqlite3
from contextlib import closing

from stall.system import StallConfig


def audit(folder, config, now_us):
    price = config.section(StallConfig).price
    with closing(sqlite3.connect(folder / "till.db")) as till:
        wrong = till.execute("SELECT seq FROM sale WHERE price != cups * ?", [price]).fetchall()
    return [f"sale {seq} has another price" for (seq,) in wrong]
"""


@pytest.fixture(scope="module")
def stall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system, from its folder."""
    place = tmp_path_factory.mktemp("elsewhere")
    files = {
        "__init__.py": "",
        "system.py": SYSTEM,
        "scenario.py": SCENARIO,
        "invariants.py": INVARIANTS,
        "schema/0001_till.sql": SCHEMA,
    }
    for name, source in files.items():
        path = place / "stall" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        found: System = importlib.import_module("stall.system").STALL
        yield found


def audited(stall: System, folder: Path, *settings: str) -> list[str]:
    assert stall.audit is not None
    return stall.audit()(folder, load_config(None, settings, [stall]), 0)


@pytest.mark.real_time
async def test_it_boots_is_served_and_audited(stall: System, tmp_path: Path) -> None:
    """At its own listener and at the gateway, with its own numbers, under its own supervisor."""
    settings = (*PORTS, "stall.price=200")
    config = load_config(None, settings, [stall])
    app = App([stall], config, data_dir=tmp_path, clock=SystemClock(), rng=Rng(1))
    await app.listen()
    await app.start()
    try:
        assert list(app.addresses) == ["gateway", "stall"]
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{app.addresses['stall']}/tea", json={"cups": 2}) as sold:
                assert (sold.status, await sold.json()) == (201, {"price": 400})
            async with session.get(f"{app.addresses['gateway']}/api/v1/sales") as sales:
                assert await sales.json() == 1
        parents = {each.name: each.parent for each in app.tree.actors()}
        assert parents == {"root": None, "counter": "root", "till": "counter"}
    finally:
        await app.drain()
        await app.stop()
    assert app.outside["printer"] == [400]
    assert audited(stall, tmp_path, *settings) == []
    assert audited(stall, tmp_path) == ["sale 1 has another price"]


def test_it_is_simulated(stall: System) -> None:
    """Its scenario is played under kills, and what its audit finds is a trouble."""
    with scratch_folder() as place, without_logs():
        rehearsal = Rehearsal(stall, load_config(systems=[stall]), place, profile="kills")
        played = [rehearsal.play(rehearsal.script(seed)) for seed in range(5)]
        assert [each.troubles for each in played] == [()] * 5
        assert any("till.SellTea.after" in each.passed for each in played)
        with closing(sqlite3.connect(place / "template" / "till.db")) as till, till:
            till.execute("INSERT INTO sale (cups, price) VALUES (1, 7)")
        (trouble,) = rehearsal.play(rehearsal.script(0)).troubles
    assert trouble == "sale 1 has another price"


@pytest.mark.real_time
def test_the_command_line_boots_it(stall: System, live: Live) -> None:
    """As a process of its own: the line `ready` names its listener; SIGTERM ends it in order."""
    booted = live(stall)
    (ready,) = booted.events("ready")
    assert list(ready["listeners"]) == ["gateway", "stall"]
    assert ready["unhealthy"] == []
    assert booted.stop() == 0


def test_the_commands_know_its_configuration(
    stall: System, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its keys are taken, and others' are named as unknown: they are not booted."""

    def said(setting: str) -> str:
        words = ["backup", str(tmp_path / "b"), "--data-dir", str(tmp_path / "none"), "--set"]
        assert command_line.main([*words, setting], program=Path(), systems=[stall]) == 2
        return capsys.readouterr().err

    assert "there is no data folder" in said("stall.price=1")
    assert "'price'" not in said("stall.price=1")
    assert "no system that is booted has a section 'hotel'" in said("hotel.hold_s=1")
    assert "stall.price: Expected int >= 1" in said("stall.price=0")


class Told(Event):
    pass


class Stray(Section):
    key: int = 1


class Forgetful(Service):
    """It has no schema."""


def at_stall(*rows: Any) -> Any:
    return lambda _: {"stall": rows}


def group(**changes: Any) -> Any:
    return {"supervision": (Group(**{"name": "g", "services": ("till",), **changes}),)}


def raises(_: object) -> None:
    raise ZeroDivisionError("nought")


async def test_an_app_is_looked_through_when_it_is_made(stall: System, tmp_path: Path) -> None:
    """By whoever makes one: what is wrong is told as the command line would."""
    wrong = replace(
        stall,
        services=lambda _: {"till": cast("Any", dict)},
        lay_out=lambda folder: (folder / "laid out").touch(),
    )
    with pytest.raises(ConfigError, match=r"^stall: service 'till': dict is neither a Service"):
        App(
            [wrong],
            load_config(systems=[wrong]),
            data_dir=tmp_path,
            clock=SystemClock(),
            rng=Rng(1),
        )
    assert not any((tmp_path / name).exists() for name in ("laid out", "till.db"))


class Hearer(Service):
    """It hears of what only another system could tell."""

    schema = Path(__file__).parent / "service" / "schema"

    @on(Told)
    def told(self, tx: Transaction, event: Told) -> None: ...


async def test_an_event_from_nobody_is_a_warning(tmp_path: Path) -> None:
    """It may be another system's, which is not booted today."""
    with capture_logs() as logged:
        app_of({"hearer": Hearer}, tmp_path, load_config())
    assert logged == [
        {
            "event": "nobody publishes what a service hears",
            "log_level": "warning",
            "service": "hearer",
            "event_type": "Told",
        }
    ]


class CountOrders(Query):
    pass


THROWN = r" raised ZeroDivisionError: nought \(.*test_foreign_system\.py, line \d+\)"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"config": {"store": object}}, "the framework has a section 'store' already"),
        ({"config": {"mine": dict}}, "section mine is no subclass of Section"),
        ({"config": {"mine": Stray, "also": Stray}}, "section also has the type of section mine"),
        *[
            ({"config": {name: Stray}}, f"{name!r} can be no section: choose a name of a-z")
            for name in ("rules", "section", "named", "changed", "__init__", "my-sec", "edge.x", "")
        ],
        *[
            ({"listeners": (ListenerSpec(name, 0),)}, f"edge.{name} can be no listener: choose")
            for name in ("hosts", "rules", "listener", "listeners", "my-api", "_x", "")
        ],
        ({"listeners": ()}, "it has addresses at stall, which no system declares"),
        *[
            ({"services": lambda _, name=name: {name: Forgetful}}, f"{name!r} can be no service")
            for name in ("../esc", "a/b", "", "Bad Name", "root")
        ],
        ({"services": lambda _: {"till": Forgetful}}, "Forgetful has no `schema`"),
        ({"services": lambda _: {"till": dict}}, "dict is neither a Service nor a Stateless"),
        ({"services": lambda _: {"till": partial(raises, 0)}}, "its service 'till'" + THROWN),
        ({"services": lambda _: None}, "its services raised TypeError"),
        ({"services": lambda wiring: wiring.outside["nope"]}, "its services raised KeyError: 'no"),
        ({"services": lambda wiring: wiring.ask("till", 1)}, "LookupError: till does not run"),
        ({"services": raises}, "its services" + THROWN),
        (
            {"outside": {"ink": Dependency(raises, raises)}},
            "its outside 'ink', simulated, which .* must touch nothing," + THROWN,
        ),
        ({"rules": raises}, "its rules" + THROWN),
        (
            {"rules": lambda config: [(config.named("absent").key, "")]},
            "its rules raised Attribute",
        ),
        ({"addresses": raises}, "its addresses" + THROWN),
        ({"addresses": lambda _: None}, "its addresses raised TypeError"),
        ({"addresses": at_stall("/tea")}, "at stall, '/tea' is no Address"),
        ({"addresses": at_stall(Address("GET", "/", cast("Any", str)))}, "is no Address with"),
        (group(name="till"), "group till: a service, another group or the root is called so"),
        (group(name="root"), "group root: a service, another group or the root is called so"),
        (group(strategy="one-for-all"), "group g: there is no strategy 'one-for-all'"),
    ],
)
def test_what_is_wrong_in_a_declaration_is_named(
    stall: System, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    """Before anything runs or any file is made, with the system and the name at fault."""
    with pytest.raises(ConfigError, match=says) as caught:
        _look_through(tmp_path, replace(stall, **changes))
    assert str(caught.value).startswith("stall: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "stall"}, "stall: there is another system of this name"),
        ({"services": lambda _: {"till": dict}}, "another system has a service 'till' already"),
        (
            {"outside": {"printer": Dependency(live=raises, simulated=raises)}},
            "another system has 'printer' outside already",
        ),
        (
            {"supervision": (Group(name="counter", services=("till",)),)},
            "group counter: a service, another group or the root is called so",
        ),
    ],
)
def test_two_systems_do_not_share_a_name(
    stall: System, tmp_path: Path, fields: dict[str, Any], says: str
) -> None:
    """Of what is found by its name alone; the second one is named."""
    other = System(**{"name": "other", "services": lambda _: {}, **fields})
    with pytest.raises(ConfigError, match=f"^{other.name}: ") as caught:
        _look_through(tmp_path, stall, other)
    assert says in str(caught.value)


def test_two_systems_do_not_share_a_sections_type(stall: System, tmp_path: Path) -> None:
    """Nor a type that is another's subclass: by the type a section is found."""
    (kind,) = stall.config.values()
    for same in (kind, type("Derived", (kind,), {}, frozen=True, kw_only=True)):
        other = System(name="other", services={}, config={"other": same})
        with pytest.raises(ConfigError, match="other: section other has the type of section stall"):
            _look_through(tmp_path, stall, other)


def test_who_remembers_nothing_keeps_no_file(stall: System, tmp_path: Path) -> None:
    """With replicas or without: the class says it, also to a simulation's faults."""

    class Taster(StatelessService):
        @query
        def count(self, question: CountOrders) -> int:
            return len(str(question))

    services: dict[str, AnyService] = {"taster": Taster, "many": Replicas(Taster, 2)}
    both = replace(stall, services=lambda wiring: {**stall.services_in(wiring), **services})
    assert _look_through(tmp_path, both).with_store() == ["till"]
    with scratch_folder() as place, without_logs():
        rehearsal = Rehearsal(both, load_config(systems=[both]), place)
    assert rehearsal.targets.stores == ("till",)
    assert rehearsal.targets.services == ("till", "taster", "many-1", "many-2")


@pytest.mark.parametrize("words", [["run", "--set=edge.gateway.port=0"], ["simulate", "--seed=1"]])
def test_a_wrong_table_leaves_no_file(
    stall: System,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    """The command line says what is wrong with it in its own words, and lays nothing out."""
    # What a process of its own would change for itself.
    monkeypatch.setattr(system_commands, "configure_logging", lambda *_, **__: None)
    monkeypatch.setattr("os.umask", lambda _: 0)
    rows = at_stall(Address("POST", "/tea", service("kettle", CountOrders, 99)))
    wrong = replace(stall, addresses=rows, lay_out=lambda folder: folder.mkdir())
    data = f"--set=runtime.data_dir={tmp_path / 'data'}"
    assert command_line.main([*words, data], program=Path(), systems=[wrong]) == 2
    told = capsys.readouterr().err
    assert "stall POST /tea: HTTP has no status 99" in told
    assert "stall POST /tea: no service is called 'kettle'; there are till" in told
    assert not list(tmp_path.iterdir())


def test_an_overlay_has_its_section(stall: System, tmp_path: Path) -> None:
    """As it has ours."""
    overlay = tmp_path / "own.toml"
    overlay.write_text("[stall]\nprice = 175\n[edge.stall]\nport = 7001\n")
    config = load_config(overlay, (), [stall])
    assert config.named("stall").price == 175
    assert places_of([stall], config)[1].port == 7001


def _look_through(folder: Path, *systems: System) -> ServiceClasses:
    return look_through(systems, load_config(systems=systems), folder)


def test_a_scenario_that_cannot_be_found_is_named(stall: System) -> None:
    """It is imported only where it is played."""
    wrong = replace(stall, scenario=cast("Any", partial(raises, 0)))
    with scratch_folder() as place, pytest.raises(ConfigError, match="its scenario" + THROWN):
        Rehearsal(wrong, load_config(systems=[wrong]), place)


def test_two_systems_share_the_gateway(stall: System, tmp_path: Path) -> None:
    """What each answers there is served beside the other's."""
    other = System(
        name="other",
        services={},
        addresses=[Address("GET", "/other", text("here"))],
    )
    both = [stall, other]
    gateway, _ = listeners_of(both, unbooted(both, load_config(systems=both), tmp_path))
    assert [each.path for each in gateway.addresses] == ["/api/v1/sales", "/other"]


def test_one_listener_has_one_declaration(stall: System) -> None:
    """Two systems may share it, and must agree about where it is and what it speaks."""
    other = System(name="other", services={}, listeners=(ListenerSpec("stall", 7001),))
    config = load_config(systems=[stall, other])
    with pytest.raises(ConfigError, match="other: listener stall is declared otherwise already"):
        places_of([stall, other], config)


def test_a_look_at_ours_makes_no_file(tmp_path: Path) -> None:
    """The reference systems are looked through like anybody's: nothing of theirs is laid out."""
    _look_through(tmp_path / "data", *SYSTEMS)
    assert not list(tmp_path.iterdir())
