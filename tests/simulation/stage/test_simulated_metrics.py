"""`/metrics` of a simulated process: its own numbers alone, and equal seeds give equal ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from actors.simulation.command.log_output import without_logs
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.planting import config_of
from tests.simulation.tally import TallyCall, TallyScenario, tally

if TYPE_CHECKING:
    from pathlib import Path

    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client


class Watched(TallyScenario):
    """Looks at the metrics after each call."""

    seen: ClassVar[list[str]] = []

    async def perform(self, client: Client, number: int, call: TallyCall, history: History) -> None:
        await super().perform(client, number, call, history)
        reply = await client.administer("GET", "/metrics")
        if reply.status == 200:
            self.seen.append(str(reply.body))


def test_equal_seeds_give_equal_metrics(tmp_path: Path) -> None:
    """Under kills and restarts too; nothing of the machine is among them."""
    system = tally(scenario=Watched)
    played = []
    with without_logs():
        for number in range(2):
            folder = tmp_path / str(number)
            folder.mkdir()
            rehearsal = Rehearsal(system, config_of("tally"), folder, profile="chaos")
            Watched.seen.clear()
            assert rehearsal.play(rehearsal.script(3)).troubles == ()
            played.append([*Watched.seen])
    first, second = played
    assert len(first) > 3
    assert first == second
    last = first[-1]
    assert 'dress_rehearsal_http_requests_total{listener="gateway",method="POST"' in last
    assert 'dress_rehearsal_message_wait_seconds_count{actor="tally",lane="command"}' in last
    for name in ("process_", "python_", "dress_rehearsal_event_loop_lag"):
        assert name not in last
