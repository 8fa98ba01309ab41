"""What the gateway says to somebody who does not know it yet."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from http_edge.address import Address
from http_edge.endpoints.text_endpoint import text
from http_edge.listener import Listener
from tests.http_edge.rows import ROWS
from tests.http_edge.serving import Reply, Served, serving

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Links(HTMLParser):
    """What a page leads to, what it loads, and whether each tag is closed that must be."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.loads: list[str] = []
        self.words = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "href" and tag == "a":
                self.hrefs.append(value or "")
            elif name in {"src", "href", "srcset", "action", "style"}:
                self.loads.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        self.words += data


async def test_a_terminal_gets_a_text_that_names_every_address() -> None:
    """curl sends Accept: */*; each listener with where it is, and each row of its table."""
    async with serving() as served:
        reply = await served.send("GET", "/", headers={"Accept": "*/*"})
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        assert reply.headers["Vary"] == "Accept"
        lines = reply.body.decode().splitlines()
        for listener, rows in ROWS.items():
            assert f"{listener}  {served.addresses[listener]}" in lines
            for method, path, _ in rows:
                pattern = rf"  {method} +{re.escape(path)}( .*)?"
                own = (listener, path) == ("gateway", "/")
                assert own or any(re.fullmatch(pattern, line) for line in lines), path
        assert any(line.startswith("  runtime.py --help says what it can do") for line in lines)
        assert max(map(len, lines)) <= 100
        assert (await served.send("GET", "/?x=1")).status == 422


async def test_a_browser_gets_a_page_that_loads_nothing_and_whose_links_lead_somewhere() -> None:
    """Every link is a GET that changes nothing and needs no token."""
    async with serving() as served:
        reply = await served.send("GET", "/", headers=BROWSER)
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        page = Links(reply.body)
        assert page.loads == []
        assert not re.search(r"@import|url\(|<script", reply.body.decode())
        for rows in ROWS.values():
            assert all(path in page.words for _, path, _ in rows)
        for href in page.hrefs:
            assert (await follow(served, href)).status == 200, href
        assert "/insert" not in "".join(page.hrefs)
        assert "/admin" not in "".join(page.hrefs)


async def follow(served: Served, href: str) -> Reply:
    for listener, url in served.addresses.items():
        if href.startswith(url):
            return await served.send("GET", href.removeprefix(url) or "/", listener)
    return await served.send("GET", href)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_who_is_bound_to_every_address_is_shown_by_the_one_asked(host: str) -> None:
    """0.0.0.0 leads nowhere."""
    odd = Listener("odd", "127.0.0.1", 0, [Address("GET", "/<b>", text("x"))])
    everywhere = Listener("gateway", "0.0.0.0", 0)  # noqa: S104 - that is what is tested
    async with serving(there=[everywhere, odd]) as served:
        port = served.addresses["gateway"].rpartition(":")[2]
        headers = {**BROWSER, "Host": f"{host}:{port}"}
        url = f"http://127.0.0.1:{port}/"
        async with served.session.get(url, headers=headers) as response:
            page = await response.text()
        assert f"http://{host}:{port}/healthz" in page
        assert "0.0.0.0" not in page  # noqa: S104
        assert "/&lt;b&gt;" in page
        assert "<b>" not in page
