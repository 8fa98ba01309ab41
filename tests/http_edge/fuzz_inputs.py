"""What the fuzzer sends: requests that are right, nearly right, and nothing at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.http_edge.framing_cases import CASES

if TYPE_CHECKING:
    import random

LISTENERS: Final = ("gateway", "hotel", "tweets", "x_platform")

_CUSTOMER: Final = {"name": "Ada", "email": "ada@example.com"}
_ROOM: Final = {"type": "double", "rate": {"amount": 12_000, "currency": "EUR"}, "number": "1"}
_BOOKING: Final = {
    "customer_id": "c1",
    "room_id": "r1",
    "check_in": "2050-05-01",
    "check_out": "2050-05-03",
}
# By listener: a method, a target, and a body where there is one.
_REQUESTS: Final[dict[str, tuple[tuple[str, str, object], ...]]] = {
    "gateway": (
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
        ("GET", "/api/v1/rooms?limit=5", None),
        ("GET", "/api/v1/tweets?author=ada", None),
        ("GET", "/api/v1/bookings/b%31", None),
        ("GET", "/admin/actors", None),
        ("OPTIONS", "*", None),
        ("DELETE", "/api/v1/bookings/nobody", None),
        ("POST", "/api/v1/customers", _CUSTOMER),
        ("POST", "/api/v1/rooms", _ROOM),
        ("POST", "/api/v1/bookings", _BOOKING),
        ("POST", "/api/v1/tweets", {"author": "ada", "text": "hello é"}),
        ("PATCH", "/api/v1/flags/f1", {"status": "resolved"}),
    ),
    "hotel": (
        ("POST", "/customer", {"ID": "c1", "Name": "Ada", "Email": "ada@example.com"}),
        ("POST", "/room", {"ID": "r1", "Type": "suite", "Status": "available"}),
        ("GET", "/", None),
    ),
    "tweets": (
        ("GET", "/insert/ada/hello%20world", None),
        ("GET", "/", None),
        ("GET", "/nothing", None),
    ),
    "x_platform": (
        ("GET", "/2/tweets/1", None),
        ("GET", "/2/tweets/search/stream", None),
        ("POST", "/2/tweets", {"text": "hello"}),
    ),
}
_TOKENS: Final = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"%", b"\xff", b"0\r\n\r\n"),
    *(b"Host: a b\r\n", b"Content-Length: 5\r\n", b"Content-Length: 99999999999\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n"),
    *(b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"HTTP/1.0", b"HTTP/1.1\r\n", b"GET / "),
    *(b"Idempotency-Key: k\r\n", b"X-Request-ID: \x80\r\n", b"A: " + b"a" * 9000, b"{" * 3000),
)
PIECES_MAX: Final = 12
MUTATIONS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent to a listener, piece by piece; `half` then closes the sending side."""

    listener: str
    pieces: tuple[bytes, ...]
    half: bool


def draw(rng: random.Random) -> Sent:
    """Return something to send. Nothing that is answered by a head alone: it would misread."""
    while True:
        listener = rng.choice(LISTENERS)
        data = _base(rng, listener)
        kind = rng.random()
        if kind < 0.1:
            data = rng.randbytes(rng.randint(1, 400)) + b"\r\n\r\n"
        elif kind < 0.7:
            for _ in range(rng.randint(1, MUTATIONS_MAX)):
                data = _mutated(rng, data, listener)
        if b"HEAD" not in data.upper():
            return Sent(listener, _cut(rng, data), half=rng.random() < 0.85)


def _base(rng: random.Random, listener: str) -> bytes:
    if rng.random() < 0.3:
        return b"".join(rng.choice(CASES).pieces)
    method, target, body = rng.choice(_REQUESTS[listener])
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n".encode()
    if body is None:
        return head + b"\r\n"
    data = json.dumps(body).encode()
    if rng.random() < 0.3:
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    return head + b"Content-Length: %d\r\n\r\n" % len(data) + data


def _mutated(rng: random.Random, data: bytes, listener: str) -> bytes:
    at, end = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    kind = rng.randrange(6)
    if kind == 0:
        return data[:at] + rng.choice(_TOKENS) + data[at:]
    if kind == 1:
        return data[:at] + data[min(end, at + 20) :]
    if kind == 2:
        return data[:at] + data[at:end] * 2 + data[end:]
    if kind == 3:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if kind == 4:
        return data + _base(rng, listener)
    return data[:end]


def _cut(rng: random.Random, data: bytes) -> tuple[bytes, ...]:
    if rng.random() < 0.6:
        return (data,)
    places = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(1, PIECES_MAX)))
    return tuple(data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True))
