"""X's own listener, and the operator's addresses for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.errors import ConfigError
from actors.systems.x_platform.api.addresses import addresses
from actors.systems.x_platform.config import XPlatformConfig
from tests.http_edge.serving import is_problem, serving
from tests.systems.x_platform.api.embedded_x import RULES, embedded_x

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_embedded_x_has_a_listener_of_its_own() -> None:
    """Beside the others, and each with its own addresses only."""
    async with embedded_x() as x:
        assert list(x.edge.addresses) == ["gateway", "x_platform"]
        is_problem(await x.send("GET", RULES, "gateway", headers=x.app), 404)
        assert (await x.send("GET", "/readyz", headers=x.app)).status == 404


async def test_without_the_embedded_x_there_is_nothing_of_it() -> None:
    """No listener, no operator's addresses, no credentials."""
    async with serving() as served:
        assert "x_platform" not in served.addresses
        is_problem(await served.admin("POST", "/admin/x/disconnect"), 404)
        is_problem(await served.admin("POST", "/admin/x/tweets"), 404)


def test_damaged_credentials_are_no_addresses_at_all(tmp_path: Path) -> None:
    """A configuration error, before anything listens."""
    (tmp_path / "x.credentials.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"x\.credentials\.json"):
        addresses(XPlatformConfig(), tmp_path)


async def test_only_an_operator_ends_streams() -> None:
    """The token is the operator's, not X's; no parameter, no other method."""
    path = "/admin/x/disconnect"
    async with embedded_x() as x:
        operator = {"Authorization": f"Bearer {x.token}"}
        for headers in ({}, x.app, x.user):
            is_problem(await x.send("POST", path, "gateway", headers=headers), 401)
        is_problem(await x.send("POST", f"{path}?a=1", "gateway", headers=operator), 422, "a")
        is_problem(await x.send("GET", path, "gateway", headers=operator), 405)
        assert await x.disconnect() == 0
