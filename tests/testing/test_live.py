"""A real system in a test's hands: asked, killed, stopped, started again, and audited."""

from __future__ import annotations

import importlib
import shutil
import socket
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from actors import command_line
from actors.errors import EntryPointError
from actors.testing.live import Live
from actors.testing.live_process import NotLive
from tests.documented import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_time


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the system that `new system` writes."""
    place = tmp_path_factory.mktemp("new")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert command_line.main(["new", "system", "tea_room"]) == 0
    return place / "tea_room"


@pytest.fixture
def tea_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The system, as a test of its own imports it."""
    monkeypatch.syspath_prepend(folder)
    return importlib.import_module("tea_room").TEA_ROOM


def test_it_is_killed_stopped_and_started_again(live: Live, tea_room: Any) -> None:
    """A killed service comes again, a suspended one waits, a killed process has what it said."""
    room = live(tea_room, "edge.deadline_s=0.5")
    tea = {"item": "tea", "count": 5}
    first = room.client.post("/stock", json=tea, key="k")
    assert (first.status, first.json()) == (201, tea)
    assert first.headers["content-type"] == "application/json"
    room.kill("stock")
    assert room.client.post("/stock", json=tea, key="k").json() == tea  # the first answer
    assert room.actor("stock")["restarts"] == 1
    room.suspend("orders")
    order = {"item": "tea", "count": 2}
    assert room.client.post("/orders", json=order, key="o").status == 504
    room.resume("orders")
    assert room.client.post("/orders", json=order, key="o").status == 201
    url = room.url
    room.kill_process()
    with pytest.raises(OSError, match="refused"):
        room.client.get("/healthz")
    assert room.restart().url != url
    with room.fault("abort", route="POST /orders", status=503, first=5, by="test") as fault:
        assert room.client.post("/orders", json=order, key="o").status == 503
        assert fault.hits == 1
    with (
        pytest.raises(NotLive, match="no service is called 'cellar'"),
        room.fault("error", service="cellar"),
    ):
        pass
    assert room.client.post("/orders", json=order, key="o").json()["count"] == 2
    assert room.audit() == []
    assert not room.running


def test_an_audit_starts_what_was_killed_and_judges_its_files(live: Live, tea_room: Any) -> None:
    """What is wrong is a list of sentences."""
    room = live(tea_room)
    room.kill_process()
    with closing(sqlite3.connect(room.data_dir / "orders.db")) as orders, orders:
        orders.execute("INSERT INTO orders VALUES ('o', 'tea', 3, 'accepted')")
    assert room.audit() == ["3 tea were sold, 0 are gone"]


def test_a_boot_that_fails_shows_the_process_last_words(live: Live, folder: Path) -> None:
    """Named as on the command line; what it said on its way out is in the error."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        setting = f"edge.gateway.port={port}"
        with pytest.raises(
            NotLive, match=rf"it ended before it logged 'ready': exit code 2\n.*{port}"
        ):
            live(f"{folder / 'tea_room.py'}:TEA_ROOM", setting)


def test_what_another_process_cannot_find_is_one_sentence(live: Live, tea_room: Any) -> None:
    with pytest.raises(EntryPointError, match="tea_room stands at no module's top level"):
        live(replace(tea_room))


def test_what_there_is_not_is_named(live: Live, tea_room: Any) -> None:
    """A service, and a process to which it could be done."""
    room = live(tea_room)
    with pytest.raises(NotLive, match="no service 'kitchen' in tea_room, but: root, "):
        room.kill("kitchen")
    room.kill_process()
    with pytest.raises(NotLive, match=r"tea_room does not answer \(.*refused\): exit code -9"):
        room.kill("stock")


def test_the_end_leaves_nothing_whatever_it_meets(tmp_path: Path) -> None:
    """No name that the next test needs, and no process because another would not end."""
    known, path = set(sys.modules), [*sys.path]
    for each in ("one", "two"):
        shutil.copytree(ROOT / "docs" / "examples", tmp_path / each)
        booted = Live(tmp_path / f"{each} data")
        ended: list[str] = []

        def fail(*, ended: list[str] = ended) -> None:
            ended.append("")
            raise NotLive("it does not end")

        for _ in range(2):
            made = booted.prepare(str(tmp_path / each / "notes.py"))
            made.kill_process = fail  # type: ignore[method-assign]
        with pytest.raises(NotLive, match="it does not end"):
            booted.end()
        assert len(ended) == 2
        assert sys.path == path
        assert "notes" not in set(sys.modules) - known
