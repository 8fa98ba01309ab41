"""The documentation's commands do what the documentation says, and its names exist."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors.kernel.messages import Accepted, Refusal
from actors.service.stateless.replicas import Replicas
from tests.service.books import Shelf, configured, started
from tests.system.process import SILENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from actors.service.assembly import AnyService
    from actors.testing.live import Live
    from actors.testing.live_system import LiveSystem

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LISTENERS = {"9000": "gateway", "8080": "hotel", "10000": "tweets", "8100": "x_platform"}
COMMAND_S_MAX = 100.0
TOURS = [
    "README.md",
    "docs/BRAND_MONITOR.md",
    "docs/BRAND_MONITOR_TUTORIAL.md",
    "docs/HOTEL_TUTORIAL.md",
]

# What the tour needs of curl, for a machine that has none: `make test` asks for Python alone.
CURL = """
import argparse, urllib.error, urllib.request
parser = argparse.ArgumentParser()
parser.add_argument("-s", action="store_true")
parser.add_argument("-X")
parser.add_argument("-H", action="append", default=[])
parser.add_argument("-d")
parser.add_argument("url")
options = parser.parse_args()
request = urllib.request.Request(
    "http://" + options.url.removeprefix("http://"),
    data=None if options.d is None else options.d.encode(),
    headers=dict(header.split(": ", 1) for header in options.H),
    method=options.X,
)
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
print(answer.read().decode(), end="")
"""


def console_steps(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of the text's console blocks with the output written below it."""
    for block in CONSOLE.findall(text):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            yield command, output.strip()


def matches(written: str, printed: str) -> bool:
    """Whether the output is as written, `…` standing for anything."""
    pattern = ".*".join(re.escape(part) for part in written.split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


@pytest.mark.parametrize("written", ["a", "a…c", "…b", "…d…"])
def test_an_output_that_differs_does_not_match(written: str) -> None:
    """The comparison below can fail."""
    assert not matches(written, "abcx")
    assert matches("a…x", "abcx")


@pytest.mark.real_time
@pytest.mark.parametrize("page", TOURS)
def test_the_tour_is_true(live: Live, tmp_path: Path, page: str) -> None:
    """Each command of the page prints what stands below it, on a fresh system."""
    process = live(None, *SILENCE)
    steps = list(console_steps((ROOT / page).read_text(encoding="utf-8")))
    assert len(steps) > 3
    for command, written in steps:
        printed = _run(command, process, tmp_path)
        assert matches(written, printed), f"$ {command}\nprinted: {printed}\nnot: {written}"
    assert process.stop() == 0


def _run(command: str, process: LiveSystem, folder: Path) -> str:
    for port, listener in LISTENERS.items():
        command = command.replace(f"localhost:{port}", process.listeners[listener])
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": f"{_tools(folder)}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=True,
    ).stdout


def _tools(folder: Path) -> Path:
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    if shutil.which("curl") is None:
        curl = tools / "curl"
        curl.write_text(f"#!{sys.executable}\n{CURL}", encoding="utf-8")
        curl.chmod(0o755)
    return tools


# What the documentation's services need beside their own source.
PRELUDE = """
from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import msgspec

from actors.kernel.messages import Command, Event, Later, Query, Refusal, Refused
from actors.service.stateless.replicas import Replicas
from actors.service.service import Service, StatelessService, command, effect, on, outcome, query
from actors.store.transaction import Transaction
from actors.system import Dependency, System


class Machine(Protocol):
    async def make(self, cups: int, *, key: str) -> float: ...


class Sensor(Protocol):
    def readings(self) -> AsyncIterator[float]: ...
"""


class Machine:
    """Makes coffee once for each key, and only when it is asked a second time."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def make(self, cups: int, *, key: str) -> float:
        self.asked[key] += cups
        if self.asked[key] == cups:
            raise OSError("no water")
        return 92.0


class Sensor:
    """Says two temperatures, and no more."""

    async def readings(self) -> AsyncIterator[float]:
        for celsius in (90.5, 92.0):
            yield celsius


@pytest.mark.real_time
async def test_the_services_of_the_architecture_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The café as printed: served, tried again, refused by either service, abandoned."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    source = PRELUDE + "\n\n".join(PYTHON.findall(text.partition("## Writing a service")[2]))
    (tmp_path / "cafe.py").write_text(source, encoding="utf-8")
    for name, sql in (
        ("counter", "CREATE TABLE orders (id TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT;"),
        ("kitchen", "CREATE TABLE unused (id TEXT PRIMARY KEY) STRICT;"),
        ("gauge", "CREATE TABLE temperature (at_us INTEGER, celsius REAL) STRICT;"),
    ):
        (tmp_path / "schema" / name).mkdir(parents=True)
        (tmp_path / "schema" / name / "0001_cafe.sql").write_text(sql, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    cafe = importlib.import_module("cafe")
    machine = Machine()
    services: dict[str, AnyService] = {
        "counter": cafe.Counter,
        "kitchen": lambda: cafe.Kitchen(machine),
        "gauge": lambda: cafe.Gauge(Sensor()),
        "taster": Replicas(cafe.Taster, 3),
    }
    async with started(Shelf(tmp_path, services, configured([]), seed=1)) as shelf:
        order = await shelf.ask("counter", cafe.PlaceOrder(cups=2))
        assert (order.state, machine.asked) == ("ready", {order.id: 4})
        assert await shelf.ask("counter", cafe.PlaceOrder(cups=5)) == Refusal.conflict(
            "four cups at most"
        )
        refused = await shelf.ask("counter", cafe.PlaceOrder(cups=0))
        assert refused == Refusal.invalid("an order is of one cup at least", field="cups")
        assert (await shelf.ask("taster", cafe.Taste(minutes=5))).bitter
        with closing(sqlite3.connect(shelf.file("gauge"))) as connection:
            noted = connection.execute("SELECT celsius FROM temperature").fetchall()
        assert noted == [(90.5,), (92.0,)]
        timers = {each.service: each for each in await shelf.system.timers()}
        assert timers["counter"].pending == 2
        shelf.system.suspend("kitchen")
        await shelf.until("kitchen", "suspended")
        waiting = await shelf.ask("counter", cafe.PlaceOrder(cups=1), timeout_s=0.1)
        assert isinstance(waiting, Accepted)
        assert waiting.value.state == "brewing"
        await shelf.ask("counter", cafe.Abandon(order_id=waiting.value.id))
        shelf.system.resume("kitchen")


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_every_link_and_path_exists(document: Path) -> None:
    """A file that a document names is in the repository."""
    text = document.read_text(encoding="utf-8")
    links = [document.parent / link for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    paths = [
        ROOT / path for path in re.findall(r"`((?:actors|http_edge|tests|docs)/[^`*]+)`", text)
    ]
    for path in [*links, *(Path(str(path).partition("::")[0]) for path in paths)]:
        assert path.exists(), f"{document.name} names {path}"
    there = [*ROOT.glob("*.py")]
    there += [
        path for each in ("actors", "http_edge", "tests") for path in (ROOT / each).rglob("*")
    ]
    for name in re.findall(r"`((?:\w+/)*\w+\.py)`", text):
        assert any(f"/{path}".endswith(f"/{name}") for path in there), (
            f"{document.name} names {name}"
        )


def test_every_guarantee_names_tests_that_exist() -> None:
    """A test that docs/GUARANTEES.md names is a function in that file."""
    text = (ROOT / "docs" / "GUARANTEES.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`]+\.py)::(\w+)`", text)
    assert len(named) >= 12
    for file, function in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(
            rf"^(async )?def {function}\(|^class {function}\b", source, re.MULTILINE
        ), f"docs/GUARANTEES.md names {file}::{function}"
