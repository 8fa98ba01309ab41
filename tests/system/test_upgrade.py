"""The data folder of an earlier version, killed with all sorts of things on their way, goes on."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tarfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.client import connected
from tests.system.guests import BOOKINGS, SETTLE_S_MAX, at_rest, check_books, ended
from tests.system.process import WARM
from tests.upgrade.version_process import version_process

if TYPE_CHECKING:
    import subprocess

    from tests.system.client import Client
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time

# Made by tests/upgrade/make_folder.py.
ARCHIVE = Path(__file__).parents[1] / "upgrade" / "4eb6c02.tar.gz"
ON_THE_WAY = "SELECT receiver, number FROM outbox"
NOT_FOR_LONG = "SELECT message_type FROM timer WHERE due_us = 0"
APPLIED = "SELECT max(applied) FROM inbox WHERE sender = ?"


def unpack(folder: Path) -> dict[str, Any]:
    """Put the folder there; return what its maker says is in it."""
    folder.mkdir()
    with tarfile.open(ARCHIVE) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            (folder / member.name).write_bytes(content.read())
    contents: dict[str, Any] = json.loads((folder / "contents.json").read_text())
    return contents


def ask(path: Path, sql: str, *params: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, params).fetchall()


def test_what_the_last_version_left_can_all_be_read(tmp_path: Path) -> None:
    """`check-upgrade` says so in one sentence, and leaves every file as it was."""
    folder = tmp_path / "data"
    unpack(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = WARM.run("check-upgrade", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert "messages and replies" in line
    assert line.endswith("can be read")
    after = {name: (folder / name).read_bytes() for name in before}
    assert after == before


async def test_all_that_the_last_version_left_on_its_way_arrives_once(processes: Processes) -> None:
    """Messages, timers, an effect, open requests, keys, a dead letter: none is lost or doubled."""
    contents = unpack(processes.data_dir)
    files = {path.stem: path for path in processes.data_dir.glob("*.db")}
    sent = [
        (sender, receiver, number)
        for sender, path in files.items()
        for receiver, number in ask(path, ON_THE_WAY)
    ]
    assert {("booking", "room"), ("tweets", "flagger")} <= {each[:2] for each in sent}
    assert ask(files["payment"], NOT_FOR_LONG) == [("ChargeCard",)]
    process = await asyncio.to_thread(processes.boot)
    assert process.wait_for("ready")["unhealthy"] == []
    async with connected(process) as client:
        *held, charged = contents["under way"]
        for each in held:
            assert (await ended(client, each["location"]))["status"] == "confirmed"
        assert (await ended(client, charged["location"]))["status"] == "rejected"
        assert (await ended(client, contents["cancelled"]["location"]))["status"] == "cancelled"
        await check_keys(client, [contents["done"], *contents["under way"]])
        replay = f"/admin/dead-letters/{contents['letter']}/replay"
        assert (await client.admin("POST", replay)).json["outcome"] == "handled"
        await at_rest(client)
        channels = (await client.admin("GET", "/admin/channels")).json["items"]
        assert {each["state"] for each in channels} == {"open"}
        timers = (await client.admin("GET", "/admin/timers")).json["items"]
        assert {each["state"] for each in timers} == {"open"}
        flagged = [each["tweet_id"] for each in await client.list_all("/api/v1/flags")]
        assert 0 < len(flagged) == len(set(flagged))
    assert await asyncio.to_thread(process.stop) == 0
    for sender, receiver, number in sent:
        ((applied,),) = ask(files[receiver], APPLIED, sender)
        assert applied >= number, (sender, receiver)
    check_books(processes.data_dir)
    assert process.events("unreadable message waits") == []


async def check_keys(client: Client, bookings: list[dict[str, Any]]) -> None:
    """Whoever asks again is told of the booking that there is."""
    for each in bookings:
        headers = {"Idempotency-Key": each["key"]}
        reply = await client.send("POST", BOOKINGS, json=each["body"], headers=headers)
        if reply.status != 409:  # it was rejected meanwhile
            assert reply.status == 201, (reply.status, reply.body)
            assert each["location"] == f"{BOOKINGS}/{reply.json['id']}"


# --- A version that cannot read what is there ------------------------------------------------

SHOP = """
from actors import Address, Command, Query, ReadTransaction, Service, System, Transaction
from actors import command, query, service


class Order(Command):
    numbers: list[int]


class Make(Command):
    number: int


class Check(Command):
    number: int


class ListNumbers(Query):
    pass


class Counter(Service):
    schema = "CREATE TABLE sent (number INTEGER PRIMARY KEY) STRICT;"

    @command
    def order(self, tx: Transaction, cmd: Order) -> int:
        for number in cmd.numbers:
            tx.execute("INSERT INTO sent (number) VALUES (?)", number)
            tx.send("kitchen", Make(number=number))
        return len(cmd.numbers)


class Kitchen(Service):
    schema = "CREATE TABLE got (number INTEGER NOT NULL) STRICT;"

    @command
    def make(self, tx: Transaction, cmd: Make) -> None:
        tx.execute("INSERT INTO got (number) VALUES (?)", int(cmd.number))
        tx.after(5.0, Check(number=int(cmd.number)))

    @command
    def check(self, tx: Transaction, cmd: Check) -> None:
        tx.execute("INSERT INTO got (number) VALUES (?)", -cmd.number)

    @query
    def numbers(self, tx: ReadTransaction, question: ListNumbers) -> list[int]:
        return [row["number"] for row in tx.all("SELECT number FROM got ORDER BY rowid")]


SHOP = System(
    name="shop",
    services={"counter": Counter, "kitchen": Kitchen},
    addresses=[
        Address("POST", "/orders", service("counter", Order, 201)),
        Address("GET", "/numbers", service("kitchen", ListNumbers)),
    ],
)
"""
# Another type of number, and a timer by another name: what is on its way was not thought of.
SECOND = SHOP.replace("Make(Command):\n    number: int", "Make(Command):\n    number: str").replace(
    "Check", "Look"
)
# As it was, with a field more; and the timer says what it was called.
THIRD = SHOP.replace(
    "Make(Command):\n    number: int", "Make(Command):\n    number: int\n    hot: bool = True"
).replace("Check(Command):", 'Look(Command):\n    formerly = ("Check",)')
THIRD = THIRD.replace("Check(", "Look(").replace("cmd: Check", "cmd: Look")


class Shop:
    """The shop as its file stands, on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "shop.py"
        words = ("run", str(self.file), "--set=edge.gateway.port=0")
        self.process = version_process(folder / "data", *words)

    async def run(self, source: str) -> None:
        """Start this version, where the last one was killed."""
        self.process.kill_process()
        self.file.write_text(source)
        await asyncio.to_thread(self.process.start)

    def check(self) -> subprocess.CompletedProcess[str]:
        listed = f'--set=runtime.systems=["{self.file}"]'
        return WARM.run("check-upgrade", str(self.process.data_dir), listed)


async def got(client: Client, count: int) -> list[int]:
    """Wait until the kitchen has noted that many numbers; return them."""
    deadline = time.monotonic() + SETTLE_S_MAX
    while True:
        numbers: list[int] = (await client.send("GET", "/numbers")).json
        if len(numbers) >= count:
            return numbers
        assert time.monotonic() < deadline, f"after {SETTLE_S_MAX} s: {len(numbers)} of {count}"
        await asyncio.sleep(0.01)


@pytest.mark.long
async def test_what_the_next_version_cannot_read_waits_for_the_one_after(tmp_path: Path) -> None:
    """Over two kill -9: listed meanwhile, then in order, and nothing twice."""
    shop = Shop(tmp_path)
    process = shop.process
    try:
        await shop.run(SHOP)
        async with connected(process) as client:
            for first in (1, 21, 41):
                await client.create("/orders", {"numbers": list(range(first, first + 20))})
            await got(client, 60)
            await client.order("kitchen", "suspend")
            await client.actor_where("kitchen", lambda actor: actor["state"] == "suspended")
            await client.create("/orders", {"numbers": list(range(61, 101))})
        process.kill_process()
        shop.file.write_text(SECOND)
        checked = shop.check()
        assert checked.returncode == 1, checked.stderr
        assert "to kitchen, Make, row 61: kitchen cannot read this Make" in checked.stdout
        await shop.run(SECOND)
        # After the kill, before anything could go on: what plain SQL finds there.
        timers = ask(process.data_dir / "kitchen.db", "SELECT count(*) FROM timer")[0][0]
        async with connected(process) as client:
            for kind in ("Make", "Check"):
                waits = partial(process.wait_for, "unreadable message waits", message_type=kind)
                await asyncio.to_thread(waits)
            (channel,) = (await client.admin("GET", "/admin/channels")).json["items"]
            assert (channel["state"], channel["depth"]) == ("unreadable", 40)
            (rows,) = channel["unreadable"]
            assert (rows["message_type"], rows["count"], rows["first"]) == ("Make", 40, 61)
            _, kitchen = (await client.admin("GET", "/admin/timers")).json["items"]
            (rows,) = kitchen["unreadable"]
            assert (rows["message_type"], rows["count"]) == ("Check", timers)
            assert (await client.send("GET", "/readyz")).status == 200
            numbers = (await client.send("GET", "/numbers")).json
            assert [each for each in numbers if each > 0] == list(range(1, 61))
        await shop.run(THIRD)
        assert shop.check().returncode == 0
        async with connected(process) as client:
            numbers = await got(client, 200)
        assert [each for each in numbers if each > 0] == list(range(1, 101))
        assert sorted(-each for each in numbers if each < 0) == list(range(1, 101))
    finally:
        process.kill_process()
