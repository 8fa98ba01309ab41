"""A process that comes up with other limits: what was stored under the old ones stays true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.settings import set_anew
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.messaging.outbox import Outbox
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, TallyCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.stage.staging import Played

FULL: Final = "store.outbox_messages_max=1"


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        explicit = {"timer": {"retry_s": 0.1}}
        yield Rehearsal(TALLY, config_of("tally"), place, explicit=explicit)


def tweets(*steps: Step) -> Script:
    workload = tuple([ClientRequest(0, n, TallyCall(author=n % 2)) for n in range(3)])
    later = tuple([ClientRequest(2_000_000 * (not n), n, TallyCall()) for n in range(3)])
    return Script(seed=1, workload=(*workload, *later), schedule=Schedule(steps))


def test_what_somebody_has_set_stays(rehearsal: Rehearsal) -> None:
    """No other process has it otherwise; the rest are keys of the configuration, of its types."""
    settings = rehearsal.targets.settings
    assert FULL in settings
    assert not [each for each in settings if each.startswith("timer.retry_s")]
    config = config_of("tally")
    assert set_anew(config, FULL).store.outbox_messages_max == 1
    assert all(set_anew(config, each) != config for each in settings)


def test_all_holds_with_other_limits(rehearsal: Rehearsal) -> None:
    """One after the other, amid requests, whether the process ends in order or not."""
    settings = rehearsal.targets.settings
    steps = [Step(20_000, "crash_with", each) for each in settings[::2]]
    steps += [Step(20_000, "terminate_with", each) for each in settings[1::2]]
    played = rehearsal.play(tweets(*steps))
    assert played.troubles == ()
    assert played.applied.keys() == {"terminate_with", "crash_with"}


def test_a_limit_that_outlives_its_process_is_found(rehearsal: Rehearsal) -> None:
    """The outbox goes on with the one it was made with: a restart alone does not show it."""
    init = Outbox.__init__

    def play(script: Script) -> Played:
        kept: list[int] = []

        def made(self: Outbox, *args: object, **options: object) -> None:
            init(self, *args, **options)  # type: ignore[arg-type]
            kept.append(self._messages_max)
            self._messages_max = kept[0]

        with patch.object(Outbox, "__init__", made):
            return rehearsal.play(script)

    stop = (Step(1_000_000, "suspend", "tally"), Step(9_000_000, "resume", "tally"))
    script = tweets(Step(0, "terminate_with", FULL), *stop)
    assert rehearsal.play(script).troubles == ()
    assert play(tweets(Step(0, "terminate", "process"), *stop)).troubles == ()
    assert any("had left 1 untaken" in each for each in play(script).troubles)
