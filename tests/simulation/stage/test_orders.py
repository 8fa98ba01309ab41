"""Every other seed draws an order of its own: a replay has it, and what needs none is told so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.recording import Recording
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.chooser import SeededChooser
from actors.simulation.script.profile import DEPTH_MAX, choose_order
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.shrink.minimise import minimise
from actors.simulation.stage.rehearsal import Rehearsal
from actors.simulation.time.order import Order
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, TallyCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from actors.kernel.rng import Rng
    from actors.simulation.stage.staging import Played

ASYNCIOS: Final = Order()


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TALLY, config_of("tally"), place, profile="calm")


def tweets(order: Order, seed: int = 1) -> Script:
    workload = tuple([ClientRequest(0, n % 3, TallyCall(author=n % 2)) for n in range(9)])
    return Script(seed=seed, workload=workload, schedule=Schedule(), order=order)


def test_each_depth_is_drawn_and_often_none(rng: Rng) -> None:
    choose = SeededChooser(rng)
    orders = [choose_order(choose) for _ in range(400)]
    assert {len(each.changes) for each in orders if each} == {*range(DEPTH_MAX)}
    assert 0.3 < sum(not each for each in orders) / len(orders) < 0.7


def test_a_recording_has_its_order(tmp_path: Path) -> None:
    """And one that was written without has asyncio's."""
    script = tweets(Order(7, (3,)))
    recording = Recording(system="tally", seed=1, script=script)
    (tmp_path / "with.json").write_text(recording.to_json())
    assert Recording.read(tmp_path / "with.json", {"tally": TALLY}).script == script
    tree = msgspec.json.decode(recording.to_json())
    del tree["script"]["order"]
    (tmp_path / "old.json").write_bytes(msgspec.json.encode(tree))
    assert Recording.read(tmp_path / "old.json", {"tally": TALLY}).script.order == ASYNCIOS


def test_all_holds_in_any_order(rehearsal: Rehearsal) -> None:
    """And it is another one; the seed's own is played as it was drawn."""
    orders = [ASYNCIOS, Order(7, (3,)), Order(0, (20, 40))]
    played = [rehearsal.play(tweets(each)) for each in orders]
    assert [each.troubles for each in played] == [()] * len(orders)
    assert [bool(each.early) for each in played] == [False, True, True]
    assert len({each.digest for each in played}) == len(orders)
    again = rehearsal.play(tweets(orders[1]))
    assert (again.digest, again.early) == (played[1].digest, played[1].early)


def test_what_needs_no_order_is_told_without(rehearsal: Rehearsal) -> None:
    """And of one that matters no more is kept than has to be."""

    def smallest(fails: Callable[[Order], bool]) -> Order:
        def play(script: Script) -> Played:
            troubles = ("wrong",) if fails(script.order) else ()
            return msgspec.structs.replace(empty, script=script, troubles=troubles)

        script = tweets(Order(7, (3, 9)))
        found = minimise(script, play, lambda run: bool(run.troubles), targets=rehearsal.targets)
        return found.script.order

    empty = rehearsal.play(Script(seed=1, workload=(), schedule=Schedule()))
    assert smallest(lambda _: True) == ASYNCIOS
    assert smallest(lambda order: 9 in order.changes) == Order(0, (9,))
    assert smallest(lambda order: order.priorities == 7) == Order(7)
