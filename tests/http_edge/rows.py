"""The rows of all tables, as the edge serves them in these tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from actors.config import load_config
from actors.system import listeners_of, unbooted
from http_edge.endpoints.admin import ADMIN
from http_edge.endpoints.front_page import front_page
from http_edge.endpoints.health import HEALTH
from tests.http_edge.fake_system import SERVED

if TYPE_CHECKING:
    from http_edge.address import Address

OWN = (*HEALTH, *ADMIN, *front_page((), dict))
ROWS: dict[str, list[Address]] = {"gateway": list(OWN)}
for each in listeners_of(SERVED, unbooted(SERVED, load_config(systems=SERVED), Path())):
    ROWS.setdefault(each.name, []).extend(each.addresses)


def rows(listener: str) -> list[Address]:
    """All rows of the listener called `listener`: gateway, hotel or tweets."""
    return ROWS[listener]
