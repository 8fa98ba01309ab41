"""Which faults are likely, and how schedules are drawn from that."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from actors.faults.fault_kinds import FAULTS, FaultName
from actors.simulation.script.chooser import SeededChooser
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.targets import PROCESS
from actors.simulation.time.order import CHOICES, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from actors.kernel.rng import Rng
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.script.targets import Targets

# 100 seconds: longer than any time-out that a fault should run into. Every magnitude below is as
# likely, so that a race within a commit is hit as well.
GAP_US_LIMIT: Final = 100_000_000

SLOTS: Final = 12

# How often one schedule has other numbers of replicas, at most.
SCALES_MAX: Final = 4

# How long a backup is under way, about.
BACKUP_US: Final = 20_000
# Of these some are deploys.
ENDS_OF_PROCESS: Final = ("crash", "terminate")

# Of so many seeds one has another order than asyncio's. How many bugs need as few as this many
# places to be right, or fewer, PCT's authors have counted.
SEEDS_WITHOUT: Final = 2
DEPTH_MAX: Final = 3
# Any number that is no larger is as good.
PRIORITIES: Final = 1 << 16


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How likely each fault is, in parts; of `slots` chances each stays unused in `nothing` parts.

    Faults that end others are not drawn: they come with those they end. A rehearsal sets `traps`
    more of them at the start, at crash points in turn, and `traps_seldom` at those seldom passed;
    and `traps_locks` after which who is killed does not come up at once. With `knobs` a seed may
    draw small limits. Where it is above 0, by `deploys` one crash in so many is the deploy of a
    version with a mistake, and of ends in order all but one; by `backups` one seed in so many has a
    backup amid its requests; and by `breaks` one handler in so many that raise after their work
    breaks a constraint at the commit instead; by `scales` one seed in so many has other numbers of
    replicas amid its requests.
    """

    weights: Mapping[FaultName, int]
    nothing: int
    slots: int = SLOTS
    traps: int = 0
    traps_seldom: int = 0
    traps_locks: int = 0
    knobs: bool = False
    deploys: int = 0
    backups: int = 0
    breaks: int = 0
    scales: int = 0


KILLS: Final[Mapping[FaultName, int]] = {
    "restart": 2,
    "kill": 6,
    "kill_at": 6,
    "kill_starts": 1,
    "stall_at": 3,
    "suspend": 2,
    "crash": 2,
    "terminate": 2,
    "terminate_with": 1,
    "crash_with": 1,
    "previous_version": 3,
}
NETWORK: Final[Mapping[FaultName, int]] = {
    "slow_link": 3,
    "reset": 4,
    "truncate": 2,
    "drop": 2,
    "partition": 3,
    "garble": 3,
}
DISK: Final[Mapping[FaultName, int]] = {
    "slow_store": 4,
    "full_at": 4,
    "fill_disk": 4,
    "low_disk": 4,
    "kill": 2,
    "crash": 2,
}
POWER: Final[Mapping[FaultName, int]] = {
    "cut_power": 3,
    "lose_at": 3,
    "keep_at": 2,
    "tear_at": 2,
    "garble_at": 1,
    "stale_at": 1,
    "pause": 6,
    # The longer a commit takes, the more is under way.
    "slow_store": 3,
    "kill": 2,
    "crash": 1,
}
HANDLERS: Final[Mapping[FaultName, int]] = {
    "fail_before": 4,
    "fail_after": 4,
    "poison": 3,
    "lock_poison": 2,
    "slow_handler": 3,
    "late_effect": 3,
    "twice_effect": 2,
    "lock_file": 1,
    "lock_at": 3,
    "flap": 2,
    "kill": 2,
}

OVERLOAD: Final[Mapping[FaultName, int]] = {
    "crowd": 6,
    "down_world": 3,
    "slow_world": 3,
    "silent_world": 4,
    # Who is slow has much to do, and so has who was away.
    "slow_store": 3,
    "slow_handler": 2,
    "suspend": 1,
    "pause": 1,
    "kill": 1,
}

# Half of all chances stay unused, so that short schedules are common: they are quick and readable.
PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        "calm": Profile(weights={}, nothing=1),
        "kills": Profile(
            weights=KILLS,
            nothing=20,
            traps=8,
            traps_seldom=6,
            deploys=4,
            backups=24,
            scales=4,
        ),
        "network": Profile(weights=NETWORK, nothing=12, knobs=True),
        "disk": Profile(weights=DISK, nothing=18, knobs=True, backups=24),
        "power": Profile(weights=POWER, nothing=24, knobs=True, backups=24),
        "handlers": Profile(weights=HANDLERS, nothing=24, traps_locks=3, knobs=True, breaks=3),
        "overload": Profile(weights=OVERLOAD, nothing=24, knobs=True),
        "chaos": Profile(
            weights={**POWER, **HANDLERS, **NETWORK, **DISK, **KILLS, "step_clock": 4},
            nothing=90,
            knobs=True,
            deploys=4,
            backups=24,
            breaks=3,
            scales=4,
        ),
    }
)


class Slot(NamedTuple):
    """A fault that was drawn, before its place in time is known. Microseconds.

    `lasts_us` is 0 for a fault that nothing in the schedule ends.
    """

    gap_us: int
    fault: FaultName
    target: str
    amount_ms: int
    lasts_us: int


def draw_schedule(
    rng: Rng, profile: Profile, targets: Targets, *, slots: int | None = None
) -> Schedule:
    """Draw from a seed what `strategies.schedules` draws in Hypothesis.

    `slots`, the most faults there may be, is the profile's own unless given.
    """
    choose, menu = SeededChooser(rng), menu_of(profile, targets)
    count = profile.slots if slots is None else slots
    return assemble(choose_slot(choose, menu, targets) for _ in range(count))


def menu_of(profile: Profile, targets: Targets) -> list[FaultName | None]:
    """Return what a slot may be, each as often as it has parts: a fault to a target, or nothing."""
    menu: list[FaultName | None] = [None] * profile.nothing
    for name, fault in FAULTS.items():
        if targets.of(fault.scope):
            menu += [name] * profile.weights.get(name, 0)
    return menu


def choose_slot(choose: Chooser, menu: Sequence[FaultName | None], targets: Targets) -> Slot | None:
    """Choose one fault of the menu to one target, or nothing."""
    chosen = menu[choose(len(menu))] if menu else None
    if chosen is None:
        return None
    fault = FAULTS[chosen]
    gap_us = choose_gap(choose)
    names, amounts = targets.of(fault.scope), fault.amounts_ms
    return Slot(
        gap_us=gap_us,
        fault=chosen,
        target=names[choose(len(names))],
        amount_ms=amounts[choose(len(amounts))] if amounts else 0,
        lasts_us=choose_gap(choose) if fault.ended_by else 0,
    )


def begun_earlier(choose: Chooser, schedule: Schedule, due_us: Sequence[int]) -> Schedule:
    """Let it begin with the previous version, one time in two, until something is on its way.

    `due_us` is when each request is due; the change comes as long after one of them as any gap.
    """
    if not choose(2):
        return schedule
    until_us = (due_us[choose(len(due_us))] if due_us else 0) + choose_gap(choose)
    moments = [(0, Step(0, "previous_version", PROCESS)), *schedule.moments()]
    return Schedule.at([*moments, (until_us, Step(0, "present_version", PROCESS))])


def deployed(choose: Chooser, schedule: Schedule, mistakes: Sequence[str], one_in: int) -> Schedule:
    """Let ends of the process be deploys of a version with one of the mistakes.

    One crash in so many, and of ends in order, as such a deploy begins with one, all but one. What
    is replaced costs as much, so that a run is none the longer.
    """

    def perhaps(step: Step) -> Step:
        if step.fault not in ENDS_OF_PROCESS:
            return step
        is_one = choose(one_in) == 0
        if is_one is (step.fault == "terminate"):
            return step
        return Step(step.gap_us, "broken_deploy", mistakes[choose(len(mistakes))])

    return Schedule(tuple(perhaps(step) for step in schedule.steps))


def broken_later(choose: Chooser, schedule: Schedule, one_in: int) -> Schedule:
    """Let one in so many handlers that raise after their work fail at the commit instead."""
    steps = [
        Step(step.gap_us, "fail_commit", step.target)
        if step.fault == "fail_after" and not choose(one_in)
        else step
        for step in schedule.steps
    ]
    return Schedule(tuple(steps))


def backed_up(choose: Chooser, schedule: Schedule, due_us: Sequence[int], one_in: int) -> Schedule:
    """Let backups be made, in one of so many schedules: beside a request, and amid a fault.

    `due_us` is when each request is due; one comes as long after it as any gap. Another is under
    way when the fault strikes.
    """
    if choose(one_in):
        return schedule
    beside_us = due_us[choose(len(due_us))] if due_us else 0
    moments = [(beside_us + choose_gap(choose), Step(0, "back_up", PROCESS))]
    faults_us = [at_us for at_us, _ in schedule.moments() if at_us]
    if faults_us:
        amid_us = faults_us[choose(len(faults_us))] - choose(BACKUP_US)
        moments.insert(0, (max(0, amid_us), Step(0, "back_up", PROCESS)))
    return Schedule.at([*schedule.moments(), *moments])


def scaled(
    choose: Chooser,
    schedule: Schedule,
    due_us: Sequence[int],
    replicas: Sequence[str],
    one_in: int,
) -> Schedule:
    """Let services have other numbers of replicas, in one of so many schedules, some times.

    `due_us` is when each request is due; each comes as long after one of them as any gap.
    """
    if choose(one_in):
        return schedule
    moments = [
        (
            (due_us[choose(len(due_us))] if due_us else 0) + choose_gap(choose),
            Step(0, "scale", replicas[choose(len(replicas))]),
        )
        for _ in range(1 + choose(SCALES_MAX))
    ]
    return Schedule.at([*schedule.moments(), *moments])


def choose_order(choose: Chooser) -> Order:
    """Choose what comes first at an instant: as asyncio has it, or PCT of a depth from 1 to 3."""
    if choose(SEEDS_WITHOUT) == 0:
        return Order()
    changes = [1 + choose(CHOICES) for _ in range(choose(DEPTH_MAX))]
    return Order(1 + choose(PRIORITIES), tuple(sorted({*changes})))


def choose_gap(choose: Chooser) -> int:
    """Choose a time to wait, in microseconds."""
    return choose.magnitude(GAP_US_LIMIT)


def assemble(slots: Iterable[Slot | None]) -> Schedule:
    """Put what was drawn in order of time, with the ends of what lasts."""
    moments: list[tuple[int, Step]] = []
    at_us = 0
    for slot in slots:
        if slot is None:
            continue
        at_us += slot.gap_us
        moments.append((at_us, Step(0, slot.fault, slot.target, slot.amount_ms)))
        end = FAULTS[slot.fault].ended_by
        if end is not None and slot.lasts_us:
            moments.append((at_us + slot.lasts_us, Step(0, end, slot.target)))
    return Schedule.at(moments)
