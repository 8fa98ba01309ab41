"""Where a request begins and ends: what is sent, byte by byte, and what must come of it.

The right values are those of RFC 9112 (and 9110, where it says so), and where these leave a choice,
the strict one: two readers of the same bytes who disagree on where a request ends can be made to
take one's body for another's request. In many cases such a request hides in a body: a `CANARY`
that must never be run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOST: Final = b"Host: localhost\r\n"
# `framing` puts the case's own number in, so that what was run tells where it came from.
CANARY_ID: Final = b"canary-0000"
CANARY_BODY: Final = b'{"author":"' + CANARY_ID + b'","text":"smuggled"}'
CANARY: Final = (
    b"POST /api/v1/tweets HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(CANARY_BODY)
) + CANARY_BODY
TWEET: Final = b'{"author":"ada","text":"hi"}'
LENGTH: Final = b"Content-Length: %d\r\n" % len(TWEET)
TE: Final = b"Transfer-Encoding: chunked\r\n"
CHUNKED_TWEET: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(TWEET), TWEET)


@dataclass(frozen=True, slots=True)
class Case:
    """`statuses` are those of all answers in their order; then the server closes, or keeps open.

    `half`: the client closes its sending side when it has sent `pieces`, each for itself.
    `in_turn`: it sends each piece after the answer to the one before.
    """

    name: str
    pieces: tuple[bytes, ...]
    statuses: tuple[int, ...]
    closes: bool = True
    half: bool = False
    in_turn: bool = False


CASES: list[Case] = []


def case(
    name: str,
    sent: bytes | tuple[bytes, ...],
    *statuses: int,
    keeps: bool = False,
    in_turn: bool = False,
) -> None:
    """Add a case; one that `keeps` leaves the connection usable."""
    pieces = sent if isinstance(sent, tuple) else (sent,)
    CASES.append(Case(name, pieces, statuses, closes=not keeps, in_turn=in_turn))


def half(name: str, sent: bytes | tuple[bytes, ...], *statuses: int) -> None:
    """Add a case whose client then closes its sending side; pieces are sent in turn."""
    pieces = sent if isinstance(sent, tuple) else (sent,)
    CASES.append(Case(name, pieces, statuses, half=True, in_turn=len(pieces) > 1))


def get(
    fields: bytes = b"", *, host: bytes = HOST, line: bytes = b"GET /healthz HTTP/1.1"
) -> bytes:
    return line + b"\r\n" + host + fields + b"\r\n"


def post(fields: bytes, body: bytes, *, line: bytes = b"POST /api/v1/tweets HTTP/1.1") -> bytes:
    return get(fields, line=line) + body


def chunks(body: bytes, fields: bytes = TE) -> bytes:
    return post(fields, body)


# --- The request line (section 3) ----------------------------------------------------------------

case("plain", get(), 200, keeps=True)
case("HTTP/1.0", get(line=b"GET /healthz HTTP/1.0"), 200)
case("HTTP/1.0 without Host", get(host=b"", line=b"GET /healthz HTTP/1.0"), 200)
case(
    "HTTP/1.0 that keeps alive",
    get(b"Connection: keep-alive\r\n", line=b"GET /healthz HTTP/1.0"),
    200,
    keeps=True,
)
case("close", get(b"Connection: close\r\n"), 200)
case("CLOSE", get(b"Connection: CLOSE\r\n"), 200)
case("close in a list", get(b"Connection: x, close\r\n"), 200)
case("lower-case version", get(line=b"GET /healthz http/1.1"), 400)
case("HTTP/2.0", get(line=b"GET /healthz HTTP/2.0"), 400)
case("HTTP/1.10", get(line=b"GET /healthz HTTP/1.10"), 400)
case("HTTP/9.9", get(line=b"GET /healthz HTTP/9.9"), 400)
case("HTTP/3.0", get(line=b"GET /healthz HTTP/3.0"), 400)
case("HTTP/0.9", b"GET /healthz\r\n\r\n", 400)
# Section 3 allows it, and it moves no end.
case("two spaces before the target", get(line=b"GET  /healthz HTTP/1.1"), 200, keeps=True)
case("two spaces before the version", get(line=b"GET /healthz  HTTP/1.1"), 200, keeps=True)
case("a tab for a space", get(line=b"GET\t/healthz HTTP/1.1"), 400)
case("a space behind the version", get(line=b"GET /healthz HTTP/1.1 "), 400)
case("a space before the method", b" " + get(), 400)
case("lower-case method", get(line=b"get /healthz HTTP/1.1"), 400)
case("unknown method", get(line=b"FROB /healthz HTTP/1.1"), 400)
case("no method", get(line=b"/healthz HTTP/1.1"), 400)
case("a space in the target", get(line=b"GET /health z HTTP/1.1"), 400)
case("NUL in the target", get(line=b"GET /health\0z HTTP/1.1"), 400)
case("a control character in the target", get(line=b"GET /health\x01z HTTP/1.1"), 400)
case("DEL in the target", get(line=b"GET /health\x7fz HTTP/1.1"), 400)
case("raw bytes in the target", get(line=b"GET /api/v1/rooms/\xff HTTP/1.1"), 400)
case("a target of 10,000 bytes", get(line=b"GET /" + b"a" * 10_000 + b" HTTP/1.1"), 400)
case("bare LF line ends", get().replace(b"\r\n", b"\n"), 400)
case("bare CR line ends", get().replace(b"\r\n", b"\r"), 400)
case("bare CR in the request line", get(line=b"GET /healthz\r HTTP/1.1"), 400)
case("one empty line before", b"\r\n" + get(), 200, keeps=True)
case("eight empty lines before", b"\r\n" * 8 + get(), 200, keeps=True)
case("a hundred empty lines before", b"\r\n" * 100 + get(), 400)
case("twenty empty lines, one by one", (*(b"\r\n",) * 20, get()), 400)
case("empty lines without end", b"\r\n" * 20_000, 400)
case("an empty line between two", (get(), b"\r\n" + get()), 200, 200, keeps=True, in_turn=True)
case("absolute form", get(line=b"GET http://localhost/healthz HTTP/1.1"), 200, keeps=True)
case("absolute form of another host", get(line=b"GET http://x/healthz HTTP/1.1"), 200, keeps=True)
case("absolute form without a host", get(line=b"GET http:///healthz HTTP/1.1"), 400)
case(
    "absolute form, and a bad Host",
    get(host=b"Host: a b\r\n", line=b"GET http://localhost/healthz HTTP/1.1"),
    400,
)
case("a fragment", get(line=b"GET /healthz#x HTTP/1.1"), 400, keeps=True)
case("no slash", get(line=b"GET healthz HTTP/1.1"), 400)
case("OPTIONS *", get(line=b"OPTIONS * HTTP/1.1"), 200, keeps=True)
case("GET *", get(line=b"GET * HTTP/1.1"), 400)
case("OPTIONS of an address", get(line=b"OPTIONS /healthz HTTP/1.1"), 405, keeps=True)
case("CONNECT", get(line=b"CONNECT localhost:443 HTTP/1.1") + CANARY, 404)
case("CONNECT of a path", get(line=b"CONNECT /healthz HTTP/1.1") + CANARY, 405)
case("TRACE", get(line=b"TRACE /healthz HTTP/1.1"), 405, keeps=True)
case("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, 400)
case("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400)
case("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400)
case("noise", b"\x00\x01\x02\xff\xfe\r\n\r\n", 400)

# --- Host (section 3.2, RFC 9110 section 7.2) ----------------------------------------------------

case("no Host", get(host=b""), 400)
case("two Hosts", get(host=HOST * 2), 400)
case("two different Hosts", get(host=HOST + b"Host: other\r\n"), 400)
for bad in (
    *(b"", b"a b,c", b"a, b", b"user@localhost", b"localhost:x", b"localhost:80:80", b"[::1"),
    *(
        b"::1",
        b"localhost/x",
        b"http://localhost",
        b"local\thost",
        b"localhost\xff",
        b"a%zz",
        b":80",
    ),
    *(b'"localhost"', b"local\\host", b"localhost?", b"<x>"),
):
    case(f"Host: {bad!r}", get(host=b"Host: " + bad + b"\r\n"), 400)
for good in (
    b"localhost",
    b"LOCALHOST",
    b"localhost:9000",
    b"localhost:",
    b"127.0.0.1",
    b"[::1]",
    b"[::1]:80",
):
    case(f"Host: {good!r}", get(host=b"Host: " + good + b"\r\n"), 200, keeps=True)
case("HTTP/1.0 with a bad Host", get(host=b"Host: a b\r\n", line=b"GET /healthz HTTP/1.0"), 400)

# --- Fields (section 5) --------------------------------------------------------------------------

case("a space before the colon", post(b"Content-Length : %d\r\n" % len(CANARY), CANARY), 400)
case("a tab before the colon", get(b"A\t: b\r\n"), 400)
case("a folded line", get(b"A: b\r\n c\r\n"), 400)
case("a folded length", post(b"Content-Length:\r\n 28\r\n", TWEET), 400)
case("a folded Host", get(host=b"Host:\r\n localhost\r\n"), 400)
case("a space before the first field", get(host=b" " + HOST), 400)
case("no name", get(b": b\r\n"), 400)
case("no colon", get(b"A b\r\n"), 400)
case("a space in a name", get(b"A B: c\r\n"), 400)
case("a bracket in a name", get(b"A(B): c\r\n"), 400)
case("a name that is not ASCII", get(b"\xc3\xa9: c\r\n"), 400)
case("NUL in a name", get(b"A\0B: c\r\n"), 400)
case("NUL in a value", get(b"A: b\0c\r\n"), 400)
case("a control character in a value", get(b"A: b\x01c\r\n"), 400)
case("DEL in a value", get(b"A: b\x7fc\r\n"), 400)
case("bare CR in a value", get(b"A: b\rContent-Length: 5\r\n"), 400)
case("bare LF in a value", get(b"A: b\nContent-Length: 5\r\n"), 400)
case("bare LF ends the head", b"GET /healthz HTTP/1.1\r\n" + HOST + b"\n", 400)
case("bytes beyond ASCII in a value", get(b"A: \xff\xfe\r\n"), 200, keeps=True)
case("tabs and spaces around a value", get(b"A: \t b \t\r\n"), 200, keeps=True)
case("an empty value", get(b"A:\r\n"), 200, keeps=True)
case("a field of 9,000 bytes", get(b"A: " + b"b" * 9000 + b"\r\n"), 400)
case("a name of 9,000 bytes", get(b"A" * 9000 + b": b\r\n"), 400)
case("200 fields", get(b"A: b\r\n" * 200), 400)
case("a head of 80,000 bytes", (get()[:-2], *(b"A: " + b"b" * 7990 + b"\r\n",) * 10), 400)
case(
    "a head of 80,000 bytes in two reads",
    (
        get()[:-2] + (b"A: " + b"b" * 7990 + b"\r\n") * 5,
        (b"A: " + b"b" * 7990 + b"\r\n") * 5 + b"\r\n",
    ),
    400,
)
case("a whole head of 80,000 bytes", get((b"A: " + b"b" * 7990 + b"\r\n") * 10), 400)
case(
    "a head in pieces", tuple(get()[at : at + 5] for at in range(0, len(get()), 5)), 200, keeps=True
)
case("a head that never ends", get()[:-2], 408)
half("half a head, and no more", get()[:-2], 400)
half("half a line, and no more", b"GET /he", 400)
half("nothing", b"")
half("an empty line, and no more", b"\r\n")

# --- Content-Length (section 6.2) ----------------------------------------------------------------

case("a length", post(LENGTH, TWEET), 201, keeps=True)
case("a length with zeros before", post(b"Content-Length: 00028\r\n", TWEET), 201, keeps=True)
case("a length among spaces", post(b"Content-Length:  28 \r\n", TWEET), 201, keeps=True)
case("the same length twice", post(LENGTH * 2, TWEET), 400)
case("two lengths", post(LENGTH + b"Content-Length: 5\r\n", TWEET), 400)
for bad in (
    *(b"28, 28", b"+28", b"-1", b"0x1c", b"2 8", b"", b"28.0", b"1e1", b"28;", b"\xd9\xa2\xd9\xa8"),
    *(b"99999999999999999999", b"18446744073709551616", b"28\x0b", b"2_8", b"28,"),
):
    case(f"Content-Length: {bad!r}", post(b"Content-Length: " + bad + b"\r\n", CANARY), 400)
case("a length of 2**63", post(b"Content-Length: 9223372036854775808\r\n", CANARY), 413)
case("a length of 2**64 - 1", post(b"Content-Length: 18446744073709551615\r\n", CANARY), 400)
case(
    "a length of 2**64 - 1 on a GET",
    get(b"Content-Length: 18446744073709551615\r\n") + CANARY,
    *(200, 408),
)
case("a length too short", post(b"Content-Length: 5\r\n", TWEET), 400)
case(
    "a length too short, a request behind",
    post(b"Content-Length: 28\r\n", TWEET + get()),
    201,
    200,
    keeps=True,
)
case("a length too long", post(b"Content-Length: 500\r\n", CANARY), 408)
half("a length too long, and no more", post(b"Content-Length: 500\r\n", CANARY), 400)
half("a length, nothing of it", post(LENGTH, b""), 400)
case("no length", post(b"", b""), 400, keeps=True)
case("a body on a GET", get(b"Content-Length: %d\r\n" % len(CANARY)) + CANARY, 422, keeps=True)
case(
    "a body on a DELETE",
    post(b"Content-Length: %d\r\n" % len(CANARY), CANARY, line=b"DELETE /healthz HTTP/1.1"),
    405,
    keeps=True,
)
case(
    "a body on OPTIONS *",
    post(b"Content-Length: %d\r\n" % len(CANARY), CANARY, line=b"OPTIONS * HTTP/1.1"),
    200,
    keeps=True,
)
half(
    "no end of the body of a GET",
    (get(b"Content-Length: 500\r\n") + CANARY, b"d"),
    408,
)
half("half a body on a GET, and no more", get(b"Content-Length: 500\r\n") + CANARY, 400)
case(
    "a body of another kind",
    post(b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(CANARY), CANARY),
    415,
    keeps=True,
)
case("a request for a body", post(b"Content-Length: %d\r\n" % len(CANARY), CANARY), 400, keeps=True)
case("a body too large", post(b"Content-Length: 1000000\r\n", CANARY * 20), 413)

# --- Transfer-Encoding (section 6.1, 6.3) --------------------------------------------------------

case("chunks", chunks(CHUNKED_TWEET), 201, keeps=True)
case("CHUNKED", chunks(CHUNKED_TWEET, b"Transfer-Encoding: CHUNKED\r\n"), 201, keeps=True)
case(
    "chunked behind a tab",
    chunks(CHUNKED_TWEET, b"Transfer-Encoding:\tchunked\r\n"),
    201,
    keeps=True,
)
case("chunks and a length", chunks(CHUNKED_TWEET + CANARY, TE + LENGTH), 400)
case("a length and chunks", chunks(CHUNKED_TWEET + CANARY, LENGTH + TE), 400)
case("chunks and a length of 0", chunks(b"0\r\n\r\n" + CANARY, TE + b"Content-Length: 0\r\n"), 400)
case("two Transfer-Encodings", chunks(CHUNKED_TWEET, TE * 2), 400)
for bad in (
    *(b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"xchunked"),
    *(b"chunkedx", b"\x0bchunked", b'"chunked"', b"chunked;q=1", b"", b"chunked, identity"),
    *(b"identity, chunked", b"chunk", b"chunked\x0b", b"chunked\0"),
):
    case(
        f"Transfer-Encoding: {bad!r}",
        chunks(CHUNKED_TWEET, b"Transfer-Encoding: " + bad + b"\r\n"),
        400,
    )
case("chunks of HTTP/1.0", post(TE, CHUNKED_TWEET, line=b"POST /api/v1/tweets HTTP/1.0"), 400)
case("chunks on a GET", get(TE) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(CANARY), CANARY), 422, keeps=True)
case(
    "a GET of HTTP/1.0 with chunks",
    get(TE, line=b"GET /healthz HTTP/1.0") + b"0\r\n\r\n" + CANARY,
    400,
)

# --- Chunks (section 7.1) ------------------------------------------------------------------------

END: Final = b"\r\n0\r\n\r\n"
case("a size with zeros before", chunks(b"000000001c\r\n" + TWEET + END), 201, keeps=True)
case("a size in capitals", chunks(b"1C\r\n" + TWEET + END), 201, keeps=True)
case(
    "many chunks",
    chunks(b"".join(b"1\r\n%c\r\n" % byte for byte in TWEET) + b"0\r\n\r\n"),
    201,
    keeps=True,
)
case("a last chunk of more zeros", chunks(b"1c\r\n" + TWEET + b"\r\n0000\r\n\r\n"), 201, keeps=True)
for bad in (
    *(b"0x1c", b"-1", b"+1c", b"1c ", b" 1c", b"", b"zz", b"1_c", b"fffffffffffffffff"),
    *(b"1c\t", b"1c\0", b"\xef\xbc\x91", b"10000000000000000", b"1c,1c", b"1c\r"),
):
    case(f"a chunk of size {bad!r}", chunks(bad + b"\r\n" + TWEET + END + CANARY), 400)
case("a chunk of 2**64 - 1", chunks(b"ffffffffffffffff\r\n" + CANARY), 408)
case("a size ended by LF", chunks(b"1c\n" + TWEET + END), 400)
case("a size ended by CR", chunks(b"1c\r" + TWEET + END), 400)
case("a chunk ended by LF", chunks(b"1c\r\n" + TWEET + b"\n0\r\n\r\n"), 400)
case("a chunk that is not ended", chunks(b"1c\r\n" + TWEET + b"0\r\n\r\n"), 400)
case("a chunk longer than its size", chunks(b"5\r\n" + TWEET + END), 400)
case("an extension", chunks(b"1c;a=b\r\n" + TWEET + END), 201, keeps=True)
case("a quoted extension", chunks(b'1c;a="b;c"\r\n' + TWEET + END), 201, keeps=True)
case("an extension without a value", chunks(b"1c;a\r\n" + TWEET + END), 201, keeps=True)
case("an extension ended by LF", chunks(b"1c;a\n" + TWEET + END + CANARY), 400)
case("LF within an extension", chunks(b"1c;a\nb\r\n" + TWEET + END), 400)
case("NUL in an extension", chunks(b"1c;a\0b\r\n" + TWEET + END), 400)
case("an extension of 20,000 bytes", chunks(b"1c;a=" + b"b" * 20_000 + b"\r\n" + TWEET + END), 400)
case("an extension in pieces", (chunks(b"1c;a="), *(b"b" * 2000,) * 20), 400)
case(
    "extensions on many chunks",
    chunks(b"".join(b"1;%b\r\n%c\r\n" % (b"a" * 900, byte) for byte in TWEET) + b"0\r\n\r\n"),
    400,
)
case("a trailer", chunks(b"1c\r\n" + TWEET + b"\r\n0\r\nA: b\r\n\r\n"), 201, keeps=True)
case(
    "a trailer that is a length",
    chunks(b"1c\r\n" + TWEET + b"\r\n0\r\nContent-Length: 5\r\n\r\n" + get()),
    400,
)
case("a trailer without a name", chunks(b"1c\r\n" + TWEET + b"\r\n0\r\n: b\r\n\r\n"), 400)
case("a trailer with a space", chunks(b"1c\r\n" + TWEET + b"\r\n0\r\nA : b\r\n\r\n"), 400)
case("200 trailers", chunks(b"1c\r\n" + TWEET + b"\r\n0\r\n" + b"A: b\r\n" * 200 + b"\r\n"), 400)
case(
    "trailers of 80,000 bytes",
    chunks(b"1c\r\n" + TWEET + b"\r\n0\r\n" + (b"A: " + b"b" * 7900 + b"\r\n") * 10 + b"\r\n"),
    400,
)
case("a request for a trailer", chunks(b"1c\r\n" + TWEET + b"\r\n0\r\n" + CANARY), 400)
case("chunks without an end", chunks(b"1c\r\n" + TWEET + b"\r\n"), 408)
half("chunks without an end, and no more", chunks(b"1c\r\n" + TWEET + b"\r\n"), 400)
half("no end of the chunks of a GET", (get(TE) + b"5\r\nabc", b"d"), 408)
case(
    "chunks of a GET that stop",
    (get(TE) + b"5\r\nabcde\r\n", b"zz\r\n"),
    408,
    in_turn=True,
)
half("a last chunk without an end", chunks(b"1c\r\n" + TWEET + b"\r\n0\r\n"), 400)
half("half a size, and no more", chunks(b"1"), 400)
case(
    "chunks too large", chunks(b"".join(b"1000\r\n%b\r\n" % (b" " * 4096) for _ in range(40))), 413
)

# --- Expect (RFC 9110 section 10.1.1) ------------------------------------------------------------

case(
    "a client that waits",
    (post(LENGTH + b"Expect: 100-continue\r\n", b""), TWEET),
    100,
    201,
    keeps=True,
    in_turn=True,
)
case(
    "a client that WAITS",
    (post(LENGTH + b"Expect: 100-Continue\r\n", b""), TWEET),
    100,
    201,
    keeps=True,
    in_turn=True,
)
case(
    "a client that does not wait",
    post(LENGTH + b"Expect: 100-continue\r\n", TWEET),
    201,
    keeps=True,
)
case(
    "a client that waits in vain",
    post(b"Expect: 100-continue\r\nContent-Length: 9999999\r\n", b""),
    413,
)
case("another expectation", post(LENGTH + b"Expect: a-teapot\r\n", TWEET), 417)
case("two expectations", post(LENGTH + b"Expect: 100-continue\r\nExpect: x\r\n", TWEET), 417)
case("a list of expectations", post(LENGTH + b"Expect: 100-continue, x\r\n", TWEET), 417)
case("an expectation of a GET", get(b"Expect: a-teapot\r\n"), 417)
case(
    "an expectation, and a body held back", post(b"Expect: x\r\nContent-Length: 500\r\n", b""), 417
)
case(
    "an expectation of HTTP/1.0",
    get(b"Expect: x\r\nConnection: keep-alive\r\n", line=b"GET /healthz HTTP/1.0"),
    200,
    keeps=True,
)

# --- Many on one connection (section 9.3) --------------------------------------------------------

case("two", get() * 2, 200, 200, keeps=True)
case("read and write", get() + post(LENGTH, TWEET) + get(), 200, 201, 200, keeps=True)
case("100 at once", get() * 100, *(200,) * 100, keeps=True)
# What is read at once is refused at once: then nothing of it is run.
case("one behind the last", get(b"Connection: close\r\n") + CANARY, 400)
case("noise behind one", CANARY + b"\x00\x01\x02\r\n\r\n" + CANARY, 400)
case("noise behind one, later", (get(), b"\x00\x01\x02\r\n\r\n" + CANARY), 200, 400, in_turn=True)
case("half a head behind one", get() + get()[:-2], 200, 408)
half("three, and no more", get() * 3, *(200,) * 3)
half("40, and no more", get() * 40, *(200,) * 40)
half("one and a half, and no more", get() + post(LENGTH, TWEET[:5]), 200, 400)
half("a body, and no more", post(LENGTH, TWEET), 201)
half("one behind a refusal", post(b"Content-Length: 500\r\n", CANARY), 400)

# --- Upgrade (RFC 9110 section 7.8): never made, and nothing behind it is read -------------------

case("h2c", get(b"Connection: Upgrade\r\nUpgrade: h2c\r\n") + CANARY, 200)
case("a websocket", get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n") + CANARY, 200)
case(
    "an upgrade with a body",
    post(LENGTH + b"Connection: Upgrade\r\nUpgrade: h2c\r\n", TWEET + CANARY),
    201,
)
