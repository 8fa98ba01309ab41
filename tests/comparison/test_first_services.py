"""The first services of docs/COMPARISON.md, as printed but for their ports: alike, and durable."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.comparison.programs import WAIT_S_MAX, ask, free_port, launch
from tests.comparison.test_kills import needs_restate
from tests.documented import ROOT, files_of, read

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    class Start(Protocol):
        """Starts a program that then listens at the port."""

        def __call__(
            self, port: int, *words: str, **environment: str
        ) -> subprocess.Popen[bytes]: ...


PAGE = "docs/COMPARISON.md"


def test_the_page_counts_the_lines_that_it_shows() -> None:
    """Those that are not blank, without the name; and ours is the example."""
    shown = files_of(PAGE)
    counts = [
        int(count) for count in re.findall(r"^\*\*.*\*\*, (\d+) lines", read(PAGE), re.MULTILINE)
    ]
    lines = [[each for each in text.splitlines()[1:] if each.strip()] for text in shown.values()]
    assert counts == [len(each) for each in lines]
    example = (ROOT / "docs" / "examples" / "notes.py").read_text(encoding="utf-8")
    assert shown["notes.py"] == f"# notes.py\n{example}"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start programs in a folder of the test's; none is left."""
    started = []

    def start(port: int, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        url, log = f"http://127.0.0.1:{port}", tmp_path / "log.txt"
        started.append(launch(url, words, log, tmp_path, {**os.environ, **environment}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(WAIT_S_MAX)


def write(folder: Path, name: str, ports: dict[int, int]) -> str:
    """Write one of the page's files there, with other ports; return its name."""
    text = files_of(PAGE)[name]
    for port, free in ports.items():
        assert str(port) in text
        text = text.replace(str(port), str(free))
    (folder / name).write_text(text, encoding="utf-8")
    return name


@pytest.mark.real_time
@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("dbos") is None, reason="make bench installs it")
def test_dbos(tmp_path: Path, start: Start) -> None:
    """A note is added once under its key, and is there after a SIGKILL."""
    port = free_port()
    program = (sys.executable, write(tmp_path, "notes_dbos.py", {8000: port}))
    notes = f"http://127.0.0.1:{port}/notes"
    process = start(port, *program)
    assert [ask("POST", notes, key="one", body={"text": "milk"}) for _ in range(2)] == [1, 1]
    process.kill()
    start(port, *program)
    assert ask("GET", notes) == ["milk"]


@pytest.mark.real_time
@pytest.mark.long
@needs_restate
def test_restate(tmp_path: Path, start: Start) -> None:
    """Likewise, whichever of the two processes is killed."""
    handlers, ingress, admin, node = (free_port() for _ in range(4))
    program = (sys.executable, write(tmp_path, "notes_restate.py", {9080: handlers}))
    environment = {
        "DO_NOT_TRACK": "1",
        "RESTATE_BIND_IP": "127.0.0.1",
        "RESTATE_BIND_PORT": str(node),
        "RESTATE_INGRESS__BIND_PORT": str(ingress),
        "RESTATE_ADMIN__BIND_PORT": str(admin),
    }
    service = start(handlers, *program)
    server = start(admin, "restate-server", "--no-logo", "--listen-mode=tcp", **environment)
    where = {"uri": f"http://127.0.0.1:{handlers}"}
    ask("POST", f"http://127.0.0.1:{admin}/deployments", body=where)
    notes = f"http://127.0.0.1:{ingress}/notes/mine"
    assert [ask("POST", f"{notes}/add", key="one", body="milk") for _ in range(2)] == [1, 1]
    service.kill()
    server.kill()
    server.wait(WAIT_S_MAX)
    start(handlers, *program)
    start(admin, "restate-server", "--no-logo", "--listen-mode=tcp", **environment)
    assert ask("POST", f"{notes}/every") == ["milk"]
