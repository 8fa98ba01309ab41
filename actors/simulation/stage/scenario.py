"""What a simulation plays: a system, what its clients ask for, and what must hold in the end."""

from __future__ import annotations

from dis import get_instructions
from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from actors.errors import ConfigError, declared
from actors.simulation.time.virtual_clock import START_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History
    from actors.simulation.net.fault_rules import Garbling
    from actors.simulation.oracles.letter_oracle import LetGo
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.sealed.watch import Allowance
    from actors.simulation.stage.client import Client
    from actors.system import Audit, System


# What every scenario says for itself.
_REQUIRED = {
    "choose_call": "what a client does next",
    "perform": "how a client does it",
    "violations": "what is wrong in the end",
}


class Scenario:
    """One system under simulation; made afresh for each run.

    A call is a plain value or a frozen struct that says what one client does next; it decides
    nothing itself, so that a shrunk workload still means what it meant.
    """

    # Of what type all calls are: what a recorded workload is read back with.
    call_type: Any = Any
    # Virtual seconds after the last request in which everything but timers has come to rest: what a
    # service's `run` looks at now and then, for one, nobody else knows of.
    rest_s: float = 60.0
    # How many more are spent waiting for timers, from one to the next, until there is none: what
    # sets itself timers for ever has to end. What is not due by then is not waited for.
    timers_s_max: float = 3_600.0
    # Loopback addresses to which the machine speaks over a link, and what that link leads to is
    # called: faults strike `edge<>name`.
    wires: Mapping[str, str] = MappingProxyType({})
    # How what comes over a wire may be garbled, by what that is called: a fault, too.
    garblings: Mapping[str, Garbling] = MappingProxyType({})
    # Libraries of its systems that ask for time or entropy themselves, and who answers them.
    allowed: Sequence[Allowance] = ()
    # Messages that few runs pass: kills are set at their crash points more often.
    seldom: tuple[Any, ...] = ()
    # What `sometimes` is to be so in a campaign, by its text: also where no line comes to say it.
    expected: tuple[str, ...] = ()
    # Messages that nothing in it sends: what is not rehearsed is named, and has no crash points.
    unreached: tuple[Any, ...] = ()
    # Its system's own keys of the configuration, and what each may become when a process is started
    # again: `{"cafe.cups_max": (2, 50)}`.
    settings: Mapping[str, Sequence[float]] = MappingProxyType({})
    # What the wall clock may say when a run begins, in microseconds since the epoch, none of it
    # before `START_US`, when it is furnished: in another season, say. Its seed says which.
    begins_us: Sequence[int] = (START_US,)
    # What it has said when the run at hand began.
    begun_us: int = START_US
    # All that was in force in the run at hand, one after the other.
    configs: Sequence[Config] = ()
    # Whether limits are so wide that nobody is refused for want of room where nothing is wrong.
    roomy: bool = True
    # Whether the run has no fault: then a refusal has its reason in what clients did.
    is_calm: bool = False
    # What has come garbled in it, and when, by the wall clock in microseconds; in its order.
    garbled: Sequence[tuple[str, int]] = ()
    # Whether something was done to it, or a service was not up, at some time between two, in
    # monotonic seconds: what that explains is no reason for what came long before or after.
    was_disturbed: Callable[[float, float], bool] = staticmethod(lambda _first_s, _last_s: True)
    # At its end: of which service which messages were given up for ever, for an operator discarded
    # their dead letters, or they went for newer ones. What would have come of them is missing.
    let_go: Sequence[LetGo] = ()

    def configure(self, config: Config) -> Config:
        """Return the configuration to play under, such as one with shorter times.

        What somebody has set explicitly stays as it was set.
        """
        return config

    def prepare(self, folder: Path) -> None:
        """Put files into the folder of a machine that has never been booted, if any."""
        del folder

    def systems(self, own: System) -> Sequence[System]:
        """Return what the machine boots: the scenario's own system, and any that it needs."""
        return (own,)

    def earlier(self, own: System) -> System | None:
        """Return the system as its last version was, if that is to be played as well.

        A value with messages and services of its own, called as they are now. Then every run
        begins with files that it has written, and the process goes back to it and on again.
        """
        del own
        return None

    async def furnish(self, system: ServiceSystem) -> None:
        """Put in what all runs begin with, if anything; once, and the same every time."""
        del system

    def age(self, folder: Path) -> None:
        """Change the furnished files, whose process has ended, if that is wanted."""
        del folder

    def choose_call(self, choose: Chooser) -> Any:
        """Choose what a client does; 0 is always the simplest."""
        raise NotImplementedError

    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Do it. `number` is the request's own, for its key and its ids."""
        raise NotImplementedError

    async def unwell(self, system: ServiceSystem) -> list[str]:
        """Return what has not come to its end by itself, though all faults have ended.

        It is asked several times within a minute, until nothing is; before an operator has replayed
        any dead letter, and not while the wall clock is behind what it has said before.
        """
        del system
        return []

    async def tend(self, system: ServiceSystem) -> None:
        """Do what only an operator does, once all is well without it."""
        del system

    async def busy(self, system: ServiceSystem) -> list[str]:
        """Return what is still under way and cannot be told from mailboxes, channels and timers."""
        del system
        return []

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Return a sentence for everything that is wrong beyond what the systems' audits find.

        Such as what clients were told (the history) and is not in the files.
        """
        raise NotImplementedError


def asserts(scenario: Scenario, audits: Iterable[Audit]) -> bool:
    """Whether it or an audit may complain: one names what it looks at, or its perform raises."""
    performed: Any = getattr(scenario.perform, "__code__", "")
    raises = any(each.opname == "RAISE_VARARGS" for each in get_instructions(performed))
    return raises or any(_names(each) for each in [scenario.violations, *audits])


def _names(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is None or bool(code.co_names or code.co_freevars)


def scenario_of(system: System) -> Callable[[], Scenario]:
    """Return what makes the system's scenario. Raises ConfigError where that is something else."""
    assert system.scenario is not None, f"{system.name} has a scenario"
    with declared(system.name, "scenario"):
        make: Any = system.scenario()
        made = make() if callable(make) else make
    if not callable(make) or Scenario not in type(made).__mro__:
        message = (
            f"{system.name}: its scenario is a function that returns a subclass of Scenario, as in "
            f"scenario=lambda: MyScenario; what it returns is a {type(made).__name__}"
        )
        raise ConfigError(message)
    for name, what in _REQUIRED.items():
        if getattr(type(made), name) is getattr(Scenario, name):
            message = f"{system.name}: {type(made).__name__} has no {name}, which says {what}"
            raise ConfigError(message)
    return make  # type: ignore[no-any-return]


def audit_of(system: System) -> Audit:
    """Return the system's audit. Raises ConfigError where there is something else."""
    assert system.audit is not None, f"{system.name} has an audit"
    how = (
        "its audit is a function that returns another, of folder, config and time, as in "
        "audit=lambda: audit"
    )
    with declared(system.name, "audit"):
        if [*signature(system.audit).parameters]:
            message = f"{system.name}: {how}; it is that other one itself"
            raise ConfigError(message)
        audit: Any = system.audit()
    if not callable(audit):
        message = f"{system.name}: {how}; what it returns is a {type(audit).__name__}"
        raise ConfigError(message)
    try:
        signature(audit).bind("folder", "config", "now_us")
    except TypeError as error:
        names = ", ".join(signature(audit).parameters)
        takes = f"{getattr(audit, '__name__', audit)}({names})"
        message = f"{system.name}: its audit takes folder, config and time: {takes}"
        raise ConfigError(message) from error
    return audit  # type: ignore[no-any-return]
