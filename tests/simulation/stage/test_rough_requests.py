"""What no client library would send is answered, and each time as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.simulation.command.log_output import without_logs
from actors.simulation.requests.rough_request import RoughRequest
from actors.simulation.requests.rough_requests import CUT, rough_requests
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage import client as stage
from actors.simulation.stage import rehearsal as rehearsal_module
from actors.simulation.stage.edge_host import ADMIN_TOKEN
from actors.simulation.stage.rehearsal import Rehearsal, Script
from tests.simulation.planting import PLANTED, config_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from actors.kernel.rng import Rng
    from actors.simulation.stage.client import Client

TABLE = rough_requests(ADMIN_TOKEN)


def _troubles(place: Path, monkeypatch: pytest.MonkeyPatch, table: Any) -> tuple[str, ...]:
    """Return what is wrong where a client sends all of them in calm, when none is excused."""
    sent: list[RoughRequest] = []

    async def nothing(*_args: Any) -> None:
        pass

    async def send_all(client: Client, _rng: Rng) -> None:
        for each in table:
            sent.append(each)
            await client.ask_roughly(each)

    with without_logs():
        rehearsal = Rehearsal(PLANTED["workshop"], config_of("workshop"), place, profile="calm")
        monkeypatch.setattr(rehearsal._scenario, "perform", nothing)
        monkeypatch.setattr(rehearsal_module, "ODD_ONE_IN", 1)
        monkeypatch.setattr(stage.Client, "ask_oddly", send_all)
        call = rehearsal.script(1).workload[0].call
        script = Script(seed=1, workload=(ClientRequest(0, 0, call),), schedule=Schedule())
        troubles = rehearsal.play(script).troubles
    assert sent
    return troubles


def test_each_is_answered_as_it_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the system serves; each has a name of its own."""
    assert _troubles(tmp_path, monkeypatch, TABLE) == ()
    names = [each.name for each in TABLE]
    assert len({*names}) == len(names)
    assert {*names} >= CUT


def test_another_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status, and what it says."""
    plain = TABLE[0].pieces
    table = (
        RoughRequest("one", plain, 404),
        RoughRequest("two", plain, 200, says="nothing like it"),
        RoughRequest("three", (plain[0][:-2],), 200),
    )
    found = [each.partition(", ")[0] for each in _troubles(tmp_path, monkeypatch, table)]
    assert found == [
        f"http: client-0: {name} was answered {status}"
        for name, status in (("one", 200), ("two", '{"status":"ok"}'), ("three", 408))
    ]
