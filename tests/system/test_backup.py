"""`backup` beside a running system and without one, and `restore`: all files are of one moment."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest

from actors.data_commands import run_command
from actors.kernel.clock import SystemClock
from actors.systems import SYSTEMS
from tests.http_edge.serving import is_problem
from tests.system.client import connected
from tests.system.guests import BOOKINGS, at_rest, check_books, new_customers, new_rooms, stay
from tests.system.process import WARM

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.system.client import Client
    from tests.system.conftest import Report
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time

GUESTS = 12
BACKUPS = 3
HELD_MS_MAX = 50.0


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process."""
    return WARM.run(*map(str, arguments))


class Command:
    """What the command line calls, in this process: a process is half a second of CPU."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Return its exit code, and what it said on stdout and stderr."""
        self._capsys.readouterr()
        code = await asyncio.to_thread(run_command, [*map(str, arguments)], SystemClock(), SYSTEMS)
        return code, *self._capsys.readouterr()


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


class Guests:
    """Book until told to stop; `told` is what they were told, in that order."""

    def __init__(self, client: Client, chance: random.Random) -> None:
        self.told: list[dict[str, Any]] = []
        self.begun = 0
        self.stopping = False
        self._news = asyncio.Event()
        self._client = client
        self._chance = chance

    async def book(self, customer_id: str, rooms: list[str]) -> None:
        while not self.stopping:
            body = stay(customer_id, self._chance.choice(rooms), self._chance.randrange(5000))
            self.begun += 1
            reply = await self._client.send("POST", BOOKINGS, json=body)
            assert reply.status in {201, 409}, reply.body
            if reply.status == 201:
                self.told.append(reply.json)
                self._news.set()

    async def were_told(self, count: int) -> None:
        """Wait until they have been told of so many."""
        while len(self.told) < count:
            self._news.clear()
            await self._news.wait()


async def test_a_backup_under_load_is_of_one_moment(
    hotels: Processes, tmp_path: Path, seed: int, report: Report, command: Command
) -> None:
    """None of three holds anybody up for 50 ms; restored, they hold what was told; books agree."""
    process = hotels.boot()
    known: list[int] = []
    held: list[float] = []
    async with connected(process) as client:
        rooms, customers = await new_rooms(client, 4), await new_customers(client, GUESTS)
        guests = Guests(client, random.Random(seed))
        tasks = [asyncio.create_task(guests.book(each, rooms)) for each in customers]
        headers = {"Authorization": f"Bearer {process.token}"}
        for number in range(BACKUPS):
            await guests.were_told(10 * (number + 1))
            known.append(len(guests.told))
            made = await client.create(
                "/admin/backup", {"dir": str(tmp_path / f"backup-{number}")}, headers=headers
            )
            held.append(made["held_ms"])
            assert made["missing"] == {}
        # Of what is told behind the last one, some has begun behind it.
        await guests.were_told(len(guests.told) + GUESTS + 1)
        guests.stopping = True
        await asyncio.gather(*tasks)
    await asyncio.to_thread(process.kill_process)
    report(f"seed {seed}, held for {held} ms, {len(guests.told)} bookings")
    assert max(held) <= HELD_MS_MAX
    for number, count in itertools.islice(enumerate(known), 0, BACKUPS, BACKUPS - 1):
        folder = tmp_path / f"restored-{number}"
        code, _, said = await command(
            "restore", tmp_path / f"backup-{number}", "--data-dir", folder
        )
        assert code == 0, said
        again = hotels.boot(data_dir=folder)
        async with connected(again) as client:
            assert (await client.send("GET", "/readyz")).status == 200, again.last_words
            await at_rest(client)
            listed = {each["id"]: each for each in await client.list_all(BOOKINGS)}
        assert await asyncio.to_thread(again.stop) == 0
        assert [each for each in guests.told[:count] if listed.get(each["id"]) != each] == []
        assert len(listed) < guests.begun, "it is a copy of later, and not of its moment"
        check_books(folder)
        assert again.events("parked") == []
        assert again.events("channel gap") + again.events("channel rewound") == []


async def test_commands_ask_the_running_process_or_read_the_files(
    hotels: Processes, tmp_path: Path, command: Command
) -> None:
    """Online and offline, into a new folder only; `restore` is for a folder nobody uses."""
    process = hotels.make()
    data_dir = process.data_dir
    code, told, said = await command("backup", tmp_path / "none", "--data-dir", data_dir)
    assert (code, told, "no data folder" in said) == (2, "", True)
    await asyncio.to_thread(process.start)
    online = await asyncio.to_thread(run, "backup", tmp_path / "on", "--data-dir", data_dir)
    assert online.returncode == 0, online.stderr
    assert "of one moment" in online.stdout
    code, _, said = await command("backup", tmp_path / "on", "--data-dir", data_dir)
    assert (code, "is not empty" in said) == (2, True)
    code, _, said = await command("restore", tmp_path / "on", "--data-dir", data_dir)
    assert (code, "in use by process" in said) == (2, True)
    async with connected(process) as client:
        headers = {"Authorization": f"Bearer {process.token}"}
        for body in ({}, {"dir": 1}, {"dir": "x", "y": 1}, {"dir": "/a\0b"}):
            reply = await client.send("POST", "/admin/backup", json=body, headers=headers)
            assert reply.status in {400, 422}, (body, reply.body)
        relative = await client.send("POST", "/admin/backup", json={"dir": "b"}, headers=headers)
        is_problem(relative, 422, "dir")
        is_problem(await client.send("POST", "/admin/backup", json={"dir": "/x"}), 401)
    await asyncio.to_thread(process.kill_process)
    code, _, said = await command("backup", tmp_path / "off", "--data-dir", data_dir)
    assert code == 0, said
    back = await asyncio.to_thread(run, "restore", tmp_path / "off", "--data-dir", data_dir)
    assert back.returncode == 0, back.stderr
    assert str(data_dir / "replaced.1") in back.stdout
    await asyncio.to_thread(process.start)
    assert process.wait_for("ready")["unhealthy"] == []
