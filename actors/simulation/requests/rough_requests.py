"""What no client library would send: bytes that are no HTTP, heads without end, odd orders.

Any system can be asked so, for none of it means anything: it has no effect, and an answer that says
what is wrong with it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import msgspec

from actors.simulation.requests.rough_request import RoughRequest, get_bytes, post_bytes

# The fields of a RoughRequest.
Row = tuple[Any, ...]

# Whom an operator's requests here are for: nobody.
SUSPEND: Final = "/admin/actors/nobody/suspend"
RESTART: Final = "/admin/actors/root/restart"
LET_GO: Final = "/admin/channels/let-go"
# Each is refused while it is still sent.
CUT: Final = frozenset(
    {
        "empty lines without end", "a long target", "a long head", "extensions without end",
        "small chunks without end", "a body too large", "chunks that are too large",
    }
)  # fmt: skip


@cache
def rough_requests(token: str) -> tuple[RoughRequest, ...]:
    """Return all of them; `token` is the operator's."""
    operator = f"Authorization: Bearer {token}\r\n"
    rows = (*_heads(), *_bodies(operator), *_orders(operator), *_of_any_system())
    made = [RoughRequest(*row) for row in rows]
    return tuple([msgspec.structs.replace(each, cut=each.name in CUT) for each in made])


def _chunked(target: str, chunks: str, fields: str = "") -> bytes:
    coding = f"Transfer-Encoding: chunked\r\n{fields}"
    return get_bytes(target, coding, method="POST") + chunks.encode("latin-1")


def _stays(target: str) -> bytes:
    return get_bytes(target).replace(b"Connection: close\r\n", b"")


def _to_host(host: str) -> bytes:
    return get_bytes().replace(b"localhost", host.encode())


def _heads() -> tuple[Row, ...]:
    """The request line, and its head."""
    return (
        ("a plain one", (get_bytes(),), 200),
        ("an empty line before", (b"\r\n", get_bytes()), 200),
        ("empty lines without end", (b"\r\n" * 200,) * 5, 400),
        ("no HTTP", (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",), 400),
        ("an unknown method", (get_bytes(method="FROB"),), 400),
        ("no version", (b"GET /healthz\r\n\r\n",), 400),
        ("a later version", (b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n",), 400),
        ("no host", (b"GET /healthz HTTP/1.1\r\n\r\n",), 400),
        ("two hosts", (get_bytes("/healthz", "Host: other\r\n"),), 400),
        ("an older version", (b"GET /healthz HTTP/1.0\r\n\r\n",), 200),
        (
            "another host",
            (get_bytes("/admin/actors").replace(b"localhost", b"evil.example"),),
            421,
        ),
        ("a host that is none", (b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n",), 400),
        ("OPTIONS *", (get_bytes("*", method="OPTIONS"),), 200),
        ("GET *", (get_bytes("*"),), 400),
        ("a method that the address lacks", (get_bytes("/healthz", method="TRACE"),), 405),
        ("an address that is not", (get_bytes("/nowhere/at/all"),), 404),
        ("a fragment", (get_bytes("/healthz#x"),), 400),
        ("a long target", (get_bytes("/" + "a" * 400_000),), 400),
        ("a long field", (get_bytes("/healthz", f"A: {'b' * 9_000}\r\n"),), 400),
        ("a long head", (get_bytes()[:-2], *(f"A: {'b' * 7_990}\r\n".encode(),) * 40), 400),
        ("many fields", (get_bytes("/healthz", "A: b\r\n" * 200),), 400),
        ("a head in pieces", (get_bytes()[:20], get_bytes()[20:]), 200),
        ("a head without end", (get_bytes()[:30],), 408),
        ("half a head", (get_bytes()[:30],), 400, True),
        ("an id of its own", (get_bytes("/healthz", "X-Request-ID: rough-1\r\n"),), 200),
        ("an id that is none", (get_bytes("/healthz", "X-Request-ID: a b\r\n"),), 200),
        ("two keys", (post_bytes("/nowhere", "{}", "Idempotency-Key: a\r\n" * 2),), 404),
        ("an expectation", (get_bytes("/healthz", "Expect: 100-continue\r\n"),), 200),
        ("an odd expectation", (get_bytes("/healthz", "Expect: the-best\r\n"),), 417),
        ("a length of words", (get_bytes("/healthz", "Content-Length: many\r\n"),), 400),
        ("a length below nothing", (get_bytes("/healthz", "Content-Length: -1\r\n"),), 400),
        (
            "an older version in chunks",
            (b"POST /healthz HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",),
            400,
        ),
        ("an upgrade", (get_bytes("/healthz", "Upgrade: websocket\r\n"),), 200),
        (
            "two at once",
            (get_bytes().replace(b"Connection: close\r\n", b"") + get_bytes(),),
            200,
        ),
        ("who asks and closes its side", (get_bytes(),), 200, True),
        ("the whole address", (get_bytes("http://localhost/healthz"),), 200),
        ("the whole address of another", (get_bytes("http://evil.example/admin/actors"),), 421),
        ("the whole address of no path", (get_bytes("http://localhost"),), 404),
        ("half an address", (get_bytes("/admin"),), 404),
        ("a host that is an open bracket", (_to_host("[::1"),), 400),
        ("an older version, and no host", (b"GET /healthz HTTP/1.0\r\n\r\n",), 200),
        (
            "an older version that stays",
            (b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",),
            200,
            True,
        ),
        ("who asks and leaves", (get_bytes(),), 0),
        ("who asks and reads nothing", (_stays("/") * 300,), 0, False, False, "", "", True),
        ("who leaves amid its head", (get_bytes()[:30],), 0),
    )


def _bodies(token: str) -> tuple[Row, ...]:
    """What has a body, or should."""
    return (
        ("a body on a GET", (get_bytes("/healthz", "Content-Length: 2\r\n") + b"{}",), 422),
        ("no length", (get_bytes("/admin/backup", token, method="POST"),), 400),
        ("a length that is none", (post_bytes("/x", "", "Content-Length: 5\r\n"),), 400),
        (
            "a body too large",
            (get_bytes(SUSPEND, f"{token}Content-Length: 9000000\r\n", method="POST"),),
            413,
        ),
        (
            "the largest length",
            (get_bytes(SUSPEND, f"{token}Content-Length: {2**64 - 1}\r\n", method="POST"),),
            400,
        ),
        ("a body too short", (post_bytes(SUSPEND, "{}", token)[:-1],), 408),
        ("a body cut off", (post_bytes(SUSPEND, "{}", token)[:-1],), 400, True),
        ("who leaves amid its body", (post_bytes(SUSPEND, "{}", token)[:-1],), 0),
        ("a body in pieces", (post_bytes(SUSPEND, "{}", token)[:-1], b"}"), 404),
        (
            "who asks whether to send it",
            (
                post_bytes(SUSPEND, "", f"{token}Expect: 100-continue\r\n").replace(
                    b"Content-Length: 0", b"Content-Length: 2"
                ),
                b"{}",
            ),
            100,
        ),
        (
            "two codings",
            (_chunked(SUSPEND, "0\r\n\r\n", token).replace(b": chunked", b": gzip, chunked"),),
            400,
        ),
        (
            "chunks that are too large",
            (
                _chunked(SUSPEND, "4000\r\n" + " " * 0x4000 + "\r\n", token),
                *(f"4000\r\n{' ' * 0x4000}\r\n".encode(),) * 12,
            ),
            413,
        ),
        ("chunks, and then none", (_chunked(SUSPEND, "2\r\n{}\r\n", token), b"x\r\n\r\n"), 400),
        ("chunks", (_chunked(SUSPEND, "2\r\n{}\r\n0\r\n\r\n", token),), 404),
        (
            "chunks in pieces",
            (_chunked(SUSPEND, "1\r\n{\r\n", token), b"1\r\n}\r\n0\r\n\r\n"),
            404,
        ),
        ("a chunk of no size", (_chunked(SUSPEND, "x\r\n{}\r\n0\r\n\r\n", token),), 400),
        (
            "extensions without end",
            (_chunked(SUSPEND, "2;a=", token), *(b"b" * 2_000,) * 20),
            400,
        ),
        (
            "small chunks without end",
            (_chunked(SUSPEND, "1;a=bbbbbbbb\r\n \r\n" * 3_000, token),),
            400,
        ),
        (
            "another coding",
            (get_bytes(SUSPEND, f"{token}Transfer-Encoding: gzip\r\n", method="POST"),),
            400,
        ),
        (
            "a page from elsewhere",
            (post_bytes(SUSPEND, "{}", f"{token}Origin: http://evil.example\r\n"),),
            403,
        ),
        (
            "its own page",
            (post_bytes(SUSPEND, "{}", f"{token}Origin: http://localhost:9000\r\n"),),
            403,
        ),
        ("a page of no origin", (post_bytes(SUSPEND, "{}", f"{token}Origin: null\r\n"),), 403),
        (
            "a link from elsewhere",
            (post_bytes(SUSPEND, "{}", f"{token}Referer: http://[::1]:80/a\r\n"),),
            403,
        ),
        (
            "another site",
            (post_bytes(SUSPEND, "{}", f"{token}Sec-Fetch-Site: cross-site\r\n"),),
            403,
        ),
    )


def _orders(token: str) -> tuple[Row, ...]:
    """An operator's addresses, and whom they are closed to."""
    return (
        ("no token", (get_bytes("/admin/actors"),), 401),
        ("another token", (get_bytes("/admin/actors", "Authorization: Bearer x\r\n"),), 401),
        ("no bearer", (get_bytes("/admin/actors", "Authorization: Basic x\r\n"),), 401),
        ("all actors", (get_bytes("/admin/actors", token),), 200),
        ("the registry", (get_bytes("/admin/registry", token),), 200),
        ("all channels", (get_bytes("/admin/channels", token),), 200),
        ("all timers", (get_bytes("/admin/timers", token),), 200),
        ("all letters", (get_bytes("/admin/dead-letters", token),), 200),
        ("some letters", (get_bytes("/admin/dead-letters?limit=2", token),), 200),
        ("no letters", (get_bytes("/admin/dead-letters?limit=0", token),), 422),
        ("letters in another order", (get_bytes("/admin/dead-letters?order=up", token),), 422),
        ("actors of a kind", (get_bytes("/admin/actors?kind=service", token),), 422),
        ("no letter again", (post_bytes("/admin/dead-letters/x-1/replay", "", token),), 404),
        (
            "no letter's end",
            (get_bytes("/admin/dead-letters/x-1", token, method="DELETE"),),
            404,
        ),
        (
            "a letter of no id",
            (get_bytes("/admin/dead-letters/x", token, method="DELETE"),),
            404,
        ),
        ("a name not in UTF-8", (post_bytes("/admin/actors/%ff/kill", "", token),), 400),
        ("half an escape", (post_bytes("/admin/actors/%4/kill", "", token),), 400),
        ("nobody killed", (post_bytes("/admin/actors/nobody/kill", "", token),), 404),
        ("nobody resumed", (post_bytes("/admin/actors/nobody/resume", "", token),), 404),
        ("nobody stopped a while", (post_bytes(SUSPEND, '{"for_s": 5}', token),), 404),
        ("nobody stopped for ever", (post_bytes(SUSPEND, '{"for_s": 1e12}', token),), 422),
        ("nobody stopped for no time", (post_bytes(SUSPEND, '{"for_s": 0}', token),), 422),
        ("a stop that is no JSON", (post_bytes(SUSPEND, "{for_s: 5}", token),), 400),
        ("a stop nested deep", (post_bytes(SUSPEND, "[" * 3_000 + "]" * 3_000, token),), 400),
        ("a stop of other fields", (post_bytes(SUSPEND, '{"why": 1}', token),), 422),
        ("a stop that is a list", (post_bytes(SUSPEND, "[]", token),), 422),
        ("a stop not in UTF-8", (post_bytes(SUSPEND, '{"for_s": "\xff"}', token),), 400),
        ("the root stopped", (post_bytes("/admin/actors/root/suspend", "", token),), 409),
        ("all restarted", (post_bytes(RESTART, "", token),), 422),
        ("all restarted, surely", (post_bytes(f"{RESTART}?confirm=yes", "", token),), 422),
        (
            "all restarted, and how",
            (post_bytes(f"{RESTART}?confirm=root&how=1", "", token),),
            422,
        ),
        ("a backup to nowhere", (post_bytes("/admin/backup", '{"dir": "near"}', token),), 422),
        (
            "a backup to no name",
            (post_bytes("/admin/backup", '{"dir": "/a\\u0000"}', token),),
            422,
        ),
        ("a backup of nothing", (post_bytes("/admin/backup", "", token),), 400),
        (
            "messages of nobody",
            (post_bytes(LET_GO, '{"sender":"x","receiver":"y","message_type":"Z"}', token),),
            404,
        ),
        ("messages of no name", (post_bytes(LET_GO, '{"sender":""}', token),), 422),
        (
            "timers of nobody",
            (post_bytes("/admin/timers/let-go", '{"service":"x","message_type":"Z"}', token),),
            404,
        ),
    )


def _of_any_system() -> tuple[Row, ...]:
    """What is there whatever is served."""
    return (
        ("whether it lives", (get_bytes("/healthz"),), 200),
        ("only the head of it", (get_bytes("/healthz", method="HEAD"),), 200),
        ("whether it is ready", (get_bytes("/readyz"),), 200),
        ("whether it is, in detail", (get_bytes("/readyz?verbose=1"),), 422),
        ("the front page", (get_bytes("/"),), 200),
    )
