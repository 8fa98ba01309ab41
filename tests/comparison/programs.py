"""The comparison's three programs as processes: started, asked, dying, started again."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from actors.testing.http_client import HttpClient
from tests.comparison.dying import FOLDER, LEDGER, POINT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parent.parent.parent
WAIT_S_MAX = 100.0
POLL_S = 0.05


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


class Program(ABC):
    """One of the three, in a folder that outlives its processes. The first one dies at `point`."""

    def __init__(self, folder: Path, point: str) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._environment = {**os.environ, FOLDER: str(folder), POINT: point}
        self._started: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def start(self) -> subprocess.Popen[bytes]:
        """Start what dies; return when it answers."""

    @abstractmethod
    def place(self, key: str) -> str:
        """Place the order `one`; return the reply. Raises OSError where nobody answers."""

    @abstractmethod
    def states(self) -> list[str]:
        """Return the state of each order on record."""

    def rests(self) -> bool:
        """Whether nothing is under way, and so nothing goes on by itself; False if unknown."""
        return False

    @property
    def charges(self) -> int:
        """How often the world outside was asked for the money."""
        ledger = self.folder / LEDGER
        return len(ledger.read_text().splitlines()) if ledger.exists() else 0

    def stop(self) -> None:
        """Leave nothing running."""
        for process in self._started:
            process.kill()
            process.wait(WAIT_S_MAX)

    # --- Inside ------------------------------------------------------------------------------

    def launch(self, url: str, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process; return it when somebody answers at `url`."""
        environment = {**self._environment, **environment}
        self._started.append(launch(url, words, self.folder / "log.txt", ROOT, environment))
        return self._started[-1]


def launch(
    url: str, words: Sequence[str], log: Path, folder: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process in a folder; return it when somebody answers at `url`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    if not within(WAIT_S_MAX, lambda: is_there(url)):
        process.kill()
        raise AssertionError(log.read_text())
    return process


def ask(method: str, url: str, *, key: str | None = None, body: Any = None) -> Any:
    """Return the decoded answer. Raises OSError or HTTPException where there is none."""
    where = urlsplit(url)
    headers = {} if key is None else {"Idempotency-Key": key}
    if body is not None:
        headers["Content-Type"] = "application/json"
    with closing(HTTPConnection(where.netloc, timeout=WAIT_S_MAX)) as connection:
        connection.request(method, where.path, body and json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    assert answer.status < 300, f"{method} {url}: {answer.status} {text}"
    is_json = answer.headers.get_content_type() == "application/json"
    return json.loads(text) if is_json else text


def is_there(url: str) -> bool:
    """Whether somebody answers, and does not say that it is not ready."""
    try:
        where = urlsplit(url)
        with closing(HTTPConnection(where.netloc, timeout=WAIT_S_MAX)) as connection:
            connection.request("GET", where.path or "/")
            return connection.getresponse().status < 500
    except OSError:
        return False


def read_states(path: Path) -> list[str]:
    """Return the states in a table of orders."""
    with closing(sqlite3.connect(path)) as connection:
        return [state for (state,) in connection.execute("SELECT state FROM orders")]


class Ours(Program):
    """Dress Rehearsal."""

    def start(self) -> subprocess.Popen[bytes]:
        port = self.url.rpartition(":")[2]
        words = ("run", "tests.comparison.order_ours", f"--data-dir={self.folder}")
        listen = f"--set=edge.gateway.port={port}"
        url = f"{self.url}/readyz"
        return self.launch(url, sys.executable, "runtime.py", *words, listen)

    def place(self, key: str) -> str:
        return str(ask("POST", f"{self.url}/orders/one", key=key))

    def states(self) -> list[str]:
        return read_states(self.folder / "orders.db")

    def rests(self) -> bool:
        token = (self.folder / "admin.token").read_text(encoding="utf-8").strip()
        (timers,) = (
            HttpClient(lambda: self.url)
            .get("/admin/timers", headers={"Authorization": f"Bearer {token}"})
            .json()["items"]
        )
        return not timers["pending"] and not timers["effects_running"]


class Dbos(Program):
    """DBOS, over two files of SQLite's."""

    def start(self) -> subprocess.Popen[bytes]:
        port = self.url.rpartition(":")[2]
        program = (sys.executable, "-m", "tests.comparison.order_dbos")
        return self.launch(self.url, *program, PORT=port)

    def place(self, key: str) -> str:
        return str(ask("POST", f"{self.url}/orders/one", key=key))

    def states(self) -> list[str]:
        return read_states(self.folder / "orders.db")


class Restate(Program):
    """Restate: a server takes what is asked, keeps the state, and asks the handlers' process."""

    def __init__(self, folder: Path, point: str) -> None:
        super().__init__(folder, point)
        self._handlers, self._admin = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._options = {
            "DO_NOT_TRACK": "1",
            "RESTATE_BASE_DIR": str(folder / "restate"),
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_BIND_PORT": str(free_port()),
            "RESTATE_INGRESS__BIND_PORT": self.url.rpartition(":")[2],
            "RESTATE_ADMIN__BIND_PORT": self._admin.rpartition(":")[2],
        }
        self.server: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        port = self._handlers.rpartition(":")[2]
        program = (sys.executable, "-m", "tests.comparison.order_restate")
        process = self.launch(self._handlers, *program, PORT=port)
        if self.server is None:
            self.start_server()
            ask("POST", f"{self._admin}/deployments", body={"uri": self._handlers})
        return process

    def start_server(self) -> None:
        """Start the server, on what it has kept."""
        words = ("restate-server", "--no-logo", "--listen-mode=tcp")
        self.server = self.launch(f"{self._admin}/health", *words, **self._options)

    def place(self, key: str) -> str:
        return str(ask("POST", f"{self.url}/orders/one/order", key=key))

    def states(self) -> list[str]:
        state = ask("POST", f"{self.url}/orders/one/state")
        return [] if state is None else [str(state)]
