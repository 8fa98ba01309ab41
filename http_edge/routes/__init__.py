"""The tables of routes. A new service adds its module here, and nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from http_edge.routes import admin, health, hotel, tweets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from http_edge.handler import Row

# Each names the listeners it serves and its rows there.
TABLES: tuple[Mapping[str, tuple[Row, ...]], ...] = (
    health.ROUTES,
    admin.ROUTES,
    hotel.ROUTES,
    tweets.ROUTES,
)


def rows(listener: str) -> list[Row]:
    """All rows of the listener called `listener`: gateway, hotel or tweets."""
    return [row for table in TABLES for row in table.get(listener, ())]
