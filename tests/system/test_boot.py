"""The command line: up in two seconds, a clear word where that cannot be, down without a loss."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import sqlite3
import stat
import time
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from actors import command_line, system_commands
from actors.errors import DressRehearsalError
from actors.store.files.directory_lock import DirectoryLock
from tests.benchmarks.process_usage import cpu_s, resident_bytes
from tests.http_edge.serving import hang_up, is_problem
from tests.system.client import connected
from tests.system.process import LISTENERS, processes_in
from tests.system.resources import ROOM, STARTED, STORES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from signal import Signals

    from actors.testing.live_system import LiveSystem
    from tests.http_edge.serving import Reply
    from tests.system.client import Client
    from tests.system.conftest import Report
    from tests.system.process import Processes

    Refusal = Callable[..., str]

pytestmark = pytest.mark.real_time

READY_CPU_S_MAX = 2.0
RSS_MB_MAX = 120.0
DEADLINE_S = 5.0

CUSTOMER = {"name": "Ada", "email": "ada@example.com"}
SIGNALS = pytest.mark.parametrize(
    "signal",
    [SIGTERM, pytest.param(SIGINT, marks=pytest.mark.long)],
    ids=lambda signal: signal.name,
)


@pytest.fixture(scope="module")
def first_boot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveSystem, float]]:
    """Return a process that the tests do not end, and how much CPU it took until it was ready."""
    umask = os.umask(0)
    try:
        with processes_in(tmp_path_factory.mktemp("first"), cold=True) as made:
            process = made.boot()
            yield process, cpu_s(process.pid)
    finally:
        os.umask(umask)


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refusal:
    """Call what the command line calls, in this process, and return what it says why it is 2."""
    # Both are the process's, and stay.
    monkeypatch.setattr(system_commands, "configure_logging", lambda *_args, **_options: None)
    monkeypatch.setattr(os, "umask", lambda _mode: 0)

    def say(*arguments: str) -> str:
        assert command_line.main(arguments, program=Path("runtime.py")) == 2
        return capsys.readouterr().err

    return say


# --- Up --------------------------------------------------------------------------------------


def test_the_ready_line_says_where_everything_listens(
    first_boot: tuple[LiveSystem, float],
) -> None:
    """One line with `event: ready`; each address is taken, on loopback, and not port 0."""
    process, _ = first_boot
    (ready,) = process.events("ready")
    assert list(ready["listeners"]) == list(LISTENERS)
    ports = set()
    for address in ready["listeners"].values():
        url = URL(address)
        assert (url.scheme, url.host) == ("http", "127.0.0.1")
        assert url.port is not None
        with socket.create_connection((url.host, url.port), timeout=5):
            ports.add(url.port)
    assert len(ports - {0}) == len(LISTENERS)
    assert ready["pid"] == process.pid
    assert ready["unhealthy"] == []


def test_a_boot_takes_less_than_two_seconds_of_one_core(
    first_boot: tuple[LiveSystem, float], report: Report
) -> None:
    """Of CPU: how long that is on the wall is the machine's, and a row of `make bench`."""
    _, took_s = first_boot
    report(f"ready after {took_s:.2f} s of CPU")
    assert took_s < READY_CPU_S_MAX


async def test_everything_up_takes_less_than_120_mb(
    first_boot: tuple[LiveSystem, float], report: Report
) -> None:
    """At rest, and after a few thousand requests."""
    process, _ = first_boot
    at_rest_mb = resident_bytes(process.pid) / 1e6
    async with connected(process) as client:
        for _ in range(100):
            posts = [client.create("/api/v1/customers", CUSTOMER) for _ in range(30)]
            await asyncio.gather(*posts)
    written_mb = resident_bytes(process.pid) / 1e6
    report(f"{at_rest_mb:.0f} MB at rest, {written_mb:.0f} MB after 3,000 writes")
    assert written_mb < RSS_MB_MAX


def test_an_overlay_and_settings_are_laid_over_the_shipped_numbers(
    hotels: Processes, tmp_path: Path
) -> None:
    """--config over config.toml, --set over both, --data-dir over all; the rest stays."""
    overlay = tmp_path / "overlay.toml"
    overlay.write_text('[runtime]\ndrain_s = 3.5\ndata_dir = "nowhere"\n[log]\nlevel = "debug"\n')
    port = free_port()
    settings = ("log.level=info", f"edge.gateway.port={port}")
    process = hotels.boot(*settings, config=overlay)
    assert process.url == f"http://127.0.0.1:{port}"  # a later --set wins over an earlier one
    (ready,) = process.events("ready")
    assert ready["data_dir"] == str(process.data_dir)
    assert process.stop() == 0
    (draining,) = process.events("draining")
    assert draining["limit_s"] == 3.5
    assert "debug" not in {line["level"] for line in process.lines}


async def test_the_listeners_answer_before_every_file_is_open(processes: Processes) -> None:
    """Two files open slowly: their routes are 503 `starting` at once, the others' serve already.

    Of an orderly start and stop there is no warning.
    """
    process = processes.boot("store.busy_s_max=20")
    await asyncio.to_thread(process.wait_for, "stream open")  # else it is refused one while it ends
    await asyncio.to_thread(process.stop)
    files = [process.data_dir / f"{name}.db" for name in ("customer", "x_platform")]
    with contextlib.ExitStack() as stack:
        holders = [sqlite3.connect(file, isolation_level=None) for file in files]
        for holder in holders:
            stack.callback(holder.close)
            holder.execute("BEGIN IMMEDIATE")
        process.launch()
        await asyncio.to_thread(process.wait_for, "listening")
        async with connected(process) as client:
            assert (await client.send("GET", "/healthz")).status == 200
            await client.actor_where("room", lambda actor: actor["state"] == "running")
            await client.create("/api/v1/rooms", ROOM)
            ready = await client.send("GET", "/readyz")
            is_problem(ready, 503)
            assert "customer (starting)" in ready.json["detail"]
            assert "customer" in ready.json["services"]
            begun = time.monotonic()
            refused = await client.send("GET", "/api/v1/customers")
            is_problem(refused, 503)
            assert refused.json["type"] == "/problems/starting"
            assert int(refused.headers["Retry-After"]) >= 1
            assert time.monotonic() - begun < DEADLINE_S
            await client.actor_where("reader", lambda actor: actor["state"] == "running")
            for holder in holders:
                holder.execute("ROLLBACK")
            await asyncio.to_thread(process.wait_for, "ready")
            await client.create("/api/v1/customers", CUSTOMER)
            await asyncio.to_thread(process.wait_for, "stream open")
    assert await asyncio.to_thread(process.stop) == 0
    told = [line for line in process.lines if line["level"] not in {"info", "debug"}]
    assert not told, json.dumps(told)


# --- Not up, and why -------------------------------------------------------------------------


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_port_in_use_is_named(refusal: Refusal, tmp_path: Path, listener: str) -> None:
    """Exit 2 with the address and the key to change; nothing was made on disk."""
    data_dir = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        others = [f"--set=edge.{name}.port=0" for name in LISTENERS]
        said = refusal(f"--data-dir={data_dir}", *others, f"--set=edge.{listener}.port={port}")
    assert_one_line_naming(said, f"127.0.0.1:{port}", f"edge.{listener}.port", "in use")
    assert not data_dir.exists()


def test_all_ports_in_use_are_named_at_once_and_end_the_boot(processes: Processes) -> None:
    """One sentence for all: who mends one after the other would start it as often."""
    with contextlib.ExitStack() as stack:
        taken = {
            name: stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            for name in LISTENERS
        }
        settings = [f"edge.{name}.port={port}" for name, port in taken.items()]
        process = processes.make(*settings).launch()
        assert process.wait() == 2
    named = [text for name, port in taken.items() for text in (f":{port}", f"edge.{name}.port")]
    assert_one_line_naming(process.errors, *named)
    assert process.events("listening") == process.events("ready") == []
    assert not process.data_dir.exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--set=edge.nonsense=1"], ["edge", "nonsense"]),
        (["--set=nonsense.port=1"], ["nonsense"]),
        (["--set=edge.gateway.port=high"], ["edge.gateway.port"]),
        (["--set=edge.gateway.port=65536"], ["edge.gateway.port", "65535"]),
        (["--set=mailbox.capacity=0"], ["mailbox.capacity"]),
        (["--set=edge.gateway"], ["edge.gateway", "SECTION.KEY=VALUE"]),
        (["--config=/nonexistent.toml"], ["/nonexistent.toml"]),
    ],
    ids="-".join,
)
def test_a_wrong_configuration_is_named(
    refusal: Refusal, tmp_path: Path, arguments: list[str], named: list[str]
) -> None:
    """Exit 2 and the key; nothing is made on disk."""
    data_dir = tmp_path / "data"
    assert_one_line_naming(refusal(f"--data-dir={data_dir}", *arguments), *named)
    assert not data_dir.exists()


def test_an_unknown_key_in_an_overlay_is_named(refusal: Refusal, tmp_path: Path) -> None:
    """As on the command line; of a file that is no TOML, the file."""
    overlay = tmp_path / "overlay.toml"
    for text, named in [("[store]\ncache_kb = 1\n", "cache_kb"), ("[store\n", str(overlay))]:
        overlay.write_text(text)
        said = refusal(f"--data-dir={tmp_path / 'data'}", f"--config={overlay}")
        assert_one_line_naming(said, named)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "x" * 70])
def test_a_host_that_is_none_of_this_machines_is_named(
    refusal: Refusal, tmp_path: Path, host: str
) -> None:
    """Another port would not mend it; the others' ports are not blamed for it."""
    others = [f"--set=edge.{name}.port=0" for name in LISTENERS]
    where = f"--set=edge.hotel.host={host}"
    said = refusal(f"--data-dir={tmp_path / 'data'}", *others, where)
    assert_one_line_naming(said, f"{host}:0: ", "choose another edge.hotel.host: ")
    assert "port" not in said


async def test_a_second_process_on_a_data_directory_is_refused(hotels: Processes) -> None:
    """Exit 2, naming the holder's pid and command; the first serves on."""
    first = hotels.boot()
    async with connected(first) as client:
        created = await client.create("/api/v1/customers", CUSTOMER)
        second = hotels.make().launch()
        assert await asyncio.to_thread(second.wait) == 2
        assert_one_line_naming(second.errors, str(first.data_dir), str(first.pid), "runtime.py")
        assert second.events("ready") == []
        found = await client.send("GET", f"/api/v1/customers/{created['id']}")
        assert (found.status, found.json) == (200, created)
        await client.create("/api/v1/customers", CUSTOMER)
        # On the same port, which stops it before the folder does.
        port = URL(first.url).port
        second = hotels.make(f"edge.gateway.port={port}").launch()
        assert await asyncio.to_thread(second.wait) == 2
        assert_one_line_naming(second.errors, f":{port}", str(first.data_dir), str(first.pid))


def test_a_data_directory_that_is_none_is_named(hotels: Processes, tmp_path: Path) -> None:
    """A file in its place, or a place where none can be made."""
    place = tmp_path / "file"
    place.write_text("")
    process = hotels.make(data_dir=place).launch()
    assert process.wait() == 2
    assert_one_line_naming(process.errors, str(place))
    for data_dir in (place / "below", tmp_path / ("x" * 300)):
        with pytest.raises(DressRehearsalError, match=re.escape(str(data_dir)[:200])):
            DirectoryLock(data_dir).acquire(holder="a test")


# --- Down ------------------------------------------------------------------------------------


@SIGNALS
def test_a_signal_ends_an_idle_process_with_exit_0(processes: Processes, signal: Signals) -> None:
    """Idle clients do not hold it up, nor does one that has said half a word."""
    process = processes.boot("log.level=debug")
    url = URL(process.url)
    with (
        socket.create_connection((str(url.host), url.port or 0)),
        socket.create_connection((str(url.host), url.port or 0)) as slow,
    ):
        slow.sendall(b"POST /api/v1/cust")
        process.signal(signal)
        assert process.wait() == 0, process.last_words
    assert process.events("drain limit reached") == []
    (draining,) = process.events("draining")
    assert draining["signal"] == signal.name
    # The supervisor and what it supervises, children first; then the process. The last alone is
    # told above debug.
    assert [each["level"] for each in process.events("stopped") if "actor" not in each] == ["info"]
    assert {each["level"] for each in process.events("stopped") if "actor" in each} == {"debug"}
    stopped = [line.get("actor") for line in process.events("stopped")]
    assert stopped == [*reversed(STARTED), "root", None]
    assert process.errors == ""
    # Nothing is left to recover: the WAL of each store went into its file. How far a check had come
    # that took a second, on a busy machine, stays beside it.
    left = [path.name for path in process.data_dir.iterdir() if path.suffix != ".db-checked"]
    assert sorted(left) == sorted(
        [
            "admin.token",
            "lock",
            "manifest.json",
            "x.account",
            "x.credentials.json",
            *(f"{name}.db" for name in STORES),
        ]
    )


async def test_a_request_in_flight_at_the_signal_is_served(hotels: Processes) -> None:
    """Its body may even come later; the answer says that the connection ends; it is kept."""
    process = hotels.boot()
    url = URL(process.url)
    body = json.dumps(CUSTOMER).encode()
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        head = "POST /api/v1/customers HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
        head += "Expect: 100-continue\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        # An unheard request is none in flight.
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body[:5])
        process.signal(SIGTERM)
        await asyncio.to_thread(process.wait_for, "draining")
        await refuses_connections(url)
        await asyncio.sleep(0.2)  # what the drain closes, it has closed by now
        writer.write(body[5:])
        async with asyncio.timeout(100):
            answer = await reader.read()
    finally:
        await hang_up(writer)
    assert answer.startswith(b"HTTP/1.1 201 "), answer
    assert b"Connection: close\r\n" in answer
    created = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert await asyncio.to_thread(process.wait) == 0
    assert customers(process) == [created]


async def test_a_request_that_cannot_be_served_ends_at_its_deadline_while_draining(
    hotels: Processes,
) -> None:
    """Its service is suspended for good: a 504 when its time is up, then exit 0."""
    process = hotels.boot("edge.deadline_s=1.5", "runtime.drain_s=8")
    async with connected(process) as client:
        waiting = await start_unanswerable(client)
        process.signal(SIGTERM)
        reply = await waiting
        is_problem(reply, 504)
        assert reply.headers["Connection"] == "close"
        assert await asyncio.to_thread(process.wait) == 0
    assert process.events("drain limit reached") == []


async def test_the_drain_ends_at_its_limit(hotels: Processes) -> None:
    """What is not answered by drain_s is cut, visibly; exit 0 all the same."""
    process = hotels.boot("edge.deadline_s=60", "runtime.drain_s=1")
    async with connected(process) as client:
        waiting = await start_unanswerable(client)
        begun = time.monotonic()
        process.signal(SIGTERM)
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        assert await asyncio.to_thread(process.wait) == 0
        assert 0.9 < time.monotonic() - begun < 30
        # It was not done, so it must not look answered.
        assert isinstance(outcome, aiohttp.ClientError), outcome
    (line,) = process.events("drain limit reached")
    assert line["connections_cut"] == 1


async def test_a_second_signal_exits_at_once(hotels: Processes) -> None:
    """With the number of the signal, as a shell says it; and the next boot needs no help."""
    process = hotels.make("edge.deadline_s=60", "runtime.drain_s=60")
    created: list[dict[str, Any]] = []
    for signal in (SIGTERM, SIGINT):
        await asyncio.to_thread(process.start)
        async with connected(process) as client:
            assert await client.list_all("/api/v1/customers") == created
            created.append(await client.create("/api/v1/customers", CUSTOMER))
            waiting = await start_unanswerable(client)
            process.signal(signal)
            await asyncio.to_thread(process.wait_for, "draining")
            begun = time.monotonic()
            process.signal(signal)
            assert await asyncio.to_thread(process.wait) == 128 + signal
            assert time.monotonic() - begun < 30  # half of what a drain may take
            (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
            assert isinstance(outcome, aiohttp.ClientError)


async def test_writes_around_the_signal_are_answered_or_not_done(hotels: Processes) -> None:
    """Clients write as fast as they can; every answer is 201, and every 201 is kept."""
    process = hotels.boot()
    acknowledged = []

    async def write(client: Client) -> None:
        try:
            while True:
                reply = await client.send("POST", "/api/v1/customers", json=CUSTOMER)
                assert reply.status == 201, reply.body
                acknowledged.append(reply.json["id"])
        except (aiohttp.ClientError, ConnectionError):
            return

    async with connected(process) as client:
        writers = [asyncio.create_task(write(client)) for _ in range(16)]
        while len(acknowledged) <= 64:  # noqa: ASYNC110 - they may have ended by themselves
            await asyncio.sleep(0.01)
        process.signal(SIGTERM)
        await asyncio.gather(*writers)
        assert await asyncio.to_thread(process.wait) == 0
    listed = [item["id"] for item in customers(process)]
    assert len(acknowledged) > 16
    assert sorted(set(acknowledged) - set(listed)) == []
    # At most one write a client can have been cut off between its commit and its answer.
    assert len(listed) - len(acknowledged) <= 16


async def test_a_boot_after_kill_9_needs_no_help(hotels: Processes) -> None:
    """The lock of a dead process holds nobody up; its writes and its token are there."""
    process = hotels.boot()
    async with connected(process) as client:
        created = await client.create("/api/v1/customers", CUSTOMER)
    token = process.token
    process.kill_process()
    assert (process.data_dir / "customer.db-wal").stat().st_size > 0
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        assert await client.list_all("/api/v1/customers") == [created]
    assert process.token == token
    assert stat.S_IMODE((process.data_dir / "admin.token").stat().st_mode) == 0o600


# --- Logs and secrets ------------------------------------------------------------------------


async def test_logs_are_json_lines_with_request_ids_and_no_secrets(hotels: Processes) -> None:
    """Every line of stdout parses, at any level; stderr is silent; the token is nowhere."""
    process = hotels.boot("log.level=debug", "edge.deadline_s=0.5")
    async with connected(process) as client:
        mine = {"X-Request-ID": "my-request"}
        await client.create("/api/v1/customers", CUSTOMER, headers=mine)
        assert (await client.admin("GET", "/admin/registry")).status == 200
        wrong = {"Authorization": f"Basic {process.token}", "X-Request-ID": "wrong"}
        assert (await client.send("GET", "/admin/actors", headers=wrong)).status == 401
        query = f"/admin/actors?token={process.token}"
        assert (await client.send("GET", query)).status == 401
        await client.order("room", "suspend")
        late = {"X-Request-ID": "too-late"}
        is_problem(await client.send("GET", "/api/v1/rooms", headers=late), 504)
        await client.order("room", "kill")
        await asyncio.to_thread(process.wait_for, "restarted", actor="room")
    token = process.token
    assert await asyncio.to_thread(process.stop) == 0
    assert [json.loads(text) for text in process.log.splitlines()] == process.lines
    for line in process.lines:
        assert list(line)[:3] == ["timestamp", "level", "event"], line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"])
    for line in process.events("request") + process.events("request failed"):
        assert line["request_id"], line
    (created,) = process.events("request", request_id="my-request")
    assert (created["method"], created["status"]) == ("POST", 201)
    (failed,) = process.events("request failed", request_id="too-late")
    assert failed["problem"] == "/problems/deadline-exceeded"
    assert process.errors == ""
    assert token not in process.log


def test_the_admin_token_is_its_owners_alone(first_boot: tuple[LiveSystem, float]) -> None:
    """Mode 0600 whatever the umask, in a directory nobody else may enter."""
    process, _ = first_boot
    path = process.data_dir / "admin.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(process.data_dir.stat().st_mode) == 0o700
    assert len(process.token) >= 32


# --- Inside ----------------------------------------------------------------------------------


def customers(process: LiveSystem) -> list[dict[str, Any]]:
    """Read what an ended process has kept: to boot another for it takes as long as the rest."""
    with contextlib.closing(sqlite3.connect(process.data_dir / "customer.db")) as connection:
        rows = connection.execute("SELECT id, name, email FROM customer ORDER BY seq")
        return [dict(zip(("id", "name", "email"), row, strict=True)) for row in rows]


async def start_unanswerable(client: Client) -> asyncio.Task[Reply]:
    """Send a write to a suspended service; return once it is in the mailbox."""
    await client.order("room", "suspend")
    await client.actor_where("room", lambda actor: actor["state"] == "suspended")
    body = {"type": "single", "rate": {"amount": 1, "currency": "EUR"}}
    waiting = asyncio.create_task(client.send("POST", "/api/v1/rooms", json=body))
    await client.actor_where("room", lambda actor: actor["mailbox_depth"] == 1)
    return waiting


async def refuses_connections(url: URL) -> None:
    """Return once nobody listens any more; the signal's log line comes just before that."""
    async with asyncio.timeout(100):
        while True:
            try:
                _, writer = await asyncio.open_connection(url.host, url.port)
            except ConnectionError:
                return
            await hang_up(writer)


def assert_one_line_naming(said: str, *names: str) -> None:
    """Whoever typed the command gets one line that says what is wrong, and no stack trace."""
    assert said.startswith("dress-rehearsal: "), said
    assert said.count("\n") == 1, said
    for name in names:
        assert name in said, (name, said)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
