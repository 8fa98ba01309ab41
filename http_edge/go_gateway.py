"""Listeners as tolerant as the programs in Go whose addresses they keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from http_edge.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from http_edge.address import HttpHandler
    from http_edge.address_table import AddressMatch


class NetHttpGateway(Gateway):
    """Answers as net/http does: a query or a body that nobody reads is ignored."""

    refuses_bodies = False

    def find(self, target: str) -> AddressMatch:
        """Return what is at the target's path."""
        found = super().find(target)
        return found._replace(query="")


class MuxGateway(NetHttpGateway):
    """Answers as gorilla/mux does with StrictSlash(true) and no methods.

    A slash at the end is another spelling, and any method is served. What mux would lose is kept:
    a raw question mark in a text, and what follows it, is part of the text.
    """

    def other_method(
        self, request: web.BaseRequest, methods: Mapping[str, HttpHandler]
    ) -> HttpHandler:
        """Take any other method for GET, where that is served."""
        return methods.get("GET") or super().other_method(request, methods)

    def find(self, target: str) -> AddressMatch:
        """Return what is at the target, without the slash at its end."""
        path, mark, query = target.partition("?")
        path = path.removesuffix("/") or "/"
        found = super().find(path)
        if not (mark and found.params):
            return found
        return super().find(f"{path}%3F{query.replace('?', '%3F')}")
