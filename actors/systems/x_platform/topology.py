"""The embedded X by its name, as a supervisor starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.systems.x_platform.x_platform import XPlatformService

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.config import XPlatformConfig
    from actors.service.service import Service


def services(
    config: XPlatformConfig, *, keywords: tuple[str, ...]
) -> dict[str, Callable[[], Service]]:
    """Return a factory for the service; its name is its address and its file's name.

    `keywords` are what a share of its authors' tweets is about.
    """
    return {"x_platform": lambda: XPlatformService(config, keywords=keywords)}
