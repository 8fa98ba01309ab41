"""The data folder of an earlier version, killed with all sorts of things on their way, goes on."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.client import connected
from tests.system.guests import BOOKINGS, at_rest, check_books, ended
from tests.system.process import ROOT

if TYPE_CHECKING:
    from tests.system.client import Client
    from tests.system.conftest import Processes

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
    command = [sys.executable, "runtime.py", "check-upgrade", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
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
    process = await asyncio.to_thread(processes.make().start)
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
