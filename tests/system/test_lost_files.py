"""A file that is lost, older or gone under the process: parked, said, and begun anew on a word."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.http_edge.serving import is_problem
from tests.store.unstamped import unpack
from tests.system.client import Client, connected
from tests.system.process import WARM
from tests.system.resources import CUSTOMER, ROOM, STORES

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from actors.testing.live_system import LiveSystem
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time

CUSTOMERS, ROOMS, BOOKINGS = "/api/v1/customers", "/api/v1/rooms", "/api/v1/bookings"


def accept_loss(process: LiveSystem, service: str) -> subprocess.CompletedProcess[str]:
    return WARM.run("accept-loss", service, "--data-dir", str(process.data_dir))


async def revive(client: Client, process: LiveSystem, service: str) -> None:
    """Do what the error and the command say."""
    told = await asyncio.to_thread(accept_loss, process, service)
    assert told.returncode == 0, told.stderr
    assert f"POST /admin/actors/{service}/restart" in told.stdout
    await client.order(service, "restart")
    await client.actor_where(service, lambda actor: actor["state"] == "running")
    assert (await client.send("GET", "/readyz")).status == 200


async def book(client: Client, guest: dict[str, Any], room: dict[str, Any], month: int) -> Any:
    stay = {"check_in": f"2050-{month:02}-01", "check_out": f"2050-{month:02}-03"}
    body = {"customer_id": guest["id"], "room_id": room["id"], **stay}
    return await client.create(BOOKINGS, body)


async def test_writes_into_a_removed_file_are_refused_and_seen(hotels: Processes) -> None:
    """Not one 201 after `rm customer.db*`; readyz and two lines say so; nothing is made again."""
    process = hotels.boot()
    file = process.data_dir / "customer.db"
    async with connected(process) as client:
        await client.create(CUSTOMERS, CUSTOMER)
        for path in process.data_dir.glob("customer.db*"):
            path.unlink()
        refused = await client.send("POST", CUSTOMERS, json=CUSTOMER)
        is_problem(refused, 503)
        assert refused.json["detail"].startswith("customer")
        assert str(file) not in refused.json["detail"]
        failed = await asyncio.to_thread(process.wait_for, "request failed")
        assert f"{file} was removed" in failed["reason"]
        parked = await asyncio.to_thread(process.wait_for, "parked", actor="customer")
        assert "accept-loss customer" in parked["error"]
        (crashed,) = process.events("crashed")
        assert "removed while it was in use" in crashed["error"]
        assert "traceback" not in crashed
        ready = await client.send("GET", "/readyz")
        assert (ready.status, ready.json["services"]) == (503, ["customer"])
        await client.create(ROOMS, ROOM)
        assert not file.exists()
    assert await asyncio.to_thread(process.stop) == 0
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        parked = await asyncio.to_thread(process.wait_for, "parked", actor="customer")
        assert f"{file} is gone" in parked["error"]
        assert process.events("crashed") == [crashed]
        await revive(client, process, "customer")
        assert await client.list_all(CUSTOMERS) == []
        await client.create(CUSTOMERS, CUSTOMER)


async def test_a_process_whose_lock_was_removed_stops_where_another_begins(
    hotels: Processes,
) -> None:
    """Two in one folder: the first acknowledges nothing more, and says why; the second serves."""
    first = hotels.boot()
    async with connected(first) as client:
        await client.create(CUSTOMERS, CUSTOMER)
        (first.data_dir / "lock").unlink()
        second = hotels.boot()
        refused = await client.send("POST", CUSTOMERS, json=CUSTOMER)
        is_problem(refused, 503)
        parked = await asyncio.to_thread(first.wait_for, "parked", actor="customer")
        assert "a second process may be using the folder" in parked["error"]
        assert (await client.send("GET", "/readyz")).status == 503
    assert await asyncio.to_thread(first.stop) == 0
    async with connected(second) as client:
        await client.create(CUSTOMERS, CUSTOMER)
        assert len(await client.list_all(CUSTOMERS)) == 2
    assert await asyncio.to_thread(second.stop) == 0


@pytest.mark.long
async def test_after_an_older_backup_of_one_file_bookings_go_on(
    hotels: Processes, tmp_path: Path
) -> None:
    """Booking's file of yesterday: parked, accepted, and what is booked then is confirmed."""
    process = hotels.boot("supervisor.intensity=1")
    async with connected(process) as client:
        guest = await client.create(CUSTOMERS, CUSTOMER)
        room = await client.create(ROOMS, ROOM)
        await book(client, guest, room, 1)
    assert await asyncio.to_thread(process.stop) == 0
    shutil.copy(process.data_dir / "booking.db", tmp_path / "backup")
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        for month in range(2, 6):
            await book(client, guest, room, month)
    await asyncio.to_thread(process.kill_process)
    for path in process.data_dir.glob("booking.db*"):
        path.unlink()
    shutil.copy(tmp_path / "backup", process.data_dir / "booking.db")
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        parked = await asyncio.to_thread(process.wait_for, "parked", actor="booking")
        assert "booking.db is older than what was acknowledged from it" in parked["error"]
        ready = await client.send("GET", "/readyz")
        assert (ready.status, ready.json["services"]) == (503, ["booking"])
        await revive(client, process, "booking")
        for month in range(6, 10):
            made = await asyncio.wait_for(book(client, guest, room, month), 3.0)
            assert made["status"] == "confirmed"
        assert process.events("channel rewound") == process.events("channel gap") == []


async def test_a_folder_of_an_earlier_version_is_adopted_once(
    processes: Processes, tmp_path: Path
) -> None:
    """With all it holds, whatever of it was in the logs; the second start has nothing to say."""
    process = processes.boot(data_dir=unpack(tmp_path / "old"))
    adopted = process.wait_for("data folder adopted")
    assert adopted["services"] == sorted(STORES)
    async with connected(process) as client:
        assert (await client.send("GET", "/readyz")).status == 200
        customers = await client.list_all(CUSTOMERS)
        assert [each["name"] for each in customers] == ["Ada", "Grace"]
        (room,) = await client.list_all(ROOMS)
        booked = await client.send("GET", f"{BOOKINGS}?room_id={room['id']}")
        assert [each["status"] for each in booked.json["items"]] == ["confirmed"]
        (tweet,) = await client.list_all("/api/v1/tweets")
        assert tweet["text"] == "hello world"
    await asyncio.to_thread(process.kill_process)
    await asyncio.to_thread(process.start)
    assert len(process.events("data folder adopted")) == 1
    assert process.wait_for("ready")["unhealthy"] == []


def test_accept_loss_says_what_is_wrong(hotels: Processes, tmp_path: Path) -> None:
    """A service that nobody knows, or no data folder: a sentence and exit 2."""
    process = hotels.boot()
    unknown = accept_loss(process, "kitchen")
    assert unknown.returncode == 2
    assert "knows no service 'kitchen'; it knows " in unknown.stderr
    nowhere = accept_loss(hotels.make(data_dir=tmp_path / "nowhere"), "room")
    assert nowhere.returncode == 2
    assert f"{tmp_path / 'nowhere'} is no data folder" in nowhere.stderr
