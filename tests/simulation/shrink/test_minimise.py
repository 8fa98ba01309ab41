"""A failing script is made as simple as its failure allows, and the same from every start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pytest

from actors.faults.fault_kinds import FAULTS
from actors.simulation.script.profile import PROFILES, draw_schedule
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.targets import Targets
from actors.simulation.script.workload import ClientRequest, draw_workload
from actors.simulation.shrink.minimise import SEEDS, Minimum, minimise
from actors.simulation.stage.staging import Played

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.rng import Rng
    from actors.simulation.script.chooser import Chooser

TARGETS = Targets(
    services=("room", "booking"),
    stores=("room", "booking"),
    links=("client-0<>edge",),
    points=("room.Hold.before", "room.Hold.after", "booking.Create.before"),
)


class Call(msgspec.Struct, frozen=True):
    kind: Literal["look", "book", "cancel"]
    room: int = 0
    nights: int = 1
    again: bool = False


def choose_call(choose: Chooser) -> Call:
    kinds: tuple[Literal["look", "book", "cancel"], ...] = ("look", "book", "cancel")
    return Call(kinds[choose(3)], room=choose(3), nights=1 + choose(3), again=bool(choose(2)))


def draw(rng: Rng) -> Script:
    workload = draw_workload(rng, choose_call, requests_max=10)
    schedule = draw_schedule(rng, PROFILES["kills"], TARGETS)
    return Script(seed=rng.randrange(1_000, 2_000), workload=workload, schedule=schedule)


def played(script: Script, *, failed: bool) -> Played:
    return Played(
        script=script,
        troubles=("it fails",) if failed else (),
        digest="",
        lines=(),
        virtual_s=0.0,
        applied={},
        passed=dict.fromkeys(TARGETS.points, 1),
        hit={},
    )


def minimum(
    script: Script, fails: Callable[[Script], bool], *, runs_max: int = 5_000, **options: Any
) -> Minimum:
    return minimise(
        script,
        lambda each: played(each, failed=fails(each)),
        lambda each: bool(each.troubles),
        targets=TARGETS,
        runs_max=runs_max,
        **options,
    )


def books(script: Script, *, nights: int = 1) -> bool:
    return any(each.call.kind == "book" and each.call.nights >= nights for each in script.workload)


def kills_booking(script: Script) -> bool:
    return any(
        step.fault in {"kill", "kill_at"} and step.target.startswith("booking")
        for step in script.schedule.steps
    )


def test_only_what_it_takes_is_left(rng: Rng) -> None:
    """One request, one step, at once, by the first client; from twenty starts the same."""
    minima: set[tuple[int, Script]] = set()
    while len(minima) < 20:
        script = draw(rng)
        if books(script, nights=2) and kills_booking(script):
            found = minimum(script, lambda each: books(each, nights=2) and kills_booking(each))
            assert found.minimal
            minima.add((script.seed, found.script))
    assert {script for _, script in minima} == {
        Script(
            seed=0,
            workload=(ClientRequest(0, 0, Call("book", nights=2)),),
            schedule=Schedule((Step(0, "kill", "booking"),)),
        )
    }


def test_calls_become_plain(rng: Rng) -> None:
    """Where any call will do, it is the first kind with all at its default."""
    found = minimum(draw(rng), lambda each: len(each.workload) >= 2)
    assert found.script.workload == (ClientRequest(0, 0, Call("look")),) * 2
    assert found.script.schedule == Schedule()


def test_requests_come_in_order_of_their_calls() -> None:
    """A booking and a look: the look, which is simpler, first."""
    requests = (ClientRequest(5, 2, Call("book")), ClientRequest(7, 1, Call("look")))
    script = Script(seed=9, workload=requests, schedule=Schedule())
    found = minimum(script, lambda each: books(each) and len(each.workload) == 2)
    assert [request.call.kind for request in found.script.workload] == ["look", "book"]


def test_clients_that_differ_stay_different() -> None:
    requests = (ClientRequest(0, 2, Call("look")), ClientRequest(0, 1, Call("look")))
    script = Script(seed=9, workload=requests, schedule=Schedule())
    found = minimum(script, lambda each: len({request.client for request in each.workload}) == 2)
    assert {request.client for request in found.script.workload} == {0, 1}


def test_gaps_that_matter_are_kept() -> None:
    """The least that fails; what does not matter comes at once."""
    steps = (Step(70, "kill", "room"), Step(123_456, "crash", "process"))
    script = Script(seed=9, workload=(ClientRequest(0, 0, Call("look")),), schedule=Schedule(steps))

    def late_crash(each: Script) -> bool:
        moments = each.schedule.moments()
        return any(at_us >= 4_321 and step.fault == "crash" for at_us, step in moments)

    assert minimum(script, late_crash).script.schedule == Schedule(
        (Step(4_321, "crash", "process"),)
    )


def test_a_request_gives_way_to_a_step() -> None:
    """Two ways to fail: the one with fewer requests is the simpler."""
    requests = (ClientRequest(0, 0, Call("look")), ClientRequest(0, 0, Call("cancel")))
    restart = Schedule((Step(0, "restart", "room"),))

    def fails(each: Script) -> bool:
        cancels = any(request.call.kind == "cancel" for request in each.workload)
        return (cancels and len(each.workload) == 2 and bool(each.schedule.steps)) or (
            kills_booking(each) and bool(each.workload)
        )

    found = minimum(Script(seed=9, workload=requests, schedule=restart), fails).script
    assert found.workload == (ClientRequest(0, 0, Call("look")),)
    assert found.schedule == Schedule((Step(0, "kill", "booking"),))


def test_no_trap_is_set_where_nothing_passes() -> None:
    """Whether it kills or cuts the power: there are hundreds, and none would spring."""
    point = "room.Hold.before"
    traps: set[str] = set()

    def play(script: Script) -> Played:
        steps = script.schedule.steps
        traps.update(
            each.target for each in steps if FAULTS[each.fault].scope in {"point", "commit"}
        )
        run = played(script, failed=any(each.fault == "pause" for each in steps))
        return msgspec.structs.replace(run, passed={point: 1})

    pause = Schedule((Step(0, "pause", "process", 100),))
    script = Script(seed=9, workload=(ClientRequest(0, 0, Call("look")),), schedule=pause)
    minimise(script, play, lambda run: bool(run.troubles), targets=TARGETS, runs_max=5_000)
    assert traps == {point}


def test_what_needs_no_fault_is_told_without_one(rng: Rng) -> None:
    """It is tried first, and no fault takes the place of a request: that took hundreds of runs."""
    scripts: list[Script] = []

    def fails(each: Script) -> bool:
        scripts.append(each)
        booked = sum(request.call.kind == "book" for request in each.workload)
        return booked >= 2 or (booked == 1 and kills_booking(each))

    while not (fails(script := draw(rng)) and script.schedule.steps and len(script.workload) > 4):
        pass
    scripts.clear()
    begun = msgspec.structs.replace(script, schedule=Schedule())
    least = minimum(script, fails)
    assert [len(each.schedule) for each in scripts[1:2]] == [0]
    if fails(begun):
        assert least.script.workload == (ClientRequest(0, 0, Call("book")),) * 2
        assert least.script.schedule == Schedule()
        assert least.runs < 200


def test_a_seed_that_matters_is_kept() -> None:
    """What fails under its own seed alone keeps it; else it ends with the first that will do."""
    script = Script(seed=4_711, workload=(ClientRequest(0, 0, Call("look")),), schedule=Schedule())
    assert minimum(script, lambda each: each.seed == 4_711).script.seed == 4_711
    assert minimum(script, lambda each: each.seed in {2, 4_711}).script.seed == 2
    assert minimum(script, lambda each: each.seed > max(SEEDS)).script.seed == max(SEEDS) + 1


def test_each_script_is_played_once(rng: Rng) -> None:
    scripts: list[Script] = []

    def fails(each: Script) -> bool:
        scripts.append(each)
        return books(each) or len(each.schedule) > 3

    while not fails(script := draw(rng)):
        pass
    scripts.clear()
    found = minimum(script, fails)
    assert found.runs == len(scripts) == len(set(scripts))


def test_runs_are_bounded(rng: Rng) -> None:
    """What was found until they ran out still fails."""
    while not books(script := draw(rng)):
        pass
    found = minimum(script, books, runs_max=5)
    assert (found.runs, found.minimal) == (5, False)
    assert books(found.script)


def test_what_does_not_fail_cannot_be_simplified(rng: Rng) -> None:
    with pytest.raises(ValueError, match="does not fail"):
        minimum(draw(rng), lambda _: False)


def test_calls_of_any_shape_are_left_alone() -> None:
    """Text is a call, too: it has no fields."""
    workload: Any = (ClientRequest(3, 1, "look"), ClientRequest(4, 1, "book"))
    script = Script(seed=9, workload=workload, schedule=Schedule())
    found = minimum(script, lambda each: any(request.call == "book" for request in each.workload))
    assert found.script.workload == (ClientRequest(0, 0, "book"),)


class Parcel(msgspec.Struct, frozen=True):
    what: str
    day: str
    cards: tuple[str, ...]


def choose_parcel(choose: Chooser) -> Parcel:
    return Parcel(
        what=("place", "cancel", "wait")[choose(3)],
        day=("monday", "tuesday")[choose(2)],
        cards=tuple([("ok", "flaky", "dead")[choose(3)] for _ in range(1 + choose(2))]),
    )


def test_a_call_becomes_what_plainer_choices_make(rng: Rng) -> None:
    """Its fields are texts, which no one but its scenario can order."""

    def fails(script: Script) -> bool:
        return any(each.call.what == "cancel" for each in script.workload)

    def draw_parcels() -> Script:
        workload = draw_workload(rng, choose_parcel, requests_max=10)
        return Script(seed=1_000, workload=workload, schedule=Schedule())

    while not fails(script := draw_parcels()):
        pass
    (request,) = minimum(script, fails, choose_call=choose_parcel).script.workload
    assert request.call == Parcel("cancel", "monday", ("ok",))


def test_a_number_is_a_call_and_becomes_smaller() -> None:
    """The least that fails, of ten thousand and of few; what its scenario cannot draw stays."""
    for call, limit, drawn in ((9_000, 10_000, 5), (5, 6, 5), (7, 6, 7)):
        workload: Any = (ClientRequest(0, 0, call),)
        script = Script(seed=0, workload=workload, schedule=Schedule())
        found = minimum(
            script,
            lambda each: any(request.call >= 5 for request in each.workload),
            choose_call=lambda choose, limit=limit: choose.magnitude(limit),
        )
        assert found.script.workload == (ClientRequest(0, 0, drawn),)
