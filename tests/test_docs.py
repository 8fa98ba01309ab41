"""The documentation's commands do what the documentation says, and its names exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.documented import files_of
from tests.system.process import SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.testing.live import Live
    from actors.testing.live_system import LiveSystem

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LISTENERS = {"9000": "gateway", "8080": "hotel", "10000": "tweets", "8100": "x_platform"}
COMMAND_S_MAX = 100.0
# On a busy machine a card may take as long as a request has: where the page tells of no 202, it has
# longer.
PATIENT = ("edge.deadline_s=60",)
TOURS = [
    ("README.md", ()),
    ("docs/BRAND_MONITOR.md", ()),
    ("docs/BRAND_MONITOR_TUTORIAL.md", ()),
    ("docs/HOTEL_TUTORIAL.md", PATIENT),
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
@pytest.mark.parametrize(
    ("page", "settings"),
    [
        pytest.param(*each, id=each[0], marks=[] if each is TOURS[0] else pytest.mark.long)
        for each in TOURS
    ],
)
def test_the_tour_is_true(live: Live, tmp_path: Path, page: str, settings: tuple[str, ...]) -> None:
    """Each command of the page prints what stands below it, on a fresh system."""
    process = live.prepare(None, *SILENCE, *settings, data_dir=tmp_path / "data").start()
    process.wait_for("stream open")  # a tweet from before the first connection is nobody's
    steps = list(console_steps((ROOT / page).read_text(encoding="utf-8")))
    assert len(steps) > 3
    for command, written in steps:
        printed = _run(command, process, tmp_path)
        deadline = time.monotonic() + COMMAND_S_MAX
        while command.startswith("sleep ") and not matches(written, printed):
            if time.monotonic() > deadline:
                break
            printed = _run(command, process, tmp_path)
        assert matches(written, printed), f"$ {command}\nprinted: {printed}\nnot: {written}"
    assert process.stop() == 0


def _run(command: str, process: LiveSystem, folder: Path) -> str:
    for port, listener in LISTENERS.items():
        command = command.replace(f"localhost:{port}", process.listeners[listener])
    return typed(command, folder)


def typed(command: str, folder: Path) -> str:
    """Return what a shell prints that is in the folder."""
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
    there = [*ROOT.glob("*.py"), *map(Path, files_of(f"{document.relative_to(ROOT)}"))]
    there += [path.with_suffix("") for path in (ROOT / "actors" / "starter").glob("*.template")]
    there += [
        path
        for each in ("actors", "docs", "http_edge", "tests")
        for path in (ROOT / each).rglob("*")
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
