"""What no client library would send is answered, and each time as it should be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.requests.rough_request import (
    ANSWER_S_MAX,
    DEAF_S,
    RoughAnswer,
    RoughRequest,
)
from actors.simulation.requests.rough_requests import CUT, rough_requests
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage import client as stage
from actors.simulation.stage import staging
from actors.simulation.stage.edge_host import ADMIN_TOKEN
from actors.simulation.stage.rehearsal import Rehearsal
from http_edge.answer import Answer
from tests.simulation.planting import PLANTED, config_of

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng
    from actors.simulation.stage.client import Client

TABLE = rough_requests(ADMIN_TOKEN)


def _troubles(
    place: Path, monkeypatch: pytest.MonkeyPatch, table: Any, *, system: str = "workshop"
) -> tuple[str, ...]:
    """Return what is wrong where a client sends all of them in calm, when none is excused."""
    sent: list[RoughRequest] = []

    async def nothing(*_args: Any) -> None:
        pass

    async def send_all(client: Client, _rng: Rng) -> None:
        for each in table:
            sent.append(each)
            await client.ask_roughly(each)

    with without_logs():
        rehearsal = Rehearsal(PLANTED[system], config_of(system), place, profile="calm")
        monkeypatch.setattr(rehearsal._scenario, "perform", nothing)
        monkeypatch.setattr(staging, "ODD_ONE_IN", 1)
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


def test_who_is_deaf_is_so_for_longer_than_anybody_waits() -> None:
    """And has heard of it before its own patience ends."""
    assert load_config().edge.send_s_max < DEAF_S < ANSWER_S_MAX


OK = '{"status":"ok"}'


def test_another_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its status, what it says, and what it should not have said."""
    plain = TABLE[0].pieces
    table = (
        RoughRequest("one", plain, 404),
        RoughRequest("two", plain, 200, says="nothing like it"),
        RoughRequest("two too", plain, 200, hides="status"),
        RoughRequest("three", (plain[0][:-2],), 200),
    )
    found = [each.partition(", ")[0] for each in _troubles(tmp_path, monkeypatch, table)]
    assert found == [
        f"http: client-0: {name} was answered {status}"
        for name, status in (("one", 200), ("two", OK), ("two too", OK), ("three", 408))
    ]


@pytest.mark.parametrize("system", ["tally", "workshop"])
def test_nobody_is_turned_away_in_calm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    """But where limits are small on purpose, as the workshop's are."""

    async def turn_away(*_: Any) -> RoughAnswer:
        return RoughAnswer(503, {}, b"")

    monkeypatch.setattr(stage, "exchange", turn_away)
    found = _troubles(tmp_path, monkeypatch, TABLE[:1], system=system)
    said = [
        "http: client-0: a plain one was answered 503, and not 200: ",
        "calm: client-0: sends a plain one was answered 503",
    ]
    assert [*found] == (said if system == "tally" else [])


def test_who_is_answered_roughly_waits_no_longer_than_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer of the gateway is due by its deadline."""

    async def wait(*_: Any) -> RoughAnswer:
        await asyncio.sleep(9.0)
        return RoughAnswer(200, {}, b"")

    monkeypatch.setattr(stage, "exchange", wait)
    (late,) = _troubles(tmp_path, monkeypatch, TABLE[:1])
    assert late == "deadlines: client-0: sends a plain one took 9.000 s, of 5 s"


def test_who_reads_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not taken in time is given up, with its connection."""

    async def wait(_self: Answer, writer: Any, data: bytes) -> None:
        await writer.write(data)
        await writer.drain()

    deaf = [each for each in TABLE if each.deaf]
    monkeypatch.setattr(Answer, "_push", wait)
    (found,) = _troubles(tmp_path, monkeypatch, deaf, system="tally")
    assert found.startswith("http: client-0: who asks and reads nothing was answered -1")
