"""Who acts in public shares a fate: nobody likes on while nobody can answer."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.errors import ConfigError
from actors.system import services_of, unbooted
from actors.systems.tweets.favouriter import FavouriterService
from actors.systems.tweets.outside import live_x
from actors.systems.tweets.system import TWEETS
from actors.systems.x_platform.system import X_PLATFORM
from tests.systems.tweets.brand_monitor import brand_monitor

if TYPE_CHECKING:
    from pathlib import Path

    from tests.systems.tweets.brand_monitor import BrandMonitor

WAIT_S_MAX = 30.0


def lives(on: BrandMonitor) -> dict[str, int]:
    return {each.name: each.incarnation for each in on.system.actors()}


async def until(on: BrandMonitor, **states: str) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while any(  # noqa: ASYNC110 - a state sets no event
            on.system.registry.actor(name).state != state for name, state in states.items()
        ):
            await asyncio.sleep(0.001)


async def test_who_acts_in_public_restarts_together(tmp_path: Path) -> None:
    """A kill of the one is a new life of both; of nobody else."""
    async with brand_monitor(tmp_path) as on:
        before = lives(on)
        on.system.kill("favouriter")
        async with asyncio.timeout(WAIT_S_MAX):
            while lives(on)["responder"] == before["responder"]:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.001)
        await until(on, favouriter="running", responder="running")
        after = lives(on)
        changed = {name for name, life in after.items() if life != before[name]}
        assert changed == {"favouriter", "responder"}


async def test_where_one_fails_again_and_again_both_are_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are parked, and the rest of the monitor serves on."""

    async def fail(_self: Any) -> None:
        raise RuntimeError("nothing to like here")

    async with brand_monitor(tmp_path, supervisor={"park_retry_s": 1_000.0}) as on:
        monkeypatch.setattr(FavouriterService, "run", fail)
        on.system.kill("favouriter")
        await until(on, favouriter="parked", responder="parked")
        assert on.system.unhealthy() == ["favouriter", "responder"]
        on.crashes.clear()


@pytest.mark.parametrize(
    ("systems", "settings", "says"),
    [
        ([TWEETS], [], "boot x_platform beside"),
        ([TWEETS, X_PLATFORM], ["edge.x_platform.host=192.0.2.1"], "on loopback only"),
    ],
)
def test_an_x_that_cannot_be_read_is_named_at_boot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, systems: Any, settings: Any, says: str
) -> None:
    """Before anything listens: no embedded one, or one to which no key may be sent."""
    monkeypatch.delenv("X_BEARER_TOKEN", raising=False)
    wiring = unbooted(systems, load_config(None, settings, systems), tmp_path)
    with pytest.raises(ConfigError, match=says):
        live_x(wiring)


@pytest.mark.parametrize(
    ("settings", "about"),
    [([], ("ada",)), (['x_platform.keywords=["bob"]'], ("bob",))],
)
def test_the_embedded_authors_write_about_what_the_monitor_reads(
    tmp_path: Path, settings: list[str], about: tuple[str, ...]
) -> None:
    """One setting is enough for a demonstration with a keyword of one's own."""
    systems = [TWEETS, X_PLATFORM]
    config = load_config(settings=['tweets.keywords=["ada"]', *settings], systems=systems)
    service = services_of(systems, unbooted(systems, config, tmp_path))["x_platform"]
    assert isinstance(service, partial)
    assert service.args[0].keywords == about
