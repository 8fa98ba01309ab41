"""What is kept is what is so: whose answer is older is found by what clients saw of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import pytest

from actors.resilience.cache import Cache
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.oracles.answers.cache_oracle import CacheOracle
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.board import BOARD
from tests.simulation.planting import config_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.resilience.cache import Lease

SEEDS: Final = range(1, 4)

changing, keep = Cache.changing, Cache.keep


def _later(cache: Cache, groups: Any) -> None:
    asyncio.get_running_loop().call_later(0.02, changing, cache, groups)


def _overtaken(cache: Cache, lease: Lease, value: Any, **how: Any) -> None:
    lease.is_spoilt = False
    keep(cache, lease, value, **how)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(BOARD, config_of("board"), place, profile="calm")


def test_what_is_kept_is_what_is_so(rehearsal: Rehearsal) -> None:
    """Whoever writes or looks meanwhile."""
    played = [rehearsal.play(rehearsal.script(seed)).troubles for seed in SEEDS]
    assert [each for each in played if each] == []


@pytest.mark.parametrize(
    "planted",
    [
        patch.object(Cache, "changing", _later),
        patch.object(Cache, "keep", _overtaken),
        patch.object(Cache, "changing", lambda *_: None),
    ],
    ids=["when the reply is away", "what was overtaken", "never"],
)
def test_an_old_answer_is_found_by_what_clients_saw(rehearsal: Rehearsal, planted: Any) -> None:
    """In no order of what they did could they have seen it; nobody needs to ask the query."""
    with planted, patch.object(CacheOracle, "known", lambda *_: ()):
        for seed in SEEDS:
            if any("not linearizable" in each for each in _troubles(rehearsal, seed)):
                return
    pytest.fail("nobody has noticed")


def _troubles(rehearsal: Rehearsal, seed: int) -> tuple[str, ...]:
    return rehearsal.play(rehearsal.script(seed)).troubles
