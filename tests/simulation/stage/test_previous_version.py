"""A process goes back to the version before and on again: what is on its way crosses the change."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from actors import Command, Service, Transaction, command, on
from actors.config import load_config
from actors.service.directory import Directory
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.messaging import outbox
from actors.store.messaging.unreadable import Unreadable
from tests.simulation.bakery.bakery import Bake as BakeOfNow
from tests.simulation.bakery.bakery import (
    Counter,
    Customers,
    Mailer,
    OrderPlaced,
    Oven,
    PlaceOrder,
    bakery,
)
from tests.simulation.bakery.bakery import Rest as RestOfNow
from tests.simulation.bakery.earlier import COOLS_S

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from actors.service.assembly import ServiceSystem
    from actors.simulation.stage.staging import Played
    from actors.system import System

BACK: Final = "previous_version"
ON: Final = "present_version"
# What is sent stays on its way while the oven is stopped, and crosses the change in its outbox.
CROSSING = Script(
    seed=1,
    workload=tuple(
        ClientRequest(gap_us, client % 3, 1)
        for client, gap_us in enumerate((1_000_000, 500_000, 600_000, 900_000))
    ),
    schedule=Schedule(
        (
            Step(0, BACK, "process"),
            Step(1_400_000, "suspend", "oven"),
            Step(200_000, ON, "process"),
            Step(200_000, "suspend", "oven"),
            Step(500_000, BACK, "process"),
            Step(2_700_000, ON, "process"),
        )
    ),
)
CALM = Script(seed=3, workload=CROSSING.workload, schedule=Schedule())
BAKED = "INSERT INTO bread VALUES (?, 'baked')"
COOL = "INSERT INTO bread VALUES (?, 'cool')"
decode = Directory.decode
missed = outbox.missed_events


def rehearsed(system: System) -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(system, load_config(systems=[system]), place)


def troubles_of(system: System, script: Script = CROSSING) -> tuple[str, ...]:
    for rehearsal in rehearsed(system):
        return rehearsal.play(script).troubles
    return ()


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    yield from rehearsed(bakery())


def lines_of(played: Played, kind: str) -> list[str]:
    return [f"{each.who} {each.text}" for each in played.lines if each.kind == kind]


def test_what_is_on_its_way_crosses_the_change(rehearsal: Rehearsal) -> None:
    """In either direction; in the end the present version has made all of it, and told of it."""
    played = rehearsal.play(CROSSING, keep=True)
    assert played.troubles == ()
    assert lines_of(played, "boot") == [
        "edge process 1, of the previous version,",
        "edge process 2",
        "edge process 3, of the previous version,",
        "edge process 4",
    ]
    assert [each.outcome for each in played.operations] == ["ok"] * 4
    assert played.applied[BACK] == played.applied[ON] == 2
    assert rehearsal.play(CROSSING).digest == played.digest


def test_the_previous_version_works_on_its_own_files(rehearsal: Rehearsal) -> None:
    """It is told what its clients say now, and knows its timers by the name of then."""
    workload = (ClientRequest(0, 0, 0), ClientRequest(round(2 * COOLS_S * 1e6), 0, 1))
    steps = (Step(0, BACK, "process"), Step(100_000_000, ON, "process"))
    played = rehearsal.play(Script(seed=2, workload=workload, schedule=Schedule(steps)))
    assert played.troubles == ()
    assert played.passed["oven.Cool.after"]
    assert "oven.Rest.after" not in played.passed


def test_half_of_all_seeds_begin_with_the_previous_version(rehearsal: Rehearsal) -> None:
    """Until a moment that has to do with a request."""
    begun = [rehearsal.script(seed).schedule.begins_with(BACK) for seed in range(60)]
    assert 15 < sum(begun) < 45


class Inherited(Customers):
    """Knows nothing of an earlier version but the folder that it has left."""

    def __init__(self, left: Path) -> None:
        self._left = left

    def earlier(self, own: System) -> None:  # type: ignore[override]
        del own

    def prepare(self, folder: Path) -> None:
        for path in self._left.glob("*.db"):
            shutil.copy(path, folder)

    async def furnish(self, system: ServiceSystem) -> None:
        """All is there."""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the earlier version leaves after three orders: timers to come, and a message."""
    place, folder = tmp_path_factory.mktemp("earlier"), tmp_path_factory.mktemp("left")

    class Leaver(Customers):
        async def furnish(self, system: ServiceSystem) -> None:
            await super().furnish(system)
            system.suspend("oven")
            await system.ask("counter", PlaceOrder(label="old-2"), timeout_s=60.0)

        def age(self, furnished: Path) -> None:
            for path in furnished.glob("*.db"):
                shutil.copy(path, folder)

    with without_logs():
        system = bakery(Leaver)
        Rehearsal(system, load_config(systems=[system]), place)
    return folder


def test_every_run_may_go_on_from_a_folder_that_is_there(left: Path) -> None:
    """Where nothing else is known of the version that left it; who forgets a name is found out."""
    assert troubles_of(bakery(lambda: Inherited(left)), CALM) == ()
    forgetful = troubles_of(bakery(lambda: Inherited(left), oven=Forgetful), CALM)
    assert "cool old-0: 0 times" in forgetful


# --- Planted ----------------------------------------------------------------------------------


class TooWellRead(Mailer):
    """Mails for every order there ever was."""

    @on(OrderPlaced, start="beginning")
    def placed(self, tx: Transaction, event: OrderPlaced) -> None:
        tx.execute("INSERT INTO mail VALUES (?)", event.label)


class Bake(Command):
    """Has no default for its new field."""

    label: str
    grams: int


class Clerk(Service):
    schema = Counter.schema

    @command
    def place(self, tx: Transaction, cmd: PlaceOrder) -> None:
        tx.execute("INSERT INTO ordered (label) VALUES (?)", cmd.label)
        tx.publish(OrderPlaced(label=cmd.label))
        tx.send("oven", Bake(label=cmd.label, grams=500))


class Particular(Service):
    schema = Oven.schema

    @command
    def bake(self, tx: Transaction, cmd: Bake) -> None:
        tx.execute(BAKED, cmd.label)
        tx.after(COOLS_S, RestOfNow(label=cmd.label))

    @command
    def rest(self, tx: Transaction, cmd: RestOfNow) -> None:
        tx.execute(COOL, cmd.label)


class Rest(Command):
    """Does not say what it was called."""

    label: str


class Forgetful(Service):
    schema = Oven.schema

    @command
    def bake(self, tx: Transaction, cmd: BakeOfNow) -> None:
        tx.execute(BAKED, cmd.label)
        tx.after(COOLS_S, Rest(label=cmd.label))

    @command
    def rest(self, tx: Transaction, cmd: Rest) -> None:
        tx.execute(COOL, cmd.label)


class Tidy(Oven):
    """Throws away the rows that it cannot read: those of the version before."""

    @command
    def rest(self, tx: Transaction, cmd: RestOfNow) -> None:
        tx.execute("DELETE FROM bread WHERE state NOT IN ('baked', 'rested')")
        tx.execute("INSERT INTO bread VALUES (?, 'rested')", cmd.label)


@pytest.mark.parametrize(
    ("services", "trouble"),
    [
        ({"mailer": TooWellRead}, "old-0 got a mail: it is of long ago"),
        (
            {"counter": Clerk, "oven": Particular},
            "liveness: 1 messages from counter to oven wait (unreadable)",
        ),
        ({"oven": Forgetful}, "timers: oven: Cool was due"),
        ({"oven": Tidy}, "cool old-0: 0 times"),
    ],
)
def test_a_careless_upgrade_is_found(services: dict[str, Any], trouble: str) -> None:
    """All of history for who is new, a field without default, a forgotten name, a dropped row."""
    troubles = troubles_of(bakery(**services))
    assert any(trouble in each for each in troubles), troubles


def dropped(directory: Directory, service: str, message_type: str, blob: bytes) -> Any:
    found = decode(directory, service, message_type, blob)
    if isinstance(found, Unreadable):
        return msgspec.structs.replace(found, waits=False)
    return found


def _all_kept(connection: sqlite3.Connection, subscriptions: Any) -> list[Any]:
    for_anew = [msgspec.structs.replace(each, start="beginning") for each in subscriptions]
    return list(missed(connection, for_anew))


@pytest.mark.parametrize(
    ("owner", "name", "planted", "trouble"),
    [
        (Directory, "decode", dropped, " times"),
        (outbox, "missed_events", _all_kept, "channels: mailer has applied counter's number 1"),
        (outbox, "missed_events", lambda *_: [], "channels: "),
    ],
)
def test_what_the_engine_would_lose_or_repeat_is_found(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, planted: Any, trouble: str
) -> None:
    """A message that cannot be read becomes a letter; a subscriber gets too much, or too little."""
    monkeypatch.setattr(owner, name, planted)
    troubles = troubles_of(bakery())
    assert any(trouble in each for each in troubles), troubles
