"""A process of somebody's own: an HTTP server that is killed and started again, at one port."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

WAIT_S_MAX = 60.0


class StockProcess:
    """It is given its port, and a file for what it must not forget."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.file = folder / "taken"
        self.file.touch()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [*command, str(self.port), str(self.file)]
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Return when it answers."""
        self._popen = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        end_s = time.monotonic() + WAIT_S_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
            except OSError:
                if time.monotonic() > end_s:
                    raise
                time.sleep(0.01)
            else:
                return self

    def kill(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
            self._popen = None

    def be(self, mood: str) -> None:
        """See stock_process.py."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port)) as connection:
            connection.request("POST", f"/mood/{mood}")
            assert connection.getresponse().status == HTTPStatus.OK

    def taken(self) -> list[int]:
        """Return the orders that took something, in order."""
        lines = [line.split() for line in self.file.read_text(encoding="utf-8").splitlines()]
        assert len({key for key, _ in lines}) == len(lines), "a key has taken twice"
        return [int(order_id) for _, order_id in lines]


@contextlib.contextmanager
def running_at_port(program: Path, folder: Path) -> Iterator[StockProcess]:
    """Run a program, of Python's if it says so; it is killed in the end."""
    words = [sys.executable] if program.suffix == ".py" else []
    made = StockProcess([*words, str(program)], folder)
    try:
        yield made.start()
    finally:
        made.kill()
