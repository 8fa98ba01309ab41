"""Decides what is played: the requests, the faults, the limits and the order of each seed."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.kernel.rng import Rng
from actors.simulation.errors import NoScenario, SimulationError
from actors.simulation.script.chooser import SeededChooser
from actors.simulation.script.crash_points import CrashPoints  # noqa: TC001 - a field's type
from actors.simulation.script.knobs import choose_knobs, is_set
from actors.simulation.script.profile import (
    Profile,
    assemble,
    backed_up,
    begun_earlier,
    broken_later,
    choose_order,
    choose_slot,
    deployed,
    draw_schedule,
    menu_of,
    scaled,
)
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.targets import Targets  # noqa: TC001 - a field's type
from actors.simulation.script.workload import choose_request, draw_workload, present
from actors.simulation.sealed.escapes import forbid
from actors.simulation.stage.author_line import at_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from actors.simulation.script.chooser import Chooser
    from actors.simulation.script.schedule import Step
    from actors.simulation.stage.scenario import Scenario

# Requests of a run: enough to get in each other's way, few enough for sixteen runs a second.
REQUESTS_MAX: Final = 10
# One in sixteen seeds has no fault whatever the profile, so that the good case is judged, too. They
# lie evenly, but at no fixed distance, as crash points take turns by seed: Fibonacci hashing, D. E.
# Knuth, "The Art of Computer Programming", volume 3, 6.4. By the offset 10 is the first.
CALM_FACTOR: Final = 40_503
CALM_OFFSET: Final = 57_344
HASHES: Final = 1 << 16
CALM_HASHES: Final = HASHES // 16
# Of order and delays, for who chooses: any number that is no larger is as good.
SEEDS: Final = 1 << 16


class Playwright(msgspec.Struct, frozen=True, kw_only=True):
    """Writes scripts for one system under one profile.

    `explicit` are the keys of the configuration, as a tree, that somebody has set: no knobs.
    """

    scenario: Callable[[], Scenario]
    profile: Profile
    points: CrashPoints
    targets: Targets
    clients: int
    explicit: Mapping[str, Any]

    def script(self, seed: int) -> Script:
        """Draw what this seed plays. Raises SimulationError where no call can be chosen."""
        rng = Rng(seed)
        scenario = self.scenario()
        with _choosing(f"seed {seed}: "), forbid(allowed=scenario.allowed):
            workload = draw_workload(
                rng.fork("workload"),
                partial(_call_of, scenario),
                clients=self.clients,
                requests_max=REQUESTS_MAX,
            )
        profile = self.profile
        if _is_calm(seed):
            return Script(seed=seed, workload=workload, schedule=Schedule())
        traps = self._traps(seed)
        drawn = draw_schedule(rng.fork("schedule"), profile, self.targets)
        schedule = Schedule((*traps, *drawn.steps))
        due_us = list(accumulate(each.gap_us for each in workload))
        if self.targets.versions and profile.weights.get("previous_version"):
            schedule = begun_earlier(SeededChooser(rng.fork("version")), schedule, due_us)
        chosen = choose_knobs(SeededChooser(rng.fork("knobs"))) if profile.knobs else ()
        knobs = tuple(each for each in chosen if not is_set(self.explicit, each.key))
        order = choose_order(SeededChooser(rng.fork("order")))
        # Another scenario has others under the same seed.
        choose = SeededChooser(rng.fork(f"operations of {type(scenario).__name__}"))
        if self.targets.mistakes and profile.deploys:
            schedule = deployed(choose, schedule, self.targets.mistakes, profile.deploys)
        if profile.breaks:
            schedule = broken_later(choose, schedule, profile.breaks)
        if profile.backups:
            schedule = backed_up(choose, schedule, due_us, profile.backups)
        replicas = self.targets.replicas
        if replicas and profile.scales:
            schedule = scaled(choose, schedule, due_us, replicas, profile.scales)
        return Script(seed=seed, workload=workload, schedule=schedule, knobs=knobs, order=order)

    def _traps(self, turn: int) -> Iterator[Step]:
        profile = self.profile
        return self.points.traps(
            turn,
            count=profile.traps,
            count_seldom=profile.traps_seldom,
            count_locks=profile.traps_locks,
        )

    def choose_call(self, choose: Chooser) -> Any:
        """Choose what one client does, as the scenario has it. Raises SimulationError."""
        scenario = self.scenario()
        with _choosing(), forbid(allowed=scenario.allowed):
            return _call_of(scenario, choose)

    def choose_script(self, choose: Chooser) -> Script:
        """Choose what `script` draws from a seed; 0 throughout is nobody who asks, and no fault."""
        scenario, profile = self.scenario(), self.profile
        seed = choose(SEEDS)
        with forbid(allowed=scenario.allowed):
            requests = [
                choose_request(choose, partial(_call_of, scenario), self.clients)
                for _ in range(REQUESTS_MAX)
            ]
        turn = choose(1 + len(self.points.every))
        traps = self._traps(turn - 1)
        menu = menu_of(profile, self.targets)
        slots = [choose_slot(choose, menu, self.targets) for _ in range(profile.slots)]
        steps = (*(traps if turn else ()), *assemble(slots).steps)
        order = choose_order(choose)
        return Script(seed=seed, workload=present(requests), schedule=Schedule(steps), order=order)


def _is_calm(seed: int) -> bool:
    return (seed * CALM_FACTOR + CALM_OFFSET) % HASHES < CALM_HASHES


def _call_of(scenario: Scenario, choose: Chooser) -> Any:
    """Choose a call that a script can hold: what fails is kept in one, and played from it."""
    call = scenario.choose_call(choose)
    try:
        kept = msgspec.json.decode(msgspec.json.encode(call), type=scenario.call_type)
    except (TypeError, ValueError) as error:
        message = f"choose_call chose {call!r}, which no script can hold: {error}"
        raise NoScenario(message) from error
    if kept != call and not isinstance(call, tuple | list):
        hint = f"name its type, call_type = {type(call).__name__}"
        message = f"choose_call chose {call!r}, which a script gives back as {kept!r}: {hint}"
        raise NoScenario(message)
    return call


@contextmanager
def _choosing(when: str = "") -> Iterator[None]:
    """Say who could not choose a call: a scenario's author, at which line."""
    try:
        yield
    except NoScenario as error:
        raise NoScenario(f"{when}{error}") from None
    except SimulationError:
        raise
    except Exception as error:
        message = f"{when}choose_call{at_place(error)}: {type(error).__name__}: {error}"
        raise SimulationError(message) from error
