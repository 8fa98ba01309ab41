"""What runs here and where to look: a page for a browser, a text for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from aiohttp import hdrs
from yarl import URL

from actors.program import CHECKOUT, NAME
from http_edge.address import Address, Endpoint
from http_edge.answer import TEXT, Answer, make_head
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from http_edge.address import HttpHandler
    from http_edge.edge_context import EdgeContext
    from http_edge.http_request import HttpRequest
    from http_edge.listener import Listener

    Urls = Callable[[], Mapping[str, str]]

HTML = "text/html; charset=utf-8"
# Nothing is loaded from anywhere, and no other page may show it as its own.
_POLICY = (
    "Content-Security-Policy",
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
)
_VARY = ("Vary", "Accept")
_ANYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - told from where one can go
_PAGE = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"))
_MORE = f"{NAME} --help says what it can do" + (
    "; README.md and docs/ beside it say the rest." if CHECKOUT else "."
)
_TEXT = f"""\
Dress Rehearsal: a whole system of microservices in one process, to break before production does.

  /healthz  the process lives            /readyz  every service is up
  /admin    wants Authorization: Bearer TOKEN, the token that the first start put into the data
            folder as admin.token
  {_MORE}
"""


@dataclass(frozen=True, slots=True)
class FrontPageEndpoint(Endpoint):
    """Derived from the tables themselves; `urls` says where each listener listens."""

    listeners: tuple[Listener, ...]
    urls: Urls

    def describe(self) -> str:
        return "this page"

    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        del method, path, context
        html, text = make_head(200, HTML, _POLICY, _VARY), make_head(200, TEXT, _VARY)

        async def answer(request: HttpRequest, params: dict[str, str], query: str) -> Answer:
            del params
            refuse_query(query)
            urls = {name: _reachable(url, request) for name, url in self.urls().items()}
            if "text/html" in request.headers.get(hdrs.ACCEPT, ""):
                listeners = "\n".join(self._in_html(urls))
                return Answer(
                    html, _PAGE.substitute(more=escape(_MORE), listeners=listeners).encode()
                )
            return Answer(text, "\n".join([_TEXT, *self._in_text(urls)]).encode())

        return answer

    def _in_text(self, urls: Mapping[str, str]) -> Iterable[str]:
        for listener in self.listeners:
            yield f"{listener.name}  {urls.get(listener.name, '')}"
            for method, path, endpoint in listener.addresses:
                yield f"  {method:6} {path:36}  {endpoint.describe()}".rstrip()
            yield ""

    def _in_html(self, urls: Mapping[str, str]) -> Iterable[str]:
        for listener in self.listeners:
            url = urls.get(listener.name, "")
            yield f"<h2>{escape(listener.name)}</h2>"
            yield f'<p><a href="{escape(url)}/">{escape(url)}</a></p>\n<table>'
            for method, path, endpoint in listener.addresses:
                shown = escape(path)
                # What a click asks must change nothing, and need nothing besides.
                if method == "GET" and "{" not in path and not _is_guarded(endpoint):
                    shown = f'<a href="{escape(url + path)}">{shown}</a>'
                about = escape(endpoint.describe())
                yield f"<tr><td>{escape(method)}<td>{shown}<td>{about}"
            yield "</table>"


def front_page(listeners: Iterable[Listener], urls: Urls) -> tuple[Address, ...]:
    """Return the front page's row, for the gateway; `listeners` are to be shown on it."""
    return (Address("GET", "/", FrontPageEndpoint(tuple(listeners), urls)),)


def _is_guarded(endpoint: Endpoint) -> bool:
    return endpoint.for_operators or endpoint.writes


def _reachable(url: str, request: HttpRequest) -> str:
    """Return where the client can go: to all of this machine's addresses is to none."""
    there = URL(url)
    if there.host not in _ANYWHERE or request.url.host is None:
        return url
    return str(there.with_host(request.url.host))
