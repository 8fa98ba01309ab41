"""What clients are told is heard: past the edge, and again when a broken link is whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import pytest

from actors.errors import ActorCrashed
from actors.kernel.deadlines import Deadlines
from actors.service.assembly import ServiceSystem
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems.tweets.messages import StoreTweet
from tests.simulation.oracles.engine_plants import patient
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, TallyCall, TallyScenario, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client

ask = ServiceSystem.ask


class TellingScenario(TallyScenario):
    """Its clients ask the service itself."""

    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Tweet."""
        with history.invoke(client.name, "tweet", f"tweet {number}") as attempt:
            said = StoreTweet(author="ann", text=f"tweet {number}")
            if (await client.tell("tweets", said, key=f"k{number}")).status == 200:
                attempt.ok()


@pytest.fixture(scope="module")
def rehearse() -> Iterator[Callable[[bool], Rehearsal]]:
    """Return the system whose clients tell, or the one whose clients ask."""
    made: dict[bool, Rehearsal] = {}
    with scratch_folder() as place, without_logs():
        for tells in (True, False):
            folder = place / f"{tells}"
            folder.mkdir()
            system = tally(scenario=TellingScenario) if tells else TALLY
            made[tells] = Rehearsal(system, config_of("tally"), folder)
        yield made.__getitem__


async def says_it_twice(self: ServiceSystem, *asked: Any, **how: Any) -> Any:
    """Answer what was not committed."""
    return [await ask(self, *asked, **how)] * 2


async def crashes_first(self: ServiceSystem, *asked: Any, **how: Any) -> Any:
    """Fail who asks first, where nothing is done to it."""
    if asyncio.get_running_loop().time() < 1.0:
        raise ActorCrashed("for no reason")
    return await ask(self, *asked, **how)


async def takes_long(self: ServiceSystem, *asked: Any, **how: Any) -> Any:
    """Answer, long after the time is up."""
    await asyncio.sleep(20.0)
    return await ask(self, *asked, **how)


TOLD: Final = Script(seed=1, workload=(ClientRequest(0, 0, TallyCall()),), schedule=Schedule())


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (says_it_twice, "keys: tweets: under 'k0' was told"),
        (crashes_first, "calm: client-0: tweets StoreTweet was answered not at all"),
        (takes_long, "deadlines: client-0: tweets StoreTweet took 20."),
    ],
)
def test_what_a_service_answers_past_the_edge_is_heard(
    rehearse: Callable[[bool], Rehearsal], planted: Any, said: str
) -> None:
    """Another answer, none, or a late one."""
    with patch.object(ServiceSystem, "ask", planted):
        found = rehearse(True).play(TOLD).troubles
    assert [each for each in found if each.startswith(said)]
    assert rehearse(True).play(TOLD).troubles == ()


@pytest.mark.parametrize(
    ("faults", "is_late"),
    [
        ((("slow_link", 10_000), ("heal", 0)), True),
        ((("drop", 0),), True),
        ((("truncate", 0),), True),
        ((("slow_link", 10_000),), False),
    ],
)
def test_answers_are_late_again_when_a_link_has_long_been_whole(
    rehearse: Callable[[bool], Rehearsal], faults: tuple[tuple[Any, int], ...], is_late: bool
) -> None:
    """And not while it is broken: nobody but the link is late then."""
    minute_us = 60_000_000
    steps = [Step(0, fault, "client-0<>edge", amount) for fault, amount in faults]
    requests = [ClientRequest(1_000, 0, TallyCall()), ClientRequest(minute_us, 0, TallyCall())]
    script = Script(
        seed=1,
        workload=tuple(requests),
        schedule=Schedule((*steps, Step(minute_us - 1_000_000, "suspend", "tweets"))),
    )
    with patch.object(Deadlines, "add", patient):
        found = rehearse(False).play(script).troubles
    late = [each for each in found if each.startswith("deadlines: client-0: POST")]
    assert bool(late) is is_late
    assert rehearse(False).play(script).troubles == ()
