"""The reference systems as simulations play them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.simulation.scenarios.hotel import HotelScenario
from actors.simulation.scenarios.tweets import TweetsScenario

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors.simulation.stage.scenario import Scenario

SCENARIOS: Mapping[str, Callable[[], Scenario]] = {
    "hotel": HotelScenario,
    "tweets": TweetsScenario,
}
