"""docs/SERVICES.md: its files, as they are printed, boot and do what it says, and it leaves out no name."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import actors
from tests.documented import FENCED, NAMED, ROOT, files_of, read, write_files
from tests.test_docs import console_steps, matches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = "docs/SERVICES.md"
ANSWER_S_MAX = 100.0


def test_every_name_is_told_of_and_used() -> None:
    """Each that `from actors import ...` offers: what is not on the page is not known."""
    table = read(PAGE).partition("## What there is to import")[2].partition("\n## ")[0]
    assert set(actors.__all__) <= set(re.findall(r"`(\w+)`", table))
    code = "\n".join(files_of(PAGE).values())
    unused = {name for name in actors.__all__ if not re.search(rf"\b{name}\b", code)}
    assert unused == {"App", "GaveUp"}  # of them a sentence tells


def test_every_block_is_a_file_and_the_first_is_the_example() -> None:
    """With its name in its first line, so that a reader knows where it goes."""
    code = [block for kind, block in FENCED.findall(read(PAGE)) if kind in {"python", "sql"}]
    assert [block for block in code if not NAMED.match(block)] == []
    example = (ROOT / "docs" / "examples" / "notes.py").read_text(encoding="utf-8")
    assert files_of(PAGE)["notes.py"] == f"# notes.py\n{example}"


# --- As processes ------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What came of a request."""

    status: int
    body: Any


class Cafe:
    """A system of the page's that serves; SIGKILL ends it."""

    def __init__(self, folder: Path, file: str, *settings: str) -> None:
        words = ["run", file, *(f"--set={each}" for each in ("edge.gateway.port=0", *settings))]
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "runtime.py"), *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        events = (json.loads(line) for line in self.process.stdout)
        ready = next(each for each in events if each["event"] == "ready")
        assert ready["unhealthy"] == []
        self.url = ready["listeners"]["gateway"]
        self._token = (folder / "data" / "admin.token").read_text().strip()

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}"} if path.startswith("/admin") else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S_MAX) as answer:  # noqa: S310
                status, text, kind = answer.status, answer.read(), answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            status, text, kind = error.code, error.read(), error.headers.get_content_type()
        return Answer(status, json.loads(text) if "json" in kind else text.decode())


@contextmanager
def serving(folder: Path, file: str, *settings: str) -> Iterator[Cafe]:
    """Boot one of the page's systems, killed in the end."""
    cafe = Cafe(folder, file, *settings)
    with cafe.process:
        try:
            yield cafe
        finally:
            cafe.process.kill()


@pytest.mark.real_time
def test_the_first_service_answers_as_printed(tmp_path: Path) -> None:
    """And what it answered is there after a SIGKILL."""
    steps = list(console_steps(read(PAGE)))
    assert len(steps) >= 3
    with serving(write_files(PAGE, tmp_path), "notes.py") as notes:
        for typed, written in steps:
            asked = typed.replace("localhost:9000", notes.url)
            words = ["bash", "-c", asked]
            printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            assert matches(written, printed), f"$ {typed}\nprinted: {printed}\nnot: {written}"
    with serving(tmp_path, "notes.py") as notes:
        assert notes.ask("GET", "/notes") == (200, ["milk"])


@pytest.mark.real_time
def test_the_cafe_does_what_the_page_says(tmp_path: Path) -> None:
    """Served, refused by either service, found, listed, tasted; and the gauge reads by itself."""
    with serving(write_files(PAGE, tmp_path), "cafe.py") as cafe:
        order = cafe.ask("POST", "/orders", {"cups": 2})
        assert (order.status, order.body["state"]) == (201, "ready")
        many = cafe.ask("POST", "/orders", {"cups": 5})
        assert (many.status, many.body["detail"]) == (409, "4 cups at most")
        none = cafe.ask("POST", "/orders", {"cups": 1, "wish": "decaf"})
        assert (none.status, none.body["field"]) == (422, "wish")
        assert cafe.ask("POST", "/orders", {"cups": 0}).status == 422
        assert cafe.ask("GET", f"/orders/{order.body['id']}") == (200, order.body)
        assert cafe.ask("GET", "/orders/nobody").status == 404
        listed = cafe.ask("GET", "/orders?limit=1").body
        assert (listed["items"], listed["next"]) == ([order.body], "1")
        assert cafe.ask("GET", "/all").body[0] == f"{order.body['id']} ready"
        assert cafe.ask("GET", "/taste/5") == (200, {"bitter": True})
        assert cafe.ask("GET", "/menu") == (200, "coffee\n")
        assert cafe.ask("DELETE", f"/orders/{order.body['id']}") == (200, None)
        while len(readings(tmp_path)) < 2:  # its `run` began with it
            pass
    assert readings(tmp_path) == [90.5, 92.0]


def readings(folder: Path) -> list[float]:
    with closing(sqlite3.connect(folder / "data" / "gauge.db")) as connection:
        return [celsius for (celsius,) in connection.execute("SELECT celsius FROM temperature")]


@pytest.mark.real_time
def test_an_answer_that_is_put_off_outlives_the_process(tmp_path: Path) -> None:
    """202 with what there is; killed, and asked again with the key, the answer comes."""
    write_files(PAGE, tmp_path)
    with serving(tmp_path, "cafe.py", "edge.deadline_s=0.5") as cafe:
        cafe.ask("POST", "/admin/actors/kitchen/suspend")
        waiting = cafe.ask("POST", "/orders", {"cups": 1}, key="one")
        assert (waiting.status, waiting.body["state"]) == (202, "brewing")
        cafe.process.send_signal(signal.SIGKILL)
    with serving(tmp_path, "cafe.py") as cafe:
        ready = cafe.ask("POST", "/orders", {"cups": 1}, key="one")
        assert (ready.status, ready.body) == (201, {**waiting.body, "state": "ready"})
