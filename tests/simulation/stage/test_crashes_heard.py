"""A crash is a trouble whenever it comes: at boot, while the process ends, while files are made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import pytest

from actors.service.service_host import ServiceHost
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY

if TYPE_CHECKING:
    from collections.abc import Iterator

# Its process ends while it is a millisecond old, and takes about as long for that.
LATE_S: Final = 0.0015
ENDS: Final = Script(seed=1, workload=(), schedule=Schedule((Step(1_000, "terminate", "process"),)))


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TALLY, config_of("tally"), place)


start, stop = ServiceHost.on_start, ServiceHost.on_stop


async def starts_twice(self: ServiceHost) -> None:
    """Fail at the first start of a process."""
    await start(self)
    if self.incarnation == 1:
        raise ValueError("it cannot start")


async def stops_badly(self: ServiceHost) -> None:
    """Fail when all is closed."""
    await stop(self)
    raise ValueError("it cannot stop")


async def fails_late(self: ServiceHost) -> None:
    """Crash by work of its own, once the process ends."""
    await start(self)
    loop = asyncio.get_running_loop()
    if loop.time() < LATE_S:  # the first process
        loop.call_later(LATE_S, self.fail, ValueError("a task has failed"))


@pytest.mark.parametrize(
    ("hook", "bad", "said"),
    [
        ("on_start", starts_twice, "ValueError: it cannot start"),
        ("on_stop", stops_badly, "stops_badly ValueError: it cannot stop"),
        ("on_start", fails_late, "ValueError: a task has failed"),
    ],
)
def test_a_crash_at_boot_or_in_an_orderly_end_is_heard(
    rehearsal: Rehearsal, hook: str, bad: Any, said: str
) -> None:
    """Also after a fault, and though the next start succeeds."""
    with patch.object(ServiceHost, hook, bad):
        found = rehearsal.play(ENDS).troubles
    assert [each for each in found if each.startswith("crashed by itself: ") and said in each]
    assert rehearsal.play(ENDS).troubles == ()


def test_a_crash_while_files_are_furnished_is_heard_in_each_run() -> None:
    """Whatever the run itself does."""
    with scratch_folder() as place, without_logs():
        with patch.object(ServiceHost, "on_start", starts_twice):
            rehearsal = Rehearsal(TALLY, config_of("tally"), place)
        found = rehearsal.play(ENDS).troubles
    assert "furnishing: crashed by itself: tally: ValueError: it cannot start" in " ".join(found)
