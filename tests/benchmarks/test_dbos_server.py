"""The rival is set up as its makers would: what it promises, it keeps."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import urllib.request
from contextlib import closing
from datetime import date, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.placement import FREE
from tests.benchmarks.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = date(2030, 1, 1)
CLIENTS = 8
KILLS = 2
DAYS_A_KILL = 1_000
BEFORE_THE_KILL_S = 0.5
RECOVERED_S_MAX = 30.0

# Not imported to find out: every worker that collects this would wait half a second for it.
# It is no part of the product: nothing that changes there can break it.
pytestmark = [
    pytest.mark.skipif(find_spec("dbos") is None, reason="make bench installs it"),
    pytest.mark.real_time,
    pytest.mark.long,
]


def start(mode: str, folder: Path) -> tuple[ServerProcess, str]:
    ids = [folder / "customers.txt", folder / "rooms.txt"]
    ids[0].write_text("ada\n")
    ids[1].write_text("".join(f"room-{number}\n" for number in range(CLIENTS)))
    paths = [str(path) for path in (folder / "data", *ids)]
    arguments = ["-m", "tests.benchmarks.dbos_server", mode, *paths]
    server = ServerProcess("DBOS", arguments, FREE, folder)
    url, _ = server.wait_ready("/readyz")
    return server, url


def book(url: str, room: str, day: int) -> str:
    check_in = BEGIN + timedelta(days=day)
    new = {
        "customer_id": "ada",
        "room_id": room,
        "check_in": check_in.isoformat(),
        "check_out": (check_in + timedelta(days=1)).isoformat(),
    }
    request = urllib.request.Request(f"{url}/api/v1/bookings", json.dumps(new).encode())  # noqa: S310 - loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return str(json.load(answer)["id"])


def client(url: str, room: str, begin: int, answered: list[str]) -> None:
    """Book one night after the other until the server is gone."""
    for day in range(begin, begin + DAYS_A_KILL):
        try:
            answered.append(book(url, room, day))
        except OSError:
            return


def load_and_kill(mode: str, folder: Path, day: int) -> list[str]:
    """Return the ids of the bookings that were acknowledged before the kill."""
    server, url = start(mode, folder)
    answered: list[str] = []
    threads = [
        threading.Thread(target=client, args=(url, f"room-{number}", day, answered))
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(BEFORE_THE_KILL_S)
    server.kill()
    for thread in threads:
        thread.join()
    return answered


@pytest.mark.parametrize("mode", ["steps", "transactions"])
def test_rival_finishes_what_a_kill_interrupted(mode: str, tmp_path: Path) -> None:
    """After SIGKILL under load DBOS ends every booking it began, and does no step of one twice."""
    answered, interrupted = [], 0
    for kill in range(KILLS):
        answered += load_and_kill(mode, tmp_path, kill * DAYS_A_KILL)
        pending = "SELECT count(*) FROM workflow_status WHERE status = 'PENDING'"
        interrupted += count(tmp_path / "data" / "system.db", pending)
    assert interrupted
    server, url = start(mode, tmp_path)
    try:
        deadline = time.monotonic() + RECOVERED_S_MAX
        while unfinished(url):
            assert time.monotonic() < deadline, "recovery does not end"
            time.sleep(0.05)
    finally:
        server.stop()
    hotel = tmp_path / "data" / "hotel.db"
    with closing(sqlite3.connect(hotel)) as connection:
        ended = dict(connection.execute("SELECT id, status FROM booking"))
    assert set(ended) >= set(answered)
    assert set(ended.values()) == {"confirmed"}
    assert count(hotel, "SELECT count(*) FROM night WHERE status = 'sold'") == len(ended)
    assert count(hotel, "SELECT count(*) FROM charge") == len(ended)
    assert count(hotel, "SELECT count(*) FROM mail") == len(ended)


def count(path: Path, sql: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(sql).fetchone()[0])


def unfinished(url: str) -> int:
    with urllib.request.urlopen(f"{url}/unfinished") as answer:  # noqa: S310
        return int(json.load(answer)["unfinished"])


def test_rival_commits_as_durably_as_ours(tmp_path: Path) -> None:
    """DBOS's own connections are in WAL with synchronous=FULL, as it says itself."""
    server, url = start("transactions", tmp_path)
    try:
        book(url, "room-1", 1)
        with urllib.request.urlopen(f"{url}/configuration") as answer:  # noqa: S310
            assert "journal_mode=wal, synchronous=2" in json.load(answer)["configuration"]
    finally:
        server.stop()
