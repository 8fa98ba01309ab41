"""What a client waits for goes before what nobody waits for, in order all the same."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from actors.kernel.messages import Command, Later
from actors.resilience.background_gate import BackgroundGate
from actors.service.service import command, effect
from actors.store.transaction import Transaction
from tests.kernel.kernel_harness import turns
from tests.service.desks import Desk, Do, HoppingStore, Note, SteppingClock, note, office

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.desks import Office

SMALL = ("channel.window_messages=2", "timer.window_timers=2")


class Apply(Command):
    """Is answered once others have done their part."""

    name: str


class Check(Command):
    name: str


class Stamp(Command):
    name: str


class Approve(Command):
    name: str


class Clerk(Desk):
    """Has an application checked next door and stamped outside; whoever wants hears of it."""

    @command
    def apply(self, tx: Transaction, cmd: Apply) -> str | Later:
        tx.send("checker", Check(name=cmd.name))
        return Later(request=cmd.name, so_far="pending")

    @effect
    async def stamp(self, cmd: Stamp) -> Approve:
        return Approve(name=cmd.name)

    @command
    def approve(self, tx: Transaction, cmd: Approve) -> None:
        tx.send("checker", Note(label=f"news of {cmd.name}"))
        tx.reply(cmd.name, "approved")
        tx.after(0.0, Note(label=f"filed {cmd.name}"))


class Checker(Desk):
    """Checks at a second look, and has it stamped."""

    @command
    def check(self, tx: Transaction, cmd: Check) -> None:
        note(tx, f"checked {cmd.name}")
        tx.after(0.0, Stamp(name=cmd.name))

    @command
    def again(self, tx: Transaction, cmd: Stamp) -> None:
        tx.send("clerk", Stamp(name=cmd.name))


OFFICE: dict[str, Any] = {"clerk": Clerk, "checker": Checker}


class Fetch(Command):
    """Have the file sent."""


class Fetched(Command):
    """The file; who has one needs no other."""


class Registry(Desk):
    """Sends the file to who wants it, and beforehand."""

    @command
    def fetch(self, tx: Transaction, cmd: Fetch) -> None:
        tx.send("a", Fetched())


class Reader(Desk):
    """Goes on with the first file that comes."""

    @command
    def apply(self, tx: Transaction, cmd: Apply) -> str | Later:
        tx.send("registry", Fetch())
        return Later(request=cmd.name, so_far="pending")

    @command
    def fetched(self, tx: Transaction, cmd: Fetched) -> None:
        if tx.one("SELECT 1 FROM entry WHERE label = 'fetched'") is None:
            note(tx, "fetched")
            tx.send("checker", Note(label="goes on"))


READING: dict[str, Any] = {"a": Reader, "registry": Registry, "checker": Desk}


@contextmanager
def shut(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing through the gate at all."""
    with monkeypatch.context() as patched:
        patched.setattr(BackgroundGate, "take", lambda *_, **__: 0)
        yield


async def take_up(run: Office) -> None:
    """Have all that was held go on, with the gate as it is now."""
    for hosted in run.hosted.values():
        assert hosted.current is not None
        hosted.current.dispatcher.take_up()
    await turns()


def sends(*labels: str, later: str = "") -> Do:
    """Send notes to the checker; `later` is the name of who is answered later, if anybody."""

    def do(tx: Transaction, _: Any) -> Any:
        for label in labels:
            tx.send("checker", Note(label=label))
        return Later(request=later, so_far=None) if later else None

    return Do(what=do)


def plans(*labels: str, later: str = "", delay_s: float = 0.0) -> Do:
    """Likewise notes to itself."""

    def do(tx: Transaction, _: Any) -> Any:
        for label in labels:
            tx.after(delay_s, Note(label=label))
        return Later(request=later, so_far=None) if later else None

    return Do(what=do)


class Errand(Desk):
    """Does what the test wants, and may put its answer off."""

    def __init__(self) -> None:
        super().__init__(lambda tx, cmd: cmd.what(tx, cmd))

    @command
    def do(self, tx: Transaction, cmd: Do) -> Any | Later:
        return self._do(tx, cmd)


ERRANDS: dict[str, Any] = {"a": Errand, "checker": Desk}


async def test_all_that_a_client_waits_for_goes_and_what_follows_gives_way(
    tmp_path: Path, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages, timers, effects and their outcomes to the answer; nothing of what it leads to."""
    async with office(tmp_path, OFFICE, clock=clock) as run:
        with shut(monkeypatch):
            assert await run.through(run.ask("clerk", Apply(name="x"))) == "approved"
            await run.advance(10.0)
            assert run.labels("checker") == ["checked x"]
            assert run.labels("clerk") == []
        await take_up(run)
        assert run.labels("checker") == ["checked x", "news of x"]
        assert run.labels("clerk") == ["filed x"]


@pytest.mark.parametrize("settings", [(), SMALL])
async def test_an_urgent_message_takes_along_those_before_it(
    tmp_path: Path,
    clock: SteppingClock,
    monkeypatch: pytest.MonkeyPatch,
    settings: tuple[str, ...],
) -> None:
    """Order holds from memory and from the table; those behind it wait."""
    async with office(tmp_path, ERRANDS, clock=clock, settings=settings) as run:
        with shut(monkeypatch):
            await run.through(run.ask("a", sends("1", "2", "3")))
            await run.advance(1.0)
            assert run.labels("checker") == []
            waits = run.ask("a", sends("4", "5", later="x"))
            await turns()
            await run.through(run.ask("a", sends("6", "7")))
            await run.advance(1.0)
            assert run.labels("checker") == ["1", "2", "3", "4", "5"]
        await take_up(run)
        assert run.labels("checker") == [*"1234567"]
        waits.cancel()


@pytest.mark.parametrize("is_under_way", [False, True])
async def test_what_was_taken_along_may_have_done_what_a_client_waits_for(
    tmp_path: Path, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch, *, is_under_way: bool
) -> None:
    """Then what that leads to is waited for, and the urgent one itself leads to nothing."""
    settings = ("service.batch_messages_max=1",)
    async with office(tmp_path, READING, clock=clock, settings=settings) as run:
        run.system.suspend("a")
        await turns()
        waits = run.ask("a", Apply(name="x"))
        busy = [run.ask("a", Note(label="busy")) for _ in range(20)]
        if is_under_way:  # in the mailbox, behind those
            await run.through(run.ask("registry", Fetch()))
        with shut(monkeypatch):
            await run.through(run.ask("registry", Fetch()))
            run.system.resume("a")
            await run.through(asyncio.gather(*busy))
            await run.advance(1.0)
            assert run.labels("a").count("fetched") == 1
            assert run.labels("checker") == ["goes on"]
        waits.cancel()


@pytest.mark.parametrize("settings", [(), SMALL])
async def test_an_urgent_timer_takes_along_those_before_it(
    tmp_path: Path,
    clock: SteppingClock,
    monkeypatch: pytest.MonkeyPatch,
    settings: tuple[str, ...],
) -> None:
    """As messages do; and what is due at a time asks nobody: it may end somebody's waiting."""
    async with office(tmp_path, ERRANDS, clock=clock, settings=settings) as run:
        with shut(monkeypatch):
            await run.through(run.ask("a", plans("1", "2", "3")))
            await run.through(run.ask("a", plans("timed", delay_s=5.0)))
            await run.advance(1.0)
            assert run.labels("a") == []
            waits = run.ask("a", plans("4", "5", later="x"))
            await turns()
            await run.through(run.ask("a", plans("6", "7")))
            await run.advance(1.0)
            assert run.labels("a") == [*"12345"]
            await run.advance(10.0, steps=20)
            assert run.labels("a") == [*"12345", "timed"]
        await take_up(run)
        assert run.labels("a") == [*"12345", "timed", *"67"]
        waits.cancel()


async def test_what_waits_at_the_gate_is_shown(tmp_path: Path, clock: SteppingClock) -> None:
    """How much, and for how long; other timers have numbers as well, and are no backlog."""
    settings = ("background.requests_min=1", "background.share_min=0.0001", "mailbox.stalled_s=100")
    async with office(tmp_path, ERRANDS, clock=clock, settings=settings) as run:
        await run.through(run.ask("a", plans(*[str(number) for number in range(60)], delay_s=1e6)))
        waits = run.ask("a", plans(later="x"))
        await turns()
        await run.through(run.ask("a", plans("1", "2")))
        await run.through(run.ask("a", sends("3")))
        await run.advance(30.0)
        stats = run.system.background()
        assert (stats.state, stats.requests) == ("yields", 1)
        waiting = {each.name: (each.depth, round(each.lag_s)) for each in stats.waiting}
        assert waiting == {"a commands": (2, 30), "a to checker": (1, 30)}
        waits.cancel()
        await run.advance(100.0)
        assert run.labels("a") == ["1", "2"]
        assert run.labels("checker") == ["3"]
        assert run.system.background().state == "open"


async def test_a_process_that_ends_leaves_what_gives_way_to_the_next(
    tmp_path: Path, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it: the drain does not, either."""
    with shut(monkeypatch):
        async with office(tmp_path, ERRANDS, clock=clock) as run:
            await run.through(run.ask("a", sends("1", "2")))
            await run.through(run.ask("a", plans("3")))
        assert (run.labels("checker"), run.labels("a")) == ([], [])
    async with office(tmp_path, ERRANDS, clock=clock) as run:
        await run.until(lambda: (run.labels("checker"), run.labels("a")) == (["1", "2"], ["3"]))


async def test_what_a_dead_incarnation_has_left_gives_way(
    tmp_path: Path, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be all of a long backlog; who still waits for a part of it is not held for ever."""
    async with office(tmp_path, OFFICE, clock=clock) as run:
        run.system.suspend("checker")
        await turns()
        applied = run.ask("clerk", Apply(name="x"))
        await turns()
        with shut(monkeypatch):
            run.system.kill("clerk")
            await turns()
            run.system.resume("checker")
            await run.advance(10.0)
            assert run.labels("checker") == []
        await take_up(run)
        assert await run.through(applied) == "approved"


async def test_what_was_applied_leaves_the_outbox_without_other_commits(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """A backlog that was delivered while its sender rests is not one commit's to remove."""
    async with office(tmp_path, ERRANDS, clock=clock, settings=SMALL) as run:
        await run.through(run.ask("a", sends(*[str(number) for number in range(40)])))
        await run.until(lambda: len(run.labels("checker")) == 40)
        await run.advance(1.0)
        assert run.count("a", "outbox") <= 10


@pytest.mark.sampled
@pytest.mark.parametrize("store", [None, HoppingStore])
@pytest.mark.parametrize("seed", range(4))
async def test_burst_is_answered_first_and_all_of_it_done_after(
    tmp_path: Path, clock: SteppingClock, store: type[HoppingStore] | None, seed: int
) -> None:
    """With kills: every message once and in order, every timer once; and the lag is shown."""
    settings = (
        *("background.requests_min=2", "background.slice_messages=2", "background.share_min=0.01"),
        *SMALL,
    )
    stores: dict[str, Any] = {} if store is None else {"store": store}
    numbers = [str(number) for number in range(60)]
    async with office(
        tmp_path, ERRANDS, clock=clock, settings=settings, seed=seed, **stores
    ) as run:

        async def client(first: int) -> None:
            for number in range(first, 60, 4):
                await run.ask("a", both(str(number)))

        clients = asyncio.gather(*[client(first) for first in range(4)])
        while not clients.done():
            await turns(5)
            if len(run.labels("checker")) % 7 == seed:
                run.system.kill("a" if seed % 2 else "checker")
            clock.advance(0.001)
        await clients
        waiting = run.system.background().waiting
        assert {each.name for each in waiting} <= {"a to checker", "a commands"}
        await run.until(lambda: len(run.labels("checker")) == len(run.labels("a")) == 60)
        assert sorted(run.labels("a")) == sorted(numbers)
        # Both are numbered in the order of the commands.
        assert run.labels("checker") == run.labels("a")
        assert run.system.background().waiting == []


def both(label: str) -> Do:
    """Send a note to the checker and one to itself."""

    def do(tx: Transaction, _: Any) -> None:
        tx.send("checker", Note(label=label))
        tx.after(0.0, Note(label=label))

    return Do(what=do)
