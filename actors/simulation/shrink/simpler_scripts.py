"""What may be simpler than a script, in one respect or in two: candidates, to be tried in order."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec

from actors.faults.fault_kinds import FAULTS
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.workload import ClientRequest
from actors.simulation.shrink.plainer_draws import plainer_draws
from actors.simulation.shrink.simpler_calls import (
    fields_of,
    nearer_calls,
    plain_calls,
    renamed,
    simpler_orders,
    tells_by_fields,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from actors.faults.fault_kinds import FaultName
    from actors.simulation.script.script import Script
    from actors.simulation.shrink.plainer_draws import ChooseCall

T = TypeVar("T", bound=Step | ClientRequest[Any])

# Tried first as a gap, in microseconds: most gaps do not matter, and the rest within a magnitude.
GAP_LADDER_US: Final = (0, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_RANK: Final = {name: number for number, name in enumerate(FAULTS)}


class Mishap(NamedTuple):
    """What a step does, whenever it does it."""

    fault: FaultName
    target: str
    amount_ms: int

    def is_worse_than(self, other: Mishap) -> bool:
        """Whether it is a later fault, or the same and more of it."""
        mine, its = _RANK[self.fault], _RANK[other.fault]
        return mine > its or (mine == its and abs(self.amount_ms) > abs(other.amount_ms))


# --- One request or step less ------------------------------------------------------------------


def without(items: tuple[T, ...], gone: Collection[int]) -> Iterator[tuple[T, ...]]:
    """Leave out items with their gaps; or the rest at its times, if that is what matters."""
    yield tuple([item for index, item in enumerate(items) if index not in gone])
    rest: list[T] = []
    lost_us = 0
    for index, item in enumerate(items):
        if index in gone:
            lost_us += item.gap_us
        else:
            rest.append(msgspec.structs.replace(item, gap_us=item.gap_us + lost_us))
            lost_us = 0
    yield tuple(rest)


def smaller(script: Script) -> Iterator[Script]:
    """Leave out a step, or a request while there are others."""
    for index in range(len(script.workload) if len(script.workload) > 1 else 0):
        for kept in without(script.workload, {index}):
            yield msgspec.structs.replace(script, workload=kept)
    for index in range(len(script.schedule)):
        for steps in without(script.schedule.steps, {index}):
            yield with_steps(script, steps)


def without_two_steps(script: Script) -> Iterator[Script]:
    """Leave out two steps: what one does the other may undo."""
    for pair in combinations(range(len(script.schedule)), 2):
        for steps in without(script.schedule.steps, pair):
            yield with_steps(script, steps)


# --- The same requests, simpler ----------------------------------------------------------------


def reordered(script: Script) -> Iterator[Script]:
    """Put the requests in the order of their calls."""
    for workload in simpler_orders(script.workload):
        yield msgspec.structs.replace(script, workload=workload)


def of_fewer_clients(script: Script) -> Iterator[Script]:
    """Let one client do what another does."""
    for client in sorted({request.client for request in script.workload}, reverse=True):
        for new in range(client):
            yield _with_all(script, partial(_moved, old=client, new=new))


def of_fewer_values(script: Script, name: str) -> Iterator[Script]:
    """Let one value of a field of the calls stand for another, wherever it occurs."""
    calls = [each.call for each in script.workload if name in fields_of(each.call)]
    for call in calls:
        old = getattr(call, name)
        for nearer in nearer_calls(call, name):
            yield _with_all(script, partial(renamed, name=name, old=old, new=getattr(nearer, name)))


def with_simpler_call(
    script: Script, index: int, choose_call: ChooseCall | None
) -> Iterator[Script]:
    """Let request `index` ask for something simpler, by its fields or as `choose_call` has it."""
    call = script.workload[index].call
    if not tells_by_fields(call):
        for plainer in () if choose_call is None else plainer_draws(choose_call, call):
            yield with_request(script, index, call=plainer)
        return
    for plain in plain_calls(call):
        yield with_request(script, index, call=plain)
    for name in fields_of(call):
        for nearer in nearer_calls(call, name):
            yield with_request(script, index, call=nearer)


def with_nearer_client(script: Script, index: int) -> Iterator[Script]:
    """Let an earlier client make request `index`."""
    for client in range(script.workload[index].client):
        yield with_request(script, index, client=client)


def with_shorter_gap(script: Script, index: int) -> Iterator[Script]:
    """Let request `index` come sooner."""
    for gap_us in GAP_LADDER_US:
        if gap_us < script.workload[index].gap_us:
            yield with_request(script, index, gap_us=gap_us)


def at_once(script: Script) -> Iterator[Script]:
    """Let one of the requests come without waiting."""
    for index, request in enumerate(script.workload):
        if request.gap_us:
            yield with_request(script, index, gap_us=0)


def with_another_client(script: Script) -> Iterator[Script]:
    """Let any client make one of the requests."""
    clients = sorted({0, 1, *[request.client for request in script.workload]})
    for index, request in enumerate(script.workload):
        for client in clients:
            if client != request.client:
                yield with_request(script, index, client=client)


# --- Other steps -------------------------------------------------------------------------------


def sooner(script: Script) -> Iterator[Script]:
    """Let requests and steps come sooner together: what matters may be which is first."""
    workload, steps = script.workload, script.schedule.steps
    # What happens at the start, such as setting a trap, stays there.
    first = next((index for index, step in enumerate(steps) if step.gap_us), None)
    if workload and workload[0].gap_us and first is not None:
        both_us = min(workload[0].gap_us, steps[first].gap_us)
        moved = msgspec.structs.replace(script, workload=_sooner(workload, both_us))
        yield with_steps(moved, (*steps[:first], *_sooner(steps[first:], both_us)))


def with_simpler_step(
    script: Script, index: int, mishaps: Sequence[Mishap], gaps_us: Iterable[int]
) -> Iterator[Script]:
    """Let something else happen after one of these gaps; after its own, something before it."""
    step = script.schedule.steps[index]
    own = Mishap(step.fault, step.target, step.amount_ms)
    for gap_us in gaps_us:
        for mishap in mishaps:
            if gap_us == step.gap_us and (mishap == own or mishap.is_worse_than(own)):
                break
            yield _with_step(script, index, Step(gap_us, *mishap))


def with_sooner_step(script: Script, index: int, gap_us: int) -> Iterator[Script]:
    """Let step `index`, and all after it, come sooner; or it alone, if the rest's times matter."""
    steps = script.schedule.steps
    step = msgspec.structs.replace(steps[index], gap_us=gap_us)
    yield _with_step(script, index, step)
    for after in steps[index + 1 : index + 2]:
        later_us = after.gap_us + steps[index].gap_us - gap_us
        later = msgspec.structs.replace(after, gap_us=later_us)
        yield with_steps(script, (*steps[:index], step, later, *steps[index + 2 :]))


def with_another_step(script: Script, mishaps: Sequence[Mishap]) -> Iterator[Script]:
    """Let a step happen sooner, or anything else in its place, at its time or at once."""
    for index, step in enumerate(script.schedule.steps):
        for gap_us in GAP_LADDER_US:
            if gap_us < step.gap_us:
                yield _with_step(script, index, msgspec.structs.replace(step, gap_us=gap_us))
        for gap_us in sorted({0, step.gap_us}):
            for mishap in mishaps:
                yield _with_step(script, index, Step(gap_us, *mishap))


def with_one_step(script: Script, mishaps: Sequence[Mishap]) -> Iterator[Script]:
    """Let one thing happen instead of all the steps, soon or late."""
    for gap_us in GAP_LADDER_US:
        for mishap in mishaps:
            yield with_steps(script, (Step(gap_us, *mishap),))


def with_another_target(script: Script, mishaps: Sequence[Mishap]) -> Iterator[Script]:
    """Let the same happen to something else, at once."""
    for index, step in enumerate(script.schedule.steps):
        for mishap in mishaps:
            if (mishap.fault, mishap.amount_ms) == (step.fault, step.amount_ms):
                yield _with_step(script, index, Step(0, *mishap))


def with_step_for_request(script: Script, mishaps: Sequence[Mishap]) -> Iterator[Script]:
    """Let something happen at the start instead of a request."""
    for index in range(len(script.workload) if len(script.workload) > 1 else 0):
        for kept in without(script.workload, {index}):
            fewer = msgspec.structs.replace(script, workload=kept)
            for mishap in mishaps:
                yield with_steps(fewer, (Step(0, *mishap), *script.schedule.steps))


# --- Inside ------------------------------------------------------------------------------------


def with_request(script: Script, index: int, **changes: Any) -> Script:
    """Return the script with request `index` changed."""
    requests = list(script.workload)
    requests[index] = msgspec.structs.replace(requests[index], **changes)
    return msgspec.structs.replace(script, workload=tuple(requests))


def with_steps(script: Script, steps: tuple[Step, ...]) -> Script:
    """Return the script with these steps."""
    return msgspec.structs.replace(script, schedule=Schedule(steps))


def _with_step(script: Script, index: int, step: Step) -> Script:
    steps = script.schedule.steps
    return with_steps(script, (*steps[:index], step, *steps[index + 1 :]))


def _with_all(script: Script, change: Callable[[ClientRequest[Any]], ClientRequest[Any]]) -> Script:
    workload = tuple(change(request) for request in script.workload)
    return msgspec.structs.replace(script, workload=workload)


def _moved(request: ClientRequest[Any], old: int, new: int) -> ClientRequest[Any]:
    if request.client != old:
        return request
    return msgspec.structs.replace(request, client=new)


def _sooner(items: tuple[T, ...], gap_us: int) -> tuple[T, ...]:
    first = msgspec.structs.replace(items[0], gap_us=items[0].gap_us - gap_us)
    return tuple([item if index else first for index, item in enumerate(items)])
