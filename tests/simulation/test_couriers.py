"""What is done after its time, or said to be too late before, is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import pytest

from actors.kernel.messages import Expired
from actors.service.effects import Effects
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.group_commit import GroupCommit
from tests.simulation.couriers import COURIERS
from tests.simulation.planting import config_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS: Final = range(1, 9)


def _always(_: Any, envelope: Any) -> bool:
    return not isinstance(envelope.message, Expired) and envelope.by_us is not None


PLANTS: Final[tuple[tuple[Any, str], ...]] = (
    (patch.object(GroupCommit, "_is_over", lambda *_: False), "after its time was up"),
    (patch.object(GroupCommit, "_is_over", _always), "for its time was up, and it was not"),
    (patch.object(Effects, "_is_over", lambda *_: False), "is tried"),
)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(COURIERS, config_of("couriers"), place, profile="kills")


def test_each_is_done_in_its_time_or_said_not_to_be(rehearsal: Rehearsal) -> None:
    """Whoever is killed meanwhile."""
    played = [rehearsal.play(rehearsal.script(seed)).troubles for seed in SEEDS]
    assert [each for each in played if each] == []


@pytest.mark.parametrize(("planted", "words"), PLANTS)
def test_what_does_not_keep_to_a_time_is_found(
    rehearsal: Rehearsal, planted: Any, words: str
) -> None:
    """By the oracle, which knows of each what its sender said."""
    found: list[str] = []
    seeds = iter(SEEDS)
    with planted:
        while not any(words in each for each in found):
            found += rehearsal.play(rehearsal.script(next(seeds))).troubles
