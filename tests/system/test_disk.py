"""A damaged, read-only or full disk: a clear word, the rest serves on, nothing is lost."""

from __future__ import annotations

import asyncio
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from actors.store.files import loss_acceptance
from tests.http_edge.serving import is_problem
from tests.system.client import Client, connected
from tests.system.process import Processes, processes_in
from tests.system.resources import ACTORS, STORES, as_created

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.testing.live_system import LiveSystem
    from tests.http_edge.serving import Reply

pytestmark = pytest.mark.real_time

PAGE_BYTES = 4096
# A machine that runs other things too may take several times the two seconds that are promised.
ROOM_S_MAX = 10.0

CUSTOMERS, ROOMS, TWEETS = "/api/v1/customers", "/api/v1/rooms", "/api/v1/tweets"
CUSTOMER = {"name": "Ada", "email": "ada@example.com"}
ROOM = {"type": "double", "rate": {"amount": 12_000, "currency": "EUR"}}
# The bigger, the sooner a disk is full.
TWEET = {"author": "ada", "text": "x" * 8_000}

LIMITED = (sys.executable, str(Path(__file__).with_name("limited.py")))
MORTAL = (sys.executable, str(Path(__file__).with_name("mortal.py")))


class Furnished(NamedTuple):
    """The files of a process that was stopped, and what it had acknowledged."""

    data_dir: Path
    room: dict[str, Any]
    customer: dict[str, Any]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    """A room and a customer, made once."""
    with processes_in(tmp_path_factory.mktemp("furnished")) as made:
        process = made.boot()
        yield Furnished(process.data_dir, *asyncio.run(make_one_of_each(process)))


def lay_out(furnished: Furnished, process: LiveSystem) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the process such files of its own; return the room and the customer."""
    shutil.copytree(furnished.data_dir, process.data_dir)
    return furnished.room, furnished.customer


# --- Damage ----------------------------------------------------------------------------------


# What of it is noticed, whichever byte it is: tests/store/test_recovery.py.
@pytest.mark.parametrize(
    "offset",
    [pytest.param(0, id="header"), pytest.param(PAGE_BYTES, id="page", marks=pytest.mark.long)],
)
async def test_a_damaged_file_parks_its_service_alone(
    hotels: Processes, furnished: Furnished, offset: int
) -> None:
    """Boot names the file and goes on; moved away and given up, a restart brings it back."""
    process = hotels.make()
    room, customer = lay_out(furnished, process)
    file = process.data_dir / "room.db"
    flip(file, offset)
    damaged = file.read_bytes()
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        parked = await asyncio.to_thread(process.wait_for, "parked", actor="room")
        assert parked["level"] == "error"
        assert str(file) in parked["error"]
        await assert_only_room_is_down(client, str(file))
        assert (await client.send("GET", f"{CUSTOMERS}/{customer['id']}")).json == customer
        await client.create(CUSTOMERS, CUSTOMER)
        assert file.read_bytes() == damaged, "evidence was written over"

        # An order that comes too early changes nothing, and says so.
        await client.order("room", "restart")
        await client.actor_where("room", lambda actor: actor["state"] == "parked")
        for path in process.data_dir.glob("room.db*"):
            path.rename(process.data_dir / f"damaged-{path.name}")
        loss_acceptance.accept_loss(process.data_dir, "room")
        await client.order("room", "restart")
        await client.actor_where("room", lambda actor: actor["state"] == "running")
        await client.until_ready()
        assert await client.list_all(ROOMS) == []
        is_problem(await client.send("GET", f"{ROOMS}/{room['id']}"), 404)
        made = await client.create(ROOMS, ROOM)
        assert await client.list_all(ROOMS) == [made]
    assert await asyncio.to_thread(process.stop) == 0


# --- Read-only -------------------------------------------------------------------------------


async def test_a_read_only_file_is_read_and_says_so(
    processes: Processes, furnished: Furnished
) -> None:
    """Degraded: lists answer, writes are refused; made writable again, it writes by itself."""
    process = processes.make(through=MORTAL)
    room, customer = lay_out(furnished, process)
    file = process.data_dir / "room.db"
    file.chmod(0o400)
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        degraded = await asyncio.to_thread(process.wait_for, "degraded", actor="room")
        assert str(file) in degraded["error"]
        reply = await client.send("GET", "/readyz")
        is_problem(reply, 503)
        assert reply.json["services"] == ["room"]
        assert "room (degraded)" in reply.json["detail"]
        assert await client.list_all(ROOMS) == [room]
        refused = await client.send("POST", ROOMS, json=ROOM)
        is_problem(refused, 503)
        assert refused.json["type"] == "/problems/store-refused"
        assert (await client.send("GET", f"{CUSTOMERS}/{customer['id']}")).json == customer
        file.chmod(0o600)
        await client.actor_where("room", lambda actor: actor["state"] == "running")
        assert await client.list_all(ROOMS) == [room]
        await client.create(ROOMS, ROOM)


async def test_a_read_only_directory_keeps_every_service_down(
    processes: Processes, furnished: Furnished
) -> None:
    """Each names its file; made writable again, restarts bring all back."""
    process = processes.make(through=MORTAL)
    room, customer = lay_out(furnished, process)
    process.data_dir.chmod(0o500)
    try:
        await asyncio.to_thread(process.start)
        async with connected(process) as client:
            # Responder begins after favouriter, whose fate it shares, and so does not begin at all.
            for name in [each for each in STORES if each != "responder"]:
                # Not `parked`: the three share a budget, so that one may go on trying for long.
                crashed = await asyncio.to_thread(process.wait_for, "crashed", actor=name)
                assert str(process.data_dir / f"{name}.db") in crashed["error"]
            reply = await client.send("GET", "/readyz")
            is_problem(reply, 503)
            assert reply.json["services"] == list(STORES)
            assert (await client.send("GET", "/healthz")).status == 200
            process.data_dir.chmod(0o700)
            for name in STORES:
                await client.order(name, "restart")
                await client.actor_where(name, lambda actor: actor["state"] == "running")
            assert await client.list_all(ROOMS) == [room]
            assert await client.list_all(CUSTOMERS) == [customer]
    finally:
        process.data_dir.chmod(0o700)


def test_a_new_read_only_directory_ends_the_boot(hotels: Processes) -> None:
    """There is nothing to serve and nowhere to put the lock: exit 2, naming it."""
    process = hotels.make(through=MORTAL)
    process.data_dir.mkdir(mode=0o500)
    assert process.launch().wait() == 2
    assert str(process.data_dir) in process.errors
    assert process.errors.count("\n") == 1, process.errors


# --- Full ------------------------------------------------------------------------------------


async def test_a_full_store_refuses_writes_and_serves_reads(processes: Processes) -> None:
    """Its file may grow no more: 503 for it, 201 for others; with room again all goes on."""
    process = processes.boot()
    async with connected(process) as client:
        kept = [await client.create(TWEETS, TWEET) for _ in range(3)]
        _, unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (400_000, unlimited))
        kept += await fill(client, TWEETS, TWEET)
        await assert_full(client, process.data_dir / "tweets.db", kept)
        await client.create(CUSTOMERS, CUSTOMER)
        tweets = await client.actor("tweets")
        assert (tweets["restarts"], tweets["state"]) == (0, "degraded")

        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        kept.append(await client.create(TWEETS, TWEET))
        assert await list_created(client, TWEETS) == kept
        await client.actor_where("tweets", lambda actor: actor["state"] == "running")
    await asyncio.to_thread(process.kill_process)
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        assert await list_created(client, TWEETS) == kept


async def test_a_boot_without_room_serves_what_was_acknowledged(processes: Processes) -> None:
    """After SIGKILL all is in the logs: it is read, nothing is written, and with room it is."""
    process = processes.boot()
    async with connected(process) as client:
        kept = [await client.create(TWEETS, TWEET) for _ in range(30)]
        room = await client.create(ROOMS, ROOM)
    await asyncio.to_thread(process.kill_process)
    assert (process.data_dir / "tweets.db-wal").stat().st_size > 30 * len(TWEET["text"])

    process = processes.boot(through=LIMITED)
    async with connected(process) as client:
        reply = await client.send("GET", "/readyz")
        is_problem(reply, 503)
        assert reply.json["services"] == list(STORES)
        assert "tweets (degraded)" in reply.json["detail"]
        await assert_full(client, process.data_dir / "tweets.db", kept)
        assert await client.list_all(ROOMS) == [room]
        registered = (await client.admin("GET", "/admin/registry")).json
        states = {r["state"] for each in registered["items"] for r in each["replicas"]}
        assert states == {"degraded", "running"}

        _, unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        async with asyncio.timeout(ROOM_S_MAX):
            while (await client.send("POST", TWEETS, json=TWEET)).status != 201:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        for name in STORES:
            await client.actor_where(name, lambda actor: actor["state"] == "running")
        assert (await client.send("GET", "/readyz")).status == 200
        assert (await list_created(client, TWEETS))[: len(kept)] == kept
        assert process.events("crashed") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes. Only root may mount it; the test above needs nobody."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    mount = shutil.which("mount")
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small file system")
    yield place
    # Lazy: the process that still holds files there is killed by another fixture.
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("end", ["kill", pytest.param("stop", marks=pytest.mark.long)])
async def test_a_full_disk_loses_nothing_acknowledged(
    processes: Processes, small_disk: Path, end: str
) -> None:
    """Writes are refused, reads served; not even a boot on the full disk loses anything."""
    process = processes.boot(data_dir=small_disk / "data")
    async with connected(process) as client:
        kept: dict[str, list[dict[str, Any]]] = {}
        for path, body in ((TWEETS, TWEET), (ROOMS, ROOM), (CUSTOMERS, CUSTOMER)):
            kept[path] = await fill(client, path, body)
        assert len(kept[TWEETS]) > 5
        await assert_full(client, process.data_dir / "tweets.db", kept[TWEETS])
        is_problem(await client.send("GET", "/readyz"), 503)
    if end == "stop":
        assert await asyncio.to_thread(process.stop) == 0
    else:
        await asyncio.to_thread(process.kill_process)

    # It comes up, reads what there is, and writes by itself once there is room.
    process.start()
    async with connected(process) as client:
        for path, items in kept.items():
            assert await list_created(client, path) == items
        await asyncio.to_thread(enlarge, small_disk)
        for name in ACTORS:
            await client.actor_where(name, lambda actor: actor["state"] == "running")
        for path, items in kept.items():
            assert await list_created(client, path) == items
        await client.create(TWEETS, TWEET)
        await client.until_ready()
    assert await asyncio.to_thread(process.stop) == 0


# --- Inside ----------------------------------------------------------------------------------


async def make_one_of_each(process: LiveSystem) -> tuple[dict[str, Any], dict[str, Any]]:
    """Leave a stopped process with a room and a customer; return both."""
    async with connected(process) as client:
        room = await client.create(ROOMS, ROOM)
        customer = await client.create(CUSTOMERS, CUSTOMER)
    assert await asyncio.to_thread(process.stop) == 0
    return room, customer


def flip(file: Path, offset: int, length: int = 64) -> None:
    """Turn over every bit of `length` bytes."""
    content = bytearray(file.read_bytes())
    content[offset : offset + length] = bytes(~b & 0xFF for b in content[offset : offset + length])
    file.write_bytes(content)


async def assert_only_room_is_down(client: Client, file: str) -> None:
    """Readiness names it, its addresses say when to retry; why, only an operator is told."""
    reply = await client.send("GET", "/readyz")
    is_problem(reply, 503)
    assert reply.json["services"] == ["room"]
    actor = await client.actor_where("room", lambda actor: actor["state"] == "parked")
    assert file in actor["last_error"]
    for refused in (await client.send("GET", ROOMS), await client.send("POST", ROOMS, json=ROOM)):
        is_problem(refused, 503)
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json["detail"].startswith("room (parked) ")
        assert file not in refused.json["detail"]


async def fill(client: Client, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Write until three writes in a row are refused; return what was acknowledged."""
    kept: list[dict[str, Any]] = []
    refused: list[Reply] = []
    while len(refused) < 3:
        reply = await client.send("POST", path, json=body)
        if reply.status == 201:
            kept.append(reply.json)
            refused.clear()
        else:
            refused.append(reply)
        assert len(kept) < 20_000, "it does not fill"
    for reply in refused:
        is_problem(reply, 503)
        assert reply.json["type"] == "/problems/store-refused"
    return kept


async def assert_full(client: Client, file: Path, kept: list[dict[str, Any]]) -> None:
    """A write is refused with a hint, and without the file's name; what is there can be read."""
    reply = await client.send("POST", TWEETS, json=TWEET)
    is_problem(reply, 503)
    assert int(reply.headers["Retry-After"]) >= 1
    assert re.match(r"tweets( \(degraded\))? cannot write", reply.json["detail"])
    assert str(file) not in reply.json["detail"]
    assert await list_created(client, TWEETS) == kept
    found = await client.send("GET", f"{TWEETS}/{kept[-1]['id']}")
    assert (found.status, as_created(found.json)) == (200, kept[-1])


async def list_created(client: Client, path: str) -> list[dict[str, Any]]:
    """List all, each as it was when it was created."""
    return [as_created(item) for item in await client.list_all(path)]


def enlarge(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
