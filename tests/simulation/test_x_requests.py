"""What other programs of the account ask of X's API is answered as X would answer it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems.tweets.scenario.call import WINDOW_S
from actors.systems.tweets.scenario.scenario import TweetsScenario
from actors.systems.tweets.scenario.x_requests import (
    OWN_TWEETS,
    X_REQUESTS,
    ask_x,
    tweet_and_delete,
)
from tests.simulation.planting import PLANTED, config_of

if TYPE_CHECKING:
    from pathlib import Path

    from actors.simulation.stage.client import Client


@pytest.mark.long
def test_x_answers_each_as_it_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a window of its own: none is asked too often."""

    async def ask_all(_self: Any, client: Client, *_rest: Any) -> None:
        for each in X_REQUESTS:
            await asyncio.sleep(WINDOW_S)
            await ask_x(client, each)
        for number in range(len(OWN_TWEETS)):
            assert await tweet_and_delete(client, number) == []

    monkeypatch.setattr(TweetsScenario, "perform", ask_all)
    with without_logs():
        rehearsal = Rehearsal(PLANTED["tweets"], config_of("tweets"), tmp_path, profile="calm")
        call = rehearsal.script(1).workload[0].call
        script = Script(seed=1, workload=(ClientRequest(0, 0, call),), schedule=Schedule())
        assert rehearsal.play(script).troubles == ()
    names = [each.name for each in X_REQUESTS]
    assert len({*names}) == len(names)
