"""A small client for tests: it sends each request once, as written, on a connection of its own."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message

# Longer than any deadline of the edge's: the answer to that is a 503 or 504.
ANSWER_S_MAX: Final = 100.0
IDEMPOTENCY_KEY: Final = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What was answered; names of headers are of any case."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body's value."""
        return msgspec.json.decode(self.body)


class HttpClient:
    """Asks one listener, wherever that is at the time: a restart may have moved it."""

    def __init__(self, url: Callable[[], str]) -> None:
        """`url` says where it listens now."""
        self._url = url

    def get(self, path: str, **options: Any) -> HttpReply:
        """Send a GET; the options are those of `request`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> HttpReply:
        """Send a POST, likewise."""
        return self.request("POST", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """Send it and return the answer, whatever its status.

        `json` is the body, a struct or plain values; `key` is the Idempotency-Key, under which
        asking again changes nothing more. Raises OSError or http.client.HTTPException where nobody
        answers, such as a process that is killed.
        """
        url = urlsplit(self._url())
        sent = dict(headers or {})
        if key is not None:
            sent[IDEMPOTENCY_KEY] = key
        body = None if json is None else msgspec.json.encode(json)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=ANSWER_S_MAX)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return HttpReply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()
