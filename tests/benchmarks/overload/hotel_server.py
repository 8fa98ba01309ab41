"""The hotel alone, in a process of its own, and its operator."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.benchmarks.client import Client
from tests.benchmarks.placement import FREE
from tests.benchmarks.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

PORTS = ["--set=edge.gateway.port=0", "--set=edge.hotel.port=0"]


class HotelServer(ServerProcess):
    """Runs until `stop`, or the end of a `with`; `url` is its gateway's."""

    def __init__(self, name: str, folder: Path, *words: str, program: str = "runtime.py") -> None:
        """`words` are further ones of the command line. Returns once it is ready."""
        self.data_dir = folder / name
        arguments = program.split()
        super().__init__(
            name,
            [*arguments, "run", "hotel", f"--data-dir={self.data_dir}", *PORTS, *words],
            FREE,
            folder,
            program=sys.executable,
        )
        self.gateway, _ = self.wait_ready("/readyz")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def token(self) -> str:
        """What opens the operator's addresses."""
        return (self.data_dir / "admin.token").read_text().strip()

    def operator(self) -> Client:
        """Return a connection of the operator's."""
        return Client(self.gateway, self.token)
