"""From the kill of a service, over HTTP, to its next answer to a write: the store is open again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.benchmarks.client import Client

if TYPE_CHECKING:
    from pathlib import Path

CUSTOMER = {"name": "Ada Lovelace", "email": "ada@example.com"}


class ServiceRestarts:
    """Kills the customer service of a running system through its operator's address."""

    def __init__(self, url: str, data_dir: Path) -> None:
        """Connect; every request goes over one kept connection."""
        self._client = Client(url, (data_dir / "admin.token").read_text().strip())

    def run(self, kills: int) -> list[float]:
        """Return milliseconds from sending the kill to having the next write's reply."""
        before = self.restarts()
        took_ms = []
        for _ in range(kills):
            self.create(1)
            began = time.perf_counter()
            self._client.request("POST", "/admin/actors/customer/kill", 202)
            self.create(1)
            took_ms.append((time.perf_counter() - began) * 1e3)
        made = self.restarts() - before
        assert made == kills, f"{kills} kills made {made} restarts"
        return took_ms

    def restarts(self) -> int:
        """Return how many restarts the customer service has had."""
        actors = self._client.get("/admin/actors")["items"]
        return next(int(actor["restarts"]) for actor in actors if actor["name"] == "customer")

    def create(self, count: int) -> list[str]:
        """Create customers; returns their ids."""
        return [self._client.create("/api/v1/customers", CUSTOMER)["id"] for _ in range(count)]

    def close(self) -> None:
        """Disconnect."""
        self._client.close()
