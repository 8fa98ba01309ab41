"""Shards in a simulation: one is killed, cut off, stopped, and the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import pytest

from actors.kernel.discovery.sharding import Sharding
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.cafe import CAFE
from tests.simulation.planting import config_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS: Final = range(1, 9)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(CAFE, config_of("cafe"), place)


def test_shards_hold_whatever_breaks(rehearsal: Rehearsal) -> None:
    """Each has points to be killed at, and the same seed is played again with the same digest."""
    assert {"tables-1", "tables-3", "board-2", "door"} <= {*rehearsal.targets.services}
    assert "tables-2.Take.before" in rehearsal.points
    played = [rehearsal.play(rehearsal.script(seed)) for seed in SEEDS]
    assert [each.troubles for each in played if each.troubles] == []
    again = rehearsal.play(rehearsal.script(SEEDS[0]))
    assert again.digest == played[0].digest


def _elsewhere(self: Sharding, key: object) -> str:
    return f"{self.service}-{sum(str(key).encode()) % self.shards + 1}"


def test_what_is_elsewhere_is_found(rehearsal: Rehearsal) -> None:
    """Who judges knows where each key is by itself."""
    with patch.object(Sharding, "place", _elsewhere):
        troubles = rehearsal.play(rehearsal.script(SEEDS[0])).troubles
    assert any(each.startswith("shards: ") for each in troubles)
