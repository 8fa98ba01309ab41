"""Services killed at any instant: every ask ends with its reply, every effect stands once."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from actors.kernel.messages import Refusal
from tests.service.books import Shelf, hosted
from tests.store.ledger import ADD, Add, Added, Count, Do, Refuse
from tests.store.leftovers import at_most_connected, no_store_threads, open_files, store_threads

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng
    from actors.service.hosted_service import Running

pytestmark = [
    pytest.mark.real_time,
    # A strike that meets a finalizer, run by the garbage collector in the handler, is lost there:
    # Python prints it and the next strike follows, but pytest would make it an error.
    pytest.mark.filterwarnings(
        "ignore:(?s)Exception ignored in.*_Struck:pytest.PytestUnraisableExceptionWarning"
    ),
]

SERVICES = "abc"
CLIENTS = 12
# What each of them asks, and how many kills there are at least.
STORMS = [(20, 60), pytest.param(60, 200, marks=pytest.mark.long)]


async def client(shelf: Shelf, name: str, rng: Rng, answered: asyncio.Event, asks: int) -> set[str]:
    """Ask one after the other, and tell of each answer; return the labels of what was added."""
    labels: set[str] = set()
    for number in range(asks):
        if number:
            answered.set()
        label = f"{name}-{number}"
        service = rng.choice(SERVICES)
        match rng.randrange(5):
            case 0:
                reply = await shelf.ask(service, Refuse(label=label))
                assert reply == Refusal.conflict(f"no {label}")
                continue
            case 1:
                assert await shelf.ask(service, Count()) >= 0
                continue
            case 2:  # a client that retries: one effect, one reply
                sent = [shelf.send(service, Add(label=label), key=f"key-{label}") for _ in "123"]
                reply, *others = await asyncio.gather(*sent)
                assert others == [reply, reply]
            case _:
                reply = await shelf.ask(service, Add(label=label))
        assert isinstance(reply, Added)
        assert reply.label == label
        labels.add(label)
    return labels


@pytest.mark.parametrize(("asks", "kills_min"), STORMS)
@pytest.mark.parametrize("way", ["kill", "restart"])
async def test_no_ask_is_lost_or_applied_twice_in_so_many_kills(
    tmp_path: Path, rng: Rng, way: str, asks: int, kills_min: int
) -> None:
    """With and without keys; the dead incarnations leave no thread, no file, and are garbage."""
    lives: weakref.WeakSet[Running] = weakref.WeakSet()
    kills = 0
    async with hosted(tmp_path, *SERVICES, seed=rng.getrandbits(32)) as shelf:
        answered = asyncio.Event()
        work = asyncio.gather(
            *[
                client(shelf, f"c{number}", rng.fork(str(number)), answered, asks)
                for number in range(CLIENTS)
            ]
        )
        work.add_done_callback(lambda _: answered.set())
        while not work.done() or kills < kills_min:
            if rng.randrange(2):  # else nobody gets to an answer where a start takes a while
                await answered.wait()
            if not work.done():
                answered.clear()
            getattr(shelf.system, way)(rng.choice(SERVICES))
            kills += 1
            for each in shelf.hosted.values():
                if each.current is not None:
                    lives.add(each.current)
            await asyncio.sleep(rng.random() * 0.01)
        added = Counter(label for labels in await work for label in labels)
        for name in SERVICES:
            await shelf.ask(name, Count())
        assert Counter(label for name in SERVICES for label in shelf.labels(name)) == added
        assert sum(shelf.stats(name).restarts for name in SERVICES) > kills_min / 4
        await no_store_threads(but=2 * len(SERVICES))
        await at_most_connected(tmp_path, 2 * len(SERVICES))
        gc.collect()
        assert len(lives) <= len(SERVICES)
    assert store_threads() == []
    assert open_files(tmp_path) == 0


async def test_next_incarnation_answers_while_the_old_thread_is_stuck(tmp_path: Path) -> None:
    """Nobody waits for a thread that nothing can reach, not even the end of the system."""
    leave = threading.Event()
    runs: list[int] = []

    def do(tx: Any, _cmd: Do) -> str:
        runs.append(1)
        tx.execute(ADD, "done")
        if len(runs) == 1:
            leave.wait(60.0)  # in C: no strike arrives
        return "the second time"

    try:
        async with hosted(tmp_path, "a", settings=["service.handler_s_max=30"], do=do) as shelf:
            stuck = shelf.send("a", Do())
            behind = shelf.send("a", Add(label="behind"))
            await asyncio.sleep(0.05)
            started = time.monotonic()
            shelf.system.kill("a")
            assert await stuck == "the second time"
            assert isinstance(await behind, Added)
            await shelf.system.stop()
            assert time.monotonic() - started < 30.0  # long before the thread is let go
            await no_store_threads(but=1)
            assert len(store_threads()) == 1
            leave.set()
    finally:
        leave.set()
        await no_store_threads()
    assert shelf.labels("a") == ["done", "behind"]
