"""What the depot's messages are for: a shape that nobody looks at is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.requests.oddities import oddities
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage import staging
from actors.simulation.stage.client import Client
from actors.simulation.stage.edge_host import ADMIN_TOKEN
from actors.simulation.stage.rehearsal import Rehearsal
from http_edge.decoding import json_body
from tests.simulation.depot import DEPOT, DepotCall
from tests.simulation.planting import config_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.kernel.rng import Rng

SKIPS: Final = (
    "SELECT number AS seq, label, kind, place, said FROM thing"
    " WHERE number > ? + 1 AND (? IS NULL OR kind = ?) ORDER BY number LIMIT ?"
)
PLANTS: Final[tuple[tuple[Any, str], ...]] = (
    (patch.object(json_body, "refuse_large", lambda *_: None), "a huge number"),
    (patch.object(json_body, "refuse_control", lambda *_: None), "a NUL"),
    (patch.object(json_body, "refuse_deep", lambda _: None), "a deep field (extra"),
    (patch("tests.simulation.depot.PAGE", SKIPS), "are missing in"),
)
CALLS: Final = (DepotCall("put", 5), DepotCall("put", 2), DepotCall("list", 0), DepotCall("all"))
SCRIPT: Final = Script(
    seed=1,
    workload=tuple([ClientRequest(1_000_000, 0, each) for each in CALLS]),
    schedule=Schedule(),
)


async def ask_all(client: Client, _rng: Rng) -> None:
    """Ask for all that makes no sense, of what was asked last."""
    engine = client._engine
    assert engine is not None
    for odd in oddities(client._asked, engine.edge, ADMIN_TOKEN)[1]:
        reply = await client._once(odd.method, odd.path, odd.data, odd.headers, None)
        amiss = odd.amiss(reply.status, reply.body)
        if amiss is not None:
            engine.told(amiss)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    always, oddly = (
        patch.object(staging, "ODD_ONE_IN", 1),
        patch.object(Client, "ask_oddly", ask_all),
    )
    with scratch_folder() as place, without_logs(), always, oddly:
        yield Rehearsal(DEPOT, config_of("depot"), place, profile="calm")


def test_each_shape_is_looked_at(rehearsal: Rehearsal) -> None:
    """What makes no sense is refused, whichever field it stands in."""
    assert rehearsal.play(SCRIPT).troubles == ()


@pytest.mark.parametrize(("planted", "words"), PLANTS)
def test_a_shape_that_nobody_looks_at_is_found(
    rehearsal: Rehearsal, planted: Any, words: str
) -> None:
    """By who asks for it; a list of which a page lacks something, too."""
    with planted:
        troubles = rehearsal.play(SCRIPT).troubles
    assert [each for each in troubles if words in each], troubles
