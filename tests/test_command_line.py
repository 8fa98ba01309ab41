"""The commands about a data folder: what they must not do, whoever calls them where."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from actors.data_commands import run_command
from actors.kernel.clock import ManualClock
from actors.store.files.backup import UNFINISHED
from actors.store.files.directory_lock import DirectoryLock
from actors.store.files.manifest import Manifest, ManifestEntry, write_manifest
from actors.systems import SYSTEMS
from tests.store.neighbours import Neighbours

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


@contextmanager
def listening(told: bytes = b"") -> Iterator[tuple[str, list[str | None]]]:
    """Serve 503 to every POST, and `told` to every GET; yields the address, and the tokens."""
    tokens: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            tokens.append(self.headers["Authorization"])
            self.send_error(503)

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", tokens
        server.shutdown()
        thread.join()


def test_the_running_process_is_asked_without_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A proxy that the environment names does not get to see the operator's token."""
    data_dir = tmp_path / "data"
    lock = DirectoryLock(data_dir).acquire(holder="the system")
    (data_dir / "admin.token").write_text("secret\n")
    with listening() as (proxy, seen), listening() as (address, asked), lock:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        lock.note_address(address)
        arguments = ["backup", str(tmp_path / "backup"), "--data-dir", str(data_dir)]
        assert run_command(arguments, ManualClock(), SYSTEMS) == 2
    assert (seen, asked) == ([], ["Bearer secret"])
    assert "says no (503)" in capsys.readouterr().err


def test_what_is_of_two_moments_is_not_backed_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a restore that was interrupted, `backup` says what to do first, as a start does."""
    write_manifest(tmp_path, Manifest(folder="f"))
    (tmp_path / UNFINISHED).touch()
    target = tmp_path.with_name(f"{tmp_path.name}-backup")
    arguments = ["backup", str(target), "--data-dir", str(tmp_path)]
    assert run_command(arguments, ManualClock(), SYSTEMS) == 2
    assert "restore DIR" in capsys.readouterr().err
    assert not target.exists()


async def test_no_loss_is_accepted_before_it_comes(
    tmp_path: Path, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing is missing there is nothing to accept; once it is, the command takes it."""
    houses = Neighbours(tmp_path / "data", clock)
    await houses.boot()
    await houses.close()
    arguments = ["accept-loss", "ann", "--data-dir", str(houses.path)]
    assert run_command(arguments, clock, SYSTEMS) == 2
    assert "nothing of ann is missing" in capsys.readouterr().err
    houses.remove("ann")
    assert run_command(arguments, clock, SYSTEMS) == 0
    await houses.boot()
    await houses.close()


async def test_a_service_that_is_up_has_no_loss_to_accept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The running process is asked, for its files are in use."""
    data_dir = tmp_path / "data"
    lock = DirectoryLock(data_dir).acquire(holder="the system")
    (data_dir / "admin.token").write_text("secret\n")
    write_manifest(
        data_dir, Manifest(folder="f", stores={"ann": ManifestEntry(store="s", epoch=1)})
    )
    told = b'{"items":[{"name":"ann","state":"running"}]}'
    with listening(told) as (address, _), lock:
        lock.note_address(address)
        arguments = ["accept-loss", "ann", "--data-dir", str(data_dir)]
        assert run_command(arguments, ManualClock(), SYSTEMS) == 2
    assert "ann is running: nothing of it is missing" in capsys.readouterr().err
    assert not list(data_dir.glob("accept-loss.*"))
