"""A test's own services as one system, which boots as any other does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.app import App
from actors.kernel.clock import SystemClock
from actors.kernel.rng import Rng
from actors.system import System

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from actors.config import Config
    from actors.service.assembly import AnyService
    from actors.system import Wiring


def app_of(
    services: Mapping[str, AnyService] | Callable[[Wiring], Mapping[str, AnyService]],
    folder: Path,
    config: Config,
    **options: Any,
) -> App:
    """Wire the services, or what the function makes of the wiring; `options` are App's."""
    given: dict[str, Any] = {"clock": SystemClock(), "rng": Rng(1), **options}
    return App([System(name="test", services=services)], config, data_dir=folder, **given)
