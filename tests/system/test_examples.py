"""docs/examples: each is as short as promised, boots as it is, and forgets nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.system.process import READY_S_MAX, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = ROOT / "docs" / "examples"
# Non-blank lines, imports among them.
LINES_MAX = {"notes.py": 20, "orders.py": 60}


def test_each_is_as_short_as_promised() -> None:
    """A first durable service on HTTP in twenty lines; a saga over two services in sixty."""
    lines = {
        path.name: sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        for path in EXAMPLES.glob("*.py")
    }
    assert lines.keys() == LINES_MAX.keys()
    assert {name: count for name, count in lines.items() if count > LINES_MAX[name]} == {}


@contextmanager
def booted(name: str, data_dir: Path) -> Iterator[str]:
    """Boot it as a reader would; yield its address; SIGKILL it."""
    words = ["run", f"docs/examples/{name}", f"--data-dir={data_dir}", "--set=edge.gateway.port=0"]
    process = subprocess.Popen(
        [sys.executable, "runtime.py", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            events = (json.loads(line) for line in process.stdout)
            ready = next(each for each in events if each["event"] == "ready")
            yield ready["listeners"]["gateway"]
        finally:
            process.kill()


def asked(url: str, body: dict[str, object] | None = None) -> str:
    """Return what a GET, or a POST of the body, is answered."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data, timeout=READY_S_MAX) as answer:  # noqa: S310 - our own
        text: str = answer.read().decode()
        return text


@pytest.mark.real_time
def test_notes_survive_a_kill(tmp_path: Path) -> None:
    """What was acknowledged is there, in order."""
    with booted("notes.py", tmp_path) as url:
        assert [asked(f"{url}/notes", {"text": text}) for text in ("tea", "cups")] == ["1", "2"]
    with booted("notes.py", tmp_path) as url:
        assert json.loads(asked(f"{url}/notes")) == ["tea", "cups"]


@pytest.mark.real_time
def test_an_order_is_charged_whatever_is_killed(tmp_path: Path) -> None:
    """Killed as soon as it is acknowledged, wherever its messages are, it goes on to its end."""
    with booted("orders.py", tmp_path) as url:
        order_id = asked(f"{url}/orders", {"item": "tea", "cents": 250})
    with booted("orders.py", tmp_path) as url:
        deadline = time.monotonic() + READY_S_MAX
        while asked(f"{url}/orders/{order_id}") != f"250 cents for {order_id}":
            assert time.monotonic() < deadline
            time.sleep(0.02)
