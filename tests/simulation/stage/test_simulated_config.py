"""What somebody has set is played as set; the rest is the scenario's, and the simulation's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.config import load_config, named_keys
from actors.simulation.net.host_table import ANY
from actors.simulation.stage.edge_host import EDGE_HOST
from actors.simulation.stage.simulated_config import simulated
from actors.systems.hotel.config import HotelConfig
from actors.systems.hotel.scenario.scenario import BOOKING_S_MAX, HOLD_S, HotelScenario
from actors.systems.hotel.system import HOTEL

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config


def played(*settings: str, overlay: Path | None = None) -> Config:
    config = load_config(overlay, settings, [HOTEL])
    return simulated(config, HotelScenario().configure, named_keys(overlay, settings))


def test_a_scenario_changes_what_nobody_has_set(tmp_path: Path) -> None:
    """By a setting or in a file; to its default, too."""
    shipped = load_config(systems=[HOTEL]).section(HotelConfig)
    assert played().section(HotelConfig).hold_s == HOLD_S != shipped.hold_s
    overlay = tmp_path / "my.toml"
    overlay.write_text("[hotel]\nbooking_s_max = 44.0\n", encoding="utf-8")
    both = played(f"hotel.hold_s={shipped.hold_s}", overlay=overlay).section(HotelConfig)
    assert (both.hold_s, both.booking_s_max) == (shipped.hold_s, 44.0)
    one = played("effect.attempts_max=10")
    assert (one.effect.attempts_max, one.section(HotelConfig).booking_s_max) == (10, BOOKING_S_MAX)


def test_who_listens_where_is_the_simulations() -> None:
    """Nobody outside reaches it, whatever is set; a port may be any but none."""
    settings = ("edge.gateway.host=127.0.0.1", "edge.gateway.port=0", 'edge.hosts=["me"]')
    edge = played(*settings, "edge.deadline_s=3.0").edge
    assert (edge.gateway.host, edge.deadline_s) == (ANY, 3.0)
    assert edge.gateway.port != 0
    assert {"me", EDGE_HOST} <= {*edge.hosts}
    assert played("edge.gateway.port=9").edge.gateway.port == 9
