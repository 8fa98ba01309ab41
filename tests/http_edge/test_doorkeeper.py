"""Who may come in: what is meant for this listener, and no page's from elsewhere that writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from actors.kernel.messages import Command
from http_edge.doorkeeper import Doorkeeper
from http_edge.endpoints.service_endpoint import ServiceEndpoint
from http_edge.problems import ProblemError
from tests.http_edge.bad_input import valid_body, valid_path
from tests.http_edge.rows import rows
from tests.http_edge.serving import is_problem, serving
from tests.systems.x_platform.api.embedded_x import RULES, embedded_x

if TYPE_CHECKING:
    from tests.http_edge.serving import Served
    from tests.systems.x_platform.api.embedded_x import EmbeddedX

LISTENERS = ("gateway", "hotel", "tweets")
# As browsers, proxies and people write the one host; {port} is the listener's.
OURS = (
    *("localhost", "LocalHost:{port}", "localhost.:{port}", "localhost:1", "localhost:"),
    *("127.0.0.1:{port}", "127.8.9.10", "[::1]:{port}", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"),
    *("hotel.example", "HOTEL.example.:443", "10.1.2.3:80", "[fe80::1]"),
)
LIKE_A_HOST = re.compile(r"([\w.-]+|\[[\da-f:.]+\])(:\d*)?").fullmatch
OTHERS = (
    *(
        "evil.example",
        "evil.example:{port}",
        "localhost.evil.example",
        "evil-localhost",
        "xlocalhost",
    ),
    *(
        "127.0.0.1.nip.io:{port}",
        "10.1.2.4",
        "[fe80::2]:{port}",
        "0.0.0.0:{port}",
        "hotel.example.evil",
    ),
    *("localhost@evil.example", "evil.example#localhost", "", "[::1", "::1", "127.1"),
)
CONFIGURED = ("hotel.example", "10.1.2.3", "[fe80::1]")
# What a browser adds to a page's request, or a page has it add, from elsewhere; {here} is the Host.
ELSEWHERE = (
    *({"Origin": value} for value in ("https://evil.example", "null", "http://127.0.0.1:1", "")),
    *({"Origin": value} for value in ("http://localhost:{port}", "https://{here}.evil", "{here}")),
    {"Origin": "https://127.0.0.1"},
    *({"Sec-Fetch-Site": value} for value in ("cross-site", "same-site", "sideways", "")),
    *({"Referer": value} for value in ("https://evil.example/{here}", "about:blank", "/here")),
    {"Origin": "http://{here}", "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://{here}", "Referer": "http://evil.example/"},
    {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
)
FROM_HERE: tuple[dict[str, str], ...] = (
    {},
    {"Origin": "http://{here}"},
    {"Origin": "HTTP://{here}"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://{here}", "Referer": "http://{here}/a?b#c"},
    {"Referer": "http://{here}"},
    {"User-Agent": "curl/8", "X-Forwarded-Host": "evil.example"},
)


def port_of(served: Served | EmbeddedX, listener: str) -> str:
    addresses = served.addresses if hasattr(served, "addresses") else served.edge.addresses
    return str(addresses[listener].rpartition(":")[2])


def requests(served: Served, listener: str) -> list[tuple[str, str, dict[str, object], bool]]:
    """Return one request a row: method, path, options, and whether it may change something."""
    found: list[tuple[str, str, dict[str, object], bool]] = []
    for row in rows(listener):
        writes = row.method not in {"GET", "HEAD"}
        options: dict[str, object] = {}
        if isinstance(row.endpoint, ServiceEndpoint):
            writes = writes or issubclass(row.endpoint.message, Command)
            if row.method in {"POST", "PUT", "PATCH"}:
                options["json"] = valid_body(row)
        methods = (row.method, "HEAD") if row.method == "GET" else (row.method,)
        found += [(method, valid_path(row), options, writes) for method in methods]
    return found


async def test_every_address_answers_to_its_own_hosts_and_no_others() -> None:
    """Listener x address x Host: 421 for another's, which nothing sees; probes answer any."""
    async with serving(hosts=CONFIGURED) as served:
        for listener in LISTENERS:
            port = port_of(served, listener)
            for method, path, options, _ in requests(served, listener):
                for host, is_ours in [(each, True) for each in OURS] + [(e, False) for e in OTHERS]:
                    served.system.seen.clear()
                    headers = {"Host": host.format(port=port)}
                    reply = await served.send(method, path, listener, headers=headers, **options)
                    if is_ours or path in {"/healthz", "/readyz"}:
                        assert reply.status != 421, (listener, method, path, host)
                    else:
                        # What is no host at all is no HTTP.
                        status = 421 if LIKE_A_HOST(host.format(port=port)) else 400
                        assert reply.status == status, (listener, method, path, host, reply.status)
                        assert served.system.seen == []
                        if method != "HEAD":
                            is_problem(reply, status)
                            assert ("edge.hosts" in reply.json["detail"]) == (status == 421)


async def test_what_writes_is_refused_to_a_page_from_elsewhere() -> None:
    """Listener x address x header: 403 for what changes something, the writing GET included."""
    async with serving() as served:
        token = {"Authorization": f"Bearer {served.token}"}
        for listener in LISTENERS:
            port = port_of(served, listener)
            here = f"127.0.0.1:{port}"
            for method, path, options, writes in requests(served, listener):
                for given in ELSEWHERE:
                    served.system.seen.clear()
                    served.system.signals.clear()
                    more = {name: each.format(here=here, port=port) for name, each in given.items()}
                    headers = {**token, **more}
                    reply = await served.send(method, path, listener, headers=headers, **options)
                    assert (reply.status == 403) == writes, (listener, method, path, more)
                    # A page cannot read what it may ask.
                    assert not [each for each in reply.headers if "Access-Control" in each]
                    if writes:
                        assert served.system.seen == []
                        assert served.system.signals == []
                        if method != "HEAD":
                            assert reply.json["type"] == "/problems/cross-origin"
                            assert reply.json["field"] in more


async def test_what_comes_from_here_or_from_no_browser_goes_on_as_before() -> None:
    """curl, a stock client, the address bar, and a page of our own."""
    async with serving() as served:
        for listener in LISTENERS:
            here = f"127.0.0.1:{port_of(served, listener)}"
            for method, path, options, _ in requests(served, listener):
                for given in FROM_HERE:
                    headers = {name: each.format(here=here) for name, each in given.items()}
                    reply = await served.send(method, path, listener, headers=headers, **options)
                    assert reply.status not in {403, 421}, (listener, method, path, given)


async def test_a_page_behind_a_proxy_is_ours_by_the_name_that_it_asks_for() -> None:
    """The origin's host and port are compared with Host's, the scheme's own port understood."""
    async with serving(hosts=("hotel.example",)) as served:
        body = {"name": "Ada", "email": "ada@example.com"}
        for origin, host, status in [
            ("https://hotel.example", "hotel.example", 201),
            ("https://hotel.example", "HOTEL.example:443", 201),
            ("http://hotel.example", "hotel.example:80", 201),
            ("http://hotel.example:443", "hotel.example", 403),
            ("https://hotel.example", "hotel.example:80", 403),
            ("https://hotel.example", "localhost", 403),
        ]:
            headers = {"Host": host, "Origin": origin}
            reply = await served.send("POST", "/api/v1/customers", json=body, headers=headers)
            assert reply.status == status, (origin, host)


async def test_the_target_goes_before_the_host_where_it_names_one() -> None:
    """Absolute form (RFC 9112 section 3.2.2); without either, HTTP/1.0 is no browser."""
    end = b"Connection: close\r\n\r\n"
    body = b'{"author":"a","text":"t"}'
    async with serving() as served:
        for line, host, status in [
            (b"GET http://localhost/api/v1/flags HTTP/1.1", b"evil.example", 200),
            (b"GET http://evil.example/api/v1/flags HTTP/1.1", b"localhost", 421),
            (b"GET http://localhost@evil.example/api/v1/flags HTTP/1.1", b"localhost", 421),
            (b"GET http://evil.example/healthz HTTP/1.1", b"evil.example", 200),
            (b"GET http://evil.example/nothing HTTP/1.1", b"localhost", 421),
        ]:
            reply = await served.raw(line + b"\r\nHost: " + host + b"\r\n" + end)
            assert reply.startswith(b"HTTP/1.1 %d " % status), (line, host, reply[:80])
        old = await served.raw(b"GET /api/v1/flags HTTP/1.0\r\n\r\n")
        assert old.split()[1] == b"200"
        head = b"POST /api/v1/tweets HTTP/1.0\r\nContent-Length: %d\r\n" % len(body)
        assert (await served.raw(head + b"\r\n" + body)).split()[1] == b"201"
        page = await served.raw(head + b"Origin: http://localhost\r\n\r\n" + body)
        assert page.split()[1] == b"403"


async def test_the_embedded_x_is_no_pages_either() -> None:
    """Its API and its operator's addresses: in X's form, and its own clients go on."""
    async with embedded_x(edge={"hosts": ()}) as x:
        port = port_of(x, "x_platform")
        body = {"add": [{"value": "cats"}]}
        for method in ("GET", "POST"):
            for host in ("evil.example", f"api.x.com:{port}"):
                options: dict[str, Any] = {"json": body} if method == "POST" else {}
                headers = {**x.app, "Host": host}
                reply = await x.send(method, RULES, headers=headers, **options)
                assert (reply.status, reply.json["title"]) == (421, "Misdirected Request")
        for given in ELSEWHERE:
            more = {name: each.format(here="x", port=port) for name, each in given.items()}
            reply = await x.send("POST", RULES, json=body, headers={**x.app, **more})
            assert (reply.status, reply.json["title"]) == (403, "Forbidden"), more
            token = {"Authorization": f"Bearer {x.token}", **more}
            for path in ("/admin/x/tweets", "/admin/x/disconnect"):
                reply = await x.send("POST", path, "gateway", headers=token)
                assert reply.status == 403, (path, more)
        assert (await x.get(RULES))["meta"]["result_count"] == 0
        assert await x.add_rules("cats")


@pytest.mark.parametrize("bound", ["0.0.0.0", "::"])  # noqa: S104 - nothing listens there
def test_bound_to_every_address_it_goes_by_any_address_and_by_no_strange_name(bound: str) -> None:
    """To rebind takes a name: an address in Host is what the client was really sent to."""
    door = Doorkeeper(bound, ["hotel.example"])
    for host in ("10.9.8.7:9000", "[2001:db8::1]", f"[{bound}]", "hotel.example", "localhost"):
        door.check_host(host)
    for host in ("evil.example", "10.9.8.7.nip.io"):
        with pytest.raises(ProblemError):
            door.check_host(host)


def test_a_listener_goes_by_what_it_is_bound_to() -> None:
    """A name or an address of the configuration, whatever its spelling."""
    for bound, host in [("Edge", "edge:9000"), ("192.168.1.9", "192.168.1.9:80"), ("::1", "[::1]")]:
        Doorkeeper(bound, []).check_host(host)
        with pytest.raises(ProblemError):
            Doorkeeper(bound, []).check_host("192.168.1.10")


def test_a_listener_goes_by_the_address_that_its_name_meant() -> None:
    """The name of the configuration, and where the socket really is."""
    door = Doorkeeper("edge", [])
    door.goes_by("10.0.0.1")
    for host in ("edge", "10.0.0.1:9000"):
        door.check_host(host)
    with pytest.raises(ProblemError):
        door.check_host("10.0.0.2")


def test_what_is_remembered_of_hosts_is_bounded() -> None:
    """Every spelling of ours is let in; few are remembered, and none of another's."""
    door = Doorkeeper("127.0.0.1", [])
    for port in range(1, 10_000):
        door.check_host(f"localhost:{port}")
    assert len(door.known) < 100
