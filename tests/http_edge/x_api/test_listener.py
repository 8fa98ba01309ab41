"""X's own listener, and the operator's addresses for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.config import ListenerConfig, load_config
from actors.errors import ConfigError
from actors.systems.x_platform.config import XPlatformConfig
from actors.systems.x_platform.system import X_PLATFORM
from http_edge.edge import Edge
from tests.http_edge.fake_system import FakeSystem
from tests.http_edge.serving import is_problem, serving
from tests.http_edge.x_api.embedded_x import RULES, embedded_x

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_embedded_x_has_a_listener_of_its_own() -> None:
    """Beside the others, and each with its own addresses only."""
    async with embedded_x() as x:
        assert list(x.edge.addresses) == ["gateway", "hotel", "tweets", "x_platform"]
        is_problem(await x.send("GET", RULES, "gateway", headers=x.app), 404)
        assert (await x.send("GET", "/readyz", headers=x.app)).status == 404


async def test_without_the_embedded_x_there_is_nothing_of_it() -> None:
    """No listener, no operator's addresses, no credentials."""
    async with serving() as served:
        assert "x_platform" not in served.addresses
        is_problem(await served.admin("POST", "/admin/x/disconnect"), 404)
        is_problem(await served.admin("POST", "/admin/x/tweets"), 404)


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """With what to change."""
    async with embedded_x() as x:
        taken = int(x.url.rpartition(":")[2])
        listener = ListenerConfig(host="127.0.0.1", port=taken)
        config = msgspec.structs.replace(x.config.edge, x_platform=listener)
        edge = Edge(
            FakeSystem(), config, data_dir=tmp_path, x_platform=x.config.section(XPlatformConfig)
        )
        with pytest.raises(ConfigError, match=rf"{taken}.*edge\.x_platform\.port"):
            await edge.start()


async def test_damaged_credentials_are_no_edge_at_all(tmp_path: Path) -> None:
    """A configuration error, before anything listens."""
    (tmp_path / "x.credentials.json").write_text("{}")
    config = load_config(systems=[X_PLATFORM])
    with pytest.raises(ConfigError, match=r"x\.credentials\.json"):
        Edge(
            FakeSystem(), config.edge, data_dir=tmp_path, x_platform=config.section(XPlatformConfig)
        )


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
