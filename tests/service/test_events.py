"""Events between whole services: every subscriber gets each once and in order, if late."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.service.messengers import (
    Historian,
    Publish,
    Receiver,
    Sender,
    Services,
    Spread,
    Subscriber,
    Town,
    keep,
    running,
)

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng
    from actors.store.transaction import Transaction

pytestmark = pytest.mark.real_time

WINDOW = 16
SMALL = f"channel.window_messages={WINDOW}"
EVENTS = 1500
PADDING = "." * 1000
# What 1,000 padded events would take several times over, and caches that fill up do not.
GROWTH_BYTES_MAX = 250_000


def labels(count: int, first: int = 0) -> tuple[str, ...]:
    return tuple(str(number) for number in range(first, first + count))


async def publish(town: Town, count: int, first: int = 0, padding: str = "") -> None:
    """Publish by the hundred, each hundred a commit."""
    for start in range(first, first + count, 100):
        batch = labels(min(100, first + count - start), start)
        await town.ask("a", Publish(labels=tuple(label + padding for label in batch)))


def taken_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def until_heard(town: Town, events: int) -> None:
    for other in {"c"} & town.hosted.keys():
        await town.until_noted(other, events)


async def publish_while_down(town: Town, receiver: str) -> int:
    """Publish 1,500 events; return by how many bytes memory grew over the last 1,000."""
    tracemalloc.start()
    try:
        await publish(town, 500, padding=PADDING)
        await until_heard(town, 500)
        before = taken_bytes()
        for first in range(500, EVENTS, 500):
            await publish(town, 500, first, PADDING)
            await until_heard(town, first + 500)  # what goes to those that are up is at hand
            if receiver in town.hosted:
                assert town.depth(receiver) <= WINDOW
            assert town.in_memory("a", receiver) <= WINDOW
        return taken_bytes() - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("how", ["suspended", pytest.param("parked", marks=pytest.mark.long)])
async def test_subscriber_that_is_down_for_1500_events_catches_up_in_order(
    tmp_path: Path, how: str
) -> None:
    """Memory is flat meanwhile, and another subscriber hears everything at once."""
    services: Services = {"a": Sender, "b": Subscriber, "c": Subscriber}
    async with running(tmp_path, services, settings=[SMALL]) as town:
        if how == "parked":
            await town.break_down("b")
        else:
            town.system.suspend("b")
            await town.until("b", "suspended")
        growth_bytes = await publish_while_down(town, "b")
        assert growth_bytes < GROWTH_BYTES_MAX
        expected = [label + PADDING for label in labels(EVENTS)]
        assert await town.until_noted("c", EVENTS) == expected
        assert town.labels("b") == []
        if how == "parked":
            await town.repair("b")
        else:
            town.system.resume("b")
        assert await town.until_noted("b", EVENTS) == expected
        await town.until_delivered()
        assert len(town.labels("b")) == len(town.labels("c")) == EVENTS


async def test_subscriber_that_is_absent_for_1500_events_catches_up_in_order(
    tmp_path: Path,
) -> None:
    """The program ran without it; what it had left in the outbox comes first, then the kept."""
    services: Services = {"a": Sender, "b": Subscriber}
    async with running(tmp_path, services, settings=[SMALL]) as town:
        town.system.suspend("b")
        await town.until("b", "suspended")
        await publish(town, 100)
    async with running(tmp_path, {"a": Sender}, settings=[SMALL]) as town:
        tracemalloc.start()
        try:
            await publish(town, 500, 100, PADDING)
            before = taken_bytes()
            await publish(town, EVENTS - 600, 600, PADDING)
            assert taken_bytes() - before < GROWTH_BYTES_MAX
        finally:
            tracemalloc.stop()
        assert town.outbox("a") == 100
    async with running(tmp_path, services, settings=[SMALL]) as town:
        noted = await town.until_noted("b", EVENTS)
        assert [label.removesuffix(PADDING) for label in noted] == list(labels(EVENTS))
        await publish(town, 10, EVENTS)
        assert len(await town.until_noted("b", EVENTS + 10)) == EVENTS + 10
        await town.until_delivered()
        assert len(town.labels("b")) == EVENTS + 10


async def test_new_subscriber_starts_from_now_or_from_the_beginning(tmp_path: Path) -> None:
    """As it declares; it is new once, and not at each run."""
    async with running(tmp_path, {"a": Sender}) as town:
        await publish(town, 50)
        await town.ask("a", Spread(labels=("gossip",)))
        await publish(town, 50, 50)
    services: Services = {"a": Sender, "now": Subscriber, "all": Historian}
    past = [*labels(50), "gossip", *labels(50, 50)]
    async with running(tmp_path, services) as town:
        await publish(town, 10, 100)
        assert await town.until_noted("all", 111) == [*past, *labels(10, 100)]
        assert await town.until_noted("now", 10) == list(labels(10, 100))
    async with running(tmp_path, services) as town:
        await publish(town, 10, 110)
        assert await town.until_noted("all", 121) == [*past, *labels(20, 100)]
        assert await town.until_noted("now", 20) == list(labels(20, 100))
        await town.until_delivered()
        assert (len(town.labels("all")), len(town.labels("now"))) == (121, 20)


async def test_subscriber_that_was_removed_goes_on_where_it_left_off(tmp_path: Path) -> None:
    """Whether it was gone, or ran on in a version that did not subscribe."""
    everyone: Services = {"a": Sender, "b": Subscriber, "c": Historian}
    runs: list[Services] = [everyone, {"a": Sender, "b": Receiver}, {"a": Sender, "c": Receiver}]
    for run, services in enumerate(runs):
        async with running(tmp_path, services) as town:
            await publish(town, 100, run * 100)
            if services is everyone:
                await town.until_delivered()
    async with running(tmp_path, everyone) as town:
        await publish(town, 100, 300)
        assert await town.until_noted("b", 400) == list(labels(400))
        assert await town.until_noted("c", 400) == list(labels(400))
        await town.until_delivered()
        assert (len(town.labels("b")), len(town.labels("c"))) == (400, 400)
        assert await town.system.dead_letters(limit=10) == []


async def test_kept_events_are_bounded_and_undelivered_ones_are_not_cut(tmp_path: Path) -> None:
    """A newcomer gets the latest events_kept_max; one that is only down gets all of its own."""
    settings = [SMALL, "store.events_kept_max=150"]
    services: Services = {"a": Sender, "b": Subscriber}
    async with running(tmp_path, services, settings=settings) as town:
        await town.break_down("b")
        await publish(town, 1000)
        await town.repair("b")
        assert await town.until_noted("b", 1000) == list(labels(1000))
    async with running(tmp_path, {**services, "c": Historian}, settings=settings) as town:
        assert await town.until_noted("c", 150) == list(labels(150, 850))
        await town.until_delivered()
        assert len(town.labels("c")) == 150


async def test_event_that_crashes_one_subscriber_reaches_the_others(tmp_path: Path) -> None:
    """It is that subscriber's dead letter, and blocks nothing behind it."""
    runs: Counter[str] = Counter()

    def take(tx: Transaction, label: str) -> None:
        runs[label] += 1
        keep(tx, label)
        if label == "13":
            raise ValueError(label)

    services: Services = {"a": Sender, "b": partial(Subscriber, take), "c": Subscriber}
    async with running(tmp_path, services, settings=[SMALL]) as town:
        await publish(town, 50)
        assert await town.until_noted("c", 50) == list(labels(50))
        assert await town.until_noted("b", 49) == [each for each in labels(50) if each != "13"]
        await town.until_delivered()
        assert runs["13"] == town.config.service.attempts_max
        (letter,) = await town.system.dead_letters(limit=10)
        assert (letter.actor, letter.message_type) == ("b", "News")
        assert msgspec.json.decode(letter.message) == {"label": "13"}


async def test_events_of_several_publishers_keep_each_ones_order_under_kills(
    tmp_path: Path, rng: Rng
) -> None:
    """A subscriber hears all of them once, whoever is killed meanwhile."""
    services: Services = {"a": Sender, "d": Sender, "b": Subscriber, "c": Historian}
    async with running(tmp_path, services, settings=[SMALL]) as town:
        for first in range(0, 600, 20):
            for publisher in "ad":
                batch = tuple(f"{publisher}{label}" for label in labels(20, first))
                await town.ask(publisher, Publish(labels=batch))
            town.system.kill(rng.choice(tuple(services)))
            await asyncio.sleep(rng.random() * 0.01)
        for subscriber in "bc":
            noted = await town.until_noted(subscriber, 1200)
            for publisher in "ad":
                own = [label[1:] for label in noted if label.startswith(publisher)]
                assert own == list(labels(600))
        await town.until_delivered()
        assert (len(town.labels("b")), len(town.labels("c"))) == (1200, 1200)
