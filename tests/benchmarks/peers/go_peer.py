"""Go, gorilla/mux and MariaDB, built and started where Debian's packages of them are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks.client import Client
from tests.benchmarks.peers import mariadb
from tests.benchmarks.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.placement import Placement

NAME: Final = "Go + MariaDB"
SOURCE: Final = Path(__file__).parent / "rooms_and_tweets.go"
LIBRARIES: Final = Path("/usr/share/gocode")
NEEDED: Final = ("github.com/gorilla/mux", "github.com/go-sql-driver/mysql")
# As many as wrk's: no request waits for a connection.
POOL: Final = 64


def why_absent() -> str | None:
    """Return why it is not measured here, and what would help; None where it can be."""
    there = shutil.which("go") and all((LIBRARIES / "src" / path).is_dir() for path in NEEDED)
    if there and mariadb.is_installed():
        return None
    return "not measured: on Debian `make bench-peers` installs what it is built of"


def describe() -> str:
    """Return what it is built of. It must be there."""
    go = subprocess.run(["go", "version"], capture_output=True, check=True, text=True).stdout
    return f"{go.strip()}; {mariadb.version()}; {POOL} connections"


class GoPeer:
    """One server process and its database."""

    def __init__(self, placement: Placement, folder: Path) -> None:
        """Build it, start both, and wait until it answers. `folder` must be on a real disk."""
        program = _build(folder)
        place = Path(tempfile.mkdtemp(prefix="mariadb-", dir=folder))
        database = mariadb.start(place, placement, folder)
        try:
            self.server = ServerProcess(
                NAME,
                [mariadb.SOCKET, str(POOL)],
                placement,
                folder,
                program=str(program),
                cwd=place,
                behind=database,
            )
        except BaseException:
            database.stop()
            raise
        self.url, _ = self.server.wait_ready("/readyz")

    def counts(self, table: str) -> Callable[[], int]:
        """Return what counts the rows of a table."""
        return partial(self._count, table)

    def _count(self, table: str) -> int:
        client = Client(self.url)
        try:
            return int(client.get("/rows")[table])
        finally:
            client.close()


def _build(folder: Path) -> Path:
    program = folder / "rooms_and_tweets"
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(LIBRARIES),
        "GOCACHE": str(folder / "gocache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    command = ["go", "build", "-o", str(program), str(SOURCE)]
    subprocess.run(command, env=environment, cwd=folder, check=True)
    return program
