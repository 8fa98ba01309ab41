"""What a service does by itself: `run` lives and dies with its incarnation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import ActorStopped, DeadLettered
from actors.kernel.lifecycle import Crashed, HookFailed, Parked
from actors.kernel.messages import Refusal
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from tests.kernel.kernel_harness import turns
from tests.service.desks import (
    Desk,
    Do,
    HoppingStore,
    Labels,
    Note,
    Poison,
    SteppingClock,
    nothing,
    office,
)
from tests.store.ledger import Mishap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from actors.kernel.rng import Rng

    Run = Callable[["Reader"], Awaitable[None]]


class Reader(Desk):
    """Does by itself what the test wants."""

    def __init__(self, running: Run, do: Any = nothing) -> None:
        super().__init__(do)
        self._running = running

    async def run(self) -> None:
        await self._running(self)


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_run_asks_its_own_service_and_hears_after_the_commit(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Commands, queries and refusals, each in its turn; what raises for others raises here."""
    heard: list[Any] = []

    async def run(service: Reader) -> None:
        await service.ask(Note(label="first"))
        heard.append(office_.labels("a"))
        heard.append(await service.ask(Labels()))
        heard.append(await service.ask(Do()))
        with pytest.raises(DeadLettered):
            await service.ask(Poison())
        heard.append("survived")

    def refuse(_tx: Transaction, _cmd: Do) -> Refusal:
        return Refusal.conflict("no")

    settings = ["service.attempts_max=1"]
    services = {"a": lambda: Reader(run, refuse)}
    async with office(
        tmp_path, services, clock=clock, store=HoppingStore, settings=settings
    ) as office_:
        await turns(200)
        # The crash that its own question caused has ended its incarnation, and so this run.
        assert heard[:3] == [["first"], ["first"], Refusal.conflict("no")]
        assert len(office_.happened(Crashed)) >= 1


async def test_run_begins_with_each_incarnation_and_ends_with_it(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """One at a time, whether it is killed, restarted or stopped."""
    alive = 0
    most = 0
    began = 0

    async def run(_service: Reader) -> None:
        nonlocal alive, most, began
        began += 1
        alive += 1
        most = max(most, alive)
        try:
            await for_ever()
        finally:
            alive -= 1

    async with office(tmp_path, {"a": lambda: Reader(run)}, clock=clock) as office_:
        await turns()
        assert (began, alive) == (1, 1)
        for number in range(20):
            (office_.system.kill if number % 2 else office_.system.restart)("a")
            await turns()
            assert (began, alive) == (2 + number, 1)
        assert most <= 2  # a killed one may still clean up while the next begins
    assert alive == 0
    assert office_.happened(HookFailed) == []


async def test_crash_of_run_is_a_charged_crash_of_the_incarnation(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """It waits for its backoff, and spends the restart budget until the service is parked."""
    at_s: list[float] = []

    async def run(_service: Reader) -> None:
        at_s.append(clock.monotonic())
        raise Mishap("the stream is gone")

    settings = [
        "supervisor.intensity=3",
        "supervisor.backoff_s_min=1.0",
        "supervisor.backoff_s_max=1.0",
        "supervisor.park_retry_s=1000",
    ]
    async with office(
        tmp_path, {"a": lambda: Reader(run)}, clock=clock, settings=settings
    ) as office_:
        await office_.advance(10.0, steps=1000)
        assert len(at_s) == 4
        assert at_s[-1] > at_s[1]
        (parked,) = office_.happened(Parked)
        assert "the stream is gone" in getattr(parked, "error", "")
        assert office_.system.unhealthy() == ["a"]


async def test_run_that_cancels_itself_has_crashed(tmp_path: Path, clock: SteppingClock) -> None:
    """It was not the host's doing: silence would be the end of a reader that nobody notices."""
    count = 0

    async def run(_service: Reader) -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise asyncio.CancelledError
        await for_ever()

    async with office(tmp_path, {"a": lambda: Reader(run)}, clock=clock) as office_:
        await turns()
        assert count == 2
        assert len(office_.happened(Crashed)) == 1


async def test_return_of_run_is_an_end_and_no_crash(tmp_path: Path, clock: SteppingClock) -> None:
    """The service serves on; the next incarnation begins it anew."""
    count = 0

    async def run(_service: Reader) -> None:
        nonlocal count
        count += 1

    async with office(tmp_path, {"a": lambda: Reader(run)}, clock=clock) as office_:
        await turns()
        await office_.ask("a", Note(label="x"))
        await office_.advance(1000.0, steps=10)
        assert (count, office_.happened(Crashed)) == (1, [])
        office_.system.restart("a")
        await turns()
        assert count == 2


async def test_run_goes_on_while_suspended_and_its_asks_wait(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """For as long as it takes: they have no deadline."""
    ticks = 0
    answered = asyncio.Event()

    async def run(service: Reader) -> None:
        nonlocal ticks
        await go.wait()
        asking = asyncio.ensure_future(service.ask(Note(label="x")))
        while not asking.done():
            ticks += 1
            await asyncio.sleep(1.0)
        answered.set()

    go = asyncio.Event()
    async with office(tmp_path, {"a": lambda: Reader(run)}, clock=clock) as office_:
        await turns()
        office_.system.suspend("a")
        await turns()
        go.set()
        await office_.advance(5000.0, steps=5000)
        assert ticks >= 5000
        assert office_.labels("a") == []
        office_.system.resume("a")
        await office_.advance(2.0, steps=2)
        assert answered.is_set()
        assert office_.labels("a") == ["x"]


async def test_asks_of_dead_runs_do_not_pile_up_at_a_suspended_service(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """What none has had in hand is taken back with the incarnation that asked it."""

    async def run(service: Reader) -> None:
        await service.ask(Note(label="x"))
        await for_ever()

    async with office(tmp_path, {"a": lambda: Reader(run)}, clock=clock) as office_:
        await turns()
        assert office_.labels("a") == ["x"]
        office_.system.suspend("a")
        for _ in range(50):
            office_.system.kill("a")
            await turns()
        assert office_.system.actors()[1].mailbox_depth == 1
        office_.system.resume("a")
        await turns()
        assert office_.labels("a") == ["x", "x"]


async def test_run_that_swallows_its_cancellation_cannot_hold_up_a_stop_or_a_restart(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Beyond shutdown_s the next begins; what the last still asks is refused."""
    leave = asyncio.Event()
    late: list[BaseException] = []
    count = 0

    async def run(service: Reader) -> None:
        nonlocal count
        count += 1
        if count > 1:
            await for_ever()
        while not leave.is_set():
            try:
                await leave.wait()
            except asyncio.CancelledError:
                continue
        try:
            await service.ask(Note(label="from the grave"))
        except ActorStopped as error:
            late.append(error)

    settings = ["supervisor.shutdown_s=5"]
    async with office(
        tmp_path, {"a": lambda: Reader(run)}, clock=clock, settings=settings
    ) as office_:
        await turns()
        office_.system.restart("a")
        await office_.advance(6.0, steps=60)
        assert count == 2
        assert await office_.ask("a", Labels()) == []
        leave.set()
        await turns()
        assert "is over" in str(late[0])
        assert office_.labels("a") == []


async def test_run_that_is_told_of_the_stop_first_costs_the_others_nothing(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """While the system stops, what is queued is handled; run's own asks are refused by then."""
    asked: list[asyncio.Future[Any]] = []

    async def run(service: Reader) -> None:
        while True:
            await service.ask(Note(label="run"))
            await asyncio.sleep(0)

    async with office(
        tmp_path, {"a": lambda: Reader(run)}, clock=clock, store=HoppingStore
    ) as office_:
        await turns()
        asked = [office_.ask("a", Note(label=f"queued {number}")) for number in range(300)]
    assert all(each.exception() is None for each in asked)
    assert office_.happened(Crashed) == []


async def test_whenever_it_is_killed_each_number_is_noted_once(tmp_path: Path, rng: Rng) -> None:
    """A reader that asks before it goes on, and looks at what is there when it begins."""

    async def run(service: Reader) -> None:
        while True:
            known = await service.ask(Labels())
            if len(known) == 100:
                return
            await service.ask(Do(what=str(len(known))))

    def do(tx: Transaction, cmd: Do) -> None:
        if tx.one("SELECT 1 FROM entry WHERE label = ?", cmd.what) is None:
            tx.execute("INSERT INTO entry (label, at_us) VALUES (?, 0)", cmd.what)

    async with office(
        tmp_path,
        {"a": lambda: Reader(run, do)},
        clock=SteppingClock(),
        seed=rng.getrandbits(32),
        store=HoppingStore,
    ) as office_:
        for _ in range(150):
            await turns(rng.randrange(30))
            office_.system.kill("a")
        await turns(5000)
        assert office_.labels("a") == [str(number) for number in range(100)]


def test_run_is_a_coroutine_and_ask_is_no_handler() -> None:
    """Two names are the service's own; the error says so when the class is made."""
    with pytest.raises(TypeError, match=r"Sync\.run: write it as `async def run"):

        class Sync(Service):
            def run(self) -> None:  # type: ignore[override]
                ...

    with pytest.raises(TypeError, match="ask and run are no handlers' names"):

        class Handles(Service):
            @command
            def run(self, tx: Transaction, cmd: Note) -> None:  # type: ignore[override]
                ...

    with pytest.raises(TypeError, match="ask and run are no handlers' names"):

        class Asks(Service):
            @query
            def ask(self, tx: ReadTransaction, cmd: Labels) -> None:  # type: ignore[override]
                ...
