"""One kept connection to a server, for what is not measured by wrk."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

ANSWER_S_MAX = 30.0


class Client:
    """Asks one thing at a time. AssertionError where the status is not the one to expect."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """`token` opens the operator's addresses."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(
            parts.hostname, parts.port, timeout=ANSWER_S_MAX
        )
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str) -> Any:
        """Return what a 200 holds."""
        return json.loads(self.request("GET", path, 200))

    def create(self, path: str, what: object) -> Any:
        """Return what a 201 holds."""
        return json.loads(self.request("POST", path, 201, json.dumps(what)))

    def request(self, method: str, path: str, status: int, body: str | None = None) -> bytes:
        """Return the body of the answer."""
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.status == status, f"{method} {path}: {response.status} {content!r}"
        return content

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()
