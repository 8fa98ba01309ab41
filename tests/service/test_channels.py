"""Parcels between whole services: they arrive once, in order, whoever is down meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest

from actors.errors import MailboxFull, OutboxFull
from actors.kernel.messages import Refusal
from actors.service.channel import Channel
from actors.service.service import on
from actors.store.transaction import Transaction
from tests.service.messengers import (
    Listener,
    News,
    Parcel,
    Publish,
    Receiver,
    Sender,
    Services,
    Town,
    keep,
    running,
)
from tests.store.ledger import ADD

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng
    from actors.service.channel import ChannelStats
    from actors.service.hosted_service import Running

pytestmark = pytest.mark.real_time

PAIR: Services = {"a": Sender, "b": Receiver}
WINDOW = 16
SMALL = f"channel.window_messages={WINDOW}"


def numbered(how_many: int, first: int = 0) -> list[str]:
    return [str(number) for number in range(first, first + how_many)]


async def stats_of(town: Town, sender: str, receiver: str) -> ChannelStats:
    (found,) = [
        each
        for each in await town.system.channels()
        if (each.sender, each.receiver) == (sender, receiver)
    ]
    return found


def is_succeeded(town: Town, name: str, before: Running | None) -> bool:
    return town.hosted[name].current not in {before, None}


# --- From memory, from the table -------------------------------------------------------------


async def test_parcels_go_from_memory_once_they_are_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that keeps up costs its sender no look into the outbox."""
    loads: list[str] = []
    load = Channel._load

    def counted(channel: Channel) -> None:
        loads.append(channel._receiver)
        load(channel)

    monkeypatch.setattr(Channel, "_load", counted)
    async with running(tmp_path, PAIR) as town:
        for first in range(0, 500, 50):
            await town.post(numbered(50, first))
            await town.until_noted("b", first + 50)
        assert loads == []
        assert town.labels("b") == numbered(500)
        await town.post(numbered(2000, 500))  # of which a window is under way
        assert await town.until_noted("b", 2500) == numbered(2500)
        assert loads == []


async def test_parcels_beyond_what_memory_is_given_go_from_the_table(tmp_path: Path) -> None:
    """A commit of many, and those behind it: in order, whichever way they go."""
    async with running(tmp_path, PAIR, settings=[SMALL, "channel.memory_kib=8"]) as town:
        await town.post(numbered(10))
        await town.until_delivered()
        await town.post(numbered(190, 10))
        assert town.in_memory("a", "b") < 8 * 1024 / 256
        for first in range(200, 400, 20):
            await town.post(numbered(20, first))
        assert await town.until_noted("b", 400) == numbered(400)


@pytest.mark.parametrize("way", ["kill", "restart"])
async def test_parcels_of_a_sender_that_died_go_from_the_table(tmp_path: Path, way: str) -> None:
    """The next incarnation sends all that is not acknowledged; what arrives twice is noted once."""
    async with running(tmp_path, PAIR, settings=[SMALL]) as town:
        await town.post(numbered(10))
        await town.until_noted("b", 10)
        town.system.suspend("b")
        await town.post(numbered(100, 10))
        for _ in range(3):
            before = town.hosted["a"].current
            getattr(town.system, way)("a")
            await town.until_true(partial(is_succeeded, town, "a", before))
        await town.post(numbered(10, 110))
        town.system.resume("b")
        assert await town.until_noted("b", 120) == numbered(120)
        await town.until_delivered()
        assert town.labels("b") == numbered(120)


async def test_parcels_of_an_earlier_run_are_delivered_by_the_next(tmp_path: Path) -> None:
    """Whoever had them in a mailbox or in memory; a drained stop waits for no other service."""
    async with running(tmp_path, PAIR, settings=[SMALL]) as town:
        town.system.suspend("b")
        await town.post(numbered(100))
        await town.until("b", "suspended")
    assert town.labels("b") == []
    assert town.outbox("a") == 100
    async with running(tmp_path, PAIR, settings=[SMALL]) as town:
        assert await town.until_noted("b", 100) == numbered(100)
        await town.post(["last"])
        assert await town.until_noted("b", 101) == [*numbered(100), "last"]
        await town.until_delivered()
        await town.post([])  # a commit, which takes along what was acknowledged
        assert town.outbox("a") == 0


# --- A receiver that is down -----------------------------------------------------------------


async def go_down(town: Town, how: str) -> None:
    if how == "parked":
        await town.break_down("b")
    else:
        town.system.suspend("b")
        await town.until("b", "suspended")


async def come_back(town: Town, how: str) -> None:
    if how == "parked":
        await town.repair("b")
    else:
        town.system.resume("b")


@pytest.mark.parametrize("how", ["suspended", "parked"])
async def test_receiver_that_is_down_costs_its_sender_a_window_of_memory(
    tmp_path: Path, how: str
) -> None:
    """Nothing is lost, the order is kept, and it catches up when it is back."""
    async with running(tmp_path, PAIR, settings=[SMALL]) as town:
        await town.post(numbered(10))
        await town.until_delivered()
        await go_down(town, how)
        for first in range(10, 1010, 10):
            await town.post(numbered(10, first))
            assert town.in_memory("a", "b") <= WINDOW
            assert town.depth("b") <= WINDOW
        await asyncio.sleep(0.1)  # some rounds of offering it again
        assert town.in_memory("a", "b") <= WINDOW
        assert town.depth("b") == (0 if how == "parked" else WINDOW)
        stats = await stats_of(town, "a", "b")
        assert stats.depth == 1000
        assert stats.in_flight == town.depth("b")
        assert stats.lag_s > 0.1
        # Now and then that of a parked one is open for an instant: it is being tried again.
        assert "waiting" in {(await stats_of(town, "a", "b")).state for _ in range(20)}
        await come_back(town, how)
        assert await town.until_noted("b", 1010) == numbered(1010)
        await town.until_delivered()
        stats = await stats_of(town, "a", "b")
        assert (stats.depth, stats.in_flight, stats.lag_s, stats.state) == (0, 0, 0.0, "open")


async def test_mailbox_of_a_suspended_receiver_does_not_grow_with_its_senders_deaths(
    tmp_path: Path,
) -> None:
    """What a dead sender had under way is taken back, and comes from its next incarnation."""
    async with running(tmp_path, PAIR, settings=[SMALL]) as town:
        town.system.suspend("b")
        await town.until("b", "suspended")
        await town.post(numbered(100))
        for restarts in range(10):
            town.system.kill("a")
            await town.until_restarted("a", restarts)
            await town.until_true(lambda: town.depth("b") == WINDOW)
        town.system.resume("b")
        assert await town.until_noted("b", 100) == numbered(100)
        await town.until_delivered()
        assert town.labels("b") == numbered(100)


async def test_receiver_that_goes_down_with_parcels_in_its_mailbox_gets_them_again(
    tmp_path: Path, rng: Rng
) -> None:
    """Suspended, parked, killed, restarted, again and again while parcels come."""
    async with running(tmp_path, PAIR, settings=[SMALL]) as town:
        for number in range(20):
            await town.post(numbered(50, number * 50))
            match rng.choice(["suspend", "park", "kill", "restart"]):
                case "suspend":
                    town.system.suspend("b")
                    await asyncio.sleep(rng.random() * 0.02)
                    town.system.resume("b")
                case "park":
                    await town.break_down("b")
                    await asyncio.sleep(rng.random() * 0.04)
                    await town.repair("b")
                case "kill":
                    town.system.kill("b")
                case _:
                    town.system.restart("b")
        assert await town.until_noted("b", 1000) == numbered(1000)
        await town.until_delivered()
        assert town.labels("b") == numbered(1000)


async def test_full_mailbox_refuses_asks_and_takes_parcels(tmp_path: Path) -> None:
    """What was acknowledged to the sender's caller goes before what may still be refused."""
    leave = threading.Event()

    def take(tx: Transaction, label: str) -> None:
        leave.wait(10.0)
        keep(tx, label)

    services: Services = {"a": Sender, "b": partial(Receiver, take)}
    settings = [SMALL, "mailbox.capacity=4", "service.handler_s_max=20"]
    async with running(tmp_path, services, settings=settings) as town:
        await town.post(["0"])
        await town.until_true(lambda: town.depth("b") == 1)
        await asyncio.sleep(0)  # in hand: those that follow are queued
        await town.post(numbered(99, 1))
        await town.until_true(lambda: town.depth("b") == WINDOW)
        with pytest.raises(MailboxFull):
            await town.ask("b", Parcel(label="asked"))
        assert town.depth("b") == WINDOW
        leave.set()
        assert await town.until_noted("b", 100) == numbered(100)


async def test_one_receiver_that_is_down_holds_up_no_other(tmp_path: Path) -> None:
    """Channels are apart: a parcel waits for those before it to the same receiver only."""
    services: Services = {"a": Sender, "b": Receiver, "c": Receiver}
    async with running(tmp_path, services, settings=[SMALL]) as town:
        town.system.suspend("b")
        for number in range(10):
            await town.post(numbered(20, number * 20), to="b")
            await town.post(numbered(20, number * 20), to="c")
        assert await town.until_noted("c", 200) == numbered(200)
        assert town.labels("b") == []
        town.system.resume("b")
        assert await town.until_noted("b", 200) == numbered(200)


async def test_full_outbox_is_busy_for_the_senders_callers_and_drains(tmp_path: Path) -> None:
    """While the receiver is parked: refused with a hint, nothing lost, and well again after it."""
    settings = [SMALL, "store.outbox_messages_max=50"]
    async with running(tmp_path, PAIR, settings=settings) as town:
        await town.break_down("b")
        ends = [
            (label, *await asyncio.gather(town.post([label]), return_exceptions=True))
            for label in numbered(70)
        ]
        taken = [label for label, end in ends if end is None]
        full = [end for _, end in ends if isinstance(end, OutboxFull)]
        assert (len(taken), len(full)) == (50, 20)
        assert all(each.retry_after_s > 0 for each in full)
        assert town.stats("a").state == "running"
        assert town.outbox("a") == 50
        await town.repair("b")
        assert await town.until_noted("b", 50) == taken
        await town.until_delivered()
        await town.post(numbered(40, 100))
        assert await town.until_noted("b", 90) == [*taken, *numbered(40, 100)]


async def test_receiver_that_is_down_for_long_is_tried_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt is a look into the outbox; once it takes one, it is as if it had never been."""
    delays_s: list[float] = []

    def noted(delay_s: float, *_: Any) -> asyncio.Handle:
        delays_s.append(delay_s)
        return asyncio.get_running_loop().call_soon(channel._try_again)

    settings = ["channel.retry_s=0.1", "channel.retry_s_max=1.0"]
    async with running(tmp_path, PAIR, settings=settings) as town:
        await town.post(numbered(1))
        await town.until_delivered()
        for first in (1, 2):
            await town.break_down("b")
            channel, delays_s[:] = town.channel("a", "b"), []
            with monkeypatch.context() as patched:
                loop = asyncio.get_running_loop()
                fake = SimpleNamespace(call_later=noted, call_soon=loop.call_soon)
                patched.setattr(channel, "_loop", fake)
                await town.post(numbered(1, first))
                await town.until_true(lambda: len(delays_s) > 6)
                await town.repair("b")
                await town.until_delivered()
            assert delays_s[:6] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


# --- Parcels that do harm --------------------------------------------------------------------


async def test_parcel_that_crashes_its_receiver_does_not_block_those_behind_it(
    tmp_path: Path,
) -> None:
    """After attempts_max it is a dead letter of the receiver's; it costs no restart budget."""
    runs: Counter[str] = Counter()

    def take(tx: Transaction, label: str) -> None:
        runs[label] += 1
        keep(tx, label)
        if label.startswith("bad"):
            raise ValueError(label)

    labels = ["bad 0", "1", "2", "bad 3", "bad 4", *numbered(50, 5), "bad 55"]
    services: Services = {"a": Sender, "b": partial(Receiver, take)}
    async with running(tmp_path, services, settings=[SMALL]) as town:
        await town.post(labels)
        good = [label for label in labels if not label.startswith("bad")]
        assert await town.until_noted("b", len(good)) == good
        await town.until_delivered()
        bad = [label for label in labels if label.startswith("bad")]
        assert [runs[label] for label in bad] == [town.config.service.attempts_max] * len(bad)
        letters = await town.system.dead_letters(limit=10)
        assert sorted(msgspec.json.decode(letter.message)["label"] for letter in letters) == bad
        assert {(each.actor, each.message_type, each.durable) for each in letters} == {
            ("b", "Parcel", True)
        }
        assert {each.reason for each in letters} == {f"ValueError: {label}" for label in bad}
        assert town.labels("b") == good
        assert town.stats("b").state == "running"


async def test_parcel_that_crashes_its_receiver_is_buried_once_however_often_it_comes(
    tmp_path: Path,
) -> None:
    """Its sender dies and sends it again while it is being given up."""

    def take(_tx: Transaction, label: str) -> None:
        raise ValueError(label)

    services: Services = {"a": Sender, "b": partial(Receiver, take)}
    async with running(tmp_path, services, settings=[SMALL]) as town:
        await town.post(numbered(20))
        for _ in range(20):
            town.system.kill("a")
            await asyncio.sleep(0.01)
        await town.until("a", "running")
        await town.until_delivered()
        letters = await town.system.dead_letters(limit=100)
        labels = [msgspec.json.decode(letter.message)["label"] for letter in letters]
        assert Counter(labels) == Counter(numbered(20))


async def test_service_that_runs_no_more_gets_its_parcels_when_it_is_back(tmp_path: Path) -> None:
    """Its sender runs on without it, and keeps what it has left untaken."""
    async with running(tmp_path, PAIR) as town:
        town.system.suspend("b")
        await town.until("b", "suspended")
        await town.post(numbered(600))
    async with running(tmp_path, {"a": Sender, "c": Receiver}) as town:
        await town.post(numbered(5), to="c")
        assert await town.until_noted("c", 5) == numbered(5)
        stats = await stats_of(town, "a", "b")
        while stats.state != "unreadable":
            await asyncio.sleep(0.002)
            stats = await stats_of(town, "a", "b")
        assert (stats.depth, stats.in_flight) == (600, 0)
        assert town.outbox("a") >= 600
    async with running(tmp_path, PAIR) as town:
        assert await town.until_noted("b", 600) == numbered(600)


# --- Refusals --------------------------------------------------------------------------------


def refuse_odd(tx: Transaction, label: str) -> Refusal | None:
    keep(tx, label)
    return Refusal.conflict("odd") if int(label) % 2 else None


async def test_refusals_come_back_to_the_sender_once_and_in_order(tmp_path: Path, rng: Rng) -> None:
    """Also where both ends are killed meanwhile; what was refused left no trace."""
    services: Services = {"a": Listener, "b": partial(Receiver, refuse_odd)}
    async with running(tmp_path, services, settings=[SMALL]) as town:
        for first in range(0, 400, 10):
            await town.post(numbered(10, first))
            town.system.kill(rng.choice("ab"))
            await asyncio.sleep(rng.random() * 0.01)
        told = await town.until_noted("a", 200)
        assert told == [f"{number}: odd" for number in range(1, 400, 2)]
        assert await town.until_noted("b", 200) == [str(number) for number in range(0, 400, 2)]
        await town.until_delivered()
        assert len(town.labels("a")) == len(town.labels("b")) == 200


@pytest.mark.parametrize("from_the_table", [False, True])
async def test_refusal_that_its_sender_does_not_listen_to_is_a_dead_letter(
    tmp_path: Path, *, from_the_table: bool
) -> None:
    """It says which command was refused and why, and blocks nothing."""
    services: Services = {"a": Sender, "b": partial(Receiver, refuse_odd)}
    async with running(tmp_path, services) as town:
        await town.post(["1", "2"])
        if from_the_table:
            town.system.suspend("a")
            await town.until("a", "suspended")
            await town.until_noted("b", 1)
            before = town.hosted["b"].current
            town.system.kill("b")
            await town.until_true(partial(is_succeeded, town, "b", before))
            town.system.resume("a")
        await town.until_noted("b", 1)
        await town.until_delivered()
        (letter,) = await town.system.dead_letters(limit=10)
        assert (letter.actor, letter.message_type) == ("a", "Refused[Parcel]")
        kept: dict[str, Any] = msgspec.json.decode(letter.message)
        assert kept["command"] == {"label": "1"}
        assert kept["refusal"]["detail"] == "odd"
        assert "no handler for Refused" in letter.reason
        await town.until_delivered()
        assert town.labels("b") == ["2"]


# --- To oneself ------------------------------------------------------------------------------


class Diarist(Sender):
    """Hears its own news."""

    runs: ClassVar[list[str]] = []

    @on(News)
    def news(self, tx: Transaction, event: News) -> None:
        tx.execute(ADD, event.label)
        self.runs.append(event.label)


async def test_service_hears_its_own_events_in_transactions_of_their_own(tmp_path: Path) -> None:
    """In order and once, whatever kills it."""
    async with running(tmp_path, {"a": Diarist}, settings=[SMALL]) as town:
        for first in range(0, 200, 10):
            await town.ask("a", Publish(labels=tuple(numbered(10, first))))
            town.system.kill("a")
        assert await town.until_noted("a", 200) == numbered(200)
        await town.until_delivered()
        assert town.labels("a") == numbered(200)
