"""The brand monitor's services by name, as a supervisor starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.systems.tweets.tweets import TweetsService

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.service.service import Service


def services() -> dict[str, Callable[[], Service]]:
    """Return a factory for each service; its name is its address and its file's name."""
    return {"tweets": TweetsService}
