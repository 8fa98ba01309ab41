"""From the kill of a service, over HTTP, to its next answer to a write: the store is open again."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

CUSTOMER = json.dumps({"name": "Ada Lovelace", "email": "ada@example.com"})


class ServiceRestarts:
    """Kills the customer service of a running system through its operator's address."""

    def __init__(self, url: str, data_dir: Path) -> None:
        """Connect; every request goes over one kept connection."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port)
        token = (data_dir / "admin.token").read_text().strip()
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def run(self, kills: int) -> list[float]:
        """Return milliseconds from sending the kill to having the next write's reply."""
        before = self.restarts()
        took_ms = []
        for _ in range(kills):
            self.request("POST", "/api/v1/customers", 201, CUSTOMER)
            began = time.perf_counter()
            self.request("POST", "/admin/actors/customer/kill", 202)
            self.request("POST", "/api/v1/customers", 201, CUSTOMER)
            took_ms.append((time.perf_counter() - began) * 1e3)
        made = self.restarts() - before
        assert made == kills, f"{kills} kills made {made} restarts"
        return took_ms

    def restarts(self) -> int:
        """Return how many restarts the customer service has had."""
        actors = json.loads(self.request("GET", "/admin/actors", 200))["items"]
        return next(int(actor["restarts"]) for actor in actors if actor["name"] == "customer")

    def request(self, method: str, path: str, status: int, body: str | None = None) -> bytes:
        """Return the body of the answer, whose status must be `status`."""
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.status == status, f"{method} {path}: {response.status} {content!r}"
        return content

    def create(self, count: int) -> list[str]:
        """Create customers; returns their ids."""
        return [
            json.loads(self.request("POST", "/api/v1/customers", 201, CUSTOMER))["id"]
            for _ in range(count)
        ]

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()
